package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// The bounds of fetching.
const (
	maxFetches  = 4    // files in flight
	maxFetching = 4096 // orders that wait for files
)

// fetcher brings the artifacts that an order needs into the attempt's folder, and hands the order to the keeper when
// all are there. An order that waits for files is in no journal yet: should the agent end, the server sends it again.
type fetcher struct {
	up     *uplink
	cache  *cache
	keeper func(ctx context.Context) (starter, error)
	inputs func(o wire.Order) (string, error) // the folder for an order's inputs
	log    *slog.Logger

	slots chan struct{}
	mu    sync.Mutex
	ctx   context.Context //nolint:containedctx // that of Run: fetches outlive the request that began them
	group *sync.WaitGroup
	under map[wire.Attempt]*fetching
	// failed are the attempts whose artifacts cannot be had, until a server has committed their ends.
	failed map[wire.Attempt]string
}

// fetching is an order whose files are on their way.
type fetching struct {
	order   wire.Order
	cancel  context.CancelFunc
	done    chan struct{}
	refusal *wire.Refusal // valid once done is closed; nil: the keeper has the order
	mu      sync.Mutex
	last    error // why the last try did not succeed
}

func newFetcher(up *uplink, c *cache, log *slog.Logger) *fetcher {
	return &fetcher{up: up, cache: c, log: log, slots: make(chan struct{}, maxFetches), under: map[wire.Attempt]*fetching{}, failed: map[wire.Attempt]string{}}
}

// Run lets fetches be begun until ctx ends, and then ends them.
func (f *fetcher) Run(ctx context.Context) error {
	var group sync.WaitGroup
	f.mu.Lock()
	f.ctx, f.group = ctx, &group
	f.mu.Unlock()
	<-ctx.Done()
	f.mu.Lock()
	f.group = nil
	f.mu.Unlock()
	group.Wait()
	return nil
}

// begin starts to fetch for orders. One that is under way already is joined.
func (f *fetcher) begin(orders []wire.Order) []*fetching {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*fetching, 0, len(orders))
	for _, o := range orders {
		one, ok := f.under[o.Attempt]
		switch {
		case ok:
		case f.group == nil || len(f.under) >= maxFetching:
			one = &fetching{order: o, done: make(chan struct{})}
			one.refuse("delivery", "too many orders wait for artifacts")
			close(one.done)
		default:
			ctx, cancel := context.WithCancel(f.ctx)
			one = &fetching{order: o, cancel: cancel, done: make(chan struct{})}
			f.under[o.Attempt] = one
			f.group.Go(func() { f.run(ctx, one) })
		}
		all = append(all, one)
	}
	return all
}

// stop ends the fetches of an attempt that was cancelled.
func (f *fetcher) stop(a wire.Attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, ok := f.under[a]; ok {
		one.cancel()
	}
}

// attempts returns those that wait for files.
func (f *fetcher) attempts() []wire.Attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]wire.Attempt, 0, len(f.under))
	for a := range f.under {
		all = append(all, a)
	}
	return all
}

// await waits a moment for fetches and returns the refusals of those that did not become starts.
func (f *fetcher) await(ctx context.Context, all []*fetching) []wire.Refusal {
	if len(all) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, orderPatience)
	defer cancel()
	var refusals []wire.Refusal
	for _, one := range all {
		select {
		case <-one.done:
			if one.refusal != nil {
				refusals = append(refusals, *one.refusal)
			}
		case <-ctx.Done():
			refusals = append(refusals, one.still())
		}
	}
	return refusals
}

// run fetches until all is there, or cannot be had, or nobody wants it any more.
func (f *fetcher) run(ctx context.Context, one *fetching) {
	defer func() {
		one.cancel()
		f.mu.Lock()
		delete(f.under, one.order.Attempt)
		f.mu.Unlock()
		close(one.done)
	}()
	pause := backoff{first: 100 * time.Millisecond, most: 10 * time.Second}
	for {
		err := f.try(ctx, one)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			one.refuse("delivery", "cancelled, or the agent ends, before its artifacts were here")
			return
		}
		one.mu.Lock()
		one.last = err
		one.mu.Unlock()
		f.log.Warn("order waits for its artifacts; will try again", slog.Any("attempt", one.order.Attempt), slog.Any("error", err))
		f.rest(ctx, pause.wait())
	}
}

