//go:build linux

package fault_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// failSyncs makes every sync of a process fail from now on, as a broken disk does.
func failSyncs(t *testing.T, pid int) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("%v: `make setup` installs it", err)
	}
	cmd := exec.Command(strace, "-f", "-qq", "-o", "/dev/null", "-p", fmt.Sprint(pid), "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
	})
	within(t, 20*time.Second, func() string {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		for _, path := range threads {
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "TracerPid:\t0\n") {
				return path + " is not traced"
			}
		}
		select {
		case <-done:
			if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
				return "strace has ended, and the process has not"
			}
			return "" // it has synced, and ended, already
		default:
			return ""
		}
	})
}

// R10: a sync that fails ends the server, with a code that is not 0; it is not tried again, and nothing that the disk
// may not have is acknowledged. The next one goes on with all that was.
func TestFailedSyncEndsServer(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	e.agent("north", 50)
	e.apply(gatedNet(w, "fault/gated", 10))
	id := e.begin("fault/gated", "kept")
	w.begun(10)
	failSyncs(t, e.server.cmd.Process.Pid)
	if r, err := e.api.StartRun(t.Context(), api.StartRun{Net: "fault/gated", Key: "lost"}); err == nil {
		t.Errorf("a run was acknowledged that was not synced: %s", r.ID)
	}
	select {
	case <-e.server.done:
	case <-time.After(15 * time.Second):
		t.Fatalf("the server goes on after a failed sync\n%s", e.logs())
	}
	if code := e.server.cmd.ProcessState.ExitCode(); code <= 0 {
		t.Errorf("the server ended with %d, want a code above 0", code)
	}
	wantAll(t, lastLine(tail(e.server.log)), "reeve: ", "the disk failed")
	e.serve()
	e.linked("north")
	r := w.finish(e, id)
	w.check([]api.Run{r}, false)
	if r.State != "succeeded" {
		t.Errorf("run: got %s, want succeeded", r.State)
	}
}

// R10, R4, R1: a sync that fails ends the keeper; what it had in hand is unknown, what ran is not hurt, nothing starts
// twice, and the next keeper serves.
func TestFailedSyncEndsKeeper(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	g := e.agent("north", 100)
	e.apply(gatedNet(w, "fault/gated", 10))
	first := e.begin("fault/gated", "")
	w.begun(10)
	keeper := g.keeper()
	failSyncs(t, keeper)
	second := e.begin("fault/gated", "")
	within(t, 20*time.Second, func() string {
		if pid := keeperPID(g.data); pid == keeper || pid == 0 {
			return "the keeper goes on after a failed sync\n" + e.logs()
		}
		return ""
	})
	runs := []api.Run{w.finish(e, first), w.finish(e, second)}
	w.check(runs, true)
	all, _, _ := w.read()
	for key, s := range all {
		if s.ends != 1 {
			t.Errorf("%s was hurt: %d starts, %d ends", key, s.starts, s.ends)
		}
	}
	third := w.finish(e, e.begin("fault/gated", ""))
	w.check([]api.Run{third}, false)
	if third.State != "succeeded" {
		t.Errorf("a run with the next keeper: got %s, want succeeded", third.State)
	}
}
