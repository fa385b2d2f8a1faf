package api_test

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

func (s *twin) ListSchedules(ctx context.Context, q api.ScheduleQuery) ([]api.Schedule, error) {
	return []api.Schedule{}, s.note(ctx, "ListSchedules", q)
}

func (s *twin) Schedule(ctx context.Context, net, name string) (api.Schedule, error) {
	return api.Schedule{}, s.note(ctx, "Schedule", net, name)
}

func (s *twin) PauseSchedule(ctx context.Context, net, name string, order api.Pause) (api.Schedule, error) {
	return api.Schedule{}, s.note(ctx, "PauseSchedule", net, name, order)
}

func (s *twin) ResumeSchedule(ctx context.Context, net, name string) (api.Schedule, error) {
	return api.Schedule{}, s.note(ctx, "ResumeSchedule", net, name)
}

func (s *twin) DiffSchedules(ctx context.Context, name string, text []byte, q api.DiffQuery, more ...api.File) ([]api.ScheduleDiff, error) {
	return []api.ScheduleDiff{}, s.note(ctx, "DiffSchedules", withFiles([]any{name, text, q}, more)...)
}

func (s *twin) ListOccurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	return api.OccurrencePage{}, s.note(ctx, "ListOccurrences", q)
}

func (s *twin) Occurrence(ctx context.Context, net, schedule string, nominal time.Time) (api.Occurrence, error) {
	return api.Occurrence{}, s.note(ctx, "Occurrence", net, schedule, nominal)
}

func (s *twin) Missed(ctx context.Context, q api.OccurrenceQuery) (api.MissedPage, error) {
	return api.MissedPage{Missed: []api.Missed{}}, s.note(ctx, "Missed", q)
}

func (s *twin) ReleaseMissed(ctx context.Context, q api.OccurrenceQuery) (api.ReleasedMissed, error) {
	return api.ReleasedMissed{Released: 2, Left: 1, Runs: []api.RecoveredBy{}, Refused: []api.NotReleased{}}, s.note(ctx, "ReleaseMissed", q)
}

func (s *twin) ActOnOccurrence(ctx context.Context, act api.OccurrenceAct) (api.Occurrence, error) {
	return api.Occurrence{}, s.note(ctx, "ActOnOccurrence", act)
}

func (s *twin) DismissMissed(ctx context.Context, q api.OccurrenceQuery) (int64, error) {
	return 3, s.note(ctx, "DismissMissed", q)
}

func (s *twin) Balance(ctx context.Context, q api.BalanceQuery) ([]api.Balance, error) {
	return []api.Balance{}, s.note(ctx, "Balance", q)
}

func (s *twin) WhyNet(ctx context.Context, q api.WhyQuery) (api.Why, error) {
	return api.Why{}, s.note(ctx, "WhyNet", q)
}

func (s *twin) AtRisk(ctx context.Context, hours int) ([]api.Risk, error) {
	return []api.Risk{}, s.note(ctx, "AtRisk", hours)
}

func (s *twin) ShowAgenda(ctx context.Context, q api.AgendaQuery) (api.AgendaPage, error) {
	return api.AgendaPage{}, s.note(ctx, "ShowAgenda", q)
}

func (s *twin) MonthOf(ctx context.Context, net, schedule string, month time.Time) ([]api.MonthDay, error) {
	return []api.MonthDay{}, s.note(ctx, "MonthOf", net, schedule, month)
}

func (s *twin) ListOverrides(ctx context.Context, net string, all bool) ([]api.Override, error) {
	return []api.Override{}, s.note(ctx, "ListOverrides", net, all)
}

func (s *twin) CreateOverride(ctx context.Context, o api.CreateOverride) (api.Override, error) {
	return api.Override{}, s.note(ctx, "CreateOverride", o)
}

func (s *twin) DropOverride(ctx context.Context, id string) (api.Override, error) {
	return api.Override{}, s.note(ctx, "DropOverride", id)
}

func (s *twin) ListCalendars(ctx context.Context) ([]api.CalendarSummary, error) {
	return []api.CalendarSummary{}, s.note(ctx, "ListCalendars")
}

func (s *twin) Calendar(ctx context.Context, name string, version int) (api.Calendar, error) {
	return api.Calendar{}, s.note(ctx, "Calendar", name, version)
}

