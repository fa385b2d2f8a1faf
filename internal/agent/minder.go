package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/keeper"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	keeperStart   = 10 * time.Second       // from the start of a keeper until it answers
	keeperPatient = 5 * time.Second        // how long a server's request waits for the next keeper
	keeperAgain   = 100 * time.Millisecond // between tries to start one; doubled up to keeperRarely
	keeperRarely  = 10 * time.Second

	// forgetPause is how long the word that an attempt may be forgotten waits for others: they come with each answer of a
	// server, and each would else be a message of its own.
	forgetPause = 5 * time.Millisecond
)

// minder sees to it that a keeper is there: it connects to the one that runs, starts one where none answers, and
// when one dies gives the next what it needs to go on with the running attempts.
type minder struct {
	data    string
	program Keeper
	log     *slog.Logger
	reports chan<- []wire.Report
	sizes   func([]keeper.Size)                   // told how long spools are
	safe    func(epoch, mark int64) (int64, bool) // how far of a mark the keeper may forget; false: not at all

	asked atomic.Bool // for a start or a cancel, since it was last looked at

	mu         sync.Mutex
	client     *keeper.Client // nil: none answers
	last       *keeper.Client // the one that answers or has answered last: it knows where files are
	changed    chan struct{}
	looked     *keeper.Client        // of which it is known what output it has
	forgets    map[wire.Attempt]bool // that no keeper has taken yet
	forgetting bool                  // they are about to be told
	marked     wire.Position         // the last mark that this keeper was told
}

func newMinder(data string, program Keeper, log *slog.Logger) *minder {
	return &minder{data: data, program: program, log: log, changed: make(chan struct{}), forgets: map[wire.Attempt]bool{}}
}

// open connects to the keeper, or starts it. Its error prevents the start of the agent. A keeper of another version
// makes room for one of this version where nothing runs under it; else it goes on, and the next start looks again.
func (m *minder) open(ctx context.Context, version string) error {
	// One that has the folder and does not answer yet: an agent that was killed had just started it.
	starting, cancel := context.WithTimeout(ctx, keeperStart)
	defer cancel()
	c, err := m.gain(starting)
	if err != nil {
		return err
	}
	if h := c.Hello(); h.Version != version && h.Running == 0 {
		m.log.Info("keeper of another version is replaced", slog.String("old", h.Version), slog.String("new", version))
		if c, err = m.replace(ctx, c); err != nil {
			return err
		}
	}
	m.put(c)
	return nil
}

// replace ends a keeper under which nothing runs and starts the next.
func (m *minder) replace(ctx context.Context, c *keeper.Client) (*keeper.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, keeperStart)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		return nil, fmt.Errorf("replacing the keeper: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("replacing the keeper: it does not end: %w", context.Cause(ctx))
	case <-c.Done():
	}
	if err := c.Close(); err != nil {
		return nil, fmt.Errorf("replacing the keeper: %w", err)
	}
	return m.gain(ctx) // its connection ends a moment before it gives the folder back
}

// gain connects to the keeper, or starts it. While one has the folder that does not answer, it tries again, until ctx ends.
func (m *minder) gain(ctx context.Context) (*keeper.Client, error) {
	pause := backoff{first: 10 * time.Millisecond, most: 200 * time.Millisecond}
	for {
		c, err := m.connect(ctx, nil)
		if !fault.Is(err, fault.Conflict) || ctx.Err() != nil {
			return c, err
		}
		m.rest(ctx, pause.wait())
	}
}

// Run passes on what the keeper tells, and replaces it when it dies, until ctx ends.
func (m *minder) Run(ctx context.Context) error {
	pause := backoff{first: keeperAgain, most: keeperRarely}
	c := m.now()
	for {
		m.listen(ctx, c)
		m.put(nil)
		if ctx.Err() != nil {
			return c.Close()
		}
		m.log.Warn("keeper is gone; jobs go on, and another takes them over", slog.Any("error", c.Err()))
		for {
			next, err := m.connect(ctx, c)
			if err == nil {
				c = next
				break
			}
			if ctx.Err() != nil {
				return c.Close()
			}
			m.log.Error("no keeper can be had; will try again", slog.Any("error", err))
			m.rest(ctx, pause.wait())
		}
		pause.reset()
		m.put(c)
	}
}

// connect finds the keeper of the data folder, and starts one where none answers.
func (m *minder) connect(ctx context.Context, old *keeper.Client) (*keeper.Client, error) {
	var options []keeper.Option
	if old != nil {
		options = append(options, keeper.After(old))
	}
	c, err := keeper.Connect(ctx, m.data, options...)
	if err != nil {
		m.log.Debug("no keeper answers; one is started", slog.Any("error", err))
		if err := keeper.Spawn(ctx, m.program.Exe, m.program.Args, m.data); err != nil {
			return nil, fmt.Errorf("starting the keeper: %w", err)
		}
		c, err = keeper.Connect(ctx, m.data, append(options, keeper.Wait(keeperStart))...)
		if err != nil {
			return nil, fmt.Errorf("connecting to the keeper: %w", err)
		}
	}
	h := c.Hello()
	m.log.Info("keeper answers", slog.Int("pid", h.PID), slog.String("version", h.Version), slog.Int("running", h.Running), slog.String("containment", h.Containment))
	if h.Damaged != "" {
		m.log.Error("the keeper's journal is damaged", slog.String("what", h.Damaged))
	}
	return c, nil
}

