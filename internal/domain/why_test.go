package domain_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
)

const whyNet = `net: estate/why
jobs:
  - {name: a, command: ["true"], agent: {labels: {zone: core}}, retry: {max: 1, delay: 1h, codes: [9]}}
  - {name: b, after: [a], command: ["true"]}
  - {name: c, after: [b], command: ["true"]}
`

// TestWhy: each reason for which something waits, or ended as it did, with a sentence and what to do.
func TestWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do     func(s *site, id string)
		job    string
		reason run.Reason
		about  string // the job that the fact is about
		text   string
		fix    string
	}{
		"no agent":  {func(s *site, _ string) { s.candidates() }, "", run.ReasonNoAgent, "a", "no agent", "reeve token create agent"},
		"none fits": {func(s *site, _ string) { s.candidates(s.agent("north", 1)) }, "", run.ReasonNoAgent, "a", "zone=core", "reeve node label NAME zone=core, or reeve token create agent NAME --label zone=core"},
		"drained": {func(s *site, _ string) {
			s.candidates(core(s, func(c *run.Candidate) { c.Drained = true }))
		}, "", run.ReasonDraining, "a", "drained: north", "reeve node undrain"},
		"full": {func(s *site, _ string) {
			s.candidates(core(s, func(c *run.Candidate) { c.Slots = 0 }))
		}, "", run.ReasonNoSlot, "a", "north (0 of 0)", ""},
		"agent's disk": {func(s *site, _ string) {
			s.candidates(core(s, func(c *run.Candidate) { c.Disk = "1 MiB free" }))
		}, "", run.ReasonAgentDisk, "a", "1 MiB free", ""},
		"no callback port": {func(s *site, _ string) {
			s.candidates(core(s, func(c *run.Candidate) { c.Callback = "no port of the pool callback is free" }))
		}, "", run.ReasonCallback, "a", "no port of the pool callback is free", "reeve ports size"},
		"not linked": {func(s *site, _ string) {
			s.candidates(core(s, func(c *run.Candidate) { c.Linked = false }))
		}, "", run.ReasonNotLinked, "a", "", "link port"},
		"server's disk": {func(s *site, _ string) { s.engine.SetDisk("the disk is full") }, "", run.ReasonDisk, "a", "the disk is full", ""},
		"held domain": {func(s *site, _ string) {
			if _, err := s.service.ControlDomain(s.admin(), "hold", "storm"); err != nil {
				s.t.Fatal(err)
			}
		}, "c", run.ReasonDomainHeld, "a", "storm", "reeve domain release"},
		"held run": {func(s *site, id string) {
			if _, err := s.service.ControlRun(s.admin(), id, "hold"); err != nil {
				s.t.Fatal(err)
			}
		}, "b", run.ReasonHeld, "a", "held by admin", "reeve run release"},
		"retry": {func(s *site, id string) {
			ordered(s, id)
			s.report("north", id, exited("a", 9, 0))
		}, "", run.ReasonRetry, "a", "attempt 1 failed (exit code 9); attempt 2 is due at", ""},
		"failed": {func(s *site, id string) {
			ordered(s, id)
			s.report("north", id, exited("a", 3, 0))
		}, "", run.ReasonExit, "a", "attempt 1 on north: exit code 3", "reeve run logs"},
		"skipped": {func(s *site, id string) {
			ordered(s, id)
			s.report("north", id, exited("a", 3, 0))
		}, "c", run.ReasonWhen, "c", "it runs when: success, and its predecessors ended: b skipped", ""},
		"unknown": {func(s *site, id string) {
			ordered(s, id)
			s.report("north", id, run.Unknown{Job: "a", N: 1, At: time.Now(), Reason: run.ReasonReboot})
		}, "c", run.ReasonReboot, "a", "the host was restarted while it ran", "reeve run decide"},
		"cancelled": {func(s *site, id string) {
			if _, err := s.service.ControlRun(s.admin(), id, "cancel"); err != nil {
				s.t.Fatal(err)
			}
		}, "b", run.ReasonCancel, "b", "cancelled by admin", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.apply(whyNet)
			id := s.start("estate/why").ID
			test.do(s, id)
			why, err := s.service.Why(s.admin(), id, test.job)
			if err != nil || len(why.Facts) == 0 {
				t.Fatalf("got %+v, %v", why, err)
			}
			f := why.Facts[0]
			if f.Reason != string(test.reason) || f.Job != test.about || !strings.Contains(f.Text, test.text) || !strings.Contains(f.Fix, test.fix) {
				t.Errorf("got %+v, want %s about %s: %q, fix %q", f, test.reason, test.about, test.text, test.fix)
			}
		})
	}
}

// TestWhyOfAnAgentThatIsNot: what helps where no agent fits is a command, of the agent that is meant: a label gives nobody a name.
func TestWhyOfAnAgentThatIsNot(t *testing.T) {
	t.Parallel()
	for agent, fix := range map[string]string{
		"{name: south}":                    "reeve token create agent south",
		"{names: [south, west]}":           "reeve token create agent south",
		"{labels: {zone: core, tier: db}}": "reeve node label NAME tier=db zone=core, or reeve token create agent NAME --label tier=db --label zone=core",
	} {
		s := openTimes(t)
		s.candidates(s.agent("north", 1))
		s.apply("net: a/b\nschedules:\n  - {" + daily(", start_within: 1h") + "}\njobs:\n  - {name: a, command: [\"true\"], agent: " + agent + "}\n")
		st, err := s.service.StartRun(s.admin(), api.StartRun{Net: "a/b"})
		if err != nil {
			t.Fatal(err)
		}
		if w, err := s.service.Why(s.admin(), st.ID, ""); err != nil || len(w.Facts) != 1 || w.Facts[0].Fix != fix {
			t.Errorf("%s, a run: got %+v (%v), want %q", agent, w, err, fix)
		}
		w, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/b", At: instant(t, "2026-03-24T06:00:00Z")})
		if err != nil || len(w.Facts) != 2 || w.Facts[1].Fix != fix {
			t.Errorf("%s, a net: got %+v (%v), want %q", agent, w, err, fix)
		}
		if risks, err := s.service.AtRisk(s.admin(), 12); err != nil || len(risks) != 1 || risks[0].Fix != fix {
			t.Errorf("%s, at risk: got %+v (%v), want %q", agent, risks, err, fix)
		}
	}
}

