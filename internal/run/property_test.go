package run_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// drawNet draws a directed acyclic graph of jobs with all that Step looks at.
func drawNet(t *rapid.T) *run.Definition {
	n := rapid.IntRange(1, 7).Draw(t, "jobs")
	net := jobnet.Net{Name: "estate/random", Params: map[string]string{"p": "1"}}
	for i := range n {
		job := jobnet.Job{
			Name: string(rune('a' + i)), Command: []string{"true"}, OK: []int{0}, Warn: []int{1},
			When:      rapid.SampledFrom([]jobnet.When{jobnet.WhenSuccess, jobnet.WhenFailure, jobnet.WhenAlways}).Draw(t, "when"),
			OnUnknown: rapid.SampledFrom([]jobnet.OnUnknown{jobnet.UnknownHold, jobnet.UnknownFail, jobnet.UnknownRerun}).Draw(t, "on_unknown"),
			Retry:     jobnet.Retry{Max: rapid.IntRange(0, 2).Draw(t, "max"), Delay: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "delay")},
		}
		job.Rerunnable = job.OnUnknown == jobnet.UnknownRerun || rapid.Bool().Draw(t, "rerunnable")
		if rapid.IntRange(0, 3).Draw(t, "codes") == 0 {
			job.Retry.Codes = []int{2}
		}
		for p := range i {
			if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
				job.After = append(job.After, net.Jobs[p].Name)
			}
		}
		if len(job.After) == 0 {
			job.When = jobnet.WhenSuccess
		}
		net.Jobs = append(net.Jobs, job)
	}
	return run.Define(&net, 1)
}

// drawInput draws an input, likely or not: also of jobs and attempts that are not there.
func drawInput(t *rapid.T, d *run.Definition, s run.State) run.Input {
	job := rapid.SampledFrom(append(slices.Clone(s.Jobs), run.Job{Name: "nobody"})).Draw(t, "job")
	n := rapid.IntRange(max(0, len(job.Attempts)-1), len(job.Attempts)+1).Draw(t, "n")
	if rapid.IntRange(0, 3).Draw(t, "sane") > 0 {
		n = max(1, len(job.Attempts))
	}
	at := noon.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "at")) * time.Second)
	switch rapid.IntRange(0, 13).Draw(t, "input") {
	case 0:
		return run.Begin{}
	case 1:
		return run.Tick{}
	case 2, 3, 4:
		return run.Dispatch{Job: job.Name, Agent: "north", AgentID: "id-north"}
	case 5:
		return run.Started{Job: job.Name, N: n, At: at, PID: 1, Containment: "cgroup"}
	case 6, 7, 8:
		return drawEnd(t, job.Name, n, at)
	case 9:
		reason := rapid.SampledFrom([]run.Reason{"", run.ReasonWithdrawn, run.ReasonCancel, run.ReasonExec, run.ReasonRunAs}).Draw(t, "reason")
		return run.NeverStarted{Job: job.Name, N: n, At: at, Reason: reason}
	case 10:
		reasons := []run.Reason{run.ReasonStart, run.ReasonReboot, run.ReasonKeeperDied, run.ReasonFenced, run.ReasonRestored, run.ReasonAgentGone}
		if rapid.IntRange(0, 3).Draw(t, "deferred") == 0 {
			return run.Deferred{Job: job.Name, N: n, Reason: run.ReasonPorts, Detail: rapid.SampledFrom([]string{"full", "taken"}).Draw(t, "detail")}
		}
		return run.Unknown{Job: job.Name, N: n, At: at, Reason: rapid.SampledFrom(reasons).Draw(t, "reason")}
	case 11:
		if rapid.IntRange(0, 3).Draw(t, "cancel") == 0 {
			return run.Cancel{By: "ann"}
		}
		return run.Hold{By: "ann"}
	case 12:
		return run.Release{By: "ann"}
	}
	if rapid.Bool().Draw(t, "rerun") {
		return run.Decide{Job: job.Name, Rerun: true, By: "ann"}
	}
	return run.Decide{Job: job.Name, As: rapid.SampledFrom([]run.Status{run.Succeeded, run.Failed, run.Skipped, ""}).Draw(t, "as"), By: "ann"}
}

