package domain

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// DiffMonths is how far a change of schedules is looked at, where nobody says otherwise: each day of a year, and a month more.
const DiffMonths = 13

// DiffExamples is how many occurrences of a schedule are told one by one.
const DiffExamples = 20

// DiffSchedules implements api.Schedules.
func (s *Service) DiffSchedules(ctx context.Context, name string, text []byte, q api.DiffQuery, more ...api.File) ([]api.ScheduleDiff, error) {
	months, after := q.Months, q.After
	if months < 0 || months > 120 {
		return nil, fault.New(fault.Invalid, "months go from 1 to 120", "")
	}
	if months == 0 {
		months = DiffMonths
	}
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	p, err := s.readDefinitions(ctx, append([]api.File{{Name: name, Text: text}}, more...))
	if err != nil {
		return nil, err
	}
	for i := range p.docs.Nets {
		if _, err := s.may(ctx, access.View, folderOf(p.docs.Nets[i].Name)); err != nil {
			return nil, err
		}
	}
	r := p.rescheduling(s.cfg.Store, months)
	r.All, r.After = true, after
	out := []api.ScheduleDiff{}
	for i := range p.docs.Nets {
		changed, err := r.Net(ctx, &p.docs.Nets[i], 0)
		if err != nil {
			return nil, storeFault(err)
		}
		out = append(out, changed.Diffs...)
	}
	others, err := s.others(ctx, p, r)
	if err != nil {
		return nil, err
	}
	if r.After != "" {
		return nil, fault.New(fault.Conflict, "the schedules in force are other ones than before: there is no "+after+" among those that are compared", "begin again, without after")
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		out = append(out, others[name].Diffs...)
	}
	return out, nil
}

// CompareRules says what a change of rule does between two instants; nil: there is none. Names and cause are the caller's.
func CompareRules(old, updated *calendar.Rule, from, until time.Time) api.ScheduleDiff {
	out := api.ScheduleDiff{From: from.UTC().Truncate(time.Second), Until: until.UTC().Truncate(time.Second), Examples: []api.OccurrenceDiff{}, Overrides: []api.Override{}}
	byEnd := func(r *calendar.Rule) bool { return r != nil && r.ByEnd() }
	if byEnd(old) || byEnd(updated) {
		out.Note = opt("it counts from the end of the run before: when it is due is not known beforehand")
		if byEnd(old) {
			old = nil
		}
		if byEnd(updated) {
			updated = nil
		}
	}
	d := calendar.Compare(old, updated, from, until, DiffExamples)
	out.Added, out.Removed, out.Moved, out.Same, out.Counted = d.Added, d.Removed, d.Moved, d.Same, d.Counted
	if updated != nil && d.Added+d.Moved+d.Same == 0 {
		if _, some := updated.Next(from); !some {
			out.Note = opt("nothing is due any more: all that its rule means is past")
		}
	}
	for _, e := range d.Examples {
		out.Examples = append(out.Examples, api.OccurrenceDiff{
			Change: string(e.Kind), Before: optTime(e.Before), After: optTime(e.After), Last: optTime(e.Last), Count: e.Count, Reason: opt(string(e.Reason)),
		})
	}
	return out
}