// TestWhyPassesOver: of a list of agents, why says which ones come behind the others, and until when.
func TestWhyPassesOver(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.apply("net: estate/list\njobs:\n  - {name: a, command: [\"true\"], agent: {names: [hq1, hq2], skip: 1h}}\n")
	hq1, hq2 := s.agent("hq1", 0), s.agent("hq2", 0)
	hq1.Failed, hq1.Failure = time.Now(), "its link ended: no route"
	s.candidates(hq1, hq2)
	st, err := s.service.StartRun(s.admin(), api.StartRun{Net: "estate/list"})
	if err != nil {
		t.Fatal(err)
	}
	why := func(reason run.Reason, text string) {
		t.Helper()
		w, err := s.service.Why(s.admin(), st.ID, "")
		if err != nil || len(w.Facts) != 1 || w.Facts[0].Reason != string(reason) || !strings.Contains(w.Facts[0].Text, text) {
			t.Errorf("got %+v (%v), want %q: %q", w, err, reason, text)
		}
	}
	why(run.ReasonNoSlot, "every slot is taken on hq1 (0 of 0), hq2 (0 of 0); hq1 is passed over until "+hq1.Failed.Add(time.Hour).UTC().Format("2006-01-02T15:04"))
	hq1.Slots, hq2.Slots = 1, 1
	s.candidates(hq1, hq2)
	s.dispatched(st.ID, "a")
	got, err := s.service.Run(s.admin(), st.ID)
	if err != nil || got.Jobs[0].Attempts[0].Agent != "hq2" {
		t.Errorf("got %+v (%v), want it on hq2", got.Jobs, err)
	}
}

// core is an agent that fits the net, changed.
func core(s *site, change func(*run.Candidate)) run.Candidate {
	c := s.agent("north", 1)
	c.Labels = map[string]string{"zone": "core"}
	change(&c)
	return c
}

// ordered has the first job ordered from an agent that fits.
func ordered(s *site, id string) {
	s.candidates(core(s, func(*run.Candidate) {}))
	s.dispatched(id, "a")
}

// TestWhyIsBounded: a run with many reasons is told in a few, and how many more there are.
func TestWhyIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b strings.Builder
	b.WriteString("net: estate/wide\njobs:\n")
	for i := range 100 {
		b.WriteString("  - {name: j" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ", command: [\"true\"]}\n")
	}
	s.apply(b.String())
	why, err := s.service.Why(s.admin(), s.start("estate/wide").ID, "")
	if err != nil || len(why.Facts) != 21 || why.Facts[20].Text != "and 80 more" {
		t.Errorf("got %d facts, the last %+v, %v", len(why.Facts), why.Facts[len(why.Facts)-1], err)
	}
	if _, err := s.service.Why(s.admin(), "none", ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("no run: got %v", err)
	}
}

// TestRunIDs: ids rise, also within a millisecond and when the clock steps back, and differ between sources.
func TestRunIDs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	calls := 0
	clock := func() time.Time {
		calls++
		switch {
		case calls > 200_000:
			return now.Add(-time.Hour)
		case calls > 100_000:
			return now.Add(time.Duration(calls) * time.Microsecond)
		}
		return now
	}
	g := domain.NewRunIDs(clock, rand.Reader)
	last := ""
	for range 300_000 {
		id, err := g.Next()
		if err != nil {
			t.Fatal(err)
		}
		if id <= last || len(id) != 19 {
			t.Fatalf("%q came after %q", id, last)
		}
		last = id
	}
	if other, err := domain.NewRunIDs(clock, rand.Reader).Next(); err != nil || other == last {
		t.Errorf("another source: %q, %v", other, err)
	}
	if _, err := domain.NewRunIDs(clock, strings.NewReader("short")).Next(); err == nil {
		t.Error("without chance there is an id")
	}
}

// TestListRunsPages: the pages of a list have every run once, newest first.
func TestListRunsPages(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.net("estate/one")
	want := map[string]bool{}
	for range 7 {
		want[s.start("estate/one").ID] = true
	}
	q, last := api.RunQuery{Limit: 3}, "~"
	for {
		runs, err := s.service.ListRuns(s.admin(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) == 0 {
			break
		}
		for _, r := range runs {
			if r.ID >= last || !want[r.ID] {
				t.Errorf("%s came after %s, or twice", r.ID, last)
			}
			delete(want, r.ID)
			last = r.ID
		}
		q.Before = last
	}
	if len(want) > 0 {
		t.Errorf("%d runs were not listed", len(want))
	}
	for _, limit := range []int{-1, 1001} {
		if _, err := s.service.ListRuns(s.admin(), api.RunQuery{Limit: limit}); !fault.Is(err, fault.Invalid) {
			t.Errorf("limit %d: got %v, want invalid", limit, err)
		}
	}
}
