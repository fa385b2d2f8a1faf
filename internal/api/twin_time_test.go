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

func (s *twin) DiffSchedules(ctx context.Context, name string, text []byte, months int) ([]api.ScheduleDiff, error) {
	return []api.ScheduleDiff{}, s.note(ctx, "DiffSchedules", name, text, months)
}

func (s *twin) ListOccurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	return api.OccurrencePage{}, s.note(ctx, "ListOccurrences", q)
}

func (s *twin) Missed(ctx context.Context, q api.OccurrenceQuery) ([]api.Missed, error) {
	return []api.Missed{}, s.note(ctx, "Missed", q)
}

func (s *twin) ActOnOccurrence(ctx context.Context, act api.OccurrenceAct) (api.Occurrence, error) {
	return api.Occurrence{}, s.note(ctx, "ActOnOccurrence", act)
}

func (s *twin) DismissMissed(ctx context.Context, q api.OccurrenceQuery) (int64, error) {
	return 0, s.note(ctx, "DismissMissed", q)
}

func (s *twin) Balance(ctx context.Context, q api.BalanceQuery) ([]api.Balance, error) {
	return []api.Balance{}, s.note(ctx, "Balance", q)
}

func (s *twin) WhyNet(ctx context.Context, net string, at time.Time) (api.Why, error) {
	return api.Why{}, s.note(ctx, "WhyNet", net, at)
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

func (s *twin) DropOverride(ctx context.Context, id int64) (api.Override, error) {
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

func (s *twin) Forecast(ctx context.Context, q api.ForecastQuery) (api.Forecast, error) {
	return api.Forecast{}, s.note(ctx, "Forecast", q)
}
