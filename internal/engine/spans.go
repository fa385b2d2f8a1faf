package engine

import (
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

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
			compiler, err := e.compilerOf(ctx, &page[i])
			if err != nil {
				return err
			}
			e.enter(&page[i], compiler, marks)
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
func (e *Engine) enter(s *occurrence.Span, compiler *calendar.Compiler, marks []mark) *entry {
	t := &e.times
	rule, problems := compiler.Compile(s.Net, s.Rule)
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
	t.lastSpan = max(t.lastSpan, s.ID)
	if en.next != 0 {
		t.queue = append(t.queue, en)
	}
	return en
}

// compilerOf returns the compiler of a span's rule: of one that is over with the calendars in the versions that it had.
func (e *Engine) compilerOf(ctx context.Context, s *occurrence.Span) (*calendar.Compiler, error) {
	if s.Until.IsZero() || e.cfg.Calendars == nil || len(s.Calendars) == 0 {
		return e.times.compiler, nil
	}
	days, err := e.cfg.Calendars(ctx, s.Calendars)
	if err != nil {
		return nil, fmt.Errorf("reading the calendars of a schedule: %w", err)
	}
	return calendar.NewCompiler(e.cfg.Zones, days), nil
}

// dueAfter returns what is due first after an instant in the entry's span; 0: nothing.
func (en *entry) dueAfter(after int64) int64 {
	o, ok := en.rule.Next(time.UnixMicro(after).UTC())
	if !ok || en.until != 0 && o.Due.UnixMicro() >= en.until {
		return 0
	}
	return o.Due.UnixMicro()
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
	compilers := make([]*calendar.Compiler, len(spans))
	for i := range spans {
		if compilers[i], err = e.compilerOf(ctx, &spans[i]); err != nil {
			return err
		}
	}
	e.replace(some, spans, compilers)
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
func (e *Engine) replace(some map[string]bool, spans []occurrence.Span, compilers []*calendar.Compiler) {
	t := &e.times
	t.mu.Lock()
	defer t.mu.Unlock()
	known := map[int64]*entry{}
	for net := range some {
		for en := t.nets[net]; en != nil; en = en.sibling {
			known[en.span] = en
			en.gone = true
		}
		delete(t.nets, net)
	}
	t.queue = slices.DeleteFunc(t.queue, func(en *entry) bool { return en.gone })
	for i := range spans {
		if !some[spans[i].Net] {
			continue
		}
		at := len(t.queue)
		en := e.enter(&spans[i], compilers[i], nil)
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
