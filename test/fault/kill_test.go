//go:build linux

package fault_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// gatedNet has n jobs that wait at the gate, each with a successor.
func gatedNet(w *witness, name string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "net: %s\njobs:\n", name)
	for i := range n {
		b.WriteString(w.job(fmt.Sprintf("wait-%d", i), true, 0, 0, ""))
	}
	return b.String()
}

// churnNet has n jobs of up to a second that end with various codes, and a successor of each that runs whatever the end.
func churnNet(w *witness, name string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "net: %s\njobs:\n", name)
	for i := range n {
		code := 0
		if i%7 == 3 {
			code = 1 + i%250
		}
		b.WriteString(w.job(fmt.Sprintf("first-%d", i), false, time.Duration(i*37%1000)*time.Millisecond, code, ""))
		b.WriteString(w.job(fmt.Sprintf("then-%d", i), false, 0, 0, fmt.Sprintf("    after: [first-%d]\n    when: always\n", i)))
	}
	return b.String()
}

// R6: 500 agent restarts (25 a round) under 50 running jobs hurt none of them.
func TestAgentRestartsHurtNoJob(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	g := e.agent("north", 100)
	e.apply(gatedNet(w, "fault/gated", 50))
	id := e.begin("fault/gated", "")
	w.begun(50)
	within(t, 20*time.Second, func() string {
		if r := e.show(id); countJobs(r, "running") < 50 {
			return fmt.Sprintf("%d of 50 jobs are shown as running", countJobs(r, "running"))
		}
		return ""
	})
	before := pids(e.show(id))
	keeper := g.keeper()

	restarts := 25 * *rounds
	random := rand.New(rand.NewPCG(6, 1))
	for i := range restarts {
		sig := syscall.SIGKILL
		if random.IntN(2) == 0 {
			sig = syscall.SIGTERM
		}
		g.end(t, sig)
		g.start()
		if i%2 == 0 { // at other times it is ended in the middle of its start
			e.linked("north")
		}
	}
	e.linked("north")
	if got := g.keeper(); got != keeper {
		t.Errorf("keeper after %d agent restarts: pid %d, want %d as before", restarts, got, keeper)
	}
	for pid, job := range before {
		if !alive(pid) {
			t.Errorf("%s (pid %d) did not live through %d agent restarts", job, pid, restarts)
		}
	}
	r := w.finish(e, id)
	w.check([]api.Run{r}, false)
	if r.State != "succeeded" {
		t.Errorf("run: got %s, want succeeded", r.State)
	}
}

// finish opens the gate until a run has ended.
func (w *witness) finish(e *estate, id string) api.Run {
	w.t.Helper()
	within(w.t, 60*time.Second, func() string {
		w.open()
		if r := e.show(id); !isEnd(r.State) {
			return fmt.Sprintf("run %s is %s\n%s", id, r.State, e.logs())
		}
		return ""
	})
	return e.settled(id, 60*time.Second)
}

func countJobs(r api.Run, state string) int {
	n := 0
	for _, j := range r.Jobs {
		if j.State == state {
			n++
		}
	}
	return n
}

// pids returns the processes of the running attempts of a run.
func pids(r api.Run) map[int]string {
	out := map[int]string{}
	for _, j := range r.Jobs {
		for _, a := range j.Attempts {
			if a.PID != nil && a.State == "running" {
				out[*a.PID] = j.Name
			}
		}
	}
	return out
}

// R1, R5, R6, R11: kill -9 of the server and of the agent in the middle of 300 running jobs, while others begin and
// end. No attempt starts twice, every end is known as the witness saw it, every successor starts once and after its
// cause.
func TestKillServerAndAgent(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	g := e.agent("north", 600)
	e.apply(gatedNet(w, "fault/gated", 200))
	e.apply(churnNet(w, "fault/churn", 100))
	gated := e.begin("fault/gated", "gated")
	w.begun(200)

	random := rand.New(rand.NewPCG(1, 5))
	ids := []string{gated}
	for i := range *rounds {
		_, starts, _ := w.read()
		ids = append(ids, e.begin("fault/churn", fmt.Sprintf("churn-%d", i)))
		w.reach(starts+random.IntN(200), 2*time.Second)
		e.server.end(t, syscall.SIGKILL)
		w.reach(starts+random.IntN(200), time.Duration(random.IntN(1000))*time.Millisecond)
		e.launch()
		w.reach(starts+random.IntN(200), time.Duration(random.IntN(500))*time.Millisecond)
		g.restart(syscall.SIGKILL)
		e.ready()
	}
	e.linked("north")
	runs := []api.Run{}
	for _, id := range ids[1:] {
		runs = append(runs, e.settled(id, 120*time.Second))
	}
	runs = append(runs, w.finish(e, gated))
	w.check(runs, false)
	if got := runs[len(runs)-1].State; got != "succeeded" {
		t.Errorf("run of the gated jobs: got %s, want succeeded", got)
	}
}

// R1, R4, R5, R11: kill -9 of the keeper, half of the time with the agent, in the middle of 300 jobs. What was known
// stays known, what cannot be known is unknown and never a success, no job is hurt, none starts twice; a person's
// decision releases each successor once.
func TestKillKeeper(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	g := e.agent("north", 600)
	e.apply(gatedNet(w, "fault/gated", 200))
	e.apply(churnNet(w, "fault/churn", 100))
	random := rand.New(rand.NewPCG(4, 5))
	for i := range *rounds {
		_, starts, _ := w.read()
		gated, churn := e.begin("fault/gated", ""), e.begin("fault/churn", "")
		w.reach(starts+random.IntN(350), 3*time.Second)
		before := []api.Run{e.show(gated), e.show(churn)}
		if err := syscall.Kill(g.keeper(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		both := i%2 == 1
		if both {
			g.restart(syscall.SIGKILL)
		}
		g.keeper()
		after := []api.Run{w.finish(e, gated), e.settled(churn, 60*time.Second)}
		w.check(after, true)
		for k := range before {
			sameEnds(t, before[k], after[k])
		}
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
		e.decide(after[1])
		w.check([]api.Run{e.settled(churn, 60*time.Second)}, true)
	}
	within(t, 30*time.Second, func() string { // one whose start was not proved may still run
		all, _, _ := w.read()
		for key, s := range all {
			if s.starts != 1 || s.ends != 1 {
				return fmt.Sprintf("%s was hurt: %d starts, %d ends", key, s.starts, s.ends)
			}
		}
		return ""
	})
}

// decide settles every unknown job of a run as succeeded.
func (e *estate) decide(r api.Run) {
	e.t.Helper()
	for _, j := range r.Jobs {
		if j.State != "unknown" {
			continue
		}
		if _, err := e.api.DecideJob(e.t.Context(), r.ID, j.Name, api.Decision{As: "succeeded"}); err != nil {
			e.t.Errorf("deciding %s of run %s: %v", j.Name, r.ID, err)
		}
	}
}

// sameEnds checks that every end that was told stays as it was told.
func sameEnds(t *testing.T, before, after api.Run) {
	t.Helper()
	for i, j := range before.Jobs {
		if isEnd(j.State) && after.Jobs[i].State != j.State {
			t.Errorf("%s of run %s was %s, and is now %s", j.Name, before.ID, j.State, after.Jobs[i].State)
		}
	}
}
