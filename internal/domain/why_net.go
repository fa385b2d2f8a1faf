package domain

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// WhyNet implements api.Occurrences.
func (s *Service) WhyNet(ctx context.Context, net string, at time.Time) (api.Why, error) {
	return api.Why{}, fault.New(fault.Internal, "this is not built yet", "")
}
