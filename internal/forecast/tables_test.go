package forecast_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// once plays a world with mean durations, for some days, and returns the forecast.
func once(t *testing.T, w forecast.World, days int, whatIf ...string) forecast.Forecast {
	t.Helper()
	if w.Now.IsZero() {
		w.Now = monday.Add(-time.Hour)
	}
	f, err := forecast.Simulate(w, forecast.Options{Days: days, Replications: 1, WhatIf: whatIf})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// told writes a forecast's occurrences: NET due start end, minutes since monday.
func told(f forecast.Forecast) string {
	items := slices.Clone(f.Items)
	slices.SortStableFunc(items, func(a, b forecast.Item) int { return a.Due.Compare(b.Due) })
	var out []string
	at := func(t time.Time) string { return fmt.Sprint(math.Round(t.Sub(monday).Minutes()*100) / 100) }
	for _, it := range items {
		text := fmt.Sprintf("%s %s %s %s", it.Net, at(it.Due), at(it.Start), at(it.End))
		switch {
		case it.Open == 1:
			text = fmt.Sprintf("%s %s open", it.Net, at(it.Due))
		case strings.HasPrefix(it.Waits, "nothing: it is not released"):
			text, it.Waits = fmt.Sprintf("%s %s none", it.Net, at(it.Due)), ""
		}
		if it.Late > 0 {
			text += " late"
		}
		if it.Waits != "" {
			text += " (" + it.Waits + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func with(change func(*calendar.Schedule)) func(*calendar.Schedule) { return change }

func overlap(o calendar.Overlap) func(*calendar.Schedule) {
	return func(s *calendar.Schedule) { s.Overlap = o }
}

// often is a schedule that is due every so often.
func often(every time.Duration, change ...func(*calendar.Schedule)) forecast.Rule {
	g, _ := daily(0, change...).(grid)
	g.step = every
	return g
}

func on(name string) func(*jobnet.Job) { return func(j *jobnet.Job) { j.Agent.Name = name } }

const minute = time.Minute

func TestRunsAsTheServerWould(t *testing.T) {
	t.Parallel()
	chain := func(name string, rule forecast.Rule) forecast.Net {
		return net(name, rule, job("a", takes(10*minute)), job("b", after("a"), takes(20*minute)))
	}
	for name, c := range map[string]struct {
		world forecast.World
		days  int
		want  string
	}{
		"a chain each day": {forecast.World{Nets: []forecast.Net{chain("n", daily(0))}, Agents: []run.Candidate{linked("x", 1)}}, 2, "n 0 0 30; n 1440 1440 1470"},
		"one slot for two": {
			forecast.World{Nets: []forecast.Net{chain("m", daily(0)), chain("n", daily(0))}, Agents: []run.Candidate{linked("x", 1)}},
			1,
			"m 0 0 40 (a slot (any agent)); n 0 10 60 (a slot (any agent))",
		},
		"two agents": {
			forecast.World{Nets: []forecast.Net{chain("m", daily(0)), chain("n", daily(0))}, Agents: []run.Candidate{linked("x", 1), linked("y", 1)}}, 1, "m 0 0 30; n 0 0 30",
		},
		"an agent that is away":   {forecast.World{Nets: []forecast.Net{net("n", daily(0), job("a", on("y")))}, Agents: []run.Candidate{linked("x", 1), {Name: "y", Slots: 2}}}, 1, "n 0 open (its end: an agent that fits is missing, or it is held)"},
		"no agent at all":         {forecast.World{Nets: []forecast.Net{net("n", daily(0), job("a"))}}, 1, "n 0 open (its end: an agent that fits is missing, or it is held)"},
		"nobody knows how long":   {forecast.World{Nets: []forecast.Net{net("n", daily(0), job("a"))}, Agents: []run.Candidate{linked("x", 1)}}, 1, "n 0 0 1"},
		"a time-out ends it":      {forecast.World{Nets: []forecast.Net{net("n", daily(0), job("a", takes(9*minute), func(j *jobnet.Job) { j.Timeout = 5 * minute }), job("b", after("a")))}, Agents: []run.Candidate{linked("x", 1)}}, 1, "n 0 0 5"},
		"a retry after its delay": {forecast.World{Nets: []forecast.Net{net("n", daily(0), job("a", takes(9*minute), func(j *jobnet.Job) { j.Timeout, j.Retry = 5*minute, jobnet.Retry{Max: 2, Delay: 3 * minute} }))}, Agents: []run.Candidate{linked("x", 1)}}, 1, "n 0 0 21 (a retry)"},
		"late": {
			forecast.World{Nets: []forecast.Net{chain("n", daily(0, with(func(s *calendar.Schedule) { s.MustEnd = 29 * minute })))}, Agents: []run.Candidate{linked("x", 1)}}, 1, "n 0 0 30 late",
		},
		"runs may overlap":      {forecast.World{Nets: []forecast.Net{chain("n", often(20*minute))}, Agents: []run.Candidate{linked("x", 9)}, Now: monday.Add(23*time.Hour + 20*minute).Add(-24 * time.Hour)}, 1, "n 0 0 30; n 20 20 50; n 40 40 70"},
		"an overlap is skipped": {forecast.World{Nets: []forecast.Net{chain("n", often(20*minute, overlap(calendar.OverlapSkip)))}, Agents: []run.Candidate{linked("x", 9)}}, 1, "n 0 0 30; n 20 none; n 40 40 70"},
		"an overlap is queued":  {forecast.World{Nets: []forecast.Net{chain("n", often(20*minute, overlap(calendar.OverlapQueue)))}, Agents: []run.Candidate{linked("x", 9)}}, 1, "n 0 0 30; n 20 30 60 (the run before it); n 40 60 90 (the run before it)"},
		"an overlap replaces":   {forecast.World{Nets: []forecast.Net{chain("n", often(20*minute, overlap(calendar.OverlapReplace)))}, Agents: []run.Candidate{linked("x", 9)}}, 1, "n 0 0 20; n 20 20 40; n 40 40 60"},
		"queued too long": {
			forecast.World{Nets: []forecast.Net{chain("n", often(20*minute, overlap(calendar.OverlapQueue), func(s *calendar.Schedule) { s.StartWithin = 15 * minute }))}, Agents: []run.Candidate{linked("x", 9)}},
			1,
			"n 0 0 30; n 20 30 60 (the run before it); n 40 none",
		},
		"no agent in its window": {forecast.World{Nets: []forecast.Net{net("n", daily(0, func(s *calendar.Schedule) { s.StartWithin = 5 * minute }), job("a", on("y")))}, Agents: []run.Candidate{{Name: "y"}}}, 1, "n 0 none"},
		"by the end of the run":  {forecast.World{Nets: []forecast.Net{chain("n", often(5*minute, func(s *calendar.Schedule) { s.EveryBy = calendar.EveryEnd }))}, Agents: []run.Candidate{linked("x", 9)}}, 1, "n 0 0 30"},
		"the second of a pair waits for a port and its rest": {
			forecast.World{
				Nets:  []forecast.Net{net("m", daily(0), job("a", takes(5*minute), wants("p"))), net("n", daily(0), job("a", takes(5*minute), wants("p")))},
				Pools: []forecast.Pool{{ID: "p", Agent: "x", Size: 1, Hold: 2 * minute}}, Agents: []run.Candidate{linked("x", 9)},
			}, 1, "m 0 0 5; n 0 0 12 (a port)",
		},
		"no port to call back on": {
			forecast.World{
				Nets:  []forecast.Net{net("m", daily(0), job("a", takes(5*minute))), net("n", daily(0), job("a", takes(5*minute)))},
				Pools: []forecast.Pool{{ID: "c", Size: 1, Hold: 2 * minute}}, Agents: []run.Candidate{linked("x", 9)},
			}, 1, "m 0 0 5; n 0 7 12 (a port)",
		},
		"failure jobs are skipped and others run": {
			forecast.World{Nets: []forecast.Net{net("n", daily(0), job("a", takes(9*minute), func(j *jobnet.Job) { j.Timeout = minute }), job("b", after("a"), takes(7*minute)), job("c", after("a"), takes(2*minute), func(j *jobnet.Job) { j.When = jobnet.WhenFailure }))}, Agents: []run.Candidate{linked("x", 1)}},
			1, "n 0 0 3",
		},
	} {
		f := once(t, c.world, c.days)
		got := told(f)
		if parts := strings.Split(got, "; "); len(parts) > 3 {
			got = strings.Join(parts[:3], "; ")
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func wants(pool string) func(*jobnet.Job) {
	return func(j *jobnet.Job) { j.Ports = []jobnet.PortWish{{Name: "p", Pool: pool}} }
}

// TestWhatPeopleChanged has pauses, overrides and what waits already.
func TestWhatPeopleChanged(t *testing.T) {
	t.Parallel()
	world := func() forecast.World {
		return forecast.World{Nets: []forecast.Net{net("n", daily(0), job("a", takes(minute)))}, Agents: []run.Candidate{linked("x", 1)}}
	}
	key := func(day int) occurrence.Key {
		return occurrence.Key{Net: "n", Schedule: "daily", Nominal: monday.AddDate(0, 0, day)}
	}
	change := func(o occurrence.Override) func(*forecast.World) {
		o.State = occurrence.OverrideActive
		return func(w *forecast.World) { w.Changes = append(w.Changes, o) }
	}
	for name, c := range map[string]struct {
		change func(*forecast.World)
		want   string
	}{
		"nothing": {func(*forecast.World) {}, "n 0 0 1; n 1440 1440 1441"},
		"paused":  {func(w *forecast.World) { w.Pauses = []occurrence.Pause{{Net: "n", Schedule: "daily"}} }, ""},
		"paused until": {func(w *forecast.World) {
			w.Pauses = []occurrence.Pause{{Net: "n", Schedule: "daily", Until: monday.Add(time.Hour)}}
		}, "n 1440 1440 1441"},
		"skipped":         {change(occurrence.Override{Kind: occurrence.OverrideSkip, Key: key(0)}), "n 1440 1440 1441"},
		"moved":           {change(occurrence.Override{Kind: occurrence.OverrideMove, Key: key(0), To: monday.Add(5 * minute)}), "n 5 5 6; n 1440 1440 1441"},
		"held":            {change(occurrence.Override{Kind: occurrence.OverrideHold, Key: key(0)}), "n 1440 1440 1441"},
		"held for a time": {change(occurrence.Override{Kind: occurrence.OverrideHold, Key: key(0), Expires: monday.Add(7 * minute)}), "n 0 7 8 (a person's hold); n 1440 1440 1441"},
		"all held from":   {change(occurrence.Override{Kind: occurrence.OverrideHold, Key: occurrence.Key{Net: "n", Schedule: "daily"}, From: monday.Add(time.Hour)}), "n 0 0 1"},
		"added":           {change(occurrence.Override{Kind: occurrence.OverrideAdd, Key: occurrence.Key{Net: "n", Schedule: occurrence.Manual, Nominal: monday.Add(3 * minute)}}), "n 0 0 1; n 3 3 4; n 1440 1440 1441"},
		"waits already": {func(w *forecast.World) {
			w.Pending = []occurrence.Record{{Key: key(-1), Due: monday.AddDate(0, 0, -1), Decision: occurrence.Pending, Reason: occurrence.Queued}}
		}, "n -1440 -60 -59; n 0 0 1; n 1440 1440 1441"},
	} {
		w := world()
		c.change(&w)
		if got := told(once(t, w, 2)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestOpenRunsGoOn begins in the middle of runs.
func TestOpenRunsGoOn(t *testing.T) {
	t.Parallel()
	one := net("n", daily(0, overlap(calendar.OverlapQueue)), job("a", takes(60*minute)), job("b", after("a"), takes(10*minute)))
	now := monday.Add(-30 * minute)
	state := run.State{ID: "r1", Net: "n", Version: 1, Status: run.Running, Started: now.Add(-10 * minute), Jobs: []run.Job{
		{Name: "a", Status: run.Running, Attempts: []run.Attempt{{N: 1, AgentID: "id-x", Status: run.Running, Ordered: now.Add(-10 * minute), Started: now.Add(-10 * minute)}}},
		{Name: "b", Status: run.Waiting, Reason: run.ReasonPredecessors},
	}}
	w := forecast.World{Now: now, Nets: []forecast.Net{one}, Agents: []run.Candidate{linked("x", 1)}, Runs: []forecast.Open{{State: state, Jobs: one.Jobs}}}
	// It has 50 minutes of a and 10 of b to go: the next one waits until then.
	if got, want := told(once(t, w, 1)), "n 0 30 100 (the run before it)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	state.Jobs[0] = run.Job{Name: "a", Status: run.Waiting, Reason: run.ReasonRetry, Due: now.Add(5 * minute), Attempts: []run.Attempt{{N: 1, Status: run.Failed}}}
	w.Runs[0].State = state
	if got, want := told(once(t, w, 1)), "n 0 45 115 (the run before it)"; got != want {
		t.Errorf("a retry: got %s, want %s", got, want)
	}
	state.Jobs[0] = run.Job{Name: "a", Status: run.Ready}
	w.Runs[0].State = state
	if got, want := told(once(t, w, 1)), "n 0 40 110 (the run before it)"; got != want {
		t.Errorf("a ready job: got %s, want %s", got, want)
	}
	state.Jobs[0] = run.Job{Name: "a", Status: run.Lost, Reason: run.ReasonReboot, Attempts: []run.Attempt{{N: 1, Status: run.Lost}}}
	state.Status = run.Lost
	w.Runs[0].State = state
	if got := told(once(t, w, 1)); !strings.HasPrefix(got, "n 0 open") {
		t.Errorf("an unknown run is open until a person decides: got %s", got)
	}
}