func drawEnd(t *rapid.T, job string, n int, at time.Time) run.Ended {
	in := run.Ended{Job: job, N: n, At: at, StartedAt: at, Reason: rapid.SampledFrom([]run.Reason{"", "", "", run.ReasonTimeout, run.ReasonCancel, run.ReasonArtifact}).Draw(t, "reason")}
	if code := rapid.IntRange(-1, 3).Draw(t, "code"); code >= 0 {
		in.ExitCode = &code
	} else {
		in.Signal = "SIGKILL"
	}
	return in
}

func fresh(t *rapid.T, d *run.Definition) run.State {
	s, err := run.New(d, run.Request{ID: "r1", By: "ann"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deep copies a state so far that no later write can reach the copy.
func deep(s run.State) run.State {
	s.Jobs = slices.Clone(s.Jobs)
	for i := range s.Jobs {
		s.Jobs[i].Attempts = slices.Clone(s.Jobs[i].Attempts)
	}
	return s
}

// often checks a property 20 times as often as rapid does by itself: the steps are quick, and what goes wrong is rare.
func often(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	for range 20 {
		rapid.Check(t, property)
	}
}

// TestStepKeepsItsPromises applies random inputs to random nets and checks after each what must always hold.
func TestStepKeepsItsPromises(t *testing.T) {
	t.Parallel()
	often(t, func(t *rapid.T) {
		d := drawNet(t)
		s, now := fresh(t, d), noon
		if rapid.IntRange(0, 9).Draw(t, "begun") > 0 {
			s, _, _ = run.Step(d, s, run.Begin{}, now)
		}
		for range rapid.IntRange(1, 60).Draw(t, "inputs") {
			now = now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "pass")) * time.Second)
			in := drawInput(t, d, s)
			before := deep(s)
			out := run.Fold(d, s, []run.Input{in}, now)
			if !reflect.DeepEqual(s, before) {
				t.Fatalf("%#v changed the state that it was given", in)
			}
			checkStep(t, d, before, out, in)
			s = out.State
		}
	})
}

func checkStep(t *rapid.T, d *run.Definition, before run.State, out run.Outcome, in run.Input) {
	after, err := out.State, out.Errors[0]
	if err != nil && (!reflect.DeepEqual(before, after) || len(out.Effects) > 0 || len(out.Changed) > 0) {
		t.Fatalf("%#v was refused (%v) and left a trace", in, err)
	}
	var differ []int
	for i := range after.Jobs {
		if !reflect.DeepEqual(before.Jobs[i], after.Jobs[i]) {
			differ = append(differ, i)
		}
		checkJob(t, d.Net.Jobs[i], &before, &after, in)
	}
	if !slices.Equal(differ, out.Changed) {
		t.Fatalf("%#v: changed jobs: got %v, want %v", in, out.Changed, differ)
	}
	for _, e := range out.Effects {
		start, ok := e.(run.StartAttempt)
		if !ok {
			continue
		}
		i, _ := d.Job(start.Job)
		if last := after.Jobs[i].Attempts[len(after.Jobs[i].Attempts)-1]; last.N != start.N || last.Status != run.Dispatched {
			t.Fatalf("%#v: effect %+v, and the last attempt is %+v", in, start, last)
		}
	}
	if want := verdict(d, after); after.Status != want && (want != "" || after.Status.Ended()) {
		t.Fatalf("%#v: the run is %s, want %q by the contract: %s", in, after.Status, want, sketch(after))
	}
	if after.Status.Ended() == after.Ended.IsZero() {
		t.Fatalf("%#v: the run is %s and ended at %v", in, after.Status, after.Ended)
	}
}

