package domain

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ListOccurrences implements api.Occurrences.
func (s *Service) ListOccurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	return api.OccurrencePage{}, fault.New(fault.Internal, "this is not built yet", "")
}

// Occurrence implements api.Occurrences.
func (s *Service) Occurrence(ctx context.Context, net, schedule string, nominal time.Time) (api.Occurrence, error) {
	return api.Occurrence{}, fault.New(fault.Internal, "this is not built yet", "")
}

// Missed implements api.Occurrences.
func (s *Service) Missed(ctx context.Context, q api.OccurrenceQuery) ([]api.Missed, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// ActOnOccurrence implements api.Occurrences.
func (s *Service) ActOnOccurrence(ctx context.Context, act api.OccurrenceAct) (api.Occurrence, error) {
	return api.Occurrence{}, fault.New(fault.Internal, "this is not built yet", "")
}

// DismissMissed implements api.Occurrences.
func (s *Service) DismissMissed(ctx context.Context, q api.OccurrenceQuery) (int64, error) {
	return 0, fault.New(fault.Internal, "this is not built yet", "")
}

// Balance implements api.Occurrences.
func (s *Service) Balance(ctx context.Context, q api.BalanceQuery) ([]api.Balance, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// WhyNet implements api.Occurrences.
func (s *Service) WhyNet(ctx context.Context, net string, at time.Time) (api.Why, error) {
	return api.Why{}, fault.New(fault.Internal, "this is not built yet", "")
}

// AtRisk implements api.Occurrences.
func (s *Service) AtRisk(ctx context.Context, hours int) ([]api.Risk, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}
