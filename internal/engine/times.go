package engine

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"log/slog"
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
	entries   int
	lastSpan  int64
	queue     dues
	alarms    alarms
	through   time.Time
	pauses    map[scheduleKey]occurrence.Pause
	active    map[int64]occurrence.Override  // overrides that are active or stale
	changed   map[scheduleKey][]int64        // the ids of the active ones, by schedule
	pending   map[occurrence.Key]*waiter     // what has fallen due or was touched, and waits
	waits     map[scheduleKey][]*waiter      // the same, by due
	netWaits  map[string]int                 // how many wait of a net
	done      map[scheduleKey]map[int64]bool // nominals that are decided though due later than their schedule's mark: never again
	taken     map[string]string              // runs that the store has by the key of an occurrence that it has not
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
	t.netWaits = map[string]int{}
	t.done = map[scheduleKey]map[int64]bool{}
	t.taken = map[string]string{}
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
	text, cause := "the server was not running", occurrence.ServerDown
	if why := e.Held(); why != "" {
		text, cause = why, occurrence.Held
	}
	e.outage(occurrence.Outage{Until: now, Cause: cause, Text: text})
	e.wasHeld, e.wasFull = true, false // what waited for the domain is looked at if it is not held any more
	return nil
}

// spansAtOnce is how many spans are read at once: what they were read from is let go before the next are.
const spansAtOnce = 5000

// openSpans reads all schedules that are in force, or were after the mark.
func (e *Engine) openSpans(ctx context.Context) error {
	t := &e.times
	marks := readMarks(t.marks.Value)
	q := store.SpanQuery{Since: t.through.Add(time.Microsecond), Limit: spansAtOnce}
	for {
		page, err := e.cfg.Times.Spans(ctx, q)
		if err != nil {
			return fmt.Errorf("reading schedules: %w", err)
		}
		for i := range page {
			if err := e.useCalendars(ctx, &page[i]); err != nil {
				return err
			}
			e.enter(&page[i], marks)
		}
		if len(page) < spansAtOnce {
			return nil
		}
		last := &page[len(page)-1]
		q.Beyond = store.SpanCursor{Net: last.Net, Schedule: last.Schedule, Since: last.Since, ID: last.ID}
	}
}

// useCalendars sees that the compiler knows the calendars that a span in force leans on, in the versions that it leans on.
func (e *Engine) useCalendars(ctx context.Context, s *occurrence.Span) error {
	t := &e.times
	if !s.Until.IsZero() || e.cfg.Calendars == nil {
		return nil
	}
	same := true
	for name, version := range s.Calendars {
		if t.calendars[name] != version {
			same, t.calendars[name] = false, version
		}
	}
	if same {
		return nil
	}
	all, err := e.cfg.Calendars(ctx, nil)
	if err != nil {
		return fmt.Errorf("reading calendars: %w", err)
	}
	t.lookup = all
	t.compiler.Forget()
	return nil
}

// enter compiles a span and keeps it. One that cannot be compiled is told to the log, and decides nothing: net apply has refused such.
func (e *Engine) enter(s *occurrence.Span, marks []mark) *entry {
	t := &e.times
	rule, problems := t.compiler.Compile(s.Net, s.Rule)
	if len(problems) > 0 {
		e.cfg.Log.Error("a stored schedule cannot be used any more; nothing of it is released", slog.String("net", s.Net),
			slog.String("schedule", s.Schedule), slog.String("problem", problems[0].Field+": "+problems[0].Message))
		t.lastSpan = max(t.lastSpan, s.ID)
		return nil
	}
	en := &entry{net: s.Net, name: s.Schedule, tzdata: s.TZData, rule: rule, span: s.ID, version: s.Version, since: s.Since.UnixMicro()}
	if !s.Until.IsZero() {
		en.until = s.Until.UnixMicro()
	}
	en.decided = max(en.since-1, t.through.UnixMicro())
	for _, m := range marks {
		if s.ID <= m.Span {
			en.decided = max(en.decided, m.Until.UnixMicro())
		}
	}
	if rule.ByEnd() {
		if en.until == 0 {
			t.chains = append(t.chains, en)
		}
	} else {
		en.next = en.dueAfter(en.decided)
	}
	first := t.nets[s.Net]
	if first != nil {
		en.net = first.net
	}
	en.sibling = first
	t.nets[en.net] = en
	t.entries++
	t.lastSpan = max(t.lastSpan, s.ID)
	if en.next != 0 {
		t.queue = append(t.queue, en)
	}
	return en
}