// checkJob checks one job over one step.
func checkJob(t *rapid.T, job jobnet.Job, before, after *run.State, in run.Input) {
	i := slices.IndexFunc(after.Jobs, func(j run.Job) bool { return j.Name == job.Name })
	x, y := &before.Jobs[i], &after.Jobs[i]
	live := 0
	for k := range y.Attempts {
		a := &y.Attempts[k]
		if a.N != k+1 {
			t.Fatalf("%#v: attempt %d of %s stands at %d", in, a.N, y.Name, k+1)
		}
		if a.Status == run.Dispatched || a.Status == run.Running {
			live++
			if k != len(y.Attempts)-1 || y.Status != a.Status {
				t.Fatalf("%#v: attempt %d of %d is %s and job %s %s", in, a.N, len(y.Attempts), a.Status, y.Name, y.Status)
			}
		}
		if k < len(x.Attempts) && x.Attempts[k].Status.Ended() && x.Attempts[k].Status != run.Lost && !reflect.DeepEqual(x.Attempts[k], *a) {
			t.Fatalf("%#v: the end of attempt %d of %s changed: %+v, %+v", in, a.N, y.Name, x.Attempts[k], *a)
		}
	}
	if live > 1 {
		t.Fatalf("%#v: job %s has %d live attempts", in, y.Name, live)
	}
	if live == 0 && (y.Status == run.Dispatched || y.Status == run.Running) {
		t.Fatalf("%#v: job %s is %s without a live attempt", in, y.Name, y.Status)
	}
	// An end is an end. Only the unknown one is left: by a decision, by a policy, or because the agent tells after all.
	if x.Status.Ended() && x.Status != run.Lost && y.Status != x.Status {
		t.Fatalf("%#v: job %s went from %s to %s", in, y.Name, x.Status, y.Status)
	}
	if x.Status == run.Lost && y.Status != run.Lost {
		switch in.(type) {
		case run.Decide, run.Ended, run.NeverStarted, run.Started, run.Unknown:
		default:
			t.Fatalf("%#v: job %s left unknown for %s", in, y.Name, y.Status)
		}
	}
	// Promise R2: what may have run is not run again blindly.
	if len(y.Attempts) > len(x.Attempts) && len(x.Attempts) > 0 {
		last := x.Attempts[len(x.Attempts)-1]
		proven := last.Status == run.Failed || last.Status == run.Cancelled && last.Started.IsZero()
		if !proven && !job.Rerunnable && x.Decided != "ann" {
			t.Fatalf("%#v: job %s, which is not rerunnable, got attempt %d after %+v", in, y.Name, len(y.Attempts), last)
		}
	}
	if len(y.Attempts) > len(x.Attempts) && before.Cancel != "" {
		t.Fatalf("%#v: job %s of a cancelled run got a new attempt", in, y.Name)
	}
}

// verdict is the contract's sentence, read slowly: "A run is unknown if a job is; else failed if a failed job has no
// failure or always successor that succeeded; else cancelled if it was; else warning if a job warned; else succeeded."
// It is empty while something of the run can go on.
func verdict(d *run.Definition, s run.State) run.Status {
	has := map[run.Status]bool{}
	for i := range s.Jobs {
		has[s.Jobs[i].Status] = true
		if canGoOn(d, s, i) {
			return ""
		}
	}
	for i := range s.Jobs {
		if s.Jobs[i].Status == run.Failed && !has[run.Lost] && !rescued(d, s, i) {
			return run.Failed
		}
	}
	switch {
	case has[run.Lost]:
		return run.Lost
	case s.Cancel != "" || has[run.Cancelled]:
		return run.Cancelled
	case has[run.Warning]:
		return run.Warning
	}
	return run.Succeeded
}

// canGoOn reports whether job i goes on without anybody deciding an unknown end.
func canGoOn(d *run.Definition, s run.State, i int) bool {
	j := &s.Jobs[i]
	if j.Status.Ended() {
		return false
	}
	if j.Status != run.Waiting || j.Reason == run.ReasonRetry {
		return true
	}
	for _, p := range d.Predecessors(i) {
		if canGoOn(d, s, p) {
			continue
		}
		if s.Jobs[p].Status == run.Lost || !s.Jobs[p].Status.Ended() {
			return false // it waits for a decision, maybe through others
		}
	}
	return true
}

func rescued(d *run.Definition, s run.State, i int) bool {
	for k := range d.Net.Jobs {
		after := slices.Contains(d.Net.Jobs[k].After, d.Net.Jobs[i].Name) && d.Net.Jobs[k].When != jobnet.WhenSuccess
		if after && (s.Jobs[k].Status == run.Succeeded || s.Jobs[k].Status == run.Warning) {
			return true
		}
	}
	return false
}

func sketch(s run.State) string {
	text := ""
	for i := range s.Jobs {
		text += fmt.Sprintf("%s=%s(%s) ", s.Jobs[i].Name, s.Jobs[i].Status, s.Jobs[i].Reason)
	}
	return text + "cancel=" + s.Cancel
}

