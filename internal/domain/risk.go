package domain

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// AtRisk implements api.Occurrences.
func (s *Service) AtRisk(ctx context.Context, hours int) ([]api.Risk, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}
