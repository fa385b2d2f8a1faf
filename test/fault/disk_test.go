//go:build linux

package fault_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// smallDisk mounts a file system of so many MiB and returns a folder on it that does not exist yet.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0755", size)); err != nil {
		t.Skipf("only root can mount the small disk that this test fills: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return filepath.Join(dir, "data")
}

// fill takes all room beside a folder, and returns what gives it back.
func fill(t *testing.T, folder string) (free func()) {
	t.Helper()
	path := filepath.Join(filepath.Dir(folder), "filler")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// steppedNet has jobs at the gate, and a successor of each.
func steppedNet(w *witness, name string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "net: %s\njobs:\n", name)
	for i := range n {
		b.WriteString(w.job(fmt.Sprintf("wait-%d", i), true, 0, 0, ""))
		b.WriteString(w.job(fmt.Sprintf("then-%d", i), false, 0, 0, fmt.Sprintf("    after: [wait-%d]\n", i)))
	}
	return b.String()
}

// R13, R10: a full disk under the server's folder is a state that it shows. It accepts and starts nothing new, still
// commits the ends of what runs, loses nothing, and goes on by itself when there is room.
func TestServerDiskFull(t *testing.T) {
	t.Parallel()
	data := smallDisk(t, 64)
	e := newEstateAt(t, "link: {heartbeat: 1s, timeout: 3s, tenure: 5m}\ndisk: {reserve: 8388608}\n", data)
	w := newWitness(t)
	e.agent("north", 100)
	e.apply(steppedNet(w, "fault/stepped", 20))
	e.apply(churnNet(w, "fault/churn", 20))
	e.apply("net: fault/timed\nschedules: [{name: s, cron: \"* * * * * *\"}]\njobs: [{name: a, command: [\"true\"], agent: {name: nobody}}]\n")
	pid := e.server.cmd.Process.Pid
	for i := range *rounds {
		_, starts, _ := w.read()
		stepped := e.begin("fault/stepped", fmt.Sprint("stepped-", i))
		churn := e.begin("fault/churn", fmt.Sprint("churn-", i))
		w.reach(starts+30, 10*time.Second)
		free := fill(t, data)
		within(t, 20*time.Second, func() string {
			if d, err := e.api.Domain(t.Context()); err != nil || d.Disk == nil {
				return fmt.Sprintf("the domain does not show that the disk is full: %v\n%s", err, e.logs())
			}
			return ""
		})
		out, errs, code := e.run("run", "start", "fault/churn")
		if code != 1 || !strings.Contains(errs, "disk") || !strings.Contains(errs, "full") || !strings.Contains(errs, "make room") {
			t.Errorf("run start on a full disk: exit code %d, %s%s", code, out, errs)
		}
		if shown := e.must("domain", "show"); !strings.Contains(shown, "full") {
			t.Errorf("domain show says nothing of the disk:\n%s", shown)
		}
		within(t, 30*time.Second, func() string {
			w.open()
			r := e.show(stepped)
			for _, j := range r.Jobs {
				if strings.HasPrefix(j.Name, "wait-") && j.State != "succeeded" {
					return fmt.Sprintf("%s is %s: its end is not committed while the disk is full\n%s", j.Name, j.State, e.logs())
				}
			}
			return ""
		})
		if why := e.must("why", stepped); !strings.Contains(why, "[disk]") {
			t.Errorf("why does not name the disk:\n%s", why)
		}
		due := time.Now().UTC().Add(-2 * time.Second).Truncate(time.Second).Format(time.RFC3339)
		if why := e.must("why", "fault/timed", "--at", due); !strings.Contains(why, "[disk]") || !strings.Contains(why, "make room under the server's data folder") {
			t.Errorf("why of what fell due at %s does not name the disk:\n%s", due, why)
		}
		if list := e.must("occurrence", "list", "fault/timed", "--since", due); !strings.Contains(list, "disk") {
			t.Errorf("the list of what fell due since %s does not name the disk:\n%s", due, list)
		}
		free()
		runs := []api.Run{e.settled(stepped, 60*time.Second), e.settled(churn, 60*time.Second)}
		w.check(runs, false)
		if runs[0].State != "succeeded" {
			t.Errorf("run: got %s, want succeeded", runs[0].State)
		}
		if d, err := e.api.Domain(t.Context()); err != nil || d.Disk != nil {
			t.Errorf("after there is room: disk %q, %v", value(d.Disk), err)
		}
	}
	if e.server.ended() || e.server.cmd.Process.Pid != pid {
		t.Error("the server was restarted")
	}
}

// R13: a full disk under the agent's folder is a state that the server shows. New starts wait, what runs ends and is
// known, output that has no room is marked as lost, and it goes on by itself when there is room.
func TestAgentDiskFull(t *testing.T) {
	t.Parallel()
	data := smallDisk(t, 48)
	e := newEstate(t, quick)
	w := newWitness(t)
	g := e.agentAt("north", 100, data)
	e.apply(gatedNet(w, "fault/gated", 20))
	e.apply(churnNet(w, "fault/churn", 20))
	e.apply(talkingNet(w))
	for i := range *rounds {
		_, starts, _ := w.read()
		gated, talk := e.begin("fault/gated", fmt.Sprint("gated-", i)), e.begin("fault/talk", fmt.Sprint("talk-", i))
		w.reach(starts+21, 10*time.Second)
		keeper := g.keeper()
		free := fill(t, data)
		within(t, 20*time.Second, func() string {
			if n, err := e.api.Node(t.Context(), "north"); err != nil || n.Disk == nil {
				return fmt.Sprintf("the node does not show that its disk is full: %v\n%s", err, e.logs())
			}
			return ""
		})
		churn := e.begin("fault/churn", fmt.Sprint("churn-", i))
		within(t, 20*time.Second, func() string {
			why, _, _ := e.run("why", churn)
			if !strings.Contains(why, "[agent_disk]") {
				return "why does not name the agent's disk:\n" + why
			}
			return ""
		})
		runs := []api.Run{w.finish(e, gated), w.finish(e, talk)}
		lost := runs[1].Jobs[0].Attempts[0].LostBytes
		printed := len(e.must("run", "logs", talk+"/talk", "--stdout"))
		if want := 4 << 20; lost == 0 || printed+int(lost) != want {
			t.Errorf("a job wrote %d bytes onto a full disk: %d are shown as lost, and %d printed", want, lost, printed)
		}
		if r := e.show(churn); countJobs(r, "ready") != 20 {
			t.Errorf("%d of 20 jobs wait for room", countJobs(r, "ready"))
		}
		free()
		runs = append(runs, e.settled(churn, 60*time.Second))
		w.check(runs, false)
		if got := g.keeper(); got != keeper {
			t.Errorf("keeper: pid %d, want %d as before the disk was full", got, keeper)
		}
		if n, err := e.api.Node(t.Context(), "north"); err != nil || n.Disk != nil {
			t.Errorf("after there is room: disk %q, %v", value(n.Disk), err)
		}
	}
}

// talkingNet has a job that waits at the gate and then writes 4 MiB.
func talkingNet(w *witness) string {
	return "net: fault/talk\njobs:\n" + strings.Replace(w.job("talk", true, 0, 0, ""),
		`        exit "$code"`, "        head -c 4194304 /dev/zero\n"+`        exit "$code"`, 1)
}
