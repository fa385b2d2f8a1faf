// Package engine answers: what has happened, and what must be committed and ordered because of it?
//
//	people, programs ──┐                      ┌──→ store.Commit (one transaction, one sync)
//	agents' reports ───┼─→ queue → decide ────┤
//	time ──────────────┘   run.Fold, Place    └──→ dispatcher, watchers, the callers' answers
//
// One goroutine takes all that waits, decides over it with the pure functions of package run, commits it in one
// batch, and only then orders, tells and answers. While the disk syncs, the next batch gathers. Nothing in it
// needs to be alone: each write carries the revision that it was decided on, and where another server was
// faster the engine reads again and decides again.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Dispatcher is what the engine needs of the agents' side.
type Dispatcher interface {
	// Candidates returns every agent of the domain with what is known of it now; Running is the engine's to fill in.
	Candidates() []run.Candidate
	// CallbackPorts returns how many more starts have a port on which the server can await their words, and where there
	// is none the sentence that says why; -1: the plan has no callbacks, and no start needs one.
	CallbackPorts() (free int, why string)
	// Send hands commands on, in order; it never blocks. What cannot be sent now is asked for again by Outstanding.
	Send(commands []run.Command)
}

// Store is the part of the store that the engine leans on.
type Store interface {
	store.Committer
	Run(ctx context.Context, id string) (run.State, error)
	OpenRuns(ctx context.Context) ([]run.State, error)
	RunByKey(ctx context.Context, key string) (string, error)
	Orders(ctx context.Context, agentID string) ([]store.Order, error)
	Net(ctx context.Context, name string, version int) (store.NetVersion, error)
	Epoch(ctx context.Context) (int64, error)
	Setting(ctx context.Context, name string) (store.Setting, error)
}

// Times is what the engine reads of schedules and occurrences.
type Times interface {
	Through(ctx context.Context) (time.Time, error)
	Spans(ctx context.Context, q store.SpanQuery) ([]occurrence.Span, error)
	Occurrences(ctx context.Context, q store.OccurrenceQuery) ([]occurrence.Record, error)
	Ranges(ctx context.Context, q store.OccurrenceQuery) ([]occurrence.Range, error)
	Overrides(ctx context.Context, net string, states []occurrence.OverrideState, limit int) ([]occurrence.Override, error)
	Pauses(ctx context.Context) ([]occurrence.Pause, error)
}

// Config is what an engine is built with.
type Config struct {
	Store      Store
	Times      Times // of the same store; nil: Store is it
	Dispatcher Dispatcher
	// Define parses a stored version of a net.
	Define func(v store.NetVersion) (*jobnet.Net, error)
	// Zones is the time zone database by which schedules are due (nil: the one that is built in), and Calendars reads the calendars that they
	// may lean on, in some versions, or (nil) the newest of each; nil: there are none.
	Zones     *calendar.Zones
	Calendars func(ctx context.Context, versions map[string]int) (calendar.Lookup, error)
	NewRunID  func() (string, error) // for the runs of schedules: later ones are greater
	Now       func() time.Time
	Mono      func() time.Duration // a clock that is never put; nil: the machine's
	Log       *slog.Logger
	// Changed is told, after the commit, what has changed. It must not block.
	Changed func(Change)
	// Decided is told, after the commit, of which nets something was decided about occurrences; nil: nobody wants to know.
	Decided func(nets []string)
}

// Change is a run after a commit, with the names of the jobs that changed. Late says that it had to end by now and has not.
type Change struct {
	State run.State
	Jobs  []string
	Late  bool
}

var errNoIDs = errors.New("the engine was not given a source of run ids")

// queueLimit bounds what waits for a decision; beyond it callers are told to try again.
const queueLimit = 20_000

// Engine decides. Open makes one; Run must be running for anything to happen.
type Engine struct {
	cfg   Config
	epoch int64

	mu      sync.Mutex
	queue   []*request
	wake    chan struct{}
	stopped bool
	fatal   error

	held atomic.Pointer[string] // why the domain starts nothing; nil: it does
	disk atomic.Pointer[string] // why nothing new is accepted; nil: there is room

	turns turns
	board board // the open runs; its own lock, written by Run only
	defs  definitions
	times times

	wasHeld, wasFull bool      // in the last turn
	heldWhy          string    // why the domain was held last
	blocked          time.Time // until then nothing is decided about occurrences: the store does not tell what is asked, or takes nothing
	agentsChanged    atomic.Bool
}

// request is a caller's wish: inputs to one run, or a new run.
type request struct {
	run    string
	inputs []run.Input
	agent  string // the agent that reports, "" for people and time: it may only speak of its own attempts
	create *creation
	act    func(ctx context.Context, d *decision, r *request) error // decides itself what is to be done about occurrences
	audit  []store.AuditRecord

	done  chan struct{}
	state run.State
	errs  []error // one for each input
	err   error
}

type creation struct {
	state run.State
	def   *run.Definition
	key   string
}

