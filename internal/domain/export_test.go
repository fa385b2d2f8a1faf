package domain

import (
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/forecast"
)

// ShowForecast is what callers are shown of a forecast.
func ShowForecast(f *forecast.Forecast) api.Forecast { return showForecast(f, api.ForecastQuery{}) }

// AwayText is how long it is from one instant to another.
func AwayText(from, to time.Time) string { return awayText(from, to) }

// AwaitSweep waits until no sweep runs.
func (s *Service) AwaitSweep() {
	s.sweeps.mu.Lock()
	running := s.sweeps.running
	s.sweeps.mu.Unlock()
	if running != nil {
		<-running
	}
}
