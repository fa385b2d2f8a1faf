package forecast_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// sure is a history of a job that always takes as long, and always ends in one way.
func sure(took time.Duration, change ...func(*forecast.History)) forecast.History {
	h := forecast.History{Took: forecast.Seen(took, took, took, took, took, took, took, took)}
	for _, c := range change {
		c(&h)
	}
	return h
}

// TestEndsAsTheyWere has attempts that fail or whose end is unknown, as often as they did: always.
func TestEndsAsTheyWere(t *testing.T) {
	t.Parallel()
	failed := func(h *forecast.History) { h.Failed = 1 }
	final := func(h *forecast.History) { h.Failed, h.Final = 1, 1 }
	unknown := func(h *forecast.History) { h.Unknown = 1 }
	decided := func(d ...forecast.Decision) []forecast.Decision { return d }
	codes := func(j *jobnet.Job) { j.Retry.Codes = []int{75} }
	limit := func(j *jobnet.Job) { j.Timeout = 5 * minute }
	policy := func(p jobnet.OnUnknown) func(*jobnet.Job) { return func(j *jobnet.Job) { j.OnUnknown = p } }
	for name, c := range map[string]struct {
		ends    func(*forecast.History)
		job     func(*jobnet.Job)
		decided []forecast.Decision
		want    string // a takes 10 minutes and is tried again twice after 5, b takes 10
	}{
		"good":                       {func(*forecast.History) {}, policy(""), nil, "n 0 0 20"},
		"failed":                     {failed, policy(""), nil, "n 0 0 40 (a retry)"},
		"failed for good":            {final, codes, nil, "n 0 0 10"},
		"too long":                   {func(*forecast.History) {}, limit, nil, "n 0 0 25 (a retry)"},
		"too long, with codes":       {func(*forecast.History) {}, func(j *jobnet.Job) { limit(j); codes(j) }, nil, "n 0 0 5"},
		"unknown, and nobody looks":  {unknown, policy(jobnet.UnknownHold), nil, "n 0 open (a decision about an unknown end)"},
		"unknown, decided as good":   {unknown, policy(jobnet.UnknownHold), decided(forecast.Decision{After: 30 * minute, As: run.Succeeded}), "n 0 0 50 (a decision about an unknown end)"},
		"unknown, decided as failed": {unknown, policy(jobnet.UnknownHold), decided(forecast.Decision{After: 30 * minute, As: run.Failed}), "n 0 0 40 (a decision about an unknown end)"},
		"unknown, tried again":       {unknown, policy(jobnet.UnknownHold), decided(forecast.Decision{After: 30 * minute}), "n 0 open (a decision about an unknown end)"},
		"unknown is failed":          {unknown, policy(jobnet.UnknownFail), nil, "n 0 0 10"},
		"rerun needs rerunnable":     {unknown, policy(jobnet.UnknownRerun), nil, "n 0 open (a decision about an unknown end)"},
	} {
		one := net("n", daily(0), job("a", func(j *jobnet.Job) { j.Retry = jobnet.Retry{Max: 2, Delay: 5 * minute} }, c.job), job("b", after("a")))
		one.History = map[string]forecast.History{"a": sure(10*minute, c.ends), "b": sure(10 * minute)}
		w := forecast.World{Now: monday.Add(-time.Hour), Nets: []forecast.Net{one}, Agents: []run.Candidate{linked("x", 2)}, Decided: c.decided}
		f, err := forecast.Simulate(w, forecast.Options{Days: 1, Replications: 3})
		if err != nil {
			t.Fatal(err)
		}
		if got := told(f); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		if notes := strings.Join(f.Notes, "\n"); strings.Contains(notes, "the ends of 1 jobs are unknown as often as they were") != (one.History["a"].Unknown > 0) {
			t.Errorf("%s: notes %q", name, f.Notes)
		}
	}
}

