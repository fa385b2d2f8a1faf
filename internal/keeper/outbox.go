//go:build linux

package keeper

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	reportsAtOnce = 128
	sizesEvery    = 40 * time.Millisecond
	drainWithin   = 2 * time.Second
)

// outbox holds what the agent is to be told: the reports that no server has committed, and how the spools have
// grown. Its methods may be called at once.
type outbox struct {
	mu      sync.Mutex
	unacked map[int64]wire.Report // on the disk
	fresh   []wire.Report         // of these, not yet sent over this connection
	sizes   map[wire.Attempt]int64
	conn    *wireConn
	running func() int
	wake    chan struct{}
	idle    *sync.Cond
	sending bool
}

func newOutbox(reg *registry) *outbox {
	o := &outbox{unacked: map[int64]wire.Report{}, sizes: map[wire.Attempt]int64{}, wake: make(chan struct{}, 1)}
	o.idle = sync.NewCond(&o.mu)
	for _, r := range reg.pending() {
		o.unacked[r.ID] = r
	}
	return o
}

// add takes reports that are on the disk.
func (o *outbox) add(reports []wire.Report) {
	o.mu.Lock()
	for _, r := range reports {
		o.unacked[r.ID] = r
	}
	if o.conn != nil {
		o.fresh = append(o.fresh, reports...)
	}
	o.mu.Unlock()
	o.signal()
}

// grown notes the size of a spool.
func (o *outbox) grown(a wire.Attempt, size int64) {
	o.mu.Lock()
	first := len(o.sizes) == 0
	o.sizes[a] = max(o.sizes[a], size)
	o.mu.Unlock()
	if first {
		o.signal()
	}
}

func (o *outbox) ack(ids []int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		delete(o.unacked, id)
	}
	if len(o.unacked) == 0 {
		o.idle.Broadcast()
	}
}

// connect sends everything that is not acknowledged over a new connection, and then what comes.
func (o *outbox) connect(c *wireConn) {
	o.mu.Lock()
	o.conn = c
	o.fresh = o.fresh[:0]
	for _, r := range o.unacked {
		o.fresh = append(o.fresh, r)
	}
	slices.SortFunc(o.fresh, func(a, b wire.Report) int { return int(a.ID - b.ID) })
	o.mu.Unlock()
	o.signal()
}

// current returns the connection to the agent, nil where there is none.
func (o *outbox) current() *wireConn {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conn
}

// disconnect forgets a connection, if it is still the one.
func (o *outbox) disconnect(c *wireConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn == c {
		o.conn, o.fresh = nil, nil
		o.idle.Broadcast()
	}
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run sends until ctx ends. Reports go at once; sizes are gathered for a moment.
func (o *outbox) run(ctx context.Context) {
	var lastSizes time.Time
	var timer <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-timer:
			timer = nil
		}
		for o.sendReports() {
		}
		wait := sizesEvery - time.Since(lastSizes)
		if wait <= 0 {
			if o.sendSizes() {
				lastSizes = time.Now()
			}
		} else if timer == nil && o.hasSizes() {
			timer = time.After(wait)
		}
	}
}

func (o *outbox) sendReports() bool {
	o.mu.Lock()
	n := min(len(o.fresh), reportsAtOnce)
	if n == 0 || o.conn == nil {
		o.mu.Unlock()
		return false
	}
	f := frame{Kind: frameReport, Reports: slices.Clone(o.fresh[:n])}
	o.fresh = slices.Delete(o.fresh, 0, n)
	conn := o.conn
	o.sending = true
	o.mu.Unlock()
	f.Running = o.running()
	err := conn.send(f) // an error closes the connection; the next one is told again
	o.mu.Lock()
	o.sending = false
	o.idle.Broadcast()
	o.mu.Unlock()
	return err == nil
}

func (o *outbox) hasSizes() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.sizes) > 0
}

func (o *outbox) sendSizes() bool {
	o.mu.Lock()
	if len(o.sizes) == 0 {
		o.mu.Unlock()
		return false
	}
	f := frame{Kind: frameSize, Sizes: make([]Size, 0, len(o.sizes))}
	for a, n := range o.sizes {
		f.Sizes = append(f.Sizes, Size{a, n})
	}
	clear(o.sizes)
	conn := o.conn
	o.mu.Unlock()
	if conn != nil {
		_ = conn.send(f)
	}
	return true
}

// drain waits until everything is sent, and for a moment until it is acknowledged too.
func (o *outbox) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.idle.Broadcast()
	})
	defer stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for (o.sending || len(o.unacked) > 0) && o.conn != nil && ctx.Err() == nil {
		o.idle.Wait()
	}
}