func (s *twin) CalendarDays(ctx context.Context, ref string, since, until string) ([]api.CalendarDay, error) {
	return []api.CalendarDay{}, s.note(ctx, "CalendarDays", ref, since, until)
}

func (s *twin) ListCalendarSeeds(ctx context.Context) ([]api.CalendarSeed, error) {
	return []api.CalendarSeed{}, s.note(ctx, "ListCalendarSeeds")
}

func (s *twin) CalendarSeed(ctx context.Context, q api.SeedQuery) (api.CalendarText, error) {
	return api.CalendarText{}, s.note(ctx, "CalendarSeed", q)
}

func (s *twin) Forecast(ctx context.Context, q api.ForecastQuery) (api.Forecast, error) {
	return api.Forecast{}, s.note(ctx, "Forecast", q)
}

// timeCalls are the client's calls about time.
func timeCalls(ctx context.Context, c *api.Client) []roundTrip {
	const net, name = "a/b ü?%2f#&", "nightly"
	at := instantOf(3)
	pause := api.Pause{Reason: "the <disk> is changed", Until: ptr(at)}
	schedules := api.ScheduleQuery{Net: net, Folder: "census", Paused: true, Limit: 7, After: "census/packages/nightly"}
	query := api.OccurrenceQuery{
		Net: net, Folder: "census", Schedule: name, Since: instantOf(1), Until: instantOf(2), Decisions: []string{"missed", "pending"}, Reasons: []string{"server_down", "not_due"}, Planned: true, After: "x y", Limit: 9,
	}
	missed := api.OccurrenceQuery{Net: net, Folder: "census", Schedule: name, Since: instantOf(1), Until: instantOf(2), Each: true, After: "x y", Limit: 9}
	release := api.OccurrenceQuery{Net: net, Folder: "census", Schedule: name, Since: instantOf(1), Until: instantOf(2), Limit: 9, Expect: 12, Reason: "enough & more"}
	dismiss := api.OccurrenceQuery{Net: net, Folder: "census", Schedule: name, Until: instantOf(2), Reason: "enough & more"}
	minute := api.WhyQuery{Net: net, At: at, Minute: true}
	balance := api.BalanceQuery{Day: "2026-05-04", Net: net, Folder: "census", Schedule: name, Broken: true}
	agenda := api.AgendaQuery{Day: "2026-05-04", Zone: "Europe/Berlin", Net: net, Folder: "census", State: "late", After: "x y", Limit: 9}
	seed := api.SeedQuery{Code: "DE-BY", Name: "holidays/by", First: 2026, Last: 2028}
	month := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	calls := []roundTrip{
		{"DiffSchedules", []any{"a b.yaml", []byte("net: a\n\x00\xff"), api.DiffQuery{Months: 6, After: "a/b/c d"}}, nil, func() (any, error) {
			return c.DiffSchedules(ctx, "a b.yaml", []byte("net: a\n\x00\xff"), api.DiffQuery{Months: 6, After: "a/b/c d"})
		}},
		{"DiffSchedules", []any{"a", []byte("net: a"), api.DiffQuery{Months: 1}, "b", "net: b"}, nil, func() (any, error) {
			return c.DiffSchedules(ctx, "a", []byte("net: a"), api.DiffQuery{Months: 1}, api.File{Name: "b", Text: []byte("net: b")})
		}},
		{"ListSchedules", []any{schedules}, nil, func() (any, error) { return c.ListSchedules(ctx, schedules) }},
		{"ListSchedules", []any{api.ScheduleQuery{}}, nil, func() (any, error) { return c.ListSchedules(ctx, api.ScheduleQuery{}) }},
		{"Schedule", []any{net, name}, nil, func() (any, error) { return c.Schedule(ctx, net, name) }},
		{"PauseSchedule", []any{net, name, pause}, nil, func() (any, error) { return c.PauseSchedule(ctx, net, name, pause) }},
		{"ResumeSchedule", []any{net, name}, nil, func() (any, error) { return c.ResumeSchedule(ctx, net, name) }},
		{"ListOccurrences", []any{query}, nil, func() (any, error) { return c.ListOccurrences(ctx, query) }},
		{"ListOccurrences", []any{api.OccurrenceQuery{}}, nil, func() (any, error) { return c.ListOccurrences(ctx, api.OccurrenceQuery{}) }},
		{"Occurrence", []any{net, name, at}, nil, func() (any, error) { return c.Occurrence(ctx, net, name, at) }},
		{"Missed", []any{missed}, nil, func() (any, error) { return c.Missed(ctx, missed) }},
		{"ReleaseMissed", []any{release}, api.ReleasedMissed{Released: 2, Left: 1, Runs: []api.RecoveredBy{}, Refused: []api.NotReleased{}}, func() (any, error) { return c.ReleaseMissed(ctx, release) }},
		{"DismissMissed", []any{dismiss}, int64(3), func() (any, error) { return c.DismissMissed(ctx, dismiss) }},
		{"Balance", []any{balance}, nil, func() (any, error) { return c.Balance(ctx, balance) }},
		{"WhyNet", []any{minute}, nil, func() (any, error) { return c.WhyNet(ctx, minute) }},
		{"WhyNet", []any{api.WhyQuery{Net: net}}, nil, func() (any, error) { return c.WhyNet(ctx, api.WhyQuery{Net: net}) }},
		{"AtRisk", []any{48}, nil, func() (any, error) { return c.AtRisk(ctx, 48) }},
		{"ShowAgenda", []any{agenda}, nil, func() (any, error) { return c.ShowAgenda(ctx, agenda) }},
		{"MonthOf", []any{net, name, month}, nil, func() (any, error) { return c.MonthOf(ctx, net, name, month) }},
		{"ListOverrides", []any{net, true}, nil, func() (any, error) { return c.ListOverrides(ctx, net, true) }},
		{"ListCalendars", nil, nil, func() (any, error) { return c.ListCalendars(ctx) }},
		{"Calendar", []any{net, 3}, nil, func() (any, error) { return c.Calendar(ctx, net, 3) }},
		{"Calendar", []any{name, 0}, nil, func() (any, error) { return c.Calendar(ctx, name, 0) }},
		{"CalendarDays", []any{"a/b#free", "2026-12-24", "2026-12-26"}, nil, func() (any, error) { return c.CalendarDays(ctx, "a/b#free", "2026-12-24", "2026-12-26") }},
		{"ListCalendarSeeds", nil, nil, func() (any, error) { return c.ListCalendarSeeds(ctx) }},
		{"CalendarSeed", []any{seed}, nil, func() (any, error) { return c.CalendarSeed(ctx, seed) }},
		{"CalendarSeed", []any{api.SeedQuery{Code: "US"}}, nil, func() (any, error) { return c.CalendarSeed(ctx, api.SeedQuery{Code: "US"}) }},
		{"DropOverride", []any{"7"}, nil, func() (any, error) { return c.DropOverride(ctx, "7") }},
	}
	look := api.ForecastQuery{
		Days: 9, Net: net, Folder: "census", Replications: 40, WhatIf: []string{"duration=a/b:+50%", "agent-slots=a,b:2"}, Limit: 8, Seed: -5,
	}
	calls = append(calls, roundTrip{"Forecast", []any{look}, nil, func() (any, error) { return c.Forecast(ctx, look) }},
		roundTrip{"Forecast", []any{api.ForecastQuery{}}, nil, func() (any, error) { return c.Forecast(ctx, api.ForecastQuery{}) }})
	for _, verb := range []string{"release", "dismiss", "cancel"} {
		act := api.OccurrenceAct{Net: net, Schedule: name, Nominal: at, Verb: verb, Reason: "ask <ann>"}
		calls = append(calls, roundTrip{"ActOnOccurrence", []any{act}, nil, func() (any, error) { return c.ActOnOccurrence(ctx, act) }})
	}
	for _, kind := range []string{"add", "move", "skip", "hold"} {
		o := api.CreateOverride{
			Kind: kind, Net: net, Schedule: name, Nominal: ptr(at), From: ptr(at), To: ptr(at), Params: map[string]string{"top": "$(x)"}, Expires: ptr(at), Reason: "r",
		}
		calls = append(calls, roundTrip{"CreateOverride", []any{o}, nil, func() (any, error) { return c.CreateOverride(ctx, o) }})
	}
	return calls
}
