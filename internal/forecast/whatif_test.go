package forecast_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/run"
)

func small() forecast.World {
	return forecast.World{
		Now: monday.Add(-time.Hour), Agents: []run.Candidate{linked("x", 2), linked("y", 2)}, Pools: []forecast.Pool{{ID: "p", Agent: "x", Size: 1}},
		Nets: []forecast.Net{
			net("f/m", daily(0), job("a", takes(10*minute), on("x")), job("b", after("a"), takes(10*minute))),
			net("f", daily(0), job("m", takes(4*minute), wants("p"), on("x"))),
		},
	}
}

func TestWhatIfs(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{
		"":                           "f/m 0 0 20; f 0 0 4",
		"agent-down=x":               "f/m 0 open (its end: an agent that fits is missing, or it is held); f 0 open (its end: an agent that fits is missing, or it is held)",
		"agent-slots=x:1":            "f/m 0 0 20; f 0 10 14 (a slot (name x))",
		"duration=f/m:+50%":          "f/m 0 0 30; f 0 0 4",
		"duration=f/m:-50%":          "f/m 0 0 10; f 0 0 4",
		"duration=f/m/b:2x":          "f/m 0 0 30; f 0 0 4",
		"duration=f/m/a:1h":          "f/m 0 0 70; f 0 0 4",
		"duration=f:2x":              "f/m 0 0 20; f 0 0 8", // the longest name that is a net is meant
		"pool-closed=p":              "f/m 0 0 20; f 0 open (a port)",
		"pool-size=p:5":              "f/m 0 0 20; f 0 0 4",
		"without=f/m":                "f 0 0 4",
		"without=f/m\nwithout=f":     "",
		"agent-slots=x:0\nwithout=f": "f/m 0 open (its end: an agent that fits is missing, or it is held)",
	} {
		var changes []string
		if what != "" {
			changes = strings.Split(what, "\n")
		}
		if got := told(once(t, small(), 1, changes...)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, want)
		}
	}
}

func TestWrongWhatIfsSayWhatIsPossible(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{
		"":                     "write one of: agent-down=NAME",
		"agent-down":           "write one of: agent-down=NAME",
		"agent-down=":          "write one of: agent-down=NAME",
		"agent-down=z":         "there is no agent z; the agents are: x, y",
		"agent-slots=x":        "NAME:N",
		"agent-slots=x:-1":     "NAME:N",
		"agent-slots=x:1e9":    "NAME:N",
		"agent-slots=z:1":      "there is no agent z; the agents are: x, y",
		"pool-closed=q":        "the pools are: p",
		"pool-size=p":          "NAME:N",
		"without=g":            "the nets with schedules are: f, f/m",
		"without=hidden":       "the nets with schedules are: f, f/m",
		"duration=f":           "write duration=NET:+50%",
		"duration=g:2x":        "the nets with schedules are: f, f/m",
		"duration=f/m/z:2x":    "the jobs are: a, b",
		"duration=f:50%":       "write +50%",
		"duration=f:-100%":     "write +50%",
		"duration=f:NaNx":      "write +50%",
		"duration=f:+Inf%":     "write +50%",
		"duration=f:0x":        "write +50%",
		"duration=f:-5m":       "write +50%",
		"duration=f:soon":      "write +50%",
		"duration=f:99999999h": "write +50%",
		"earthquake=yes":       "there is no what-if earthquake; write one of: agent-down=NAME",
	} {
		w := small()
		w.Nets = append(w.Nets, net("hidden", daily(0), job("a")))
		_, err := forecast.New(w, forecast.Options{Days: 1, Replications: 1, WhatIf: []string{what}, Known: func(n string) bool { return n != "hidden" }})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want it to say %q", what, err, want)
		}
	}
	if _, err := forecast.New(small(), forecast.Options{Days: 1, Replications: 1, WhatIf: slices.Repeat([]string{"agent-down=x"}, 21)}); !fault.Is(err, fault.Invalid) {
		t.Errorf("21 what-ifs: got %v", err)
	}
	for _, o := range []forecast.Options{{Days: 0, Replications: 1}, {Days: 401, Replications: 1}, {Days: 1}, {Days: 1, Replications: 1001}} {
		if _, err := forecast.New(small(), o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}
