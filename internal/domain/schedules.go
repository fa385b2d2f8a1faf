package domain

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ListSchedules implements api.Schedules.
func (s *Service) ListSchedules(ctx context.Context, q api.ScheduleQuery) ([]api.Schedule, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// Schedule implements api.Schedules.
func (s *Service) Schedule(ctx context.Context, net, name string) (api.Schedule, error) {
	return api.Schedule{}, fault.New(fault.Internal, "this is not built yet", "")
}

// PauseSchedule implements api.Schedules.
func (s *Service) PauseSchedule(ctx context.Context, net, name string, order api.Pause) (api.Schedule, error) {
	return api.Schedule{}, fault.New(fault.Internal, "this is not built yet", "")
}

// ResumeSchedule implements api.Schedules.
func (s *Service) ResumeSchedule(ctx context.Context, net, name string) (api.Schedule, error) {
	return api.Schedule{}, fault.New(fault.Internal, "this is not built yet", "")
}