// listen passes on what the keeper tells until it is gone.
func (m *minder) listen(ctx context.Context, c *keeper.Client) {
	m.again(c)
	// Not only what grows from now on: an earlier agent may have left output unsent.
	if found, err := c.Spools(); err != nil {
		m.log.Error("what earlier attempts wrote is not found", slog.Any("error", err))
	} else {
		m.sizes(found)
		m.mu.Lock()
		m.looked = c
		m.mu.Unlock()
	}
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.Done():
				return
			case batch := <-c.Reports():
				m.pass(ctx, c, batch)
			}
		}
	})
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.Done():
			return
		case batch := <-c.Sizes():
			m.sizes(batch)
		}
	}
}

// pass hands reports on, or drops them: what a keeper that is gone has told, the next one tells again.
func (m *minder) pass(ctx context.Context, c *keeper.Client, batch []wire.Report) {
	if len(batch) == 0 {
		return
	}
	select {
	case m.reports <- batch:
	case <-c.Done():
	case <-ctx.Done():
	}
}

func (m *minder) put(c *keeper.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.client, m.marked = c, wire.Position{}
	if c != nil {
		m.last = c
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

// now returns the keeper that answers; nil: none does.
func (m *minder) now() *keeper.Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client
}

// wait returns the keeper that answers, and waits a while for one.
func (m *minder) wait(ctx context.Context) (*keeper.Client, error) {
	timer := time.NewTimer(keeperPatient)
	defer timer.Stop()
	for {
		m.mu.Lock()
		c, changed := m.client, m.changed
		m.mu.Unlock()
		if c != nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, errNoKeeper
		case <-changed:
		}
	}
}

// rest waits between two tries.
func (m *minder) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// ack tells the keeper which reports a server has committed. What a dying keeper does not take, the next one reports
// again, and it is acknowledged again.
func (m *minder) ack(ids []int64) {
	if c := m.now(); c != nil {
		if err := c.Ack(ids); err != nil {
			m.log.Debug("keeper did not take an acknowledgement", slog.Any("error", err))
		}
	}
}

// mark tells the keeper below which sequence it may forget. The keeper removes output with what it forgets, so it is told
// no more than has been sent; nothing before it is known what earlier agents left unsent; and nothing where nothing has
// changed, because marks come with every command.
func (m *minder) mark(epoch, mark int64) {
	m.mu.Lock()
	looked := m.looked
	m.mu.Unlock()
	if epoch <= 0 || looked == nil {
		return
	}
	upTo, ok := m.safe(epoch, mark)
	if !ok {
		return
	}
	now := wire.Position{Epoch: epoch, Seq: upTo}
	m.mu.Lock()
	c, old := m.client, m.marked
	stale := now.Epoch < old.Epoch || now.Epoch == old.Epoch && now.Seq <= old.Seq
	if c != looked || stale && old != (wire.Position{}) {
		m.mu.Unlock()
		return
	}
	m.marked = now
	m.mu.Unlock()
	if err := c.Mark(now.Epoch, now.Seq); err != nil {
		m.log.Debug("keeper was not told the mark", slog.Any("error", err))
	}
}

// forget lets the keeper remove what an attempt left, a moment later.
func (m *minder) forget(a wire.Attempt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgets[a] = true
	if m.forgetting {
		return
	}
	m.forgetting = true
	time.AfterFunc(forgetPause, func() {
		m.mu.Lock()
		m.forgetting = false
		m.mu.Unlock()
		if c := m.now(); c != nil {
			m.again(c)
		}
	})
}

// again tells a keeper what none has taken.
func (m *minder) again(c *keeper.Client) {
	m.mu.Lock()
	taken := m.forgets
	m.forgets = map[wire.Attempt]bool{}
	m.mu.Unlock()
	if len(taken) == 0 || c.Forget(slices.Collect(maps.Keys(taken))...) == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.Copy(m.forgets, taken)
}

// running returns how many attempts run.
func (m *minder) running() int {
	if c := m.now(); c != nil {
		return c.Running()
	}
	return 0
}

// places returns the keeper that knows where files are; it need not be alive.
func (m *minder) places() *keeper.Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// starter returns the keeper for commands.
func (m *minder) starter(ctx context.Context) (starter, error) {
	m.asked.Store(true)
	c, err := m.wait(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// begun reports whether an attempt's folder shows that the keeper began to start it.
func (m *minder) begun(a wire.Attempt) bool {
	for _, path := range []string{m.places().WorkFolder(a), m.places().SpoolPath(a)} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// spool opens what an attempt has written.
func (m *minder) spool(a wire.Attempt) (*os.File, error) { return os.Open(m.places().SpoolPath(a)) }

// artifacts returns the folder that the files named in an attempt's end are in.
func (m *minder) artifacts(a wire.Attempt) (string, error) { return m.places().WorkFolder(a), nil }

// inputs returns the folder for the files that an order needs.
func (m *minder) inputs(o wire.Order) (string, error) { return m.places().InputFolder(o) }
