//go:build linux

package fault_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// R5: an end is an end. Jobs end with every kind of code and signal while server and agent are dead; whoever comes
// back first, each end is shown as it was.
func TestEndsWhileAllAreAway(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	g := e.agent("north", 100)
	want := map[string]string{}
	var b strings.Builder
	b.WriteString("net: fault/ends\njobs:\n")
	job := func(name, last, end string) {
		want[name] = end
		fmt.Fprintf(&b, "  - name: %s\n    env: {witness: %q, gate: %q}\n    script: |\n      #!/bin/sh\n      echo \"START $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT\" >>\"$witness\"\n      read -r nothing <\"$gate\"\n      echo \"END $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT x\" >>\"$witness\"\n      %s\n", name, w.file, w.gate, last)
	}
	for code := 0; code < 256; code += 17 {
		job(fmt.Sprintf("code-%d", code), fmt.Sprintf("exit %d", code), fmt.Sprint(code))
	}
	for _, sig := range []string{"HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "SEGV", "PIPE", "TERM"} {
		job("signal-"+strings.ToLower(sig), "kill -"+sig+" $$", "SIG"+sig)
	}
	e.apply(b.String())
	for i := range *rounds {
		_, starts, ends := w.read()
		id := e.begin("fault/ends", fmt.Sprint("ends-", i))
		w.begun(starts + len(want))
		e.server.end(t, syscall.SIGKILL)
		g.end(t, syscall.SIGKILL)
		within(t, 30*time.Second, func() string {
			w.open()
			if _, _, now := w.read(); now < ends+len(want) {
				return fmt.Sprintf("%d of %d jobs have ended", now-ends, len(want))
			}
			return ""
		})
		if i%2 == 0 {
			e.serve()
			g.start()
		} else {
			g.start()
			e.serve()
		}
		r := e.settled(id, 60*time.Second)
		if len(r.Jobs) != len(want) {
			t.Errorf("the run has %d jobs, want %d", len(r.Jobs), len(want))
		}
		for _, j := range r.Jobs {
			a := j.Attempts[len(j.Attempts)-1]
			got := value(a.Signal)
			if a.ExitCode != nil {
				got = fmt.Sprint(*a.ExitCode)
			}
			if got != want[j.Name] || (j.State == "succeeded") != (got == "0") {
				t.Errorf("%s: got %s, ended by %s; want %s", j.Name, j.State, got, want[j.Name])
			}
		}
	}
}

// R1, R11, R12: what one job leaves for another (artifacts, outputs) arrives whole on another agent, though server and
// both agents are killed at random meanwhile.
func TestHandOverThroughKills(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	agents := []*guest{e.agent("north", 50), e.agent("south", 50)}
	const width, text = 12, `  - name: make-%[1]d
    agent: {name: north}
    artifacts: [data, sub/sum]
    script: |
      #!/bin/sh
      set -e
      mkdir sub
      head -c %[2]d /dev/urandom >data
      sha256sum <data >sub/sum
      echo "sum=$(sha256sum <data | cut -c1-64)" >>"$REEVE_OUTPUT"
      sleep 0.%[1]d
  - name: check-%[1]d
    after: [make-%[1]d]
    agent: {name: south}
    env: {told: "${jobs.make-%[1]d.outputs.sum}"}
    script: |
      #!/bin/sh
      set -e
      sleep 0.%[1]d
      have="$(sha256sum <"$REEVE_IN/make-%[1]d/data" | cut -c1-64)"
      test "$have" = "$told"
      sha256sum <"$REEVE_IN/make-%[1]d/data" | cmp - "$REEVE_IN/make-%[1]d/sub/sum"
`
	var b strings.Builder
	b.WriteString("net: fault/hand-over\njobs:\n")
	for i := range width {
		fmt.Fprintf(&b, text, i, 1+i*i*40_000)
	}
	e.apply(b.String())
	random := rand.New(rand.NewPCG(11, 1))
	for i := range *rounds {
		id := e.begin("fault/hand-over", fmt.Sprint("hand-over-", i))
		for kills := 0; kills < 4 && !isEnd(e.show(id).State); kills++ {
			switch victim := random.IntN(3); victim {
			case 2:
				e.server.end(t, syscall.SIGKILL)
				e.serve()
			default:
				agents[victim].restart(syscall.SIGKILL)
			}
			for _, g := range agents {
				e.linked(g.name)
			}
		}
		r := e.settled(id, 60*time.Second)
		for _, j := range r.Jobs {
			if j.State != "succeeded" || len(j.Attempts) != 1 {
				t.Errorf("%s: got %s (%s %s) after %d attempts, want succeeded after one\n%s", j.Name, j.State, value(j.Reason), value(j.Detail), len(j.Attempts), e.must("run", "logs", id+"/"+j.Name))
			}
		}
	}
}
