package domain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// storedCalendars looks calendars up in the store, each once. failed returns what went wrong on the way: a calendar that could
// not be read is none to who asks.
func (s *Service) storedCalendars(ctx context.Context) (lookup calendar.Lookup, failed func() error) {
	known := map[string]*calendar.Definition{}
	var trouble error
	lookup = func(name string) (*calendar.Definition, bool) {
		if def, asked := known[name]; asked {
			return def, def != nil
		}
		known[name] = nil
		v, err := s.cfg.Store.Calendar(ctx, name, 0)
		if errors.Is(err, store.ErrNotFound) {
			return nil, false
		}
		def, err := readCalendar(v, err)
		if err != nil {
			trouble = err
			return nil, false
		}
		known[name] = def
		return def, true
	}
	return lookup, func() error { return trouble }
}

// readCalendar reads a calendar as it stands in the store.
func readCalendar(v store.CalendarVersion, err error) (*calendar.Definition, error) {
	if err != nil {
		return nil, storeFault(err)
	}
	def, err := jobfile.ParseCalendar([]byte(v.Text))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, fmt.Sprintf("reading version %d of calendar %s", v.Version, v.Name), err)
	}
	return &def, nil
}

// applyCalendar compares a calendar with its newest version; version is nil where nothing has changed. That it is a right one,
// among those that it leans on and with the schedules that lean on it, is checked before: calendar.CheckDefinition, keepsDays.
func (s *Service) applyCalendar(ctx context.Context, def *calendar.Definition) (api.Applied, *store.CalendarVersion, store.AuditRecord, error) {
	who, err := s.may(ctx, access.Define, folderOf(def.Name))
	if err != nil {
		return api.Applied{}, nil, store.AuditRecord{}, err
	}
	text := string(jobfile.FormatCalendar(*def))
	old, err := s.cfg.Store.Calendar(ctx, def.Name, 0)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return api.Applied{}, nil, store.AuditRecord{}, storeFault(err)
	}
	if old.Version > 0 && old.Text == text {
		return api.Applied{Name: def.Name, Version: old.Version, Change: "unchanged"}, nil, store.AuditRecord{}, nil
	}
	change := "changed"
	if old.Version == 0 {
		change = "created"
	}
	v := store.CalendarVersion{
		Name: def.Name, Version: old.Version + 1, Hash: hashed(text), Text: text, Applied: s.cfg.Now(), By: who.Name,
	}
	applied := api.Applied{Name: def.Name, Version: v.Version, Change: change, Diff: jobfile.Diff([]byte(old.Text), []byte(text))}
	return applied, &v, s.audit(who, "calendar.apply", def.Name, fmt.Sprintf("version %d", v.Version)), nil
}

// leaning returns the schedules in force that lean on one of these calendars, but those of nets that are applied with them.
func (s *Service) leaning(ctx context.Context, calendars []calendar.Definition, applied func(net string) bool) ([]occurrence.Span, error) {
	if len(calendars) == 0 {
		return nil, nil
	}
	spans, err := s.cfg.Store.Spans(ctx, store.SpanQuery{Open: true})
	if err != nil {
		return nil, storeFault(err)
	}
	return slices.DeleteFunc(spans, func(span occurrence.Span) bool {
		return applied(span.Net) || !slices.ContainsFunc(calendars, func(c calendar.Definition) bool {
			_, leans := span.Calendars[c.Name]
			return leans
		})
	}), nil
}

// daysKept is how far keepsDays looks ahead.
const daysKept = 400

// endsIn reports whether a schedule that will be released as it is in force never would be by a rule.
func (s *Service) endsIn(span occurrence.Span, rule *calendar.Rule) bool {
	now := s.cfg.Now()
	releases := func(r *calendar.Rule) bool {
		counts := r.Count(now, now.AddDate(0, 0, daysKept))
		return counts.All > counts.Suppressed()
	}
	inForce, ok := s.cfg.Engine.RuleOf(span.Net, span.Schedule)
	return ok && !rule.ByEnd() && !releases(rule) && releases(inForce.Rule)
}

// keepsDays refuses a change of calendars that leaves a schedule in force without days, or without a set that it names. The
// check and the compiler have the calendars as they are to be.
func (s *Service) keepsDays(spans []occurrence.Span, check jobfile.Check, compiler *calendar.Compiler) error {
	var bad []string
	for _, span := range spans {
		if rule, problems := compiler.Compile(span.Net, span.Rule); len(problems) == 0 && s.endsIn(span, rule) {
			bad = append(bad, fmt.Sprintf("schedule %s of net %s would never be due again in the next %d days", span.Schedule, span.Net, daysKept))
		}
		for _, p := range check(&jobnet.Net{Name: span.Net, Schedules: []calendar.Schedule{span.Rule}}) {
			bad = append(bad, fmt.Sprintf("schedule %s of net %s: %s: %s", span.Schedule, span.Net, strings.TrimPrefix(p.Path, "schedules[0]."), p.Message))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	const most = 10
	more := ""
	if len(bad) > most {
		more = fmt.Sprintf("; and %d more", len(bad)-most)
		bad = bad[:most]
	}
	return fault.New(fault.Conflict, "the change would break what leans on the calendar: "+strings.Join(bad, "; ")+more,
		"change those nets first, or in the same file")
}
