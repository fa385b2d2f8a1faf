package api

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Forecast implements Forecasts.
func (c *Client) Forecast(ctx context.Context, q ForecastQuery) (Forecast, error) {
	return Forecast{}, fault.New(fault.Internal, "this is not built yet", "")
}