// Open reads the open runs and orders. Errors are the store's.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	e := &Engine{cfg: cfg, wake: make(chan struct{}, 1), turns: turns{}}
	if e.cfg.Mono == nil {
		start := time.Now()
		e.cfg.Mono = func() time.Duration { return time.Since(start) }
	}
	if t, ok := cfg.Store.(Times); ok && cfg.Times == nil {
		e.cfg.Times = t
	}
	if e.cfg.NewRunID == nil {
		e.cfg.NewRunID = func() (string, error) { return "", errNoIDs }
	}
	if e.cfg.Zones == nil {
		e.cfg.Zones = calendar.Builtin()
	}
	e.board.init()
	e.times.init()
	e.defs.init(e.cfg)
	var err error
	if e.epoch, err = cfg.Store.Epoch(ctx); err != nil {
		return nil, fmt.Errorf("reading the epoch: %w", err)
	}
	held, err := cfg.Store.Setting(ctx, "held")
	if err != nil {
		return nil, fmt.Errorf("reading whether the domain is held: %w", err)
	}
	if held.Value != "" {
		e.held.Store(&held.Value)
	}
	states, err := cfg.Store.OpenRuns(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading open runs: %w", err)
	}
	for _, s := range states {
		def, err := e.defs.of(ctx, s.Net, s.Version)
		if err != nil {
			return nil, fmt.Errorf("reading net %s version %d of run %s: %w", s.Net, s.Version, s.ID, err)
		}
		e.board.put(s, def)
		e.board.queueReady(s, nil)
	}
	orders, err := cfg.Store.Orders(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("reading open orders: %w", err)
	}
	for _, o := range orders {
		e.board.opened(o.AgentID, attemptKey{o.Run, o.Job, o.N})
	}
	e.queue = e.fromBefore(orders)
	return e, e.openTimes(ctx)
}

// fromBefore makes what was ordered in an earlier epoch unknown: the store was restored since, and the agents may
// have ended, reported and forgotten it. They still tell what they know; an order of then is never sent again.
func (e *Engine) fromBefore(orders []store.Order) []*request {
	var requests []*request
	for _, o := range orders {
		if o.Epoch < e.epoch {
			requests = append(requests, &request{run: o.Run, done: make(chan struct{}), inputs: []run.Input{run.Unknown{
				Job: o.Job, N: o.N, At: e.cfg.Now(), Reason: run.ReasonRestored, Detail: "the server was restored from a backup since it was ordered",
			}}})
		}
	}
	if len(requests) > 0 {
		e.Kick()
	}
	return requests
}

// Run decides until ctx ends, then returns nil; what was taken from the queue is committed and answered first.
// An error means that the store cannot be trusted any more: the process must end.
func (e *Engine) Run(ctx context.Context) error {
	defer e.stop()
	warming, enough := context.WithCancel(ctx)
	warmed := make(chan struct{})
	go func() {
		defer close(warmed)
		e.warm(warming)
	}()
	defer func() {
		enough()
		<-warmed
	}()
	var last time.Time
	for {
		wait := e.untilWake()
		e.times.clock.wait = wait
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-e.wake:
		case <-timer.C:
		}
		timer.Stop()
		e.gather(ctx, last)
		last = time.Now()
		if err := e.turn(context.WithoutCancel(ctx)); err != nil {
			e.fatal = err
			return err
		}
	}
}

// On a busy server a turn takes what came in a little while: a commit for each word of 32 attempts costs more
// processor time than the attempts themselves. The while grows with the attempts that are open, so that their slots
// are never idle for long; where few are open nothing is gained, and nothing waits.
const (
	busyFrom  = 8 // open attempts
	gatherFor = 125 * time.Microsecond
	gatherMax = 5 * time.Millisecond
)

