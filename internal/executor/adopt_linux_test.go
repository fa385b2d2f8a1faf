package executor

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A keeper that ended between an exec and its proof leaves a marker and nothing else. Whichever process of the tree is
// met first, the first process is the one that is watched: taken for gone, its tree would be killed as left over.
func TestFindPrefersTheFirstProcess(t *testing.T) {
	t.Parallel()
	const marker = "REEVE_OUTPUT=/nowhere/of/TestFindPrefersTheFirstProcess"
	cmd := exec.Command("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; wait")
	cmd.Env = []string{"PATH=/usr/bin:/bin", marker}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	marked := func() (n int) {
		for pid := range allProcesses() {
			if hasMarker(pid, marker) {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(20 * time.Second); marked() < 9; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of 9 processes have the marker", marked())
		}
	}
	x := &Executor{}
	for range 20 {
		if id, ok := x.Find(marker); !ok || id.PID != cmd.Process.Pid || id.Ticks == 0 {
			t.Fatalf("got %+v, %v; want process %d", id, ok, cmd.Process.Pid)
		}
	}
	if id, ok := x.Find(marker + "/other"); ok {
		t.Errorf("another marker: got %+v", id)
	}
}
