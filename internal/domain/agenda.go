package domain

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ShowAgenda implements api.Agenda.
func (s *Service) ShowAgenda(ctx context.Context, q api.AgendaQuery) (api.AgendaPage, error) {
	return api.AgendaPage{}, fault.New(fault.Internal, "this is not built yet", "")
}

// MonthOf implements api.Agenda.
func (s *Service) MonthOf(ctx context.Context, net, schedule string, month time.Time) ([]api.MonthDay, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// ListOverrides implements api.Agenda.
func (s *Service) ListOverrides(ctx context.Context, net string, all bool) ([]api.Override, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// CreateOverride implements api.Agenda.
func (s *Service) CreateOverride(ctx context.Context, o api.CreateOverride) (api.Override, error) {
	return api.Override{}, fault.New(fault.Internal, "this is not built yet", "")
}

// DropOverride implements api.Agenda.
func (s *Service) DropOverride(ctx context.Context, id int64) (api.Override, error) {
	return api.Override{}, fault.New(fault.Internal, "this is not built yet", "")
}