// dueAfter returns what is due first after an instant in the entry's span; 0: nothing.
func (en *entry) dueAfter(after int64) int64 {
	o, ok := en.rule.Next(time.UnixMicro(after).UTC())
	if !ok || en.until != 0 && o.Due.UnixMicro() >= en.until {
		return 0
	}
	return o.Due.UnixMicro()
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
	return e.eachRecord(ctx, store.OccurrenceQuery{Since: t.through.Add(time.Microsecond)}, func(r occurrence.Record) {
		if r.Decision != occurrence.Pending {
			t.decided(r.Key)
		}
	})
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
	if old, ok := t.pending[r.Key]; ok {
		old.Record, old.again = r, again
	} else {
		w := &waiter{r, again}
		t.pending[r.Key] = w
		at, _ := slices.BinarySearchFunc(t.waits[s], w, byDue)
		t.waits[s] = slices.Insert(t.waits[s], at, w)
		t.netWaits[r.Net]++
	}
	delete(t.awaiting, r.Key)
	if r.Reason == occurrence.AwaitsAgent {
		t.awaiting[r.Key] = true
	}
	t.alarms.set(again, alarm{key: r.Key})
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
	if t.netWaits[k.Net]--; t.netWaits[k.Net] == 0 {
		delete(t.netWaits, k.Net)
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

// inForce returns the entry of a schedule that is in force.
func (t *times) inForce(k scheduleKey) *entry {
	for en := t.nets[k.net]; en != nil; en = en.sibling {
		if en.name == k.name && en.until == 0 {
			return en
		}
	}
	return nil
}

// of returns the entry in whose span something is due.
func (t *times) of(k scheduleKey, due time.Time) *entry {
	at := due.UnixMicro()
	for en := t.nets[k.net]; en != nil; en = en.sibling {
		if en.name == k.name && en.since <= at && (en.until == 0 || at < en.until) {
			return en
		}
	}
	return nil
}

// manyNets is from how many nets on everything is read at once, and not net by net.
const manyNets = 50

// reread reads what is known of some nets anew: their spans, pauses and overrides.
func (e *Engine) reread(ctx context.Context, nets []string) error {
	t := &e.times
	newer, err := e.cfg.Times.Spans(ctx, store.SpanQuery{After: t.lastSpan})
	if err != nil {
		return fmt.Errorf("reading schedules: %w", err)
	}
	some := map[string]bool{}
	for _, net := range nets {
		some[net] = true
	}
	for i := range newer {
		some[newer[i].Net] = true
		if err := e.useCalendars(ctx, &newer[i]); err != nil {
			return err
		}
	}
	var spans []occurrence.Span
	var overrides []occurrence.Override
	pauses, err := e.cfg.Times.Pauses(ctx)
	if err != nil {
		return fmt.Errorf("reading pauses: %w", err)
	}
	ask := sortedKeys(some)
	if len(some) >= manyNets {
		ask = []string{""}
	}
	for _, net := range ask {
		more, err := e.cfg.Times.Spans(ctx, store.SpanQuery{Net: net, Since: t.through.Add(time.Microsecond)})
		if err != nil {
			return fmt.Errorf("reading schedules: %w", err)
		}
		spans = append(spans, more...)
		others, err := e.cfg.Times.Overrides(ctx, net, livingOverrides(), 0)
		if err != nil {
			return fmt.Errorf("reading overrides: %w", err)
		}
		overrides = append(overrides, others...)
	}
	e.replace(some, spans)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.takePauses(pauses)
	for net := range some {
		t.dropOverrides(net)
	}
	t.takeOverrides(slices.DeleteFunc(overrides, func(o occurrence.Override) bool { return !some[o.Net] }))
	return nil
}

// replace puts what was read anew of some nets in the place of what was known of them.
func (e *Engine) replace(some map[string]bool, spans []occurrence.Span) {
	t := &e.times
	t.mu.Lock()
	defer t.mu.Unlock()
	known := map[int64]*entry{}
	for net := range some {
		for en := t.nets[net]; en != nil; en = en.sibling {
			known[en.span] = en
			en.gone = true
			t.entries--
		}
		delete(t.nets, net)
	}
	t.queue = slices.DeleteFunc(t.queue, func(en *entry) bool { return en.gone })
	for i := range spans {
		if !some[spans[i].Net] {
			continue
		}
		at := len(t.queue)
		en := e.enter(&spans[i], nil)
		if old := known[spans[i].ID]; en != nil && old != nil {
			en.inherit(old)
			if len(t.queue) > at && en.next == 0 {
				t.queue = t.queue[:at]
			}
		}
	}
	heap.Init(&t.queue)
	for _, g := range t.gaps {
		g.renew(t)
	}
}

// inherit takes over how far a span was decided.
func (en *entry) inherit(old *entry) {
	if old.decided > en.decided {
		en.decided = old.decided
		if !en.rule.ByEnd() {
			en.next = en.dueAfter(en.decided)
		}
	}
}
