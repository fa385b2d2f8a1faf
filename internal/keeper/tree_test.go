//go:build linux

package keeper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// artist is a job that tries to leave something behind. @ stands for a number that only its processes have as an
// argument, also where they lost their environment.
type artist struct {
	name   string
	script string
	gone   bool // its first process ends by itself
	cgroup bool // only a cgroup holds it
	root   bool // needs root
}

func artists() []artist {
	return []artist{
		{name: "plain", script: `sleep @`},
		{name: "ignores TERM", script: `trap '' TERM HUP INT; sleep @ & sleep @; while :; do sleep @; done`},
		{name: "setsid", script: `setsid sleep @ & setsid -f sleep @; sleep @`},
		{name: "nohup", script: `nohup sleep @ >/dev/null 2>&1 & nohup sleep @ >/dev/null 2>&1; sleep @`},
		{name: "double fork", script: `(setsid sh -c '(trap "" TERM; sleep @) & sleep @ &' &) ; sleep @`},
		{name: "daemon", script: `(cd /; setsid sh -c 'trap "" TERM HUP; exec 0</dev/null >/dev/null 2>&1; sleep @ & wait; sleep @' &) ; exit 0`, gone: true},
		{name: "stopped", script: `sleep @ & kill -STOP $!; setsid sh -c 'kill -STOP $$; sleep @' & kill -STOP $$; sleep @`},
		{name: "fork bomb", script: `i=0; while [ $i -lt 60 ]; do sleep @ & i=$((i+1)); done; trap 'sleep @ & setsid sleep @ &' TERM; while :; do sleep @ & wait $!; done`},
		{name: "hopper", script: `hop() { [ $1 -gt 0 ] && { sleep 0.01; setsid sh "$0" $(($1-1)) @ & exit 0; }; }; hop ${1:-80}; sleep @`, gone: true},
		{name: "empty environment", script: `setsid env -i sleep @ & env -i setsid sh -c 'sleep @; sleep @' & sleep @`},
		{name: "orphan without marker", script: `env -i setsid sh -c 'trap "" TERM; sleep @ & wait; sleep @' & exit 0`, gone: true, cgroup: true},
		{name: "other namespaces", script: `unshare -pf --kill-child=TERM sh -c 'trap "" TERM; sleep @; sleep @' & sleep @`, root: true},
		{name: "own cgroup below", script: `c=$(ls -d /sys/fs/cgroup/unified$(sed -n s/^0:://p /proc/self/cgroup) /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup) 2>/dev/null | head -1); mkdir "$c/mine" && echo $$ > "$c/mine/cgroup.procs"; setsid sleep @ & sleep @`, cgroup: true, root: true},
		{name: "out of its cgroup", script: `for f in /sys/fs/cgroup/unified/cgroup.procs /sys/fs/cgroup/cgroup.procs; do [ -w $f ] && echo $$ > $f; done; setsid sleep @ & sleep @`, root: true},
	}
}

