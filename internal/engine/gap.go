package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// closeGap decides what fell due in the oldest outage, schedule by schedule, at most as much as the turn's budget has.
func (e *Engine) closeGap(ctx context.Context, d *decision) {
	t, a := &e.times, d.agenda
	if len(t.gaps) == 0 {
		return
	}
	g := t.gaps[0]
	g.begin(t)
	for _, en := range g.todo {
		if a.budget <= 0 || a.failed != nil {
			break
		}
		e.closeFor(ctx, d, g, en)
	}
	if len(a.gapped) == 0 {
		return
	}
	marks := readMarks(t.marks.Value)
	switch {
	case len(a.gapped) < len(g.todo):
		marks = append(marks, mark{Until: g.Until, Span: a.gapped[len(a.gapped)-1].span})
	case len(t.gaps) > 1:
		marks = append(marks, mark{Until: g.Until, Span: t.lastSpan})
	default:
		marks = nil
	}
	a.setMarks(t.marks, marks)
}

// setMarks stores how far the gaps are, where that has changed. Older marks that a newer one covers are let go.
func (a *agenda) setMarks(stored store.Setting, marks []mark) {
	if n := len(marks); n > 0 {
		last, kept := marks[n-1], marks[:0]
		for _, m := range marks[:n-1] {
			if m.Span > last.Span || m.Until.After(last.Until) {
				kept = append(kept, m)
			}
		}
		marks = append(kept, last)
	}
	text := ""
	if len(marks) > 0 {
		b, err := json.Marshal(marks)
		if err != nil {
			a.failed = err
			return
		}
		text = string(b)
	}
	if stored.Value != text {
		a.marks = &store.Setting{Name: outageSetting, Value: text, Rev: stored.Rev}
	}
}

// closeFor decides what one schedule has in an outage.
func (e *Engine) closeFor(ctx context.Context, d *decision, g *gap, en *entry) {
	t, a := &e.times, d.agenda
	until := g.Until
	if en.until != 0 && en.until <= until.UnixMicro() {
		until = time.UnixMicro(en.until - 1).UTC()
	}
	of := scheduleKey{en.net, en.name}
	plan := occurrence.Gap{Rule: en.rule, Since: time.UnixMicro(en.decided).UTC(), Until: until, Now: a.now, Outage: g.Outage, Known: t.known(en, until)}
	if p, ok := t.pauses[of]; ok {
		plan.Pause = &p
	}
	ranges, singles := plan.Plan()
	if len(ranges) > 0 {
		n := len(plan.Known)
		if err := e.knownElsewhere(ctx, &plan, en); err != nil {
			a.failed = err
			return
		}
		if len(plan.Known) > n {
			ranges, singles = plan.Plan()
		}
	}
	for _, r := range ranges {
		r.Net, r.Schedule, r.Span, r.Zone, r.TZData = en.net, en.name, en.span, en.rule.Schedule().Zone, en.tzdata
		a.ranges = append(a.ranges, store.RangeWrite{Range: r, Until: timeOf(en.until)})
	}
	for _, s := range singles {
		c := fresh(en, s.Occurrence)
		c.placed, c.outage, c.later = true, &g.Outage, s.Later
		e.consider(ctx, d, c)
	}
	a.budget -= len(ranges) + len(singles) + 1
	a.gapped = append(a.gapped, firing{entry: en, decided: g.Until.UnixMicro(), next: en.dueAfter(g.Until.UnixMicro())})
}

// farDue is how far the due of an occurrence is from its nominal instant at most, where it is looked for.
const farDue = 40 * 24 * time.Hour

// knownElsewhere adds to what a plan knows the occurrences that were decided at another due, by an older rule, in records of their own or in
// ranges: where shift or jitter tell due and nominal apart, a change of them makes an instant due again. Those that are decided one by one need it
// not: the store refuses them.
func (e *Engine) knownElsewhere(ctx context.Context, plan *occurrence.Gap, en *entry) error {
	spans, err := e.cfg.Times.Spans(ctx, store.SpanQuery{Net: en.net, Schedule: en.name, Since: plan.Since.Add(-farDue)})
	if err != nil {
		return fmt.Errorf("reading schedules: %w", err)
	}
	if !slices.ContainsFunc(spans, func(s occurrence.Span) bool { return s.ID <= en.span && s.Rule.Loose() }) {
		return nil
	}
	known := map[time.Time]bool{}
	for _, o := range plan.Known {
		known[o.Nominal] = true
	}
	add := func(o calendar.Occurrence) {
		if !known[o.Nominal] && o.Due.After(plan.Since) && !o.Due.After(plan.Until) {
			known[o.Nominal] = true
			plan.Known = append(plan.Known, o)
		}
	}
	q := store.OccurrenceQuery{Net: en.net, Schedule: en.name, Since: plan.Since.Add(-farDue), Until: plan.Until.Add(farDue)}
	err = e.eachRecord(ctx, q, func(r occurrence.Record) {
		if o, ok := plan.Rule.At(r.Nominal); ok {
			add(o)
		}
	})
	if err != nil {
		return err
	}
	older, err := e.olderRanges(ctx, q, en.span)
	if err != nil {
		return err
	}
	for o := range occurrence.Settled(plan.Rule, older, plan.Since, plan.Until) {
		add(o)
	}
	return nil
}

// olderRanges returns the ranges of earlier spans with their rules. What a rule was that cannot be read any more, nobody knows.
func (e *Engine) olderRanges(ctx context.Context, q store.OccurrenceQuery, span int64) ([]occurrence.Decided, error) {
	ranges, err := e.cfg.Times.Ranges(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("reading ranges: %w", err)
	}
	var older []occurrence.Decided
	for i := range ranges {
		r := &ranges[i]
		if r.Span >= span {
			continue
		}
		rule, err := e.ruleOfSpan(ctx, r.Net, r.Span)
		switch {
		case err == nil:
			older = append(older, occurrence.Decided{Range: r, Rule: rule})
		case !errors.Is(err, errNoSpan) && !fault.Is(err, fault.Conflict):
			return nil, err
		}
	}
	return older, nil
}

// timeOf is an instant of microseconds; zero for 0.
func timeOf(micro int64) time.Time {
	if micro == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micro).UTC()
}

// known returns what an entry has due until an instant that has a record already.
func (t *times) known(en *entry, until time.Time) []calendar.Occurrence {
	var all []calendar.Occurrence
	add := func(nominal time.Time) {
		if o, ok := en.rule.At(nominal); ok && o.Due.UnixMicro() > en.decided && !o.Due.After(until) {
			all = append(all, o)
		}
	}
	of := scheduleKey{en.net, en.name}
	for _, w := range t.waits[of] {
		add(w.Nominal)
	}
	for nominal := range t.done[of] {
		add(timeOf(nominal))
	}
	return all
}
