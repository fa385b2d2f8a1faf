package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
)

// TestAtRisk: what is due in the next hours and lacks an agent or a destination is told once for each schedule and job, with how many
// it concerns; what a person holds, and what lacks nothing, is not.
func TestAtRisk(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply(`net: a/b
schedules:
  - {name: d, cron: "0 * * * *"}
  - {name: night, cron: "0 3 * * *"}
jobs:
  - {name: here, command: ["true"], agent: {name: north}}
  - {name: there, after: [here], command: ["true"], agent: {labels: {zone: core}}}
`)
	s.scheduled("a/easy", `name: d, cron: "30 * * * *"`)
	north, south, west := s.agent("north", 1), s.agent("south", 0), s.agent("west", 0)
	s.candidates(north, south, west)
	risks := func(hours int) []api.Risk {
		t.Helper()
		got, err := s.service.AtRisk(s.admin(), hours)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	check := func(got api.Risk, schedule, job, needs, text, fix string, count int64) {
		t.Helper()
		if got.Net != "a/b" || got.Schedule != schedule || got.Job != job || got.Needs != needs || !strings.Contains(got.Text, text) || !strings.Contains(got.Fix, fix) || got.Count != count {
			t.Errorf("got %+v, want %s %s: %s: %q, fix %q, %d times", got, schedule, job, needs, text, fix, count)
		}
	}
	got := risks(0)
	if len(got) != 1 {
		t.Fatalf("got %+v, want the one job for which no agent has the label", got)
	}
	check(got[0], "d", "there", "an agent with labels zone=core", "no agent of the domain fits", "reeve node label", 12)

	north.Linked = false
	south.Labels, south.Drained = map[string]string{"zone": "core"}, true
	s.candidates(north, south, west)
	if got = risks(24); len(got) != 4 {
		t.Fatalf("got %+v, want both jobs of both schedules", got)
	}
	check(got[0], "d", "here", "agent north", "agent north is not linked", "link port", 24)
	check(got[1], "d", "there", "an agent with labels zone=core", "drained: south", "reeve node undrain", 24)
	check(got[3], "night", "there", "an agent with labels zone=core", "drained: south", "reeve node undrain", 1)
	if got[0].Due.Hour() != 6 || got[3].Due.Hour() != 3 {
		t.Errorf("got %v and %v, want the next of each", got[0].Due, got[3].Due)
	}

	until := s.now().Add(13 * time.Hour)
	if _, err := s.service.PauseSchedule(s.admin(), "a/b", "d", api.Pause{Reason: "x", Until: &until}); err != nil {
		t.Fatal(err)
	}
	if got = risks(12); len(got) != 0 {
		t.Errorf("paused: got %+v, want none", got)
	}
	if _, err := s.service.AtRisk(s.admin(), 169); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
}

// TestDestinationsAtRisk: a destination that was found closed from every agent that fits is told; where another one may reach it, it is not.
func TestDestinationsAtRisk(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	if _, err := s.store.Commit(t.Context(), store.Batch{Epoch: 1, Proofs: []store.Proof{
		{Flow: "f", From: "north", To: "db", Protocol: "tcp", Address: "db.example.com:5432", Expect: "open", Verdict: "blocked", Text: "packets are dropped", First: begin(), Last: begin(), Data: "{}"},
		{Flow: "f", From: "south", To: "db", Protocol: "tcp", Address: "db.example.com:5432", Expect: "open", Verdict: "proven", First: begin(), Last: begin(), Data: "{}"},
	}}); err != nil {
		t.Fatal(err)
	}
	s.config.Plan.Flows = []ports.ResolvedFlow{{ID: "out", Service: "out", Status: ports.Works, Protocol: ports.TCP, Flow: ports.Flow{From: "agent", Carries: []string{"out"}}}}
	s.config.Plan.Kinds = map[string]ports.RoleKind{"agent": ports.Agent}
	s.down()
	s.up()
	s.apply("net: a/b\nschedules: [{name: d, cron: \"0 6 * * *\"}]\njobs:\n  - {name: a, command: [\"true\"], needs: [\"db.example.com:5432\"], agent: {name: north}}\n  - {name: b, command: [\"true\"], needs: [\"db.example.com:5432\"]}\n")
	s.candidates(run.Candidate{ID: "n", Name: "north", Linked: true, Slots: 1}, run.Candidate{ID: "s", Name: "south", Linked: true, Slots: 1})
	got, err := s.service.AtRisk(s.admin(), 12)
	if err != nil || len(got) != 1 || got[0].Job != "a" || got[0].Needs != "db.example.com:5432" || !strings.Contains(got[0].Text, "was found blocked from north at") || !strings.Contains(got[0].Fix, "reeve ports verify --from north") {
		t.Errorf("got %+v, %v, want the job that only north may run", got, err)
	}
}
