//go:build linux

package fault_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// within polls until done returns "", and fails the test with what it said last when the time is over.
func within(t testing.TB, limit time.Duration, done func() string) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		why := done()
		if why == "" {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("after %s: %s", limit, why)
		case <-t.Context().Done():
			t.Fatal(why)
		case <-tick.C:
		}
	}
}

// process is a program of ours that runs.
type process struct {
	cmd  *exec.Cmd
	log  string // file that takes its standard error
	done chan struct{}
}

// start runs the program with args; its standard error goes to the end of a file.
func start(t testing.TB, log string, env []string, args ...string) *process {
	t.Helper()
	f, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &process{cmd: exec.Command(reeve, args...), log: log, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(environment(), env...), f, f
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	return p
}

// environment is what a program of ours is given: nothing of the settings of who runs the tests.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "TMPDIR=" + os.TempDir(), "LANG=C", "REEVE_LEDGER=" + book}
}

// end sends a signal and waits for the end.
func (p *process) end(t testing.TB, sig syscall.Signal) {
	t.Helper()
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		t.Errorf("%v did not end 20 s after %s\n%s", p.cmd.Args[1:], sig, tail(p.log))
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail returns the last lines of a file.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// keeperPID returns the keeper of an agent's folder, 0 where there is none.
func keeperPID(folder string) int {
	text, err := os.ReadFile(filepath.Join(folder, "keeper", "lock"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	args, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || !bytes.Contains(args, []byte("\x00keeper\x00")) || !bytes.Contains(args, []byte(folder)) {
		return 0 // it ended, and another program may have its number
	}
	return pid
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// marked returns the processes that have the text in their environment: the jobs of a test carry one.
func marked(text string) []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if env, err := os.ReadFile("/proc/" + e.Name() + "/environ"); err == nil && bytes.Contains(env, []byte(text)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// commandLines describes processes for a message.
func commandLines(pids []int) string {
	var b strings.Builder
	for _, pid := range pids {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		b.WriteString(strconv.Itoa(pid) + " " + strings.ReplaceAll(string(text), "\x00", " ") + "\n")
	}
	return b.String()
}

// highWater returns the most memory that a process has had, in KiB.
func highWater(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}
