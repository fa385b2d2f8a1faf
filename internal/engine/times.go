package engine

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

type scheduleKey struct{ net, name string }

func scheduleOf(k occurrence.Key) scheduleKey { return scheduleKey{k.Net, k.Schedule} }

// times is what the engine keeps in memory of schedules and their occurrences: a cache of the store. Only the engine's goroutine changes it,
// under mu and, but for what is about to be looked at, after commits only; it reads without mu. Others read under mu.
type times struct {
	mu        sync.RWMutex
	compiler  *calendar.Compiler // the engine's goroutine only, as lookup and calendars
	lookup    calendar.Lookup
	calendars map[string]int    // the versions that lookup has, of those that schedules lean on
	nets      map[string]*entry // by net, linked by sibling
	lastSpan  int64
	queue     dues
	alarms    alarms
	through   time.Time
	pauses    map[scheduleKey]occurrence.Pause
	active    map[int64]occurrence.Override  // overrides that are active or stale
	changed   map[scheduleKey][]int64        // the ids of the active ones, by schedule
	pending   map[occurrence.Key]*waiter     // what has fallen due or was touched, and waits
	waits     map[scheduleKey][]*waiter      // the same, by due
	done      map[scheduleKey]map[int64]bool // nominals that are decided though due later than their schedule's mark: never again
	taken     map[string]string              // runs that the store has by the key of an occurrence that it has not
	free      map[occurrence.Key]bool        // what a range of an earlier span reaches over and does not stand for
	redefined []string                       // nets of which what waits is to be put under the rules in force
	look      []occurrence.Key               // pending ones to be looked at anew, in order
	awaiting  map[occurrence.Key]bool        // those that wait for an agent
	chains    []*entry                       // rules by end whose next occurrence has to be found
	mustEnd   map[string]time.Time           // open runs that have to end by then
	late      map[string]bool                // those of them that have not
	clock     clock
	gaps      []*gap
	outages   []occurrence.Outage // since the start of this process
	marks     store.Setting       // how far the gaps are, where one takes more than one turn
	more      bool                // the last turn left something to do
}

// waiter is a pending record, as it is stored.
type waiter struct {
	occurrence.Record
	again time.Time
}

func (t *times) init() {
	t.nets = map[string]*entry{}
	t.calendars = map[string]int{}
	t.lookup = func(string) (*calendar.Definition, bool) { return nil, false }
	t.pauses = map[scheduleKey]occurrence.Pause{}
	t.active = map[int64]occurrence.Override{}
	t.changed = map[scheduleKey][]int64{}
	t.pending = map[occurrence.Key]*waiter{}
	t.waits = map[scheduleKey][]*waiter{}
	t.done = map[scheduleKey]map[int64]bool{}
	t.taken = map[string]string{}
	t.free = map[occurrence.Key]bool{}
	t.awaiting = map[occurrence.Key]bool{}
	t.mustEnd = map[string]time.Time{}
	t.late = map[string]bool{}
}

// outageSetting is the setting in which the marks of gaps are kept that take more than one turn.
const outageSetting = "outage"

// openTimes reads schedules and what waits of them. What fell due since the store knew of it fell into an outage.
func (e *Engine) openTimes(ctx context.Context) error {
	t := &e.times
	now := e.cfg.Now()
	t.compiler = calendar.NewCompiler(e.cfg.Zones, func(name string) (*calendar.Definition, bool) { return t.lookup(name) })
	t.clock = clock{wall: now, mono: e.cfg.Mono(), wait: time.Minute}
	var err error
	if t.through, err = e.cfg.Times.Through(ctx); err != nil {
		return fmt.Errorf("reading how far occurrences are decided: %w", err)
	}
	if t.marks, err = e.cfg.Store.Setting(ctx, outageSetting); err != nil {
		return fmt.Errorf("reading how far an outage is decided: %w", err)
	}
	if err := e.openSpans(ctx); err != nil {
		return err
	}
	heap.Init(&t.queue)
	if err := e.openPeoples(ctx); err != nil {
		return err
	}
	if err := e.openWaiting(ctx); err != nil {
		return err
	}
	if err := e.openLate(ctx); err != nil {
		return err
	}
	text, cause := "the server was not running until "+now.UTC().Format(time.RFC3339), occurrence.ServerDown
	if !t.through.IsZero() {
		text += "; what it decided before was due by " + t.through.UTC().Format(time.RFC3339)
	}
	if why := e.Held(); why != "" {
		text, cause = why, occurrence.Held
	}
	e.outage(occurrence.Outage{Until: now.Add(-time.Microsecond), Cause: cause, Text: text}) // what is due now is on time
	e.wasHeld, e.wasFull = true, false                                                       // what waited for the domain is looked at if it is not held any more
	return nil
}

// openPeoples reads what people have changed: pauses and overrides.
func (e *Engine) openPeoples(ctx context.Context) error {
	pauses, err := e.cfg.Times.Pauses(ctx)
	if err != nil {
		return fmt.Errorf("reading pauses: %w", err)
	}
	e.times.takePauses(pauses)
	overrides, err := e.cfg.Times.Overrides(ctx, "", livingOverrides(), 0)
	if err != nil {
		return fmt.Errorf("reading overrides: %w", err)
	}
	e.times.takeOverrides(overrides)
	return nil
}

func livingOverrides() []occurrence.OverrideState {
	return []occurrence.OverrideState{occurrence.OverrideActive, occurrence.OverrideStale}
}

