//go:build linux

package fault_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// brief are settings under which a silent agent is given up after seconds.
const brief = "link: {heartbeat: 1s, timeout: 2s, tenure: 3s}\ndisk: {reserve: 1048576}\n"

// R2, R3: where nobody hears of an agent, its keeper ends what says on_lost: stop by the deadline, without the agent,
// and leaves what says keep. The server calls both unknown, runs again elsewhere only what may be, and only when the
// first attempt is dead; the end of the one that was kept is taken when the agent comes back.
func TestFence(t *testing.T) {
	t.Parallel()
	e := newEstate(t, brief)
	w := newWitness(t)
	g := e.agent("north", 8)
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "pid")
	stop := fmt.Sprintf("    rerunnable: true\n    on_lost: stop\n    on_unknown: rerun\n    grace: 1s\n    agent: {labels: {fenced: \"yes\"}}\n    env: {pids: %q}\n    script: |\n", pidFile) + `      #!/bin/sh
      if [ "$REEVE_ATTEMPT" = 1 ]; then
        trap "" TERM
        echo $$ >"$pids"
        while :; do sleep 1000; done
      fi
      if kill -0 "$(cat "$pids")" 2>/dev/null; then echo overlap; exit 1; fi
`
	e.must("node", "label", "north", "fenced=yes")
	e.apply("net: fault/fence\njobs:\n  - name: stopped\n" + stop + w.job("kept", true, 0, 7, "    agent: {name: north}\n"))
	id := e.begin("fault/fence", "")
	w.begun(1)
	pid := 0
	within(t, 20*time.Second, func() string {
		text, err := os.ReadFile(pidFile)
		if err == nil {
			_, err = fmt.Sscan(string(text), &pid)
		}
		if err != nil {
			return err.Error()
		}
		if n := countJobs(e.show(id), "running"); n != 2 {
			return fmt.Sprintf("%d jobs are running", n)
		}
		return ""
	})
	south := e.agent("south", 8)
	e.must("node", "label", "south", "fenced=yes")
	cut := time.Now()
	g.end(t, syscall.SIGKILL)

	// A tenure of 3 s, a grace of 1 s, and 1 s.
	within(t, 8*time.Second, func() string {
		if alive(pid) {
			return "the job that says on_lost: stop is alive " + time.Since(cut).String() + " after its agent's death\n" + e.logs()
		}
		return ""
	})
	within(t, 40*time.Second, func() string {
		r := e.show(id)
		if kept := r.Jobs[1]; kept.State != "unknown" || value(kept.Reason) != "fenced" {
			return fmt.Sprintf("the job that says keep is %s (%s)", kept.State, value(kept.Reason))
		}
		if again := r.Jobs[0]; again.State != "succeeded" || len(again.Attempts) != 2 || again.Attempts[1].Agent != "south" {
			return fmt.Sprintf("the job that may run again is %s (%s %s), with %d attempts", again.State, value(again.Reason), value(again.Detail), len(again.Attempts))
		}
		return ""
	})
	if why := e.must("why", id); !strings.Contains(why, "[fenced]") {
		t.Errorf("why does not say that there was no word:\n%s", why)
	}
	if _, _, ends := w.read(); ends != 0 {
		t.Error("the job that says on_lost: keep has ended")
	}
	g.start()
	e.linked("north")
	within(t, 30*time.Second, func() string {
		w.open()
		if kept := e.show(id).Jobs[1]; kept.State != "failed" || kept.Attempts[0].ExitCode == nil || *kept.Attempts[0].ExitCode != 7 {
			return fmt.Sprintf("after the agent's return the kept job is %s (%s)\n%s", kept.State, value(kept.Reason), e.logs())
		}
		return ""
	})
	r := e.show(id)
	if r.Jobs[0].State != "succeeded" || len(r.Jobs[0].Attempts) != 2 {
		t.Errorf("after the agent's return the job that ran again is %s, with %d attempts", r.Jobs[0].State, len(r.Jobs[0].Attempts))
	}
	if south.ended() {
		t.Error("south did not live through this")
	}
}
