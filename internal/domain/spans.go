package domain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// How much one request compares at most: some hundred daily schedules, or a handful that are due every second. What lies beyond is
// applied all the same, and said to be not compared.
const (
	maxEffort     = 2000
	effortEach    = 250 // occurrences that are as much effort as a schedule
	effortCounted = 400 // of a schedule whose occurrences are too many to look at each
)

// Rescheduling works out which spans a change of definitions, of calendars or of the time zone database ends and opens.
type Rescheduling struct {
	Store     store.Timing
	Zones     *calendar.Zones // that new spans are made by
	Old       *calendar.Zones // that the spans in force were made by; nil: Zones
	Calendars *CalendarBook   // as they are after the change
	Now       time.Time
	Months    int    // that are compared; 0: none
	All       bool   // tell whoever asks of those too that stay as they are, and by name of those that were not compared
	After     string // of what is told: only what comes behind this NET/SCHEDULE. Empty: everything, and once it was passed

	Writes []store.SpanWrite
	Nets   map[string]bool // whose spans change

	effort   int64
	people   map[scheduleKey][]occurrence.Override // active and stale, oldest first; nil: not read yet
	compiler *calendar.Compiler
	before   map[string]*calendar.Compiler // by the versions of calendars that they know
}

// Changed is what became of the schedules of one net.
type Changed struct {
	Diffs      []api.ScheduleDiff
	Uncompared int
}