// takePauses keeps all pauses.
func (t *times) takePauses(all []occurrence.Pause) {
	clear(t.pauses)
	for _, p := range all {
		k := scheduleKey{p.Net, p.Schedule}
		t.pauses[k] = p
		t.alarms.set(p.Until, alarm{pause: k})
	}
}

func (t *times) takeOverrides(all []occurrence.Override) {
	for _, o := range all {
		if _, known := t.active[o.ID]; !known && o.State == occurrence.OverrideActive {
			t.changed[scheduleOf(o.Key)] = append(t.changed[scheduleOf(o.Key)], o.ID)
			t.alarms.set(o.Expires, alarm{override: o.ID})
		}
		t.active[o.ID] = o
	}
}

// dropOverrides forgets the overrides of a net.
func (t *times) dropOverrides(net string) {
	for id, o := range t.active {
		if o.Net == net {
			delete(t.active, id)
			delete(t.changed, scheduleOf(o.Key))
		}
	}
}

// openWaiting reads the pending records, and those that are decided although their schedule's mark has not passed them: a crash came
// between two batches of one second, or a person released one before its time.
func (e *Engine) openWaiting(ctx context.Context) error {
	t := &e.times
	pending := store.OccurrenceQuery{Decisions: []occurrence.Decision{occurrence.Pending}}
	if err := e.eachRecord(ctx, pending, func(r occurrence.Record) { t.wait(r, r.Due) }); err != nil {
		return err
	}
	for _, w := range t.pending {
		if w.Reason != occurrence.DomainHeld {
			t.look = append(t.look, w.Key) // whatever it waits for may have come meanwhile
		}
	}
	t.sortLook()
	e.openRedefined()
	return e.eachRecord(ctx, store.OccurrenceQuery{Since: t.through.Add(time.Microsecond)}, func(r occurrence.Record) {
		if r.Decision != occurrence.Pending {
			t.decided(r.Key)
		}
	})
}

// openRedefined notes the nets whose definition was changed while no engine ran, as by a new time zone database: what waits of them is
// to be put under the rules in force.
func (e *Engine) openRedefined() {
	t := &e.times
	nets := map[string]bool{}
	for k, w := range t.pending {
		if en := t.inForce(scheduleOf(k)); k.Schedule != occurrence.Manual && w.Span != 0 && (en == nil || en.span != w.Span) {
			nets[k.Net] = true
		}
	}
	t.redefined = sortedKeys(nets)
}

// eachRecord calls f for each record of a query, page by page.
func (e *Engine) eachRecord(ctx context.Context, q store.OccurrenceQuery, f func(occurrence.Record)) error {
	q.Limit = 1000
	for {
		page, err := e.cfg.Times.Occurrences(ctx, q)
		if err != nil {
			return fmt.Errorf("reading occurrences: %w", err)
		}
		for i := range page {
			f(page[i])
		}
		if len(page) < q.Limit {
			return nil
		}
		last := &page[len(page)-1]
		q.After = store.OccurrenceCursor{Due: last.Due, Key: last.Key}
	}
}

// wait keeps a pending record.
func (t *times) wait(r occurrence.Record, again time.Time) {
	s := scheduleOf(r.Key)
	if old, ok := t.pending[r.Key]; ok && !old.Due.Equal(r.Due) {
		t.settle(r.Key) // it has another place in the order
	}
	set := true
	if old, ok := t.pending[r.Key]; ok {
		set = !old.again.Equal(again) // else its alarm is set: what has rung is never to be looked at again at the same instant
		old.Record, old.again = r, again
	} else {
		w := &waiter{r, again}
		t.pending[r.Key] = w
		at, _ := slices.BinarySearchFunc(t.waits[s], w, byDue)
		t.waits[s] = slices.Insert(t.waits[s], at, w)
	}
	delete(t.awaiting, r.Key)
	if r.Reason == occurrence.AwaitsAgent {
		t.awaiting[r.Key] = true
	}
	if set {
		t.alarms.set(again, alarm{key: r.Key})
	}
}

func byDue(a, b *waiter) int {
	return cmp.Or(a.Due.Compare(b.Due), a.Nominal.Compare(b.Nominal), strings.Compare(a.Net, b.Net), strings.Compare(a.Schedule, b.Schedule))
}

// settle forgets what does not wait any more.
func (t *times) settle(k occurrence.Key) {
	w, ok := t.pending[k]
	if !ok {
		return
	}
	delete(t.pending, k)
	delete(t.awaiting, k)
	s := scheduleOf(k)
	t.waits[s] = slices.DeleteFunc(t.waits[s], func(x *waiter) bool { return x == w })
	if len(t.waits[s]) == 0 {
		delete(t.waits, s)
	}
}

// decided notes that an occurrence has a record and is never to be decided again.
func (t *times) decided(k occurrence.Key) {
	of := scheduleOf(k)
	if t.done[of] == nil {
		t.done[of] = map[int64]bool{}
	}
	t.done[of][k.Nominal.UnixMicro()] = true
}

// lookAt notes pending occurrences that are to be looked at anew.
func (t *times) lookAt(keys ...occurrence.Key) {
	t.look = append(t.look, keys...)
	t.sortLook()
}

// sortLook puts what is to be looked at in order, each once, and drops what does not wait any more.
func (t *times) sortLook() {
	t.look = slices.DeleteFunc(t.look, func(k occurrence.Key) bool { return t.pending[k] == nil })
	slices.SortFunc(t.look, func(a, b occurrence.Key) int { return byDue(t.pending[a], t.pending[b]) })
	t.look = slices.Compact(t.look)
}