// rest waits until d has passed or another link is up.
func (f *fetcher) rest(ctx context.Context, d time.Duration) {
	_, changed := f.up.now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer.C:
	}
}

// try places all inputs and hands the order over. Its error says that another try may succeed.
func (f *fetcher) try(ctx context.Context, one *fetching) error {
	err := f.placeAll(ctx, one.order)
	if err != nil && !errors.Is(err, errGone) {
		return err
	}
	k, kerr := f.keeper(ctx)
	if kerr != nil {
		return kerr
	}
	if err != nil {
		f.log.Warn("attempt fails: its artifacts cannot be had", slog.Any("attempt", one.order.Attempt), slog.Any("error", err))
		return f.fail(ctx, k, one.order, err.Error())
	}
	refused, err := k.Start(ctx, []wire.Order{one.order})
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		one.refusal = &refused[0]
	}
	return nil
}

// fail ends an attempt that cannot be started: the keeper withdraws it, so that nothing ever starts it, and its report
// is given the reason on its way to the server. Should this agent end in between, the server orders the job anew and
// comes to the same end.
func (f *fetcher) fail(ctx context.Context, k starter, order wire.Order, detail string) error {
	f.mu.Lock()
	f.failed[order.Attempt] = detail
	f.mu.Unlock()
	return k.Cancel(ctx, []wire.Cancel{{Attempt: order.Attempt, Position: order.Position}})
}

// explain gives a report the reason that only the fetcher knows.
func (f *fetcher) explain(r wire.Report) wire.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	if detail, ok := f.failed[r.Attempt]; ok && r.Kind == wire.NeverStarted {
		r.Reason, r.Detail = "artifact", detail
	}
	return r
}

// settled says that a server has committed the end of an attempt.
func (f *fetcher) settled(a wire.Attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.failed, a)
}

func (f *fetcher) placeAll(ctx context.Context, order wire.Order) error {
	dir, err := f.inputs(order)
	if err != nil {
		return fmt.Errorf("making folder for inputs: %w", err)
	}
	for _, in := range order.Inputs {
		// The names were checked when the order came: they stay inside the folder.
		path := filepath.Join(dir, in.Job, filepath.FromSlash(in.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("making folder for inputs: %w", noRoom(err))
		}
		select {
		case f.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		err := f.cache.place(ctx, in, path, f.get)
		<-f.slots
		if err != nil {
			return err
		}
	}
	return nil
}

// get fetches content from the server.
func (f *fetcher) get(ctx context.Context, sha string) (io.ReadCloser, error) {
	way, _ := f.up.now()
	if way == nil {
		return nil, errNoLink
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, peerBase+wire.PathArtifacts+sha, nil)
	if err != nil {
		return nil, err
	}
	resp, err := way.bulk.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer done(resp)
	err = answered(resp)
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		return nil, fmt.Errorf("%w: the server %w", errGone, err)
	}
	return nil, err
}

var errNoLink = errors.New("no server is linked")

func (one *fetching) refuse(reason, detail string) {
	one.refusal = &wire.Refusal{Attempt: one.order.Attempt, Reason: reason, Detail: detail}
}

// still says that the order is on its way.
func (one *fetching) still() wire.Refusal {
	one.mu.Lock()
	defer one.mu.Unlock()
	r := wire.Refusal{Attempt: one.order.Attempt, Reason: "delivery", Detail: "artifacts are being fetched"}
	if errors.Is(one.last, errNoRoom) {
		r.Reason = "disk"
	}
	if one.last != nil {
		r.Detail += ": " + one.last.Error()
	}
	return r
}