// Net compares the schedules that a net has from now on with the spans in force, and adds what is to be written.
func (r *Rescheduling) Net(ctx context.Context, n *jobnet.Net, version int) (Changed, error) {
	open, err := r.Store.Spans(ctx, store.SpanQuery{Net: n.Name, Open: true})
	if err != nil {
		return Changed{}, fmt.Errorf("reading the schedules of %s: %w", n.Name, err)
	}
	var out Changed
	for _, s := range n.Schedules {
		want := occurrence.Span{Net: n.Name, Schedule: s.Name, Version: version, Since: r.Now, Rule: s}
		i := slices.IndexFunc(open, func(o occurrence.Span) bool { return o.Schedule == s.Name })
		var have *occurrence.Span
		if i >= 0 {
			have = &open[i]
		}
		if err := r.span(ctx, have, want, &out); err != nil {
			return out, err
		}
		if i >= 0 {
			open = slices.Delete(open, i, i+1)
		}
	}
	for i := range open {
		r.end(&open[i])
		if err := r.compare(ctx, &open[i], nil, nil, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// Again makes a span in force anew, because what it leans on is another one.
func (r *Rescheduling) Again(ctx context.Context, have occurrence.Span) (Changed, error) {
	var out Changed
	want := have
	want.ID, want.Since = 0, r.Now
	err := r.span(ctx, &have, want, &out)
	return out, err
}

// span ends the span that is in force and opens the one that is wanted, where they differ.
func (r *Rescheduling) span(ctx context.Context, have *occurrence.Span, want occurrence.Span, out *Changed) error {
	if r.compiler == nil {
		r.compiler = calendar.NewCompiler(r.Zones, r.Calendars.Lookup)
	}
	want.TZData = r.Zones.Version()
	want.Calendars = r.Calendars.Leans(want.Rule.Calendar)
	same := have != nil && sameSpan(have, &want)
	if same && !r.All {
		return nil
	}
	rule, problems := r.compiler.Compile(want.Net, want.Rule)
	if r.Calendars.err != nil {
		return r.Calendars.err
	}
	if len(problems) > 0 { // whoever asks has checked that there are none
		return fmt.Errorf("compiling schedule %s of net %s: %s: %s", want.Schedule, want.Net, problems[0].Field, problems[0].Message)
	}
	if !same {
		if have != nil {
			r.end(have)
		}
		r.write(want)
	}
	return r.compare(ctx, have, &want, rule, out)
}

func (r *Rescheduling) end(have *occurrence.Span) {
	ended := *have
	ended.Until = r.Now
	r.write(ended)
}

func (r *Rescheduling) write(s occurrence.Span) {
	if r.Nets == nil {
		r.Nets = map[string]bool{}
	}
	r.Nets[s.Net] = true
	r.Writes = append(r.Writes, store.SpanWrite{Span: s})
}

// compare adds what a change of span does to the occurrences of the next months, and to what people have changed of them. want is nil where a
// schedule goes.
func (r *Rescheduling) compare(ctx context.Context, have, want *occurrence.Span, updated *calendar.Rule, out *Changed) error {
	if r.Months <= 0 {
		return nil
	}
	change, cause := "changed", "net"
	named := want
	if named == nil {
		named = have
	}
	if r.All && !api.SubjectOf(ctx).May(access.View, folderOf(named.Net)) {
		return nil
	}
	if r.After != "" {
		if r.After == named.Net+"/"+named.Schedule {
			r.After = ""
		}
		return nil
	}
	switch {
	case have == nil:
		change = "added"
	case want == nil:
		change = "removed"
	case sameSpan(have, want):
		change = "unchanged"
	case sameRule(have, want) && !maps.Equal(have.Calendars, want.Calendars):
		cause = "calendar"
	case sameRule(have, want):
		cause = "tzdata"
	}
	var touched []api.Override
	if change != "unchanged" {
		var err error
		if touched, err = r.overrides(ctx, named, updated); err != nil {
			return err
		}
	}
	until := r.Now.AddDate(0, r.Months, 0)
	var d api.ScheduleDiff
	if r.effort >= maxEffort && (change != "unchanged" || dear(named)) {
		if out.Uncompared++; len(touched) == 0 && !r.All {
			return nil
		}
		d = CompareRules(nil, nil, r.Now, until)
		d.Note, d.Uncompared = opt("its occurrences were not compared, because so many schedules change"), true
	} else {
		old := updated
		if change != "unchanged" {
			r.effort++
			old = nil
			if have != nil {
				var err error
				if old, err = r.ruleOf(ctx, have); err != nil {
					return err
				}
			}
		}
		d = CompareRules(old, updated, r.Now, until)
		if d.Counted {
			r.effort += effortCounted
		} else if old != nil && updated != nil && old != updated || dear(named) { // else they are counted, and not looked at
			r.effort += (d.Added + d.Removed + d.Moved + d.Same) / effortEach
		}
	}
	d.Net, d.Schedule, d.Change, d.Cause = named.Net, named.Schedule, change, cause
	d.Overrides = append(d.Overrides, touched...)
	out.Diffs = append(out.Diffs, d)
	return nil
}

// overrides returns what people have changed of a schedule that its new rule (nil: it goes) makes stale or active again, as engine.Rescheduled will:
// state is what it becomes.
func (r *Rescheduling) overrides(ctx context.Context, of *occurrence.Span, updated *calendar.Rule) ([]api.Override, error) {
	if r.people == nil {
		all, err := r.Store.Overrides(ctx, "", []occurrence.OverrideState{occurrence.OverrideActive, occurrence.OverrideStale}, 0)
		if err != nil {
			return nil, fmt.Errorf("reading what people have changed of the agenda: %w", err)
		}
		r.people = map[scheduleKey][]occurrence.Override{}
		for _, o := range slices.Backward(all) { // newest first, as they come
			k := scheduleKey{o.Net, o.Schedule}
			r.people[k] = append(r.people[k], o)
		}
	}
	var out []api.Override
	for _, o := range r.people[scheduleKey{of.Net, of.Schedule}] {
		there := updated != nil
		if there && o.From.IsZero() {
			has, ok := updated.At(o.Nominal)
			there = ok && has.Suppressed == ""
		}
		switch {
		case !there && o.State == occurrence.OverrideActive:
			o.State = occurrence.OverrideStale
		case there && o.State == occurrence.OverrideStale:
			waits, err := r.waits(ctx, &o)
			if err != nil {
				return nil, err
			}
			if !waits || !o.Expires.IsZero() && !r.Now.Before(o.Expires) {
				continue
			}
			o.State, o.Ended = occurrence.OverrideActive, time.Time{}
		default:
			continue
		}
		out = append(out, showOverride(&o))
	}
	return out, nil
}

// waits reports whether what an override is about is not decided yet.
func (r *Rescheduling) waits(ctx context.Context, o *occurrence.Override) (bool, error) {
	if !o.From.IsZero() {
		return true, nil
	}
	records, err := r.Store.Occurrences(ctx, store.OccurrenceQuery{
		Net: o.Net, Schedule: o.Schedule, Nominal: o.Nominal, Decisions: []occurrence.Decision{occurrence.Pending}, Limit: 1,
	})
	if err != nil {
		return false, fmt.Errorf("reading the occurrence of an override: %w", err)
	}
	return len(records) > 0, nil
}

// dear reports whether the shift of a schedule moves occurrences, which takes longer to count.
func dear(s *occurrence.Span) bool { return s.Rule.Shift != "skip" && s.Rule.Shift != "run" }

// ruleOf compiles a span as it is in force: with the versions of calendars and of the time zone database that it was made with.
func (r *Rescheduling) ruleOf(ctx context.Context, have *occurrence.Span) (*calendar.Rule, error) {
	key := fmt.Sprint(have.Calendars) // maps are printed in the order of their keys
	compiler := r.before[key]
	if compiler == nil {
		zones := r.Old
		if zones == nil {
			zones = r.Zones
		}
		book := CalendarBook{versions: map[string]store.CalendarVersion{}, parsed: map[string]*calendar.Definition{}}
		for name, version := range have.Calendars {
			v, err := r.Store.Calendar(ctx, name, version)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, fmt.Errorf("reading calendar %s: %w", name, err)
			} else if err == nil {
				book.versions[name] = v
			}
		}
		compiler = calendar.NewCompiler(zones, book.Lookup)
		if r.before == nil {
			r.before = map[string]*calendar.Compiler{}
		}
		r.before[key] = compiler
	}
	rule, problems := compiler.Compile(have.Net, have.Rule)
	if len(problems) > 0 { // as of a zone that the older database did not have: nothing can have been due
		return nil, nil //nolint:nilnil // no rule is a rule here: nothing was due
	}
	return rule, nil
}

// sameSpan reports whether two spans of a schedule mean the same.
func sameSpan(a, b *occurrence.Span) bool {
	return sameRule(a, b) && maps.Equal(a.Calendars, b.Calendars) && a.TZData == b.TZData
}

func sameRule(a, b *occurrence.Span) bool {
	x, errX := json.Marshal(a.Rule)
	y, errY := json.Marshal(b.Rule)
	return errX == nil && errY == nil && string(x) == string(y)
}