// TestAnUnknownEndKeepsItsRunOpen: what is queued behind it waits for the decision, and its slot is free meanwhile.
func TestAnUnknownEndKeepsItsRunOpen(t *testing.T) {
	t.Parallel()
	one := net("n", often(12*time.Hour, overlap(calendar.OverlapQueue)), job("a"))
	one.History["a"] = sure(10*minute, func(h *forecast.History) { h.Unknown = 1 })
	other := net("o", daily(15*minute), job("a"))
	other.History["a"] = sure(10 * minute)
	w := forecast.World{
		Now: monday.Add(-time.Hour), Nets: []forecast.Net{one, other}, Agents: []run.Candidate{linked("x", 1)}, Decided: []forecast.Decision{{After: 13 * time.Hour, As: run.Succeeded}},
	}
	f, err := forecast.Simulate(w, forecast.Options{Days: 1, Replications: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := told(f), "n 0 0 790 (a decision about an unknown end); o 15 15 25; n 720 790 1580 (a decision about an unknown end)"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	// One that is unknown since ten hours is decided three hours from now, and what waits for it goes on.
	state := run.State{ID: "r", Net: "n", Status: run.Lost, Started: w.Now.Add(-11 * time.Hour), Jobs: []run.Job{
		{Name: "a", Status: run.Lost, Reason: run.ReasonReboot, Attempts: []run.Attempt{{N: 1, Status: run.Lost, Ended: w.Now.Add(-10 * time.Hour)}}},
	}}
	w.Nets, w.Runs = []forecast.Net{net("n", daily(0, overlap(calendar.OverlapQueue)), job("a", takes(10*minute)))}, []forecast.Open{{State: state, Jobs: one.Jobs}}
	if got, want := told(once(t, w, 1)), "n 0 120 130 (the run before it)"; got != want {
		t.Errorf("of an open run: got %s, want %s", got, want)
	}
}

// TestStickyPortsStayWithTheirNames: an attempt waits for the number of its name, however many others there are; and a number that a name had is
// nobody else's for as long as the pool says.
func TestStickyPortsStayWithTheirNames(t *testing.T) {
	t.Parallel()
	wish := func(w jobnet.PortWish) func(*jobnet.Job) {
		return func(j *jobnet.Job) { j.Ports = []jobnet.PortWish{w} }
	}
	own := jobnet.PortWish{Name: "http", Pool: "p", Sticky: true}
	three := func(w jobnet.PortWish) []forecast.Net {
		var all []forecast.Net
		for _, name := range []string{"k", "l", "m"} {
			all = append(all, net(name, daily(0), job("a", takes(10*minute), wish(w))))
		}
		return all
	}
	beside := []forecast.Net{net("n", often(8*time.Hour), job("a", takes(9*time.Hour), wish(own)))}
	for name, c := range map[string]struct {
		pool forecast.Pool
		nets []forecast.Net
		want string
	}{
		"one after the other":   {forecast.Pool{Size: 9, Hold: 5 * minute}, beside, "n 0 0 540; n 480 480 1080 (a port); n 960 960 1620 (a port)"},
		"and not without":       {forecast.Pool{Size: 9}, []forecast.Net{net("n", often(8*time.Hour), job("a", takes(9*time.Hour), wish(jobnet.PortWish{Name: "http", Pool: "p"})))}, "n 0 0 540; n 480 480 1020; n 960 960 1500"},
		"kept for good":         {forecast.Pool{Size: 2}, three(own), "k 0 0 10; l 0 0 10; m 0 open (a port)"},
		"kept for half an hour": {forecast.Pool{Size: 2, Kept: 30 * minute, Hold: 5 * minute}, three(own), "k 0 0 10; l 0 0 10; m 0 0 40 (a port)"},
		"and then at rest":      {forecast.Pool{Size: 2, Kept: 30 * minute, Hold: 25 * minute}, three(own), "k 0 0 10; l 0 0 10; m 0 0 45 (a port)"},
		"by the pool's rule":    {forecast.Pool{Size: 2, Sticky: true}, three(jobnet.PortWish{Name: "http", Pool: "p"}), "k 0 0 10; l 0 0 10; m 0 open (a port)"},
		"not sticky":            {forecast.Pool{Size: 2, Hold: 5 * minute}, three(jobnet.PortWish{Name: "http", Pool: "p"}), "k 0 0 10; l 0 0 10; m 0 0 25 (a port)"},
		"in pairs":              {forecast.Pool{Size: 3, Pair: 2}, three(jobnet.PortWish{Name: "http", Pool: "p", Pair: "debug"}), "k 0 0 10; l 0 0 20 (a port); m 0 0 30 (a port)"},
		"pairs beside":          {forecast.Pool{Size: 3, Pair: 1}, three(jobnet.PortWish{Name: "http", Pool: "p", Pair: "debug"}), "k 0 0 10; l 0 0 10; m 0 0 10"},
		"always in pairs":       {forecast.Pool{Size: 4, Pair: 2, Pairs: true}, three(jobnet.PortWish{Name: "http", Pool: "p"}), "k 0 0 10; l 0 0 10; m 0 0 20 (a port)"},
	} {
		c.pool.ID, c.pool.Agent = "p", "x"
		w := forecast.World{Nets: c.nets, Agents: []run.Candidate{linked("x", 9)}, Pools: []forecast.Pool{c.pool}}
		if got := told(once(t, w, 1)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestOpenAttemptsHaveTheirPorts begins with an attempt that runs and has the only port.
func TestOpenAttemptsHaveTheirPorts(t *testing.T) {
	t.Parallel()
	with := func(name string) forecast.Net {
		return net(name, daily(0), job("a", takes(90*minute), func(j *jobnet.Job) { j.Ports = []jobnet.PortWish{{Name: "http", Pool: "p"}} }))
	}
	now := monday.Add(-30 * minute)
	state := run.State{ID: "r", Net: "n", Status: run.Running, Started: now, Jobs: []run.Job{
		{Name: "a", Status: run.Running, Attempts: []run.Attempt{{N: 1, AgentID: "id-x", Status: run.Running, Ordered: now, Started: now}}},
	}}
	w := forecast.World{
		Now: now, Nets: []forecast.Net{with("m")}, Agents: []run.Candidate{linked("x", 9)}, Pools: []forecast.Pool{{ID: "p", Agent: "x", Size: 1}},
		Runs: []forecast.Open{{State: state, Jobs: with("n").Jobs}},
	}
	f := once(t, w, 1)
	if got, want := told(f), "m 0 0 150 (a port)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if f.Pools[0].Peak != 2 {
		t.Errorf("at most %v are wanted at once, want 2", f.Pools[0].Peak)
	}
}
