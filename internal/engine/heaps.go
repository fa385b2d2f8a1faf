package engine

import (
	"container/heap"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// alarm is an instant at which something has to be looked at. Alarms are never taken back: what rings for nothing is passed over.
type alarm struct {
	at       int64          // microseconds
	key      occurrence.Key // a pending occurrence
	run      string         // a run that had to end
	override int64          // one that expires
	pause    scheduleKey    // a pause that ends by itself
}

// alarms is a heap by instant.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at < a[j].at }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)        { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = alarm{}
	*a = (*a)[:last]
	return x
}

func (a *alarms) set(at time.Time, x alarm) {
	if !at.IsZero() {
		x.at = at.UnixMicro()
		heap.Push(a, x)
	}
}

// put takes back what has rung.
func (a *alarms) put(x alarm) { heap.Push(a, x) }

// rung takes at most n alarms whose instant has come.
func (a *alarms) rung(now time.Time, n int) []alarm {
	var all []alarm
	for ; n > 0 && len(*a) > 0 && (*a)[0].at <= now.UnixMicro(); n-- {
		all = append(all, heap.Pop(a).(alarm))
	}
	return all
}

// entry is what is kept of a schedule's span: as little as will do, because there may be a hundred thousand.
type entry struct {
	net, name string
	tzdata    string
	rule      *calendar.Rule
	span      int64
	version   int
	since     int64  // microseconds, as all instants here
	until     int64  // nothing at or after it; 0: the span is in force
	decided   int64  // everything due at or before it is decided or pending
	next      int64  // what is due first after decided; 0: nothing that is known
	gone      bool   // it was read anew: another entry stands for it
	sibling   *entry // another one of the same net
}

// dues is a heap of entries by what is due next, then net, name and span, so that the order of decisions is the same each time.
type dues []*entry

func (d dues) Len() int { return len(d) }
func (d dues) Less(i, j int) bool {
	a, b := d[i], d[j]
	switch {
	case a.next != b.next:
		return a.next < b.next
	case a.net != b.net:
		return a.net < b.net
	case a.name != b.name:
		return a.name < b.name
	}
	return a.span < b.span
}
func (d dues) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)   { *d = append(*d, x.(*entry)) }
func (d *dues) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return x
}

// put takes an entry that has something due.
func (d *dues) put(en *entry) {
	if en.next != 0 {
		heap.Push(d, en)
	}
}

// first reports whether the head of d comes before that of other.
func (d dues) first(other dues) bool {
	two := dues{d[0], other[0]}
	return two.Less(0, 1)
}
