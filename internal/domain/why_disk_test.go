package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// later puts the clocks forward without waiting for decisions: with a full disk there are none.
func (s *timeSite) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wall, s.mono = s.wall.Add(d), s.mono+d
}

// fact finds a fact by its reason.
func fact(w api.Why, reason string) api.Fact {
	for _, f := range w.Facts {
		if f.Reason == reason {
			return f
		}
	}
	return api.Fact{}
}

// TestWhyAFullDisk: whatever waits because the server has no room says so, with what to do, in why and in lists: what has fallen due since, what
// is queued, a person's addition, what is to come, a job that is ready, and a retry whose delay is over.
func TestWhyAFullDisk(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.candidates(s.agent("north", 4))
	s.scheduled("a/due", `name: d, cron: "0 6 * * *"`)
	s.scheduled("a/moved", `name: d, cron: "0 12 * * *"`)
	s.scheduled("a/queued", `name: d, cron: "30 5 * * *", overlap: queue`)
	s.apply("net: a/retry\njobs:\n  - {name: a, command: [\"true\"], retry: {max: 1, delay: 10m}}\n")
	s.apply("net: a/ready\njobs:\n  - {name: a, command: [\"true\"]}\n  - {name: b, after: [a], command: [\"true\"]}\n")
	six := instant(t, "2026-03-24T06:00:00Z")
	noon := instant(t, "2026-03-24T12:00:00Z")
	if _, err := s.service.CreateOverride(s.admin(), api.CreateOverride{Net: "a/moved", Kind: "move", Schedule: "d", Nominal: &noon, To: &six, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.service.CreateOverride(s.admin(), api.CreateOverride{Net: "a/ready", Kind: "add", Nominal: &six, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	queued := s.start("a/queued")
	s.passTo("2026-03-24T05:55:00Z")
	retry, ready := s.start("a/retry"), s.start("a/ready")
	s.settle()
	code := 1
	s.report("north", retry.ID, run.Ended{Job: "a", N: 1, StartedAt: s.now(), At: s.now(), ExitCode: &code})
	s.settle()
	const full = "the disk of the server's data folder is almost full (3 MiB free)"
	s.engine.SetDisk(full)
	good := 0
	s.report("north", ready.ID, run.Ended{Job: "a", N: 1, StartedAt: s.now(), At: s.now(), ExitCode: &good})
	s.report("north", queued.ID, run.Ended{Job: "a", N: 1, StartedAt: s.now(), At: s.now(), ExitCode: &good})
	s.later(6 * time.Minute)

	check := func(what string, got api.Why, err error) {
		t.Helper()
		f := fact(got, "disk")
		if err != nil || !strings.Contains(f.Text, full) || !strings.Contains(f.Fix, "make room under the server's data folder") || strings.Contains(f.Text, "not due yet, in 0s") {
			t.Errorf("%s: got %+v, %v, want that the disk is full, with what to do", what, got, err)
		}
	}
	net := func(what, net, at, state string) {
		t.Helper()
		got, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: net, At: instant(t, at)})
		check(what, got, err)
		if got.State != state {
			t.Errorf("%s: state %q, want %q", what, got.State, state)
		}
	}
	net("what has fallen due since", "a/due", "2026-03-24T06:00:00Z", "pending")
	net("what was moved to then", "a/moved", "2026-03-24T06:00:00Z", "pending")
	net("what was added for then", "a/ready", "2026-03-24T06:00:00Z", "pending")
	net("what is queued though its run has ended", "a/queued", "2026-03-24T05:30:00Z", "pending")
	net("what is to come", "a/due", "2026-03-25T06:00:00Z", "pending")
	got, err := s.service.Why(s.admin(), ready.ID, "")
	check("a job that is ready", got, err)
	got, err = s.service.Why(s.admin(), retry.ID, "")
	if f := fact(got, "retry_delay"); err != nil || f.Text == "" || fact(got, "disk").Text != "" {
		t.Errorf("a retry that is not due: got %+v, %v, want its delay only", got, err)
	}
	s.later(10 * time.Minute)
	got, err = s.service.Why(s.admin(), retry.ID, "")
	check("a retry that is due", got, err)

	if _, err := s.service.ControlDomain(s.admin(), "hold", "storm"); err != nil {
		t.Fatal(err)
	}
	got, err = s.service.Why(s.admin(), ready.ID, "")
	check("with the domain held besides", got, err)
	if f := fact(got, "domain_held"); !strings.Contains(f.Fix, "reeve domain release") {
		t.Errorf("with the domain held besides: got %+v", got)
	}

	page, err := s.service.ShowAgenda(s.admin(), api.AgendaQuery{})
	if err != nil {
		t.Fatal(err)
	}
	waits := map[string]string{}
	for _, o := range page.Items {
		if o.Reason != nil {
			waits[o.Net+" "+o.Schedule+" "+o.Due.Format("15:04")] = *o.Reason
		}
	}
	for _, k := range []string{"a/due d 06:00", "a/moved d 06:00", "a/ready " + occurrence.Manual + " 06:00"} {
		if waits[k] != "disk" {
			t.Errorf("the agenda says that %s waits for %q, want disk: %v", k, waits[k], waits)
		}
	}
	list, err := s.service.ListOccurrences(s.admin(), api.OccurrenceQuery{Net: "a/due"})
	if err != nil || len(list.Occurrences) != 1 || list.Occurrences[0].Reason == nil || *list.Occurrences[0].Reason != "disk" || *list.Occurrences[0].Detail != full {
		t.Errorf("the list of what was due: got %+v, %v", list, err)
	}
	s.engine.SetDisk("")
	got, err = s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/due", At: instant(t, "2026-03-25T06:00:00Z")})
	if err != nil || fact(got, "disk").Text != "" {
		t.Errorf("with room again: got %+v, %v", got, err)
	}
}
