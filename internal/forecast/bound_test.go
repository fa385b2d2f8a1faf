package forecast_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// TestTooMuchIsPlayedLess has fewer replications first, and then a nearer horizon; what is due is counted all the same.
func TestTooMuchIsPlayedLess(t *testing.T) {
	t.Parallel()
	w := forecast.World{Now: monday.Add(-time.Hour), Agents: []run.Candidate{linked("x", 9)}, Nets: []forecast.Net{net("n", often(time.Hour), job("a", takes(time.Minute)), job("b", after("a")))}}
	for _, c := range []struct {
		budget, replications int
		days                 time.Duration // simulated
		note                 string
	}{
		{1_000_000, 100, 10, ""},
		{20_000, 41, 10, "it is played 41 times, not 100"},
		{4_800, 20, 5, "is counted and not played"},
	} {
		f, err := forecast.Simulate(w, forecast.Options{Days: 10, Replications: 100, Budget: c.budget, Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		days := f.Simulated.Sub(f.From).Round(24*time.Hour) / (24 * time.Hour)
		if f.Occurrences != 240 || f.Replications != c.replications || days != c.days || !strings.Contains(strings.Join(f.Notes, "\n"), c.note) {
			t.Errorf("budget %d: %d occurrences, played %d times for %d days, notes %q", c.budget, f.Occurrences, f.Replications, days, f.Notes)
		}
		if want := int(240 * days / 10); len(f.Items) < want-2 || len(f.Items) > want+2 {
			t.Errorf("budget %d: %d items, want about %d", c.budget, len(f.Items), want)
		}
	}
}

// TestPoolsThatAreTooSmallAreNamed has more starts at once than ports to call back on.
func TestPoolsThatAreTooSmallAreNamed(t *testing.T) {
	t.Parallel()
	w := forecast.World{Now: monday.Add(-time.Hour), Agents: []run.Candidate{linked("x", 9)}, Pools: []forecast.Pool{{ID: "callback", Size: 2, Hold: time.Minute}}}
	for _, name := range []string{"k", "l", "m", "n", "o"} {
		w.Nets = append(w.Nets, net(name, daily(0), job("a", takes(5*time.Minute))))
	}
	f := once(t, w, 1)
	if len(f.Pools) != 1 || f.Pools[0].Peak != 5 || f.Pools[0].Waits != 3 || !strings.Contains(strings.Join(f.Notes, "\n"), "pool callback has 2 ports, and 5 are wanted at once") {
		t.Errorf("got %+v\nnotes %q", f.Pools, f.Notes)
	}
	if f.Agents[0].Peak != 2 { // by the ports, not by the slots
		t.Errorf("agent: %+v", f.Agents[0])
	}
	// Two at a time for five minutes each and a minute of rest: three rounds.
	if got, want := told(f), "k 0 0 5; l 0 0 5; m 0 6 11 (a port); n 0 6 11 (a port); o 0 12 17 (a port)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	used := 0.0
	for _, h := range f.Pools[0].Hours {
		used += h
	}
	if want := 5 * 6.0 / 60; used < want-0.001 || used > want+0.001 {
		t.Errorf("ports are used or at rest for %.3f hours, want %.3f", used, want)
	}
	if busy, want := f.Agents[0].Busy, 25.0/60/24/9; busy < want*0.999 || busy > want*1.001 {
		t.Errorf("busy %.6f, want %.6f", busy, want)
	}
}

// TestTheCriticalPathCrossesNets has a net that waits for the slot of another.
func TestTheCriticalPathCrossesNets(t *testing.T) {
	t.Parallel()
	w := forecast.World{Now: monday.Add(-time.Hour), Agents: []run.Candidate{linked("x", 1)}, Nets: []forecast.Net{
		net("a/big", daily(0), job("long", takes(50*time.Minute))),
		net("b/small", daily(10*time.Minute), job("one", takes(time.Minute)), job("two", after("one"), takes(time.Minute))),
	}}
	path := func(known func(string) bool) string {
		t.Helper()
		f, err := forecast.Simulate(w, forecast.Options{Days: 1, Replications: 1, Known: known, Show: func(net string) bool { return net == "b/small" }})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, s := range f.Critical {
			out = append(out, strings.TrimSpace(s.Net+" "+s.Job+" "+s.Start.Sub(monday).String()+" "+s.End.Sub(monday).String()+" "+s.Why))
		}
		return strings.Join(out, "; ")
	}
	rest := "b/small one 50m0s 51m0s a slot (any agent); b/small two 51m0s 52m0s its predecessor"
	if got, want := path(nil), "a/big long 0s 50m0s due; "+rest; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := path(func(net string) bool { return net != "a/big" }), "0s 50m0s due; "+rest; got != want {
		t.Errorf("of a net that may not be named: got %s\nwant %s", got, want)
	}
}