// gather lets requests come in until some time after the last turn began, if the server is busy.
func (e *Engine) gather(ctx context.Context, last time.Time) {
	open := e.board.openAttempts()
	wait := min(time.Duration(open)*gatherFor, gatherMax) - time.Since(last)
	if wait <= 0 || open < busyFrom {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (e *Engine) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	for _, r := range e.queue {
		r.fail(e.goneErr())
	}
	e.queue = nil
}

func (e *Engine) goneErr() error {
	return fault.New(fault.Unreachable, "the server is stopping", "try again when it is back; what was not acknowledged was not done")
}

// untilWake is how long the loop may sleep: until something is due, at most some seconds (clocks are put, machines sleep).
func (e *Engine) untilWake() time.Duration {
	now, wait := e.cfg.Now(), lookEach
	soonest := func(at time.Time) {
		if !at.IsZero() {
			wait = min(wait, max(at.Sub(now), 0))
		}
	}
	soonest(e.board.nextWake())
	if e.disk.Load() != nil {
		return max(wait, diskPause) // what is due cannot be stored now
	}
	if at := e.times.nextWake(now); !now.Before(e.blocked) {
		soonest(at)
	}
	return wait
}

// diskPause is between two tries to store what is due while the disk is full.
const diskPause = time.Second

// Kick makes the engine look again at what waits for an agent: one was linked, a slot or a label has changed.
func (e *Engine) Kick() {
	e.agentsChanged.Store(true)
	e.rouse()
}

// rouse makes the engine take a turn.
func (e *Engine) rouse() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// submit queues requests and waits for their answers.
func (e *Engine) submit(ctx context.Context, requests ...*request) error {
	e.mu.Lock()
	switch {
	case e.stopped:
		e.mu.Unlock()
		return e.goneErr()
	case len(e.queue)+len(requests) > queueLimit:
		e.mu.Unlock()
		return fault.New(fault.Busy, "too much waits for a decision", "try again in a second")
	}
	for _, r := range requests {
		r.done = make(chan struct{})
	}
	e.queue = append(e.queue, requests...)
	e.mu.Unlock()
	e.rouse()
	for _, r := range requests {
		select {
		case <-r.done:
		case <-ctx.Done(): // it may still be done; the caller only stops waiting
			return context.Cause(ctx)
		}
	}
	return nil
}

func (e *Engine) take() []*request {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.queue
	e.queue = nil
	return taken
}

// putBack leaves requests to the next turn, before what came in meanwhile.
func (e *Engine) putBack(requests []*request) {
	if len(requests) == 0 {
		return
	}
	e.mu.Lock()
	e.queue = append(requests, e.queue...)
	e.mu.Unlock()
	e.rouse()
}

func (r *request) fail(err error) {
	r.err = err
	close(r.done)
}

// After conflictTries of a turn whose decisions about occurrences the store takes to be out of date, these are put off for blockedFor.
const (
	conflictTries = 50
	blockedFor    = 10 * time.Second
)

// turn decides over all that waits, commits, and tells. It returns only errors after which the store is not to be trusted.
func (e *Engine) turn(ctx context.Context) error {
	requests := e.take()
	e.notice(e.cfg.Now())
	for try := 0; ; try++ {
		d := e.decide(ctx, requests)
		if d.agenda.failed != nil {
			e.board.requeue(d)
			e.times.undo(d.agenda)
			e.blocked = d.agenda.now.Add(time.Second)
			e.cfg.Log.Error("deciding what is due; it is tried again", slog.Any("error", d.agenda.failed))
			if try > 0 {
				d.answer(fault.Wrap(fault.Internal, "deciding", d.agenda.failed))
				return nil
			}
			continue
		}
		if d.empty() {
			e.passed(ctx, d, store.Receipt{})
			d.answer(nil)
			return nil
		}
		receipt, err := e.cfg.Store.Commit(ctx, d.batch(e.epoch, e.times.lastSpan))
		if err != nil {
			e.board.requeue(d)
			e.times.undo(d.agenda)
		}
		var conflict *store.Conflict
		switch {
		case err == nil:
			e.passed(ctx, d, receipt)
			e.publish(d, receipt)
			return nil
		case errors.As(err, &conflict) && try < 100:
			if try == conflictTries && !d.agenda.empty() { // occurrences are put off, so that they hold up nothing else
				e.blocked = d.agenda.now.Add(blockedFor)
				e.cfg.Log.Error("storing what is due; it is tried again", slog.Any("error", err))
				continue
			}
			requests = e.resolve(ctx, d, conflict)
			continue
		case errors.Is(err, store.ErrDisk):
			timely := e.disk.Load() == nil && !d.agenda.empty() // what is due is left for later by another try
			e.setDisk("the server's disk is full: " + err.Error())
			requests = d.withoutStarts(requests)
			if d.dispatches == 0 && len(requests) == len(d.requests) && !timely {
				d.answer(fault.New(fault.Disk, "no room on the server's disk", "make room; the server goes on by itself"))
				return nil
			}
			continue
		case errors.Is(err, store.ErrEpoch):
			d.answer(e.goneErr())
			return fmt.Errorf("storing what was decided: %w", err)
		}
		d.answer(fault.Wrap(fault.Internal, "storing what was decided", err))
		return fmt.Errorf("storing what was decided: %w", err)
	}
}

// resolve drops what a conflict was about and says what to decide again.
func (e *Engine) resolve(ctx context.Context, d *decision, c *store.Conflict) []*request {
	switch c.Noun {
	case "run key":
		if e.times.meetRun(ctx, e.cfg.Store, c.ID) {
			return d.requests
		}
		return d.withoutKey(ctx, e.cfg.Store, c.ID)
	case "setting": // whose turn it is, or how far an outage is: it is read anew
		clear(e.turns)
		e.rereadMarks(ctx)
		return d.requests
	case "occurrence", "span", "range", "pause", "override":
		e.meet(ctx, d, c.Noun)
		return d.requests
	}
	if s, err := e.cfg.Store.Run(ctx, c.ID); err == nil {
		if def, err := e.defs.of(ctx, s.Net, s.Version); err == nil {
			e.board.put(s, def)
			e.board.queueReady(s, nil)
			return d.requests
		}
	}
	e.board.forget(c.ID)
	return d.requests
}

func (e *Engine) setDisk(why string) {
	if why == "" {
		e.disk.Store(nil)
		return
	}
	e.disk.Store(&why)
}
