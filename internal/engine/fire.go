package engine

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// passTime decides what has fallen due, and what has waited for something that came.
func (e *Engine) passTime(ctx context.Context, d *decision) {
	t, a := &e.times, d.agenda
	if e.disk.Load() != nil || a.now.Before(e.blocked) {
		return // nothing of it could be stored, or the store does not tell; it is decided later
	}
	t.mu.Lock()
	a.rung = t.alarms.rung(a.now, turnLimit)
	t.mu.Unlock()
	e.redefine(d, t.redefined)
	a.redefined = len(t.redefined)
	e.beginChains(ctx, d)
	e.ring(d)
	keys := make([]occurrence.Key, 0, len(a.rung))
	for _, r := range a.rung {
		if t.pending[r.key] != nil {
			keys = append(keys, r.key)
		}
	}
	a.looked = min(len(t.look), turnLimit)
	for _, k := range t.look[:a.looked] {
		if t.pending[k] != nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(x, y occurrence.Key) int { return byDue(t.pending[x], t.pending[y]) })
	for _, k := range slices.Compact(keys) {
		e.again(ctx, d, k)
	}
	e.closeGap(ctx, d)
	if len(t.gaps) == 0 || len(t.gaps) == 1 && t.gaps[0].begun {
		e.fire(ctx, d)
	}
	e.mark(a)
}

// fire decides what is due now, in order, at most as much as the turn's budget has. The queue's entries stay as they are until the commit:
// twins of them go on.
func (e *Engine) fire(ctx context.Context, d *decision) {
	a := d.agenda
	var twins dues
	index := map[*entry]int{} // of the twins, in a.fired
	for a.budget > 0 && a.failed == nil {
		twin := e.times.take(a, &twins, index)
		if twin == nil {
			return
		}
		e.fireOne(ctx, d, twin)
		f := &a.fired[index[twin]]
		f.decided, f.next = twin.next, twin.dueAfter(twin.next)
		if twin.decided, twin.next = f.decided, f.next; twin.next != 0 {
			heap.Push(&twins, twin)
		}
	}
}

// take returns the twin of what is due first, and is due by now; nil: nothing is.
func (t *times) take(a *agenda, twins *dues, index map[*entry]int) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := a.now.UnixMicro()
	for {
		queued := len(t.queue) > 0 && t.queue[0].next <= now
		if len(*twins) > 0 && (*twins)[0].next <= now && (!queued || !t.queue.first(*twins)) {
			return heap.Pop(twins).(*entry)
		}
		if !queued {
			return nil
		}
		en := heap.Pop(&t.queue).(*entry)
		if en.gone {
			continue
		}
		a.fired = append(a.fired, firing{entry: en, decided: en.decided, next: en.next})
		twin := *en
		index[&twin] = len(a.fired) - 1
		return &twin
	}
}

// fireOne decides all that one schedule has at its next due.
func (e *Engine) fireOne(ctx context.Context, d *decision, en *entry) {
	at := time.UnixMicro(en.next).UTC()
	for o := range en.rule.Between(at.Add(-time.Microsecond), at) {
		e.consider(ctx, d, fresh(en, o))
		d.agenda.budget--
	}
}

// fresh is an occurrence of a schedule that is looked at for the first time.
func fresh(en *entry, o calendar.Occurrence) considered {
	return considered{entry: en, occurrence: o, record: occurrence.Record{
		Key: occurrence.Key{Net: en.net, Schedule: en.name, Nominal: o.Nominal}, Span: en.span, Due: o.Due, Moved: o.Moved,
		Zone: en.rule.Schedule().Zone, TZData: en.tzdata,
	}}
}

// mark moves the mark: all that is due at or before it is decided or stored as pending.
func (e *Engine) mark(a *agenda) {
	t := &e.times
	if len(a.fired)+len(a.gapped) == 0 || len(t.gaps) > 1 || len(t.gaps) == 1 && len(a.gapped) < len(t.gaps[0].todo) {
		return
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	through := a.now
	limit := func(next int64) {
		if at := time.UnixMicro(next - 1).UTC(); next != 0 && at.Before(through) {
			through = at
		}
	}
	if len(t.queue) > 0 {
		limit(t.queue[0].next)
	}
	for _, f := range append(slices.Clone(a.fired), a.gapped...) {
		limit(f.next)
	}
	if through = through.Truncate(time.Microsecond); through.After(t.through) {
		a.through = through
	}
}
