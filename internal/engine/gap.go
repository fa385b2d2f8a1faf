package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	if err := e.knownElsewhere(ctx, &plan, of); err != nil {
		a.failed = err
		return
	}
	ranges, singles := plan.Plan()
	if len(ranges) > 0 {
		n := len(plan.Known)
		if err := e.knownInRanges(ctx, &plan, en); err != nil {
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

// knownInRanges adds to what a plan knows the occurrences that ranges of earlier spans stand for. Those that are decided one by one need it not:
// the store refuses them.
func (e *Engine) knownInRanges(ctx context.Context, plan *occurrence.Gap, en *entry) error {
	ranges, err := e.cfg.Times.Ranges(ctx, store.OccurrenceQuery{
		Net: en.net, Schedule: en.name, Since: plan.Since.Add(-farDue), Until: plan.Until.Add(farDue),
	})
	if err != nil {
		return fmt.Errorf("reading ranges: %w", err)
	}
	var older []occurrence.Decided
	for i := range ranges {
		if r := &ranges[i]; r.Span < en.span {
			rule, err := e.ruleOfSpan(ctx, r.Net, r.Span)
			if err == nil {
				older = append(older, occurrence.Decided{Range: r, Rule: rule})
			} else if !errors.Is(err, errNoSpan) && !fault.Is(err, fault.Conflict) { // else it cannot be read any more
				return err
			}
		}
	}
	known := map[time.Time]bool{}
	for _, o := range plan.Known {
		known[o.Nominal] = true
	}
	for o := range occurrence.Settled(plan.Rule, older, plan.Since, plan.Until) {
		if !known[o.Nominal] {
			plan.Known = append(plan.Known, o)
		}
	}
	return nil
}

// knownElsewhere adds to what a plan knows the occurrences that were decided at another due, by an older rule: where shift or jitter tell due
// and nominal apart, a change of them makes an instant due again.
func (e *Engine) knownElsewhere(ctx context.Context, plan *occurrence.Gap, of scheduleKey) error {
	s := plan.Rule.Schedule()
	if s.Jitter == 0 && (s.Calendar == "" || s.Shift == "skip" || s.Shift == "run") {
		return nil
	}
	known := map[time.Time]bool{}
	for _, o := range plan.Known {
		known[o.Nominal] = true
	}
	q := store.OccurrenceQuery{Net: of.net, Schedule: of.name, Since: plan.Since.Add(-farDue), Until: plan.Until.Add(farDue)}
	return e.eachRecord(ctx, q, func(r occurrence.Record) {
		o, ok := plan.Rule.At(r.Nominal)
		if ok && !known[o.Nominal] && o.Due.After(plan.Since) && !o.Due.After(plan.Until) {
			known[o.Nominal] = true
			plan.Known = append(plan.Known, o)
		}
	})
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
