package forecast_test

import (
	"testing"

	"github.com/reeve-scheduler/reeve/internal/forecast"
)

// BenchmarkSimulate5000x100 is 7 days of 5,000 daily nets of three jobs, 100 times, on one processor.
func BenchmarkSimulate5000x100(b *testing.B) {
	w := many(5000)
	for b.Loop() {
		f, err := forecast.Simulate(w, forecast.Options{Days: 7, Replications: 100, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(f.Occurrences)*float64(f.Replications)*3, "attempts/op")
	}
}
