package engine

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// Dues are instants of the wall clock, and how long nobody looked is a time of the monotonic clock: only both together tell a server that
// stood still from a clock that was put forward.
const (
	lateFrom = time.Minute     // a turn that comes later than it was to come by more than this is an outage, and so is a clock put forward by more
	lookEach = 5 * time.Second // how long the loop sleeps at most, so that a clock that was put is seen
)

// clock is what both clocks said in the last turn, and when the next was to come at the latest.
type clock struct {
	wall time.Time
	mono time.Duration
	wait time.Duration
}

// notice compares both clocks with what they said in the last turn, and sees whether domain and disk have changed. It is called once a turn.
func (e *Engine) notice(now time.Time) {
	t := &e.times
	mono := e.cfg.Mono()
	passed, went := mono-t.clock.mono, now.Sub(t.clock.wall.Round(0))
	jump := went - passed
	last := t.clock.wall
	t.clock.wall, t.clock.mono = now.Round(0), mono
	switch {
	case jump > lateFrom:
		e.outage(occurrence.Outage{
			From: last, Until: last.Add(jump), Cause: occurrence.ClockJump, Text: fmt.Sprintf("the server's clock was put forward by %s", jump.Round(time.Second)),
		})
	case passed-t.clock.wait > lateFrom:
		e.outage(occurrence.Outage{
			From: last, Until: now, Cause: occurrence.ServerDown, Text: fmt.Sprintf("the server stood still for %s", passed.Round(time.Second)),
		})
	}
	held, full := e.held.Load() != nil, e.disk.Load() != nil
	if e.wasFull && !full {
		e.outage(occurrence.Outage{From: t.through, Until: now, Cause: occurrence.ServerDown, Text: "the server's disk was full"})
		t.lookAt(t.waitingFor()...)
	}
	if e.wasHeld && !held {
		t.lookAt(t.waitingFor()...)
	}
	if held {
		e.heldWhy = *e.held.Load()
	}
	e.wasHeld, e.wasFull = held, full
	if e.agentsChanged.Swap(false) && len(t.awaiting) > 0 {
		t.lookAt(t.waitingFor(occurrence.AwaitsAgent)...)
	}
}

// waitingFor returns what waits for one of some reasons, or (none given) for any but that it is not due.
func (t *times) waitingFor(some ...occurrence.Reason) []occurrence.Key {
	var keys []occurrence.Key
	for k, w := range t.pending {
		if slices.Contains(some, w.Reason) || len(some) == 0 && w.Reason != occurrence.NotYet {
			keys = append(keys, k)
		}
	}
	return keys
}

// outage notes that nobody could decide for a while. What fell due is decided in the turns that follow, before anything that is due later.
func (e *Engine) outage(o occurrence.Outage) {
	t := &e.times
	o.From, o.Until = o.From.Round(0).UTC(), o.Until.Round(0).UTC()
	if !o.Until.After(o.From) {
		return
	}
	t.outages = append(t.outages, o)
	if len(t.outages) > outagesKept {
		t.outages = slices.Delete(t.outages, 0, 1)
	}
	t.gaps = append(t.gaps, &gap{Outage: o})
}

const outagesKept = 100

// outageOf returns the outage in which something fell due; nil: none.
func (t *times) outageOf(due time.Time) *occurrence.Outage {
	for i := range t.outages {
		if t.outages[i].Contains(due) {
			return &t.outages[i]
		}
	}
	return nil
}

// gap is an outage that is being decided, schedule by schedule in the order of their spans. Where that takes more than one turn the mark
// says after a crash which are done.
type gap struct {
	occurrence.Outage
	begun bool
	todo  []*entry
}

// mark says that the spans up to one are decided until an instant.
type mark struct {
	Until time.Time `json:"until"`
	Span  int64     `json:"span"`
}

func readMarks(text string) []mark {
	var marks []mark
	if json.Unmarshal([]byte(text), &marks) != nil {
		return nil
	}
	return marks
}

// begin takes the schedules of which something fell due in the gap from the queue.
func (g *gap) begin(t *times) {
	if g.begun {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g.begun = true
	until := g.Until.UnixMicro()
	for len(t.queue) > 0 && t.queue[0].next <= until {
		g.todo = append(g.todo, heap.Pop(&t.queue).(*entry))
	}
	g.sort()
}

func (g *gap) sort() {
	slices.SortFunc(g.todo, func(a, b *entry) int { return int(a.span - b.span) })
}

// renew takes entries that were read anew in the place of those that are gone.
func (g *gap) renew(t *times) {
	if !g.begun {
		return
	}
	g.todo = slices.DeleteFunc(g.todo, func(en *entry) bool { return en.gone })
	until := g.Until.UnixMicro()
	t.queue = slices.DeleteFunc(t.queue, func(en *entry) bool {
		if en.next <= until {
			g.todo = append(g.todo, en)
		}
		return en.next <= until
	})
	heap.Init(&t.queue)
	g.sort()
}
