package domain_test

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// timeCalls are the methods about schedules, occurrences and the agenda. The net has no schedule: what is asked is answered by that, behind the permission.
func timeCalls(s *site) map[string]call {
	svc, net := s.service, "mine/one"
	nominal := time.Now().Add(time.Hour)
	act := func(ctx context.Context, verb string) error {
		_, err := svc.ActOnOccurrence(ctx, api.OccurrenceAct{Net: net, Schedule: "d", Nominal: nominal, Verb: verb})
		return but(err, fault.NotFound)
	}
	override := func(ctx context.Context, kind string) error {
		_, err := svc.CreateOverride(ctx, api.CreateOverride{Kind: kind, Net: net, Schedule: "d", Nominal: &nominal, Reason: "x"})
		return but(but(err, fault.NotFound), fault.Invalid)
	}
	view, control, run := []access.Permission{access.View}, []access.Permission{access.Control}, []access.Permission{access.Run}
	return map[string]call{
		"ListSchedules": {view, true, false, func(ctx context.Context) error {
			_, err := svc.ListSchedules(ctx, api.ScheduleQuery{})
			return err
		}},
		"Schedule": {view, true, false, func(ctx context.Context) error {
			_, err := svc.Schedule(ctx, net, "d")
			return but(err, fault.NotFound)
		}},
		"PauseSchedule": {control, true, false, func(ctx context.Context) error {
			_, err := svc.PauseSchedule(ctx, net, "d", api.Pause{})
			return but(err, fault.NotFound)
		}},
		"ResumeSchedule": {control, true, false, func(ctx context.Context) error {
			_, err := svc.ResumeSchedule(ctx, net, "d")
			return but(err, fault.NotFound)
		}},
		"ListOccurrences": {view, true, false, func(ctx context.Context) error {
			_, err := svc.ListOccurrences(ctx, api.OccurrenceQuery{Planned: true})
			return err
		}},
		"Occurrence": {view, true, false, func(ctx context.Context) error {
			_, err := svc.Occurrence(ctx, net, "d", nominal)
			return but(err, fault.NotFound)
		}},
		"Missed":             {view, true, false, func(ctx context.Context) error { _, err := svc.Missed(ctx, api.OccurrenceQuery{}); return err }},
		"release occurrence": {run, true, false, func(ctx context.Context) error { return act(ctx, "release") }},
		"dismiss occurrence": {control, true, false, func(ctx context.Context) error { return act(ctx, "dismiss") }},
		"cancel occurrence":  {control, true, false, func(ctx context.Context) error { return act(ctx, "cancel") }},
		"ReleaseMissed":      {run, true, false, func(ctx context.Context) error { _, err := svc.ReleaseMissed(ctx, api.OccurrenceQuery{}); return err }},
		"DismissMissed":      {control, true, false, func(ctx context.Context) error { _, err := svc.DismissMissed(ctx, api.OccurrenceQuery{}); return err }},
		"WhyNet": {view, true, false, func(ctx context.Context) error {
			_, err := svc.WhyNet(ctx, api.WhyQuery{Net: net, At: nominal})
			return err
		}},
		"AtRisk":     {view, true, false, func(ctx context.Context) error { _, err := svc.AtRisk(ctx, 1); return err }},
		"ShowAgenda": {view, true, false, func(ctx context.Context) error { _, err := svc.ShowAgenda(ctx, api.AgendaQuery{}); return err }},
		"MonthOf": {view, true, false, func(ctx context.Context) error {
			_, err := svc.MonthOf(ctx, net, "d", nominal)
			return but(err, fault.NotFound)
		}},
		"Forecast": {view, true, false, func(ctx context.Context) error {
			_, err := svc.Forecast(ctx, api.ForecastQuery{Days: 1, Replications: 1})
			return but(err, fault.Busy)
		}},
		"ListOverrides": {view, true, false, func(ctx context.Context) error { _, err := svc.ListOverrides(ctx, "", true); return err }},
		"add":           {run, true, false, func(ctx context.Context) error { return override(ctx, "add") }},
		"move":          {control, true, false, func(ctx context.Context) error { return override(ctx, "move") }},
		"skip":          {control, true, false, func(ctx context.Context) error { return override(ctx, "skip") }},
		"hold":          {control, true, false, func(ctx context.Context) error { return override(ctx, "hold") }},
	}
}
