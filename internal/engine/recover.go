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

// Recovered says what became of a missed occurrence that was to be released: its run, or why there is none.
type Recovered struct {
	occurrence.Key
	Run string
	Err error
}

// recoverAtOnce is how many missed occurrences one commit releases at most, so that agents' reports get in between.
const recoverAtOnce = 100

// ReleaseMissed releases missed occurrences in the order in which they are named, each as a run of its own. What was released or dismissed meanwhile
// is left out of what it returns; what cannot be released is in it with the error, and leaves the others. Recorded is what the audit trail says
// of one; by.Audit is not looked at. With an error, what is returned was done.
func (e *Engine) ReleaseMissed(ctx context.Context, keys []occurrence.Key, by Act, recorded func(occurrence.Key) store.AuditRecord) ([]Recovered, error) {
	all := make([]Recovered, 0, len(keys))
	for part := range slices.Chunk(keys, recoverAtOnce) {
		var done []Recovered
		_, err := e.act(ctx, nil, func(ctx context.Context, d *decision, _ *request) (err error) {
			done, err = e.recoverMany(ctx, d, part, by)
			for i := range done {
				if done[i].Err == nil {
					d.audit = append(d.audit, recorded(done[i].Key))
				}
			}
			return err
		})
		if err != nil {
			return all, err
		}
		all = append(all, done...)
	}
	return all, nil
}

// recoverMany looks for all of them before it starts one: an error leaves nothing half done.
func (e *Engine) recoverMany(ctx context.Context, d *decision, keys []occurrence.Key, by Act) ([]Recovered, error) {
	if err := e.room(); err != nil {
		return nil, err
	}
	done, open := make([]Recovered, 0, len(keys)), make([]*found, 0, len(keys))
	seen := map[occurrence.Key]bool{}
	for _, key := range keys {
		f, err := e.find(ctx, key)
		switch {
		case errors.Is(err, errNoSpan) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict):
			done = append(done, Recovered{Key: key, Err: err})
		case err != nil:
			return nil, err
		case f.record.Decision == occurrence.Missed && f.record.RecoveredBy == "" && f.record.Dismissed.IsZero() && !seen[f.record.Key]:
			seen[f.record.Key] = true
			open = append(open, f)
		}
	}
	var all []amended
	for _, f := range open {
		rec, err := e.runFor(ctx, d, f, by)
		if err == nil {
			all = append(all, amended{f, rec})
		}
		done = append(done, Recovered{Key: f.record.Key, Run: rec.RecoveredBy, Err: err})
	}
	if err := e.amend(ctx, d, all...); err != nil {
		d.agenda.failed = err // their runs are made already
	}
	return done, nil
}

// runFor makes the run of a missed occurrence. Its record says so once it is amended.
func (e *Engine) runFor(ctx context.Context, d *decision, f *found, by Act) (occurrence.Record, error) {
	rec := f.record
	rec.By = by.By
	if _, err := e.startFor(ctx, d, &rec, nil); err != nil {
		return rec, err
	}
	rec.RecoveredBy, rec.Run, rec.By = rec.Run, f.record.Run, f.record.By
	return rec, nil
}

// amended is a missed occurrence as it was found, and as a person leaves it.
type amended struct {
	*found
	after occurrence.Record
}

// amend writes what a person did to missed occurrences: to their records, or, where a range stands for them, to new records between the ranges
// into which that one is split.
func (e *Engine) amend(ctx context.Context, d *decision, all ...amended) error {
	a := d.agenda
	ranges, of := []int64{}, map[int64][]amended{}
	for _, one := range all {
		if one.within == nil {
			a.recovered = append(a.recovered, store.OccurrenceWrite{Record: one.after, Recovered: true})
			continue
		}
		id := one.within.ID
		if of[id] == nil {
			ranges = append(ranges, id)
		}
		of[id] = append(of[id], one)
	}
	for _, id := range ranges {
		out := of[id]
		slices.SortFunc(out, func(x, y amended) int { return x.record.Nominal.Compare(y.record.Nominal) })
		parts, err := e.split(ctx, out)
		if err != nil {
			return err
		}
		r := *out[0].within
		a.ranges = append(a.ranges, store.RangeWrite{Range: r, Delete: true})
		until := e.untilOf(ctx, r.Net, r.Span)
		for _, part := range parts {
			a.ranges = append(a.ranges, store.RangeWrite{Range: part, Until: until})
		}
		for _, one := range out {
			e.file(d, one.after, time.Time{})
			a.records[one.after.Key].free = true // it is decided: by the range that it is taken out of
		}
	}
	return nil
}

