package agent

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// lanes are the callbacks of this agent: for each attempt whose order names one, a connection of its own to the port where
// the server awaits its words. What an attempt's lane does not take, or gives back because it broke, goes over the link.
//
//	keeper ─ reports ─▶ lanes ─┬─ the attempt has a lane ──▶ lane ══ callback ══▶ server
//	                           └─ it has none, or it broke ─▶ reporter ══ link ══▶ server
type lanes struct {
	call func() portDialer // how ports are dialled by the plan now; nil: it has no callbacks
	tls  func() *tls.Config
	rest chan<- []wire.Report // to the reporter

	output *outputSender
	amend  func(r wire.Report) wire.Report
	upload func(ctx context.Context, c *http.Client, r wire.Report) (wire.Report, error)
	ack    func(ids []int64)
	acked  func(r wire.Report)
	log    *slog.Logger

	in   chan []wire.Report
	wake chan struct{}

	mu      sync.Mutex
	all     map[wire.Attempt]*lane
	offered []*lane // not begun yet
}

// portDialer opens the connection of a callback.
type portDialer = func(ctx context.Context, address string) (net.Conn, error)

func newLanes(call func() portDialer, log *slog.Logger) *lanes {
	return &lanes{call: call, log: log, in: make(chan []wire.Report), wake: make(chan struct{}, 1), all: map[wire.Attempt]*lane{}}
}

// Run begins lanes and hands out reports until ctx ends, and returns when no lane is left.
func (l *lanes) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	var rest []wire.Report // for the link, which may be away: lanes go on meanwhile
	for {
		in, out := l.in, l.rest
		if len(rest) == 0 {
			out = nil
		}
		if len(rest) >= maxPending {
			in = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case batch := <-in:
			rest = append(rest, l.hand(batch)...)
		case out <- rest:
			rest = nil
		case <-l.wake:
		}
		for _, one := range l.begin() {
			group.Go(func() { one.run(ctx) })
		}
	}
}

// offer takes in where an attempt's words are awaited. Told again, it changes nothing; another port or token replaces what
// was told before: the server has begun anew.
func (l *lanes) offer(a wire.Attempt, to wire.Callback) {
	if l.call() == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.all[a]
	if old != nil && old.to.Token == to.Token {
		return
	}
	one := &lane{of: l, attempt: a, to: to, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	if old != nil {
		one.pending, old.pending = old.pending, nil
		close(old.stop)
	}
	l.all[a] = one
	l.offered = append(l.offered, one)
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

// withdraw ends the lane of an attempt that this agent will never start.
func (l *lanes) withdraw(a wire.Attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.all[a]; one != nil {
		delete(l.all, a)
		close(one.stop)
	}
}

func (l *lanes) begin() []*lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	begun := l.offered
	l.offered = nil
	return begun
}

// hand gives reports to their attempts' lanes and returns the others.
func (l *lanes) hand(batch []wire.Report) []wire.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return batch
	}
	var rest []wire.Report
	for _, r := range batch {
		if one := l.all[r.Attempt]; one != nil {
			one.push(r)
		} else {
			rest = append(rest, r)
		}
	}
	return rest
}

// pass hands reports on to the link's sender.
func (l *lanes) pass(ctx context.Context, batch []wire.Report) {
	if len(batch) == 0 {
		return
	}
	select {
	case l.rest <- batch:
	case <-ctx.Done():
	}
}

// over takes a lane out and returns what it has not sent.
func (l *lanes) over(one *lane) []wire.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[one.attempt] == one {
		delete(l.all, one.attempt)
	}
	left := one.pending
	one.pending = nil
	return left
}
