//go:build linux

package fault_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// R5, R15: a server that is stopped in an orderly way leaves within 5 s, and the next one goes on with the open runs.
func TestServerRestartGoesOn(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	e.agent("north", 100)
	e.apply(steppedNet(w, "fault/stepped", 20))
	id := e.begin("fault/stepped", "")
	w.begun(20)
	for range *rounds {
		begun := time.Now()
		e.server.end(t, syscall.SIGTERM)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the server took %s to stop, want at most 5 s", took)
		}
		if code := e.server.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the server ended with exit code %d\n%s", code, tail(e.server.log))
		}
		w.open() // some end while there is no server
		e.serve()
	}
	r := w.finish(e, id)
	w.check([]api.Run{r}, false)
	if r.State != "succeeded" {
		t.Errorf("run: got %s, want succeeded", r.State)
	}
}

// R16, R1, R5: a backup under load, restored: the server starts held and releases nothing by itself, in a new epoch;
// agents come back to it, ends that came after the backup are recovered from them, and nothing starts twice. The old
// server, if it returns, is obeyed by nobody.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	g := e.agent("north", 400)
	e.apply(gatedNet(w, "fault/gated", 30))
	e.apply(churnNet(w, "fault/churn", 50))
	e.apply(steppedNet(w, "fault/stepped", 10))
	gated, stepped := e.begin("fault/gated", ""), e.begin("fault/stepped", "")
	w.begun(40)
	churn := e.begin("fault/churn", "")
	w.begun(60)
	file := filepath.Join(e.home, "backup")
	e.must("backup", file)
	late := e.begin("fault/churn", "late")
	e.settled(churn, 60*time.Second)
	e.settled(late, 60*time.Second)
	epoch := e.domain().Epoch
	e.server.end(t, syscall.SIGKILL)

	old := e.data
	e.data = filepath.Join(e.home, "restored")
	_, errs, code := command(t, nil, "restore", file, "--data", old)
	if code != 5 {
		t.Errorf("restoring over a data folder: exit code %d, want 5", code)
	}
	wantAll(t, oneSentence(t, errs), old, "is not empty")
	e.must("restore", file, "--data", e.data)
	e.serve()
	d := e.domain()
	if d.Held == nil || d.Epoch <= epoch {
		t.Errorf("the restored server: held %q, epoch %d; want held, and an epoch above %d", value(d.Held), d.Epoch, epoch)
	}
	e.linked("north")
	_, before, _ := w.read()
	known := []string{gated, stepped, churn}
	within(t, 30*time.Second, func() string { // the agent tells what it knows
		for _, j := range e.show(churn).Jobs {
			if j.State == "dispatched" || j.State == "running" {
				return fmt.Sprintf("%s is still %s\n%s", j.Name, j.State, e.logs())
			}
		}
		return ""
	})
	if _, err := e.api.Run(t.Context(), late); err == nil {
		t.Error("a run that was ordered after the backup is known")
	}
	fresh := e.begin("fault/churn", "fresh")
	if _, starts, _ := w.read(); starts != before {
		t.Errorf("%d attempts were started while the domain was held", starts-before)
	}
	if why := e.must("why", fresh); !strings.Contains(why, "[domain_held]") {
		t.Errorf("why a run waits in a held domain:\n%s", why)
	}
	e.must("domain", "release")
	if d := e.domain(); d.Held != nil {
		t.Errorf("after the release: held %q", *d.Held)
	}
	runs := []api.Run{e.settled(fresh, 60*time.Second)}
	if runs[0].State != "succeeded" {
		t.Errorf("a run after the release: got %s, want succeeded", runs[0].State)
	}
	w.check(runs, false)
	e.restored(w, known)

	// The old server comes back.
	e.server.end(t, syscall.SIGTERM)
	e.data = old
	e.serve()
	_, before, _ = w.read()
	orphan := e.begin("fault/churn", "orphan")
	within(t, 30*time.Second, func() string {
		if log := tail(g.log) + tail(e.server.log); !strings.Contains(log, "epoch") {
			return "nobody says that the old server is of an older epoch:\n" + log
		}
		return ""
	})
	if _, starts, _ := w.read(); starts != before {
		t.Errorf("the agent started %d attempts for a server of an older epoch", starts-before)
	}
	if n, err := e.api.Node(t.Context(), "north"); err != nil || countJobs(e.show(orphan), "running") > 0 {
		t.Errorf("the agent obeys the old server: node %+v, %v", n, err)
	}
}

func (e *estate) domain() api.DomainInfo {
	e.t.Helper()
	d, err := e.api.Domain(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	return d
}

// states counts the jobs of a run by state.
func states(r api.Run) map[string]int {
	out := map[string]int{}
	for _, j := range r.Jobs {
		out[j.State+" "+value(j.Reason)]++
	}
	return out
}

// restored checks the runs that were open at the backup: nothing started twice, and no end is wrong. An attempt that
// was ordered before the backup and ended after it is known from the agent, or unknown; never a success by chance.
func (e *estate) restored(w *witness, ids []string) {
	e.t.Helper()
	all, _, _ := w.read()
	for key, s := range all {
		if s.starts > 1 {
			e.t.Errorf("%s was started %d times", key, s.starts)
		}
	}
	for _, id := range ids[:2] { // what still runs: the agent tells its end
		within(e.t, 60*time.Second, func() string {
			w.open()
			if r := e.show(id); r.State != "succeeded" {
				return fmt.Sprintf("run %s is %s (%s), its jobs %v\n%s", id, r.State, value(r.Reason), states(r), e.logs())
			}
			return ""
		})
	}
	all, _, _ = w.read()
	unknown := 0
	for _, id := range ids {
		for _, j := range e.show(id).Jobs {
			for _, a := range j.Attempts {
				s := all[fmt.Sprintf("%s %s %d", id, j.Name, a.N)]
				switch {
				case s.starts > 1:
					e.t.Errorf("%s of run %s, attempt %d: %d starts", j.Name, id, a.N, s.starts)
				case a.State == "succeeded" && s.code != "0":
					e.t.Errorf("%s of run %s is shown as succeeded; the witness saw code %q", j.Name, id, s.code)
				case a.State == "unknown":
					unknown++
				}
			}
		}
	}
	e.t.Logf("%d attempts that the backup had as open are unknown", unknown)
}
