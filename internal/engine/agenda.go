package engine

import (
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// turnLimit bounds what one turn decides of occurrences, so that agents' reports get in between. One that is released costs as much as four
// that are only recorded.
const (
	turnLimit   = 2000
	releaseCost = 4
)

// agenda is what one turn decides of occurrences, before it is committed. Until then memory stays as it is, but for what was taken from its
// queues, which is put back where the commit fails.
type agenda struct {
	now        time.Time
	budget     int
	records    map[occurrence.Key]*filed
	order      []occurrence.Key
	bySchedule map[scheduleKey][]occurrence.Key
	ranges     []store.RangeWrite
	recovered  []store.OccurrenceWrite
	pauses     []store.PauseWrite
	overrides  []store.OverrideWrite
	marks      *store.Setting
	through    time.Time
	fired      []firing // entries that were taken from the queue, with how far they are now
	gapped     []firing // entries of the first gap that are done
	rung       []alarm  // taken from the alarms
	looked     int      // how many of times.look were looked at
	chained    int      // how many of times.chains
	redefined  int      // how many of times.redefined
	agents     []run.Candidate
	failed     error           // the store did not tell what was asked: nothing of this agenda is to be committed
	reread     map[string]bool // nets of which pauses and overrides have changed
	lookAgain  []occurrence.Key
	late       []string              // runs that had to end by now
	after      []func()              // what is done after the commit
	received   []func(store.Receipt) // and what is told of what the store allotted
}

// filed is a record of this turn.
type filed struct {
	occurrence.Record
	again time.Time
	write bool // it differs from what is stored
	free  bool // no range stands for it
}

// firing is how far an entry is after this turn.
type firing struct {
	*entry
	decided, next int64
}

func newAgenda(now time.Time) *agenda {
	return &agenda{
		now: now.Round(0).UTC(), budget: turnLimit,
		records: map[occurrence.Key]*filed{}, bySchedule: map[scheduleKey][]occurrence.Key{}, reread: map[string]bool{},
	}
}

// empty reports whether there is nothing to store.
func (a *agenda) empty() bool {
	if len(a.ranges)+len(a.recovered)+len(a.pauses)+len(a.overrides) > 0 || a.marks != nil || !a.through.IsZero() {
		return false
	}
	for _, f := range a.records {
		if f.write {
			return false
		}
	}
	return true
}

// into adds what was decided to a batch.
func (a *agenda) into(b *store.Batch, lastSpan int64) {
	for _, k := range a.order {
		if f := a.records[k]; f.write {
			b.Occurrences = append(b.Occurrences, store.OccurrenceWrite{Record: f.Record, Free: f.free})
		}
	}
	b.Occurrences = append(b.Occurrences, a.recovered...)
	b.Ranges, b.Pauses, b.Overrides = a.ranges, a.pauses, a.overrides
	if a.marks != nil {
		b.Settings = append(b.Settings, *a.marks)
	}
	if !a.through.IsZero() {
		b.Through, b.LastSpan = a.through, lastSpan
	}
}

// file keeps a record of this turn, to be written where it says something new.
func (e *Engine) file(d *decision, rec occurrence.Record, again time.Time) {
	a := d.agenda
	f, ok := a.records[rec.Key]
	if !ok {
		f = &filed{}
		a.records[rec.Key] = f
		a.order = append(a.order, rec.Key)
		of := scheduleOf(rec.Key)
		a.bySchedule[of] = append(a.bySchedule[of], rec.Key)
	}
	f.Record, f.again, f.free = rec, again, e.times.free[rec.Key]
	w := e.times.pending[rec.Key]
	f.write = w == nil || w.Decision != rec.Decision || w.Reason != rec.Reason || w.Span != rec.Span || !w.Due.Equal(rec.Due) || !w.Decided.Equal(rec.Decided)
}

// pendingOf returns what waits of a schedule for a reason, as this turn has it, by due.
func (e *Engine) pendingOf(a *agenda, of scheduleKey, why occurrence.Reason) []occurrence.Key {
	var keys []occurrence.Key
	for _, w := range e.times.waits[of] {
		if a.records[w.Key] == nil && w.Reason == why {
			keys = append(keys, w.Key)
		}
	}
	stored := len(keys)
	for _, k := range a.bySchedule[of] {
		if f := a.records[k]; f.Decision == occurrence.Pending && f.Reason == why {
			keys = append(keys, k)
		}
	}
	if len(keys) > stored {
		slices.SortFunc(keys, func(x, y occurrence.Key) int { return byDue(e.waiterOf(a, x), e.waiterOf(a, y)) })
	}
	return keys
}

func (e *Engine) waiterOf(a *agenda, k occurrence.Key) *waiter {
	if f := a.records[k]; f != nil {
		return &waiter{Record: f.Record}
	}
	return e.times.pending[k]
}

// undo puts back what a decision that is not committed took from the queues.
func (t *times) undo(a *agenda) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range a.fired {
		if !f.gone {
			t.queue.put(f.entry)
		}
	}
	for _, r := range a.rung {
		t.alarms.put(r)
	}
	a.fired, a.rung = nil, nil
}
