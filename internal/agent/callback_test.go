//go:build linux

package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// taker is a keeper that notes what it is given, and refuses one job for good.
type taker struct{ orders []wire.Order }

func (k *taker) Start(_ context.Context, orders []wire.Order) (refused []wire.Refusal, err error) {
	k.orders = append(k.orders, orders...)
	for _, o := range orders {
		if o.Attempt.Job == "refused" {
			refused = append(refused, wire.Refusal{Attempt: o.Attempt, Final: true, Reason: "run_as"})
		}
	}
	return refused, nil
}

func (k *taker) Cancel(context.Context, []wire.Cancel) error { return nil }

// The token of a callback is not written down: the keeper is given the order without it. An order that is refused for good
// has no lane, and one that comes again has the lane that it had, unless the server has begun anew.
func TestOrdersWithCallbacks(t *testing.T) {
	t.Parallel()
	k := &taker{}
	l := newLanes(func() portDialer {
		return func(context.Context, string) (net.Conn, error) { return nil, errors.New("not today") }
	}, slog.New(slog.DiscardHandler))
	c := &commander{
		keeper: func(context.Context) (starter, error) { return k, nil }, mark: func(int64, int64) {}, fetch: &fetcher{},
		begun: func(wire.Attempt) bool { return false }, disk: func() string { return "" }, lanes: l, log: slog.New(slog.DiscardHandler),
	}
	order := func(job, token string) wire.Order {
		return wire.Order{
			Attempt: wire.Attempt{Run: "r1", Job: job, N: 1}, Position: wire.Position{Epoch: 1, Seq: 1}, Net: "a/b", Command: []string{"true"},
			Callback: &wire.Callback{Addresses: []string{"hq:1"}, Token: token},
		}
	}
	give := func(orders ...wire.Order) {
		t.Helper()
		if _, err := c.carryOut(t.Context(), wire.Commands{Epoch: 1, Orders: orders}); err != nil {
			t.Fatal(err)
		}
	}
	give(order("a", "t1"), order("refused", "t2"))
	if len(k.orders) != 2 {
		t.Fatalf("the keeper was given %d orders", len(k.orders))
	}
	for _, o := range k.orders {
		if o.Callback != nil {
			t.Errorf("the keeper is told the token of %s", o.Attempt.Job)
		}
	}
	first := l.all[wire.Attempt{Run: "r1", Job: "a", N: 1}]
	if len(l.all) != 1 || first == nil || first.to.Token != "t1" {
		t.Fatalf("lanes: %+v", l.all)
	}
	give(order("a", "t1"))
	if l.all[first.attempt] != first {
		t.Error("the same order made another lane")
	}
	first.pending = []wire.Report{{ID: 7, Attempt: first.attempt}}
	give(order("a", "t3"))
	second := l.all[first.attempt]
	if second == first || second.to.Token != "t3" || len(second.pending) != 1 || len(first.pending) != 0 {
		t.Errorf("the server began anew, and the lane is %+v", second)
	}
	select {
	case <-first.stop:
	default:
		t.Error("the lane that was replaced goes on")
	}
}

// What a lane cannot say goes to the link's sender, with what came for it meanwhile; what has no lane goes there at once.
func TestLaneHandsBack(t *testing.T) {
	t.Parallel()
	rest := make(chan []wire.Report)
	gate := make(chan struct{})
	l := newLanes(func() portDialer {
		return func(ctx context.Context, _ string) (net.Conn, error) {
			select {
			case <-gate:
				return nil, &answer{code: 403, detail: "not awaited here"} // as a port that is another attempt's now
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}, slog.New(slog.DiscardHandler))
	up := newUplink()
	l.rest, l.output = rest, newOutputSender(up, slog.New(slog.DiscardHandler))
	l.amend = func(r wire.Report) wire.Report { return r }
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	next := func() wire.Report {
		t.Helper()
		select {
		case batch := <-rest:
			if len(batch) != 1 {
				t.Fatalf("got %+v", batch)
			}
			return batch[0]
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came to the link's sender")
			return wire.Report{}
		}
	}
	mine, other := wire.Attempt{Run: "r1", Job: "a", N: 1}, wire.Attempt{Run: "r1", Job: "b", N: 1}
	l.offer(mine, wire.Callback{Addresses: []string{"hq:1"}, Token: "t"})
	l.in <- []wire.Report{{ID: 1, Attempt: mine, Kind: wire.Started}, {ID: 2, Attempt: other, Kind: wire.Started}}
	if r := next(); r.ID != 2 {
		t.Errorf("got %+v, want what has no lane", r)
	}
	close(gate)
	if r := next(); r.ID != 1 {
		t.Errorf("got %+v, want what the lane could not say", r)
	}
	l.in <- []wire.Report{{ID: 3, Attempt: mine, Kind: wire.Ended}}
	if r := next(); r.ID != 3 {
		t.Errorf("got %+v, want what came after the lane", r)
	}
}
