package domain

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// ruleOfSpan returns the rule by which an occurrence came about; false: it cannot be made any more. That is so where its time zone
// database was another one: the same words would give other instants.
func (s *Service) ruleOfSpan(ctx context.Context, id int64, key occurrence.Key) (*calendar.Rule, bool) {
	if sch, ok := s.cfg.Engine.RuleOf(key.Net, key.Schedule); ok && sch.Span == id {
		return sch.Rule, true
	}
	spans, err := s.cfg.Store.Spans(ctx, store.SpanQuery{IDs: []int64{id}})
	if err != nil || len(spans) != 1 || spans[0].TZData != s.cfg.Zones.Version() {
		return nil, false
	}
	return s.ruleOf(ctx, &spans[0])
}

// ruleOf compiles the schedule of a span that may be over, with the versions of calendars that it had.
func (s *Service) ruleOf(ctx context.Context, span *occurrence.Span) (*calendar.Rule, bool) {
	rule, problems := calendar.NewCompiler(s.cfg.Zones, s.calendarsOf(ctx, span)).Compile(span.Net, span.Rule)
	return rule, len(problems) == 0
}

// calendarsOf finds the calendars of a span in the versions that it has.
func (s *Service) calendarsOf(ctx context.Context, span *occurrence.Span) calendar.Lookup {
	return func(name string) (*calendar.Definition, bool) {
		version, ok := span.Calendars[name]
		if !ok {
			return nil, false
		}
		stored, err := s.cfg.Store.Calendar(ctx, name, version)
		if err != nil {
			return nil, false
		}
		def, err := jobfile.ParseCalendar([]byte(stored.Text))
		return &def, err == nil
	}
}

// certificate says how an occurrence came about, step by step.
func (s *Service) certificate(ctx context.Context, span int64, key occurrence.Key) []string {
	if key.Schedule == occurrence.Manual {
		return []string{"no rule has it: a person added it for " + stamp(key.Nominal)}
	}
	rule, ok := s.ruleOfSpan(ctx, span, key)
	if !ok {
		return []string{"what its rule was cannot be worked out any more: the definition or the time zone database is not there"}
	}
	o, ok := rule.At(key.Nominal)
	if !ok {
		return []string{"its rule, as it is read now, has no such occurrence"}
	}
	return rule.Certificate(o)
}
