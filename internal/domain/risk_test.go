package domain_test

import (
	"fmt"
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

// TestRisksComeAndGo has an agent and a path that go and come back, jobs on one of several agents, and occurrences that people and calendars take
// away, put elsewhere or add.
func TestRisksComeAndGo(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply(free)
	s.apply("net: a/first\nschedules: [{name: d, cron: \"0 6 * * *\"}]\njobs:\n  - {name: a, command: [\"true\"], agent: {names: [north, south], select: first}}\n")
	s.apply("net: a/next\nschedules: [{name: d, cron: \"0 6 * * *\"}]\njobs:\n  - {name: a, command: [\"true\"], agent: {names: [north, south], select: next}}\n")
	s.apply("net: a/north\nschedules: [{name: d, cron: \"0 7 * * *\"}, {name: work, cron: \"0 8 * * *\", calendar: work/days}]\njobs:\n" +
		"  - name: a\n    script: |\n      #!/bin/sh\n      agent: nobody\n    agent: {name: north}\n")
	north, south := s.agent("north", 1), s.agent("south", 1)
	check := func(what, want string) {
		t.Helper()
		got, err := s.service.AtRisk(s.admin(), 12)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, r := range got {
			lines = append(lines, fmt.Sprintf("%s %s %s %d: %s", r.Net, r.Schedule, r.Due.Format("15:04"), r.Count, r.Needs))
		}
		if text := strings.Join(lines, "; "); text != want {
			t.Errorf("%s:\n got %s\nwant %s", what, text, want)
		}
	}
	set := func(northLinked, southLinked bool) {
		north.Linked, south.Linked = northLinked, southLinked
		s.candidates(north, south)
	}
	const first, next = "a/first d 06:00 1: one of the agents north, south", "a/next d 06:00 1: one of the agents north, south"
	const seven, eight = "a/north d 07:00 1: agent north", "a/north work 08:00 1: agent north"
	set(true, true)
	check("all there", "")
	set(false, true)
	check("north is gone", seven+"; "+eight)
	set(false, false)
	check("both are gone", first+"; "+next+"; "+seven+"; "+eight)
	set(true, false)
	check("north is back", "")
	set(false, true)

	six, seventh, nine, night := instant(t, "2026-03-24T06:00:00Z"), instant(t, "2026-03-24T07:00:00Z"), instant(t, "2026-03-24T09:00:00Z"), instant(t, "2026-03-24T23:00:00Z")
	change := func(o api.CreateOverride) (drop func()) {
		t.Helper()
		o.Net, o.Reason = "a/north", "x"
		made, err := s.service.CreateOverride(s.admin(), o)
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			t.Helper()
			if _, err := s.service.DropOverride(s.admin(), made.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	drop := change(api.CreateOverride{Kind: "skip", Schedule: "d", Nominal: &seventh})
	check("skipped", eight)
	drop()
	drop = change(api.CreateOverride{Kind: "hold", Schedule: "d", Nominal: &seventh})
	check("held", eight)
	drop()
	drop = change(api.CreateOverride{Kind: "hold", Schedule: "d", From: &six})
	check("all held", eight)
	drop()
	drop = change(api.CreateOverride{Kind: "move", Schedule: "d", Nominal: &seventh, To: &nine})
	check("moved", eight+"; a/north d 09:00 1: agent north")
	drop()
	drop = change(api.CreateOverride{Kind: "move", Schedule: "d", Nominal: &seventh, To: &night})
	check("moved out of the window", eight)
	drop()
	drop = change(api.CreateOverride{Kind: "add", Nominal: &nine})
	check("added", seven+"; "+eight+"; a/north manual 09:00 1: agent north")
	drop()
	if _, err := s.service.PauseSchedule(s.admin(), "a/north", "d", api.Pause{Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	check("paused", eight)
	if _, err := s.service.ResumeSchedule(s.admin(), "a/north", "d"); err != nil {
		t.Fatal(err)
	}
	s.passTo("2026-03-24T21:00:00Z") // 25 March is free
	check("tomorrow is free", seven)
	s.apply("net: a/north\nschedules: [{name: d, cron: \"0 7 * * *\"}]\njobs:\n  - {name: a, command: [\"true\"], agent: {name: south}}\n")
	check("another version does not need it", "")
}

// TestPathsAtRiskOfOneOfSeveral: what the first agent of a list cannot reach is at risk though another could: the job would wait on the first. Where
// they take turns the others are tried; and a path that was found open since is no risk.
func TestPathsAtRiskOfOneOfSeveral(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.config.Plan.Flows = []ports.ResolvedFlow{{ID: "out", Service: "out", Status: ports.Works, Protocol: ports.TCP, Flow: ports.Flow{From: "agent", Carries: []string{"out"}}}}
	s.config.Plan.Kinds = map[string]ports.RoleKind{"agent": ports.Agent}
	s.down()
	s.up()
	for _, how := range []string{"first", "next"} {
		s.apply("net: a/" + how + "\nschedules: [{name: d, cron: \"0 6 * * *\"}]\njobs:\n  - {name: a, command: [\"true\"], needs: [\"db:5432\"], agent: {names: [north, south], select: " + how + "}}\n")
	}
	north, south := s.agent("north", 1), s.agent("south", 1)
	proven := func(from, verdict string, minute int) {
		t.Helper()
		at := begin().Add(time.Duration(minute) * time.Minute)
		if _, err := s.store.Commit(t.Context(), store.Batch{Epoch: 1, Proofs: []store.Proof{
			{Flow: "f", From: from, To: "db", Protocol: "tcp", Address: "db:5432", Expect: "open", Verdict: verdict, Text: "x", First: at, Last: at, Data: "{}"},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what, want string) {
		t.Helper()
		got, err := s.service.AtRisk(s.admin(), 12)
		if err != nil {
			t.Fatal(err)
		}
		var nets []string
		for _, r := range got {
			nets = append(nets, r.Net+" "+r.Needs)
		}
		if text := strings.Join(nets, "; "); text != want {
			t.Errorf("%s: got %q, want %q", what, text, want)
		}
	}
	s.candidates(north, south)
	check("nothing was proven", "")
	proven("north", "blocked", 0)
	check("north cannot reach it", "a/first db:5432")
	south.Linked = false
	s.candidates(north, south)
	check("and south is gone", "a/first db:5432; a/next db:5432")
	north.Drained, south.Linked = true, true
	s.candidates(north, south)
	check("north takes no jobs", "")
	north.Drained = false
	s.candidates(north, south)
	proven("south", "blocked", 1)
	check("neither can", "a/first db:5432; a/next db:5432")
	proven("north", "proven", 2)
	check("north can again", "")
}

// TestByEndAtRisk: what counts from the end of a run has one next occurrence, which is at risk like any other.
func TestByEndAtRisk(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.apply("net: a/b\nschedules: [{name: e, every: 1h, every_by: end, from: \"2026-03-24T09:00\"}]\njobs: [{name: x, command: [\"true\"], agent: {name: north}}]\n")
	north := s.agent("north", 1)
	north.Linked = false
	s.candidates(north)
	s.pass(time.Second)
	got, err := s.service.AtRisk(s.admin(), 12)
	if err != nil || len(got) != 1 || got[0].Schedule != "e" || got[0].Count != 1 {
		t.Errorf("got %+v, %v, want the next of e", got, err)
	}
}
