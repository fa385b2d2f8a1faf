package forecast_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/run"
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

// BenchmarkSimulateBurst5000x10 has all 5,000 nets due at one instant of each day, for 200 slots: most of what is ready waits.
func BenchmarkSimulateBurst5000x10(b *testing.B) {
	w := many(5000)
	for i := range w.Nets {
		w.Nets[i].Rules[0] = daily(2 * time.Hour)
	}
	for b.Loop() {
		if _, err := forecast.Simulate(w, forecast.Options{Days: 7, Replications: 10, Seed: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSimulateBacklog is a net that is due more than twice as often as its runs can end one after the other, so that a thousand are queued.
func BenchmarkSimulateBacklog(b *testing.B) {
	w := forecast.World{Now: monday, Agents: []run.Candidate{linked("x", 9)}, Nets: []forecast.Net{
		net("n", often(10*time.Second, overlap(calendar.OverlapQueue)), job("a", takes(25*time.Second))),
	}}
	for b.Loop() {
		if _, err := forecast.Simulate(w, forecast.Options{Days: 1, Replications: 1, Seed: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkThirteenMonths50000 finds what 50,000 daily nets have due in 13 months. Only the first of it is gathered to be simulated.
func BenchmarkThirteenMonths50000(b *testing.B) {
	w := forecast.World{Now: monday}
	compiler := calendar.NewCompiler(calendar.Builtin(), func(string) (*calendar.Definition, bool) { return nil, false })
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"}
	for i := range 50_000 {
		s := calendar.DefaultSchedule()
		s.Name, s.Zone = "daily", zones[i%len(zones)]
		s.Cron = fmt.Sprintf("%d %d * * *", i%60, i/60%24)
		name := fmt.Sprintf("net-%05d", i)
		rule, problems := compiler.Compile(name, s)
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		w.Nets = append(w.Nets, net(name, rule, job("a")))
	}
	for b.Loop() {
		p, err := forecast.New(w, forecast.Options{Days: 395, Replications: 100})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(p.Forecast().Occurrences), "occurrences/op")
	}
}
