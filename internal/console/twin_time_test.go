package console

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

func (s *twin) ListSchedules(ctx context.Context, q api.ScheduleQuery) ([]api.Schedule, error) {
	return []api.Schedule{}, nil
}

func (s *twin) Schedule(ctx context.Context, net, name string) (api.Schedule, error) {
	return api.Schedule{}, nil
}

func (s *twin) PauseSchedule(ctx context.Context, net, name string, order api.Pause) (api.Schedule, error) {
	return api.Schedule{}, nil
}

func (s *twin) ResumeSchedule(ctx context.Context, net, name string) (api.Schedule, error) {
	return api.Schedule{}, nil
}

func (s *twin) DiffSchedules(ctx context.Context, name string, text []byte, months int) ([]api.ScheduleDiff, error) {
	return []api.ScheduleDiff{}, nil
}

func (s *twin) ListOccurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	return api.OccurrencePage{}, nil
}

func (s *twin) Occurrence(ctx context.Context, net, schedule string, nominal time.Time) (api.Occurrence, error) {
	return api.Occurrence{}, nil
}

func (s *twin) Missed(ctx context.Context, q api.OccurrenceQuery) ([]api.Missed, error) {
	return []api.Missed{}, nil
}

func (s *twin) ActOnOccurrence(ctx context.Context, act api.OccurrenceAct) (api.Occurrence, error) {
	return api.Occurrence{}, nil
}

func (s *twin) DismissMissed(ctx context.Context, q api.OccurrenceQuery) (int64, error) {
	return 0, nil
}

func (s *twin) Balance(ctx context.Context, q api.BalanceQuery) ([]api.Balance, error) {
	return []api.Balance{}, nil
}

func (s *twin) WhyNet(ctx context.Context, net string, at time.Time) (api.Why, error) {
	return api.Why{}, nil
}

func (s *twin) AtRisk(ctx context.Context, hours int) ([]api.Risk, error) {
	return []api.Risk{}, nil
}

func (s *twin) ShowAgenda(ctx context.Context, q api.AgendaQuery) (api.AgendaPage, error) {
	return api.AgendaPage{}, nil
}

func (s *twin) MonthOf(ctx context.Context, net, schedule string, month time.Time) ([]api.MonthDay, error) {
	return []api.MonthDay{}, nil
}

func (s *twin) ListOverrides(ctx context.Context, net string, all bool) ([]api.Override, error) {
	return []api.Override{}, nil
}

func (s *twin) CreateOverride(ctx context.Context, o api.CreateOverride) (api.Override, error) {
	return api.Override{}, nil
}

func (s *twin) DropOverride(ctx context.Context, id int64) (api.Override, error) {
	return api.Override{}, nil
}

func (s *twin) ListCalendars(ctx context.Context) ([]api.CalendarSummary, error) {
	return []api.CalendarSummary{}, nil
}

func (s *twin) Calendar(ctx context.Context, name string, version int) (api.Calendar, error) {
	return api.Calendar{}, nil
}

func (s *twin) CalendarDays(ctx context.Context, ref string, since, until string) ([]api.CalendarDay, error) {
	return []api.CalendarDay{}, nil
}

func (s *twin) Forecast(ctx context.Context, q api.ForecastQuery) (api.Forecast, error) {
	return api.Forecast{}, nil
}
