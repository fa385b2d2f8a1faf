package domain

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ListCalendars implements api.Calendars.
func (s *Service) ListCalendars(ctx context.Context) ([]api.CalendarSummary, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// Calendar implements api.Calendars.
func (s *Service) Calendar(ctx context.Context, name string, version int) (api.Calendar, error) {
	return api.Calendar{}, fault.New(fault.Internal, "this is not built yet", "")
}

// CalendarDays implements api.Calendars.
func (s *Service) CalendarDays(ctx context.Context, ref string, since, until string) ([]api.CalendarDay, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}
