//go:build linux

package fault_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// escapes are what jobs do to outlive their end. Each says that it is ready, and each process of it is the program
// $nap, or a shell that has its name as an argument.
var escapes = map[string]string{
	"plain":       `"$nap" 1000 & : >"$ready"; wait`,
	"ignores":     `trap "" TERM INT HUP; : >"$ready"; while :; do "$nap" 1000; done`,
	"session":     `setsid "$nap" 1000 & : >"$ready"; "$nap" 1000`,
	"daemon":      `(setsid sh -c 'setsid "$0" 1000 & exit' "$nap" &); : >"$ready"; "$nap" 1000`,
	"stubborn":    `setsid sh -c 'trap "" TERM INT HUP; while :; do "$0" 1000; done' "$nap" & : >"$ready"; "$nap" 1000`,
	"stopped":     `setsid "$nap" 1000 & p=$!; kill -STOP $p; : >"$ready"; kill -STOP $$; "$nap" 1000`,
	"nameless":    `env -i setsid "$nap" 1000 & : >"$ready"; "$nap" 1000`,
	"left-behind": `setsid "$nap" 1000 >/dev/null 2>&1 & : >"$ready"; exit 0`,
	"breeder":     `setsid sh -c 'trap "" TERM INT HUP; while :; do setsid "$0" 1000 & sleep 0.05; done' "$nap" & : >"$ready"; "$nap" 1000`,
}

// zoo is a net of all escape artists.
type zoo struct {
	e   *estate
	dir string
	nap string
	of  map[string]string
}

func newZoo(e *estate, timeout string, without ...string) *zoo {
	e.t.Helper()
	z := &zoo{e: e, dir: e.t.TempDir(), of: maps.Clone(escapes)}
	for _, name := range without {
		delete(z.of, name)
	}
	z.nap = filepath.Join(z.dir, "nap")
	sleep, err := exec.LookPath("sleep")
	if err == nil {
		var text []byte
		if text, err = os.ReadFile(sleep); err == nil {
			err = os.WriteFile(z.nap, text, 0o700)
		}
	}
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		for _, pid := range z.living() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	var b strings.Builder
	b.WriteString("net: fault/zoo\njobs:\n")
	for name, what := range z.of {
		fmt.Fprintf(&b, "  - name: %s\n    grace: 1s\n    on_leftover: wait\n%s    env: {nap: %q, ready: %q}\n    script: |\n      #!/bin/sh\n      %s\n", name, timeout, z.nap, filepath.Join(z.dir, name), what)
	}
	e.apply(b.String())
	return z
}

// begin starts the net and waits until every artist is on stage.
func (z *zoo) begin() string {
	z.e.t.Helper()
	for name := range z.of {
		_ = os.Remove(filepath.Join(z.dir, name))
	}
	id := z.e.begin("fault/zoo", "")
	within(z.e.t, 30*time.Second, func() string {
		for name := range z.of {
			if _, err := os.Stat(filepath.Join(z.dir, name)); err != nil {
				return name + " is not ready\n" + z.e.logs()
			}
		}
		if n := len(z.living()); n < len(z.of)+3 {
			return fmt.Sprintf("%d processes", n)
		}
		return ""
	})
	return id
}

// living returns the processes of the zoo: those that have its folder in their arguments or environment.
func (z *zoo) living() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		for _, file := range []string{"cmdline", "environ"} {
			text, _ := os.ReadFile(filepath.Join("/proc", e.Name(), file))
			if bytes.Contains(text, []byte(z.dir)) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// gone checks that a run has ended in a state for a reason, and that no process of it is left at that time.
func (z *zoo) gone(id, state, reason string) {
	z.e.t.Helper()
	r := z.e.settled(id, 60*time.Second)
	if left := z.living(); len(left) > 0 {
		z.e.t.Errorf("%d processes live after the end of the run:\n%s", len(left), commandLines(left))
	}
	for _, j := range r.Jobs {
		a := j.Attempts[len(j.Attempts)-1]
		if a.State != state || value(a.Reason) != reason {
			z.e.t.Errorf("%s: got %s (%s), want %s (%s)", j.Name, a.State, value(a.Reason), state, reason)
		}
		if got := value(a.Containment); got != "cgroup" && got != "session" {
			z.e.t.Errorf("%s: containment %q", j.Name, got)
		}
	}
}

func (z *zoo) cancel(id string) {
	z.e.t.Helper()
	if _, err := z.e.api.ControlRun(z.e.t.Context(), id, "cancel"); err != nil {
		z.e.t.Fatal(err)
	}
}

// needsGroups says why a test of full containment cannot run here.
func needsGroups(t *testing.T, r api.Run) {
	t.Helper()
	for _, j := range r.Jobs {
		for _, a := range j.Attempts {
			if value(a.Containment) == "session" {
				t.Skip("no cgroup v2 can be made here: containment is session, and promise R7 is visibly reduced")
			}
		}
	}
}

// R7: no process of a cancelled attempt survives, whatever it did; nor where the agent or the keeper died before.
func TestNothingSurvivesCancel(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.agent("north", 50)
	z := newZoo(e, "")

	for range max(1, *rounds/2) {
		id := z.begin()
		needsGroups(t, e.show(id))
		z.cancel(id)
		z.gone(id, "cancelled", "cancel")
	}

	id := z.begin() // while nobody can be told
	g.end(t, syscall.SIGKILL)
	z.cancel(id)
	g.start()
	z.gone(id, "cancelled", "cancel")

	id = z.begin() // by a keeper that did not start it
	within(t, 20*time.Second, func() string {
		if n := countJobs(e.show(id), "running"); n < len(escapes) {
			return fmt.Sprintf("%d jobs are running", n)
		}
		return ""
	})
	if err := syscall.Kill(g.keeper(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	g.keeper()
	z.cancel(id)
	r := e.settled(id, 60*time.Second)
	if left := z.living(); len(left) > 0 {
		t.Errorf("%d processes live after a cancel by the second keeper:\n%s", len(left), commandLines(left))
	}
	for _, j := range r.Jobs {
		if j.State != "cancelled" && j.State != "unknown" {
			t.Errorf("%s: got %s (%s), want cancelled or unknown", j.Name, j.State, value(j.Reason))
		}
	}
}

// R7 where no cgroup can be made: the promise is reduced to what carries the attempt's marker, and the attempt says so.
func TestSessionContainment(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.newcomer("north", 50, filepath.Join(e.home, "north"))
	g.env = []string{"REEVE_KEEPER_NO_CGROUP=1"}
	g.start("--join", e.token("north"))
	e.linked("north")
	z := newZoo(e, "", "nameless")
	id := z.begin()
	z.cancel(id)
	z.gone(id, "cancelled", "cancel")
	for _, j := range e.show(id).Jobs {
		if got := value(j.Attempts[0].Containment); got != "session" {
			t.Errorf("%s: containment %q, want session", j.Name, got)
		}
	}
}

// R7: no process survives a time-out, whatever it did.
func TestNothingSurvivesTimeout(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	e.agent("north", 50)
	z := newZoo(e, "    timeout: 3s\n")
	id := z.begin()
	needsGroups(t, e.show(id))
	z.gone(id, "failed", "timeout")
}