// TestFoldIsStepByStep: many inputs at once give what they give one by one.
func TestFoldIsStepByStep(t *testing.T) {
	t.Parallel()
	often(t, func(t *rapid.T) {
		d := drawNet(t)
		first, now := fresh(t, d), noon
		var ins []run.Input
		s := first
		var errs []error
		var effects []run.Effect
		changed := map[int]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "inputs") {
			in := drawInput(t, d, s)
			if len(ins) > 0 && rapid.IntRange(0, 4).Draw(t, "twice") == 0 {
				in = rapid.SampledFrom(ins).Draw(t, "again")
			}
			ins = append(ins, in)
			out := run.Fold(d, s, []run.Input{in}, now)
			s = out.State
			errs, effects = append(errs, out.Errors[0]), append(effects, out.Effects...)
			for _, i := range out.Changed {
				changed[i] = true
			}
		}
		out := run.Fold(d, first, ins, now)
		if !reflect.DeepEqual(out.State, s) {
			t.Fatalf("states differ:\n%+v\n%+v", out.State, s)
		}
		if !reflect.DeepEqual(out.Effects, effects) || len(out.Errors) != len(errs) || len(out.Changed) != len(changed) {
			t.Fatalf("effects, errors or changes differ")
		}
		for i, err := range errs {
			if (err == nil) != (out.Errors[i] == nil) || errors.Is(err, run.ErrKnown) != errors.Is(out.Errors[i], run.ErrKnown) {
				t.Fatalf("input %d: %v, in the fold %v", i, err, out.Errors[i])
			}
		}
	})
}

// TestReportsTwice: whatever an agent said before, it may say again: it is known, or refused as before.
func TestReportsTwice(t *testing.T) {
	t.Parallel()
	often(t, func(t *rapid.T) {
		d := drawNet(t)
		s, _, _ := run.Step(d, fresh(t, d), run.Begin{}, noon)
		for range rapid.IntRange(1, 40).Draw(t, "inputs") {
			in := drawInput(t, d, s)
			next, _, err := run.Step(d, s, in, noon)
			switch in.(type) {
			case run.Started, run.Ended, run.NeverStarted, run.Unknown:
				if again, effects, twice := run.Step(d, next, in, noon); twice == nil || len(effects) > 0 || !reflect.DeepEqual(again, next) {
					t.Fatalf("%#v (%v) was taken twice: %+v", in, err, again)
				}
			}
			s = next
		}
	})
}

// TestEveryRunEnds: with agents that answer everything, and a person who decides, every run comes to an end.
func TestEveryRunEnds(t *testing.T) {
	t.Parallel()
	often(t, func(t *rapid.T) {
		d := drawNet(t)
		now := noon
		s, _, err := run.Step(d, fresh(t, d), run.Begin{}, now)
		if err != nil {
			t.Fatal(err)
		}
		unknown := 0 // agents lose an attempt now and then, not for ever
		for range 500 {
			if s.Status.Ended() && s.Status != run.Lost {
				return
			}
			in := answer(t, s, &unknown)
			if in == nil {
				if next := run.NextWake(s); !next.IsZero() {
					now, in = next, run.Tick{}
				}
			}
			if in == nil {
				t.Fatalf("nothing is left to do, and the run is %s: %s", s.Status, sketch(s))
			}
			if s, _, err = run.Step(d, s, in, now); err != nil {
				t.Fatalf("%#v: %v: %s", in, err, sketch(s))
			}
		}
		t.Fatalf("the run does not end: %s", sketch(s))
	})
}

// answer is what agents and people do next; nil where only time can help.
func answer(t *rapid.T, s run.State, unknown *int) run.Input {
	for i := range s.Jobs {
		j := &s.Jobs[i]
		switch j.Status {
		case run.Ready:
			return run.Dispatch{Job: j.Name, Agent: "north", AgentID: "id-north"}
		case run.Dispatched, run.Running:
			if rapid.IntRange(0, 4).Draw(t, "lost") == 0 && *unknown < 10 {
				*unknown++
				return run.Unknown{Job: j.Name, N: len(j.Attempts), At: noon, Reason: run.ReasonFenced}
			}
			return drawEnd(t, j.Name, len(j.Attempts), noon)
		case run.Lost:
			return run.Decide{Job: j.Name, As: rapid.SampledFrom([]run.Status{run.Succeeded, run.Failed}).Draw(t, "as"), By: "ann"}
		case run.Waiting, run.Held, run.Succeeded, run.Warning, run.Failed, run.Cancelled, run.Skipped:
		}
	}
	return nil
}
