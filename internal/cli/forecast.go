package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/forecast"
)

func (a *app) forecastCommand() *cobra.Command {
	q := api.ForecastQuery{Days: 7, Limit: 20}
	c := a.dataFlag(&cobra.Command{
		Use: "forecast [--days N] [--what-if CHANGE]...", Short: "look ahead: what will be late, what agents and pools of ports will carry, and why", Args: cobra.NoArgs,
		Long: "Play the next days many times, with the server's own rules on a virtual clock, with durations and failures from history, the slots of agents and\n" +
			"the pools of ports. Each --what-if changes the world that is played; then the difference from the forecast without is told too. One of:\n\n  " +
			strings.Join(forecast.Forms(), "\n  ") + "\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			out, err := look(c.Context(), client, q)
			if err != nil {
				return err
			}
			return a.print(out, func(w io.Writer) { forecastTable(w, out, q.Limit) })
		},
	})
	c.Flags().IntVar(&q.Days, "days", q.Days, "how far to look, up to 400")
	c.Flags().StringArrayVar(&q.WhatIf, "what-if", nil, "change the world that is played; may be given up to 20 times")
	c.Flags().StringVar(&q.Net, "net", "", "report only what is due of this net; all are played")
	c.Flags().StringVar(&q.Folder, "folder", "", "report only what is due of nets below this folder")
	c.Flags().IntVar(&q.Replications, "replications", 100, "how often to play it, up to 1000; 1: with mean durations and without failures")
	c.Flags().Int64Var(&q.Seed, "seed", 0, "of chance: the same seed gives the same forecast")
	c.Flags().IntVar(&q.Limit, "limit", q.Limit, "at most so many occurrences, up to 10000")
	return c
}

// looked is a forecast, with what its what-ifs changed.
type looked struct {
	api.Forecast
	Difference *changedBy `json:"difference"` // null: nothing was changed
}

// changedBy is what a what-if changes.
type changedBy struct {
	LateBefore float64      `json:"late_before"` // mean number of runs that end too late, without the what-ifs
	Late       float64      `json:"late"`
	Items      []itemChange `json:"items"` // that differ most first
	Agents     []loadChange `json:"agents"`
	Pools      []loadChange `json:"pools"`
}

type itemChange struct {
	Net        string     `json:"net"`
	Schedule   string     `json:"schedule"`
	Due        time.Time  `json:"due"`
	LateBefore float64    `json:"late_before"`
	Late       float64    `json:"late"`
	EndBefore  *time.Time `json:"end_before"`
	End        *time.Time `json:"end"` // null: it is not due any more
}

type loadChange struct {
	Name       string  `json:"name"`
	PeakBefore float64 `json:"peak_before"`
	Peak       float64 `json:"peak"`
}

// compared is how many occurrences of two forecasts are compared.
const compared = 10_000

// look asks for a forecast, and where something is changed in it for the one without as well.
func look(ctx context.Context, client *api.Client, q api.ForecastQuery) (looked, error) {
	if len(q.WhatIf) == 0 {
		f, err := client.Forecast(ctx, q)
		return looked{Forecast: f}, err
	}
	limit := q.Limit
	q.Limit = compared
	f, err := client.Forecast(ctx, q)
	if err != nil {
		return looked{}, err
	}
	q.WhatIf = nil
	without, err := client.Forecast(ctx, q)
	if err != nil {
		return looked{}, fmt.Errorf("making the forecast without the what-ifs: %w", err)
	}
	out := looked{Forecast: f, Difference: differ(&without, &f)}
	if limit > 0 {
		out.Items = f.Items[:min(len(f.Items), limit)]
		out.Difference.Items = out.Difference.Items[:min(len(out.Difference.Items), limit)]
	}
	return out, nil
}

// lateOf adds up the days that were played.
func lateOf(f *api.Forecast) float64 {
	late := 0.0
	for _, day := range f.ByDay {
		if day.Late != nil {
			late += *day.Late
		}
	}
	return late
}

// differ compares two forecasts with the same seed.
func differ(before, after *api.Forecast) *changedBy {
	d := &changedBy{Items: []itemChange{}, LateBefore: lateOf(before), Late: lateOf(after)}
	type key struct {
		net, schedule string
		due           int64
	}
	keyOf := func(it *api.ForecastItem) key { return key{it.Net, it.Schedule, it.Due.UnixMilli()} }
	known := map[key]*api.ForecastItem{}
	for i := range before.Items {
		known[keyOf(&before.Items[i])] = &before.Items[i]
	}
	for i := range after.Items {
		now := &after.Items[i]
		was := known[keyOf(now)]
		delete(known, keyOf(now))
		if was != nil && (was.Late != now.Late || !was.End.Equal(now.End)) {
			d.Items = append(d.Items, itemChange{now.Net, now.Schedule, now.Due, was.Late, now.Late, &was.End, &now.End})
		}
	}
	if len(before.Items) < compared {
		for _, gone := range known {
			d.Items = append(d.Items, itemChange{Net: gone.Net, Schedule: gone.Schedule, Due: gone.Due, LateBefore: gone.Late, EndBefore: &gone.End})
		}
	}
	slices.SortFunc(d.Items, func(a, b itemChange) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Late-b.LateBefore), math.Abs(a.Late-a.LateBefore)), cmp.Compare(b.longer().Abs(), a.longer().Abs()), a.Due.Compare(b.Due), strings.Compare(a.Net, b.Net))
	})
	d.Agents, d.Pools = agentChanges(before, after), poolChanges(before, after)
	return d
}

func (c *itemChange) longer() time.Duration {
	if c.End == nil || c.EndBefore == nil {
		return 0
	}
	return c.End.Sub(*c.EndBefore)
}

func agentChanges(before, after *api.Forecast) []loadChange {
	out := []loadChange{}
	for i := range after.Agents {
		if i < len(before.Agents) && before.Agents[i].Name == after.Agents[i].Name && before.Agents[i].Peak != after.Agents[i].Peak {
			out = append(out, loadChange{after.Agents[i].Name, before.Agents[i].Peak, after.Agents[i].Peak})
		}
	}
	return out
}

func poolChanges(before, after *api.Forecast) []loadChange {
	out := []loadChange{}
	for i := range after.Pools {
		if i < len(before.Pools) && before.Pools[i].Pool == after.Pools[i].Pool && before.Pools[i].Peak != after.Pools[i].Peak {
			out = append(out, loadChange{after.Pools[i].Pool, before.Pools[i].Peak, after.Pools[i].Peak})
		}
	}
	return out
}