// withArgument returns the processes that have word as an argument, zombies aside.
func withArgument(word string) []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err == nil && bytes.Contains(b, []byte(word)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestNothingSurvivesACancel(t *testing.T) {
	t.Parallel()
	rounds := 3
	if s := os.Getenv("REEVE_ZOO"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	both(t, func(t *testing.T, env ...string) {
		h := newHost(t, env...)
		cgroup := h.client.Hello().Containment == "cgroup"
		for _, a := range artists() {
			if a.cgroup && !cgroup || a.root && os.Geteuid() != 0 {
				t.Logf("%s: not with containment %s and uid %d", a.name, h.client.Hello().Containment, os.Geteuid())
				continue
			}
			for range rounds {
				perform(t, h, a)
			}
		}
	})
}

func perform(t *testing.T, h *host, a artist) {
	t.Helper()
	o := h.shell("")
	word := fmt.Sprintf("%d.%d", 100000+os.Getpid(), time.Now().UnixNano())
	o.Script = "#!/bin/sh\n" + strings.ReplaceAll(a.script, "@", word)
	o.OnLeftover = "wait"
	h.start(o)
	h.begun(o)
	for len(withArgument(word)) == 0 { // it has begun to do its worst
		if _, over := h.ended[o.Attempt]; over {
			break
		}
		time.Sleep(time.Millisecond)
	}
	err := h.client.Cancel(context.Background(), []wire.Cancel{{Attempt: o.Attempt, Position: o.Position, Grace: 30 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	r := h.end(o)
	if r.Kind != wire.Ended || r.Reason != "cancel" {
		t.Errorf("%s: got %+v, want it cancelled", a.name, r)
	}
	if left := withArgument(word); len(left) > 0 {
		t.Errorf("%s: %d processes are left", a.name, len(left))
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func TestTimeoutEndsTheTree(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, env ...string) {
		h := newHost(t, env...)
		o := h.shell("trap '' TERM\nsetsid sleep 4711.25 &\nwhile :; do sleep 4711.25; done\n")
		o.Timeout, o.Grace = 200*time.Millisecond, 100*time.Millisecond
		r := h.run(o)
		if r.Kind != wire.Ended || r.Reason != "timeout" || r.Signal != "SIGKILL" {
			t.Errorf("got %+v, want a time-out and SIGKILL", r)
		}
		if took := r.At.Sub(*r.StartedAt); took < 300*time.Millisecond || took > 5*time.Second {
			t.Errorf("took %v, want 300 ms and a little", took)
		}
		if left := pidsWith("REEVE_OUTPUT=" + h.data); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestTermIsAskedFirst(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.shell("trap 'echo bye; exit 9' TERM\nwhile :; do sleep 0.01; done\n")
	h.start(o)
	h.begun(o)
	_ = h.client.Cancel(context.Background(), []wire.Cancel{{Attempt: o.Attempt, Position: o.Position, Grace: time.Minute}})
	r := h.end(o)
	out, _ := h.output(o, wire.Stdout)
	if r.Reason != "cancel" || r.ExitCode == nil || *r.ExitCode != 9 || string(out) != "bye\n" {
		t.Errorf("got %+v, output %q", r, out)
	}
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, env ...string) {
		h := newHost(t, env...)
		// The second one is what the test ends by its file.
		const script = "(setsid sh -c 'while [ ! -e stop ]; do sleep 0.02; done; echo late' &)\nexit 5\n"
		kill, wait, detach := h.shell(script), h.shell(script), h.shell(script)
		kill.Grace, wait.OnLeftover, detach.OnLeftover = 50*time.Millisecond, "wait", "detach"

		r := h.run(kill)
		if r.Kind != wire.Ended || r.ExitCode == nil || *r.ExitCode != 5 || r.Leftover < 1 || r.Reason != "" {
			t.Errorf("kill: got %+v", r)
		}
		if left := pidsWith("REEVE_OUTPUT=" + filepath.Dir(h.client.SpoolPath(kill.Attempt))); len(left) > 0 {
			t.Errorf("kill: left %v", left)
		}

		r = h.run(detach)
		if r.ExitCode == nil || *r.ExitCode != 5 || r.Leftover < 1 {
			t.Errorf("detach: got %+v", r)
		}
		if left := pidsWith("REEVE_OUTPUT=" + filepath.Dir(h.client.SpoolPath(detach.Attempt))); len(left) == 0 {
			t.Error("detach: nothing goes on")
		}

		h.start(wait)
		h.begun(wait)
		for deadline := time.Now().Add(5 * time.Second); len(pidsWith("REEVE_OUTPUT="+filepath.Dir(h.client.SpoolPath(wait.Attempt)))) == 0; {
			if time.Now().After(deadline) { // what executes a program has for a moment no environment
				t.Fatal("wait: nothing goes on")
			}
		}
		if err := os.WriteFile(filepath.Join(h.client.WorkFolder(wait.Attempt), "stop"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r = h.end(wait)
		out, _ := h.output(wait, wire.Stdout)
		if r.ExitCode == nil || *r.ExitCode != 5 || string(out) != "late\n" {
			t.Errorf("wait: got %+v, output %q", r, out)
		}
	})
}

func TestFenceWithoutTheAgent(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	stop, keep := h.shell("trap '' TERM; while :; do sleep 0.05; done\n"), h.shell("while :; do sleep 0.05; done\n")
	stop.OnLost, stop.Grace = "stop", 100*time.Millisecond
	if err := h.client.Renew(800 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(800 * time.Millisecond)
	h.start(stop, keep)
	h.begun(stop)
	h.begun(keep)
	_ = h.client.Close()
	marker := func(o wire.Order) string { return "REEVE_OUTPUT=" + filepath.Dir(h.client.SpoolPath(o.Attempt)) }
	for len(pidsWith(marker(stop))) > 0 {
		if time.Since(until) > time.Second {
			t.Fatal("not dead a second after the deadline")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if len(pidsWith(marker(keep))) == 0 {
		t.Error("on_lost: keep was ended")
	}
	h.connect()
	if r := h.end(stop); r.Reason != "fenced" || r.Kind != wire.Ended {
		t.Errorf("got %+v", r)
	}
	_ = h.client.Cancel(context.Background(), []wire.Cancel{{Attempt: keep.Attempt, Position: keep.Position}})
	h.end(keep)
}
