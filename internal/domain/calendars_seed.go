package domain

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar/table"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
)

// ListCalendarSeeds implements api.Calendars.
func (s *Service) ListCalendarSeeds(ctx context.Context) ([]api.CalendarSeed, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	seeds, err := table.Seeds()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "listing seeds", err)
	}
	out := make([]api.CalendarSeed, len(seeds))
	for i, seed := range seeds {
		out[i] = api.CalendarSeed{Code: seed.Code, Name: seed.Name, First: seed.Years.First, Last: seed.Years.Last, Days: len(seed.Dates)}
	}
	return out, nil
}

// CalendarSeed implements api.Calendars.
func (s *Service) CalendarSeed(ctx context.Context, q api.SeedQuery) (api.CalendarText, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.CalendarText{}, err
	}
	seed, err := table.FindSeed(q.Code)
	if err != nil {
		return api.CalendarText{}, err
	}
	def, err := seed.Definition(q.Name, table.Years{First: q.First, Last: q.Last})
	if err != nil {
		return api.CalendarText{}, err
	}
	return api.CalendarText{Calendar: def.Name, Text: string(jobfile.FormatCalendar(def))}, nil
}
