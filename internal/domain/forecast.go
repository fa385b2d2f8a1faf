package domain

import (
	"cmp"
	"context"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/forecast"
)

// ahead is what looking ahead keeps: that one look at a time is under way, and what it learned of nets.
type ahead struct {
	busy atomic.Bool
	past pasts
}

// The defaults of a forecast.
const (
	forecastDays = 7
	forecastRuns = 100
)

// Forecast implements api.Forecasts. One is made at a time; the store is only read, and before it begins.
func (s *Service) Forecast(ctx context.Context, q api.ForecastQuery) (api.Forecast, error) {
	who, _, err := s.scope(ctx, access.View, q.Net, q.Folder)
	if err != nil {
		return api.Forecast{}, err
	}
	q.Days, q.Replications = cmp.Or(q.Days, forecastDays), cmp.Or(q.Replications, forecastRuns)
	if q.Limit < 0 || q.Limit > 10_000 {
		return api.Forecast{}, fault.Newf(fault.Invalid, "limit is %d; from 1 to 10000", q.Limit)
	}
	if !s.ahead.busy.CompareAndSwap(false, true) {
		return api.Forecast{}, fault.New(fault.Busy, "another forecast is being made", "try again when it is done; one takes some seconds")
	}
	defer s.ahead.busy.Store(false)
	w, notes, err := s.world(ctx)
	if err != nil {
		return api.Forecast{}, err
	}
	plan, err := forecast.New(w, forecast.Options{
		Days: q.Days, Replications: q.Replications, Seed: uint64(q.Seed), WhatIf: q.WhatIf, Limit: q.Limit,
		Show: func(net string) bool {
			return (q.Net == "" || q.Net == net) && (q.Folder == "" || strings.HasPrefix(net, q.Folder+"/")) && who.May(access.View, folderOf(net))
		},
		Known: func(net string) bool { return who.May(access.View, folderOf(net)) },
	})
	if err != nil {
		return api.Forecast{}, err
	}
	f, err := play(ctx, plan)
	if err != nil {
		return api.Forecast{}, err
	}
	f.Notes = append(f.Notes, notes...)
	if f.Occurrences+f.Suppressed >= muchDue || len(w.Nets) >= manyNetsAhead {
		defer debug.FreeOSMemory() // the next one may be tomorrow: until then what it took is other programs'
	}
	return showForecast(&f, q), nil
}

// From so much on what a forecast took is given back to the system at once.
const (
	muchDue       = 20_000
	manyNetsAhead = 2000
)

// play has the replications played on as many processors as there are, and leaves off when ctx ends.
func play(ctx context.Context, plan *forecast.Plan) (forecast.Forecast, error) {
	var next atomic.Int64
	sims := make([]*forecast.Simulator, min(runtime.GOMAXPROCS(0), 2, plan.Replications())) // what runs beside it needs processors too
	var all sync.WaitGroup
	for i := range sims {
		sims[i] = plan.Simulator()
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < plan.Replications() && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				sims[i].Replicate(n)
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return forecast.Forecast{}, context.Cause(ctx)
	}
	return plan.Forecast(sims...), nil
}

func showForecast(f *forecast.Forecast, q api.ForecastQuery) api.Forecast {
	out := api.Forecast{
		From: f.From, Until: f.Until, Days: q.Days, WhatIf: listed(q.WhatIf), Replications: f.Replications, PlayedUntil: f.Simulated, Occurrences: f.Occurrences, Suppressed: f.Suppressed,
		Items: []api.ForecastItem{}, Agents: []api.ForecastAgent{}, Pools: []api.ForecastPool{}, ByDay: []api.ForecastDay{}, Critical: []api.ForecastStep{},
		Notes: listed(f.Notes),
	}
	for i := range f.Items {
		it := &f.Items[i]
		out.Items = append(out.Items, api.ForecastItem{
			Net: it.Net, Schedule: it.Schedule, Due: it.Due, Start: it.Start, End: it.End, EndLow: it.Low, EndHigh: it.High,
			MustEnd: optTime(it.MustEnd), Late: it.Late, Waits: opt(it.Waits), Basis: string(it.Basis),
		})
	}
	for i := range f.Agents {
		a := &f.Agents[i]
		out.Agents = append(out.Agents, api.ForecastAgent{Name: a.Name, Slots: a.Slots, Busy: a.Busy, Peak: a.Peak, At: a.At, Hours: listed(a.Hours)})
	}
	for i := range f.Pools {
		p := &f.Pools[i]
		name := p.ID
		if p.Agent != "" {
			name += "@" + p.Agent
		}
		out.Pools = append(out.Pools, api.ForecastPool{Pool: name, Size: p.Size, Peak: p.Peak, At: p.At, Waits: p.Waits, Hours: listed(p.Hours)})
	}
	for _, d := range f.Days {
		day := api.ForecastDay{Day: d.Begin.Format(time.DateOnly), Occurrences: d.Occurrences}
		if d.Begin.Before(f.Simulated) {
			day.Runs, day.Late = &d.Runs, &d.Late
		}
		out.ByDay = append(out.ByDay, day)
	}
	for _, c := range f.Critical {
		out.Critical = append(out.Critical, api.ForecastStep{Net: c.Net, Job: c.Job, Start: c.Start, End: c.End, Why: c.Why})
	}
	return out
}
