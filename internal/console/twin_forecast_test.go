package console

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

func (t *twin) Forecast(ctx context.Context, q api.ForecastQuery) (api.Forecast, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.time.looked = q
	if t.time.forecastErr != nil {
		return api.Forecast{}, t.time.forecastErr
	}
	return t.time.forecast, t.may(ctx, access.View, folderOf(q.Net))
}

// foresee gives a twin a forecast of two days.
func foresee(t *twin, now time.Time) {
	now = now.UTC().Truncate(time.Minute)
	f := api.Forecast{
		From: now, Until: now.Add(48 * time.Hour), Days: 2, WhatIf: []string{"agent-down=dmz1"}, Replications: 60, Occurrences: 212, Suppressed: 4,
		Notes: []string{"durations: of 14 jobs from their history; of 2 guessed as 1m0s", "taken to be away all the time: dmz1"},
	}
	for i := range 90 {
		due := now.Add(time.Duration(i*17) * time.Minute)
		it := api.ForecastItem{
			Net: "estate/harvest", Schedule: "nightly", Due: due, Start: due.Add(3 * time.Minute), End: due.Add(35 * time.Minute), EndLow: due.Add(20 * time.Minute), EndHigh: due.Add(70 * time.Minute),
			Basis: "history", Waits: ptr("a slot (labels zone=dmz)"),
		}
		if i < 70 {
			it.MustEnd, it.Late = ptr(due.Add(40*time.Minute)), float64(70-i)/70
		}
		if i%7 == 3 {
			it.Net, it.Schedule, it.Basis = "census/packages", "quarter", "guess"
		}
		f.Items = append(f.Items, it)
	}
	for _, name := range []string{"east1", "dmz1"} {
		a := api.ForecastAgent{Name: name, Slots: 4, Busy: 0.31, Peak: 3.4, At: now.Add(3 * time.Hour)}
		for h := range 48 {
			a.Hours = append(a.Hours, float64(h%5))
		}
		f.Agents = append(f.Agents, a)
	}
	f.Pools = []api.ForecastPool{{Pool: "callback", Size: 3, Peak: 4.5, At: now, Waits: 12.25, Hours: []float64{1, 4.5, 2}}, {Pool: "containers@east1", Size: 40, Hours: []float64{0, 0}}}
	for i := range 3 {
		f.ByDay = append(f.ByDay, api.ForecastDay{Day: now.AddDate(0, 0, i).Format(time.DateOnly), Occurrences: 70, Runs: ptr(6.25), Late: ptr(1.5)})
	}
	f.Critical = []api.ForecastStep{
		{Net: "estate/harvest", Job: "collect", Start: now, End: now.Add(10 * time.Minute), Why: "due"},
		{Start: now.Add(10 * time.Minute), End: now.Add(30 * time.Minute), Why: "a slot (name east1)"},
		{Net: "estate/harvest", Job: "merge", Start: now.Add(30 * time.Minute), End: now.Add(50 * time.Minute), Why: "its predecessor"},
	}
	t.time.forecast = f
}
