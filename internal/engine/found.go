package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// found is an occurrence that a person names: its record, or what it would be; and the range that stands for it.
type found struct {
	record occurrence.Record // without Rev where there is none yet
	entry  *entry            // nil: added by hand, or its schedule is not in force any more
	within *occurrence.Range
	rule   *calendar.Rule // with within: of its span
}

// find looks for an occurrence: among what waits, what was decided, what ranges stand for, and what rules in force have.
func (e *Engine) find(ctx context.Context, key occurrence.Key) (*found, error) {
	t := &e.times
	key.Nominal = key.Nominal.UTC().Truncate(time.Microsecond)
	if w := t.pending[key]; w != nil {
		return &found{record: w.Record, entry: t.inForce(scheduleOf(key))}, nil
	}
	records, err := e.cfg.Times.Occurrences(ctx, store.OccurrenceQuery{Net: key.Net, Schedule: key.Schedule, Nominal: key.Nominal, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("reading occurrence %s: %w", keyText(key), err)
	}
	if len(records) > 0 {
		return &found{record: records[0], entry: t.inForce(scheduleOf(key))}, nil
	}
	if f, err := e.findInRange(ctx, key); f != nil || err != nil {
		return f, err
	}
	en := t.inForce(scheduleOf(key))
	if en != nil {
		if o, ok := en.rule.At(key.Nominal); ok && o.Due.UnixMicro() > en.decided { // else it was decided, and its record is not kept any more
			c := fresh(en, o)
			if o.Suppressed != "" {
				return nil, fault.New(fault.Conflict, fmt.Sprintf("occurrence %s is suppressed by its own schedule (%s)", keyText(key), o.Suppressed), "add one by hand instead")
			}
			c.record.Decision, c.record.Reason = occurrence.Pending, occurrence.NotYet
			return &found{record: c.record, entry: en}, nil
		}
	}
	return nil, fault.New(fault.NotFound, fmt.Sprintf("there is no occurrence %s", keyText(key)), "see `reeve occurrence list`")
}

// findInRange looks for an occurrence among those that ranges stand for; nil: none does.
func (e *Engine) findInRange(ctx context.Context, key occurrence.Key) (*found, error) {
	ranges, err := e.cfg.Times.Ranges(ctx, store.OccurrenceQuery{
		Net: key.Net, Schedule: key.Schedule, Since: key.Nominal, Until: key.Nominal.Add(time.Microsecond),
	})
	if err != nil {
		return nil, fmt.Errorf("reading ranges: %w", err)
	}
	for i := range ranges {
		r := &ranges[i]
		rule, err := e.ruleOfSpan(ctx, r.Net, r.Span)
		if err != nil {
			return nil, err
		}
		if o, ok := rule.At(key.Nominal); ok && r.Has(o) {
			rec := occurrence.Record{
				Key: key, Span: r.Span, Due: o.Due, Moved: o.Moved, Decision: r.Decision, Reason: r.Reason, Detail: r.Detail, Decided: r.Decided,
				Zone: r.Zone, TZData: r.TZData, Dismissed: r.Dismissed, DismissedBy: r.DismissedBy,
			}
			return &found{record: rec, within: r, rule: rule, entry: e.times.inForce(scheduleOf(key))}, nil
		}
	}
	return nil, nil
}

// bySchedule returns the reasons for which a schedule itself suppresses an occurrence.
func bySchedule() []occurrence.Reason {
	return []occurrence.Reason{occurrence.Calendar, occurrence.Blackout, occurrence.Collision}
}

// ruleOfSpan compiles the rule of a span, that may be over.
func (e *Engine) ruleOfSpan(ctx context.Context, net string, span int64) (*calendar.Rule, error) {
	for en := e.times.nets[net]; en != nil; en = en.sibling {
		if en.span == span {
			return en.rule, nil
		}
	}
	spans, err := e.cfg.Times.Spans(ctx, store.SpanQuery{IDs: []int64{span}})
	if err != nil {
		return nil, fmt.Errorf("reading a schedule: %w", err)
	}
	if len(spans) == 0 {
		return nil, errNoSpan
	}
	compiler, err := e.compilerOf(ctx, &spans[0])
	if err != nil {
		return nil, err
	}
	rule, problems := compiler.Compile(net, spans[0].Rule)
	if len(problems) > 0 {
		return nil, fault.New(fault.Conflict, "the schedule as it was cannot be read any more: "+problems[0].Message, "start a run of the net instead")
	}
	return rule, nil
}

var errNoSpan = errors.New("the schedule that a range was counted with is not stored any more")

// countBefore counts what a range stands for before one of its occurrences.
func (e *Engine) countBefore(ctx context.Context, f *found) (int64, error) {
	r := f.within
	n := f.count(r.First.Add(-time.Second), f.record.Nominal.Add(-time.Second))
	// Those with a record of their own are not of the range.
	q := store.OccurrenceQuery{Net: r.Net, Schedule: r.Schedule, Since: r.First, Until: f.record.Due}
	err := e.eachRecord(ctx, q, func(own occurrence.Record) {
		if o, ok := f.rule.At(own.Nominal); ok && r.Has(o) {
			n--
		}
	})
	if err != nil {
		return 0, err
	}
	return max(0, min(n, r.Count-1)), nil
}

// count counts those of a rule that the range is about.
func (f *found) count(since, until time.Time) int64 {
	c := f.rule.Count(since, until)
	suppressed := []int64{c.Calendar, c.Blackout, c.Collision}
	if i := slices.Index(bySchedule(), f.within.Reason); i >= 0 {
		return suppressed[i]
	}
	return c.All - c.Suppressed()
}

// neighbour returns the nominal after, or before, the occurrence that is taken out of its range.
func (f *found) neighbour(after bool) time.Time {
	at := f.record.Nominal
	if after {
		for o := range f.rule.Between(f.record.Due, f.within.Last.Add(365*24*time.Hour)) {
			if f.within.Has(o) && o.Nominal.After(at) {
				return o.Nominal
			}
		}
		return f.within.Last
	}
	for back := time.Second; ; back *= 4 {
		since, best := at.Add(-back), time.Time{}
		if !since.After(f.within.First) {
			since = f.within.First.Add(-time.Second)
		}
		if f.count(since, at.Add(-time.Second)) > 0 || since.Before(f.within.First) {
			for o := range f.rule.Between(since, at.Add(-time.Second)) {
				if f.within.Has(o) && o.Nominal.Before(at) && o.Nominal.After(best) {
					best = o.Nominal
				}
			}
			if !best.IsZero() {
				return best
			}
		}
		if since.Before(f.within.First) {
			return f.within.First
		}
	}
}

// untilOf returns when a span ended; zero: it is in force.
func (e *Engine) untilOf(ctx context.Context, net string, span int64) time.Time {
	spans, err := e.cfg.Times.Spans(ctx, store.SpanQuery{Net: net, IDs: []int64{span}})
	if err != nil || len(spans) == 0 {
		return time.Time{}
	}
	return spans[0].Until
}
