package domain

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Forecast implements api.Forecasts.
func (s *Service) Forecast(ctx context.Context, q api.ForecastQuery) (api.Forecast, error) {
	return api.Forecast{}, fault.New(fault.Internal, "this is not built yet", "")
}
