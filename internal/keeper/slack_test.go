//go:build linux

package keeper

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// TestSlackStaysHere gives a keeper a slack for its timers, as the agent does, and shows that its jobs have the usual one.
func TestSlackStaysHere(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const ours = 500_000
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, ours, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }()
	h := newHost(t)
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", h.client.Hello().PID))
	if got := strings.TrimSpace(string(own)); err != nil || got != fmt.Sprint(ours) {
		t.Fatalf("the keeper's slack is %s (%v), want %d", got, err, ours)
	}
	o := h.order("slack", "/bin/cat", "/proc/self/timerslack_ns")
	if r := h.run(o); r.ExitCode == nil || *r.ExitCode != 0 {
		t.Fatalf("got %+v", r)
	}
	if out, _ := h.output(o, wire.Stdout); strings.TrimSpace(string(out)) != "50000" {
		t.Errorf("a job's slack is %q, want 50000", out)
	}
}