// wholeUpTo is how large a range is at most that is counted anew, one by one, where its dues are not in the order of its nominals.
const wholeUpTo = 100_000

// split returns what is left of a range without some of its occurrences, which are given by nominal: the parts between them. All of it is counted.
func (e *Engine) split(ctx context.Context, out []amended) ([]occurrence.Range, error) {
	f, last := out[0].found, out[len(out)-1].found
	r := f.within
	lo, hi := f.record.Nominal, last.record.Nominal
	whole := reach(f.rule) > 0 && r.Count <= wholeUpTo
	if whole {
		lo, hi = r.First, r.Last
	}
	inside, err := e.members(ctx, f, lo, hi)
	if err != nil {
		return nil, err
	}
	var parts []occurrence.Range
	left := r.Count - int64(len(out))
	add := func(first, last time.Time, n int64) {
		if n = min(n, left); n > 0 {
			part := *r
			part.ID, part.Rev, part.First, part.Last, part.Count = 0, 0, first, last, n
			parts, left = append(parts, part), left-n
		}
	}
	if !whole {
		before, err := e.countBefore(ctx, f)
		if err != nil {
			return nil, err
		}
		if before > 0 {
			add(r.First, f.neighbour(false), before)
		}
	}
	taken := map[int64]bool{}
	for _, one := range out {
		taken[one.record.Nominal.UnixMicro()] = true
	}
	for from := 0; from < len(inside); {
		to := from
		for to < len(inside) && !taken[inside[to].UnixMicro()] {
			to++
		}
		if to > from {
			add(inside[from], inside[to-1], int64(to-from))
		}
		from = to + 1
	}
	switch {
	case left <= 0:
	case !whole:
		add(last.neighbour(true), r.Last, left)
	case len(parts) == 0:
		add(r.First, r.Last, left)
	default: // what was counted is kept, whatever the rule has
		parts[len(parts)-1].Count += left
	}
	return parts, nil
}

// members returns the nominals of what a range stands for between two of them.
func (e *Engine) members(ctx context.Context, f *found, lo, hi time.Time) ([]time.Time, error) {
	r, far := f.within, reach(f.rule)
	if lo.Equal(hi) {
		return []time.Time{lo}, nil
	}
	others := map[int64]bool{}
	q := store.OccurrenceQuery{Net: r.Net, Schedule: r.Schedule, Since: lo.Add(-far), Until: hi.Add(far + time.Microsecond)}
	err := e.eachRecord(ctx, q, func(own occurrence.Record) { others[own.Nominal.UnixMicro()] = true })
	if err != nil {
		return nil, err
	}
	ranges, err := e.cfg.Times.Ranges(ctx, store.OccurrenceQuery{Net: r.Net, Schedule: r.Schedule, Since: lo, Until: hi.Add(time.Microsecond)})
	if err != nil {
		return nil, fmt.Errorf("reading ranges: %w", err)
	}
	var older []occurrence.Decided // an earlier one stands for what two reach over
	for i := range ranges {
		if o := &ranges[i]; o.ID == r.ID {
			break
		} else if rule, err := e.ruleOfSpan(ctx, o.Net, o.Span); err == nil {
			older = append(older, occurrence.Decided{Range: o, Rule: rule})
		}
	}
	var all []time.Time
	for o := range f.rule.Between(lo.Add(-far-time.Microsecond), hi.Add(far)) {
		if !r.Has(o) || o.Nominal.Before(lo) || o.Nominal.After(hi) || others[o.Nominal.UnixMicro()] ||
			slices.ContainsFunc(older, func(d occurrence.Decided) bool { return d.Stands(o.Nominal) }) {
			continue
		}
		all = append(all, o.Nominal)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all, nil
}

// reach is how far dues of a rule may be from their nominal instants.
func reach(rule *calendar.Rule) time.Duration {
	s := rule.Schedule()
	if s.Calendar != "" && s.Shift != "skip" && s.Shift != "run" {
		return s.Jitter + farDue
	}
	return s.Jitter
}
