package fleet_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// booth gives callbacks as the test says.
type booth struct {
	mu       sync.Mutex
	refuse   int // how many are refused before one is given
	expected map[wire.Attempt]int
	ended    map[wire.Attempt]int
}

type shortly struct{}

func (shortly) Error() string        { return "no port is free" }
func (shortly) After() time.Duration { return time.Millisecond }

func (b *booth) Free() (int, string) { return 5, "" }

func (b *booth) Expect(a wire.Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected[a]++
}

func (b *booth) Withdraw(a wire.Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.expected, a)
}

func (b *booth) Announce(_ context.Context, agentID string, a wire.Attempt) (wire.Callback, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.expected, a)
	if b.refuse > 0 {
		b.refuse--
		return wire.Callback{}, shortly{}
	}
	return wire.Callback{Addresses: []string{"hq:1"}, Token: agentID + a.Run}, nil
}

func (b *booth) Ended(a wire.Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended[a]++
}

func (b *booth) count() (expected, ended int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.expected), len(b.ended)
}

// A start goes out only with its callback; where there is none it stays open, says so, and goes out when there is. What was
// counted for it is counted no more once it is told or dropped, and its last word ends the callback by whatever way it comes.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	b := &booth{refuse: 2, expected: map[wire.Attempt]int{}, ended: map[wire.Attempt]int{}}
	h := openWith(t, b)
	if n, _ := h.CallbackPorts(); n != 5 {
		t.Errorf("%d ports, want those of the booth", n)
	}
	own, node := h.node("north")
	h.Update([]fleet.Agent{node})
	h.desk.outstanding = []run.Command{command(node.ID, 1)}
	a := h.dial(own)
	c := a.next()
	if len(c.Orders) != 1 || c.Orders[0].Callback == nil || c.Orders[0].Callback.Token != node.ID+"r1" {
		t.Fatalf("got %+v", c)
	}
	for range 2 {
		if d, ok := (<-h.desk.told).Input.(run.Deferred); !ok || d.Reason != run.ReasonCallback || d.Detail != "no port is free" {
			t.Errorf("the desk was told %+v", d)
		}
	}
	h.Send([]run.Command{command(node.ID, 2)})
	if c := a.next(); len(c.Orders) != 1 || c.Orders[0].Callback.Token != node.ID+"r2" {
		t.Errorf("got %+v", c)
	}
	if expected, _ := b.count(); expected != 0 {
		t.Errorf("%d starts are expected, all are told", expected)
	}
	code := 0
	var reply wire.ReportsReply
	reports := []wire.Report{
		{ID: 1, Attempt: wire.Attempt{Run: "r1", Job: "a", N: 1}, Kind: wire.Started, At: time.Now()},
		{ID: 2, Attempt: wire.Attempt{Run: "r2", Job: "a", N: 1}, Kind: wire.Ended, At: time.Now(), ExitCode: &code},
	}
	if status := a.post(wire.PathReports, wire.Reports{Reports: reports}, &reply); status != 200 {
		t.Fatal(status)
	}
	if _, ended := b.count(); ended != 1 || b.ended[reports[1].Attempt] != 1 {
		t.Errorf("callbacks that ended: %v", b.ended)
	}
	a.stop()
	h.until(node.ID, false)
	h.Send([]run.Command{command(node.ID, 3)})
	if expected, _ := b.count(); expected != 0 {
		t.Error("a start for an agent without a link is counted")
	}
}
