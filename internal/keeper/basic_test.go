//go:build linux

package keeper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// job is what the test binary does as a job.
func job(args []string) int {
	switch args[0] {
	case "exit":
		code, _ := strconv.Atoi(args[1])
		return code
	case "env":
		for _, e := range os.Environ() {
			fmt.Print(e, "\x00")
		}
	case "bytes": // a deterministic stream: count, chunk
		count, _ := strconv.Atoi(args[1])
		chunk, _ := strconv.Atoi(args[2])
		data := stream64(count)
		for len(data) > 0 {
			n, err := os.Stdout.Write(data[:min(chunk, len(data))])
			if err != nil {
				return 1
			}
			data = data[n:]
		}
	}
	return 0
}

// stream64 returns n bytes that anybody can compute: every value occurs, and no line ends where one expects it.
func stream64(n int) []byte {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

func self(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func both(t *testing.T, test func(t *testing.T, env ...string)) {
	t.Helper()
	t.Run("cgroup", func(t *testing.T) { t.Parallel(); test(t) })
	t.Run("session", func(t *testing.T) { t.Parallel(); test(t, noCgroupVariable+"=1") })
}

func TestRunsACommand(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, env ...string) {
		h := newHost(t, env...)
		o := h.order("list", "/bin/sh", "-c", `echo "hello $REEVE_RUN"; echo oops >&2; echo rows=7 >> "$REEVE_OUTPUT"; exit 3`)
		r := h.run(o)
		if r.Kind != wire.Ended || r.ExitCode == nil || *r.ExitCode != 3 || r.Reason != "" || r.Containment != h.client.Hello().Containment {
			t.Errorf("got %+v, want a plain end with code 3", r)
		}
		if len(env) > 0 && r.Containment != "session" {
			t.Errorf("containment: got %s, want session", r.Containment)
		}
		if got, want := fmt.Sprint(r.Outputs), "[{rows 7}]"; got != want {
			t.Errorf("outputs: got %s, want %s", got, want)
		}
		out, _ := h.output(o, wire.Stdout)
		errs, _ := h.output(o, wire.Stderr)
		if string(out) != "hello r1\n" || string(errs) != "oops\n" {
			t.Errorf("got %q and %q", out, errs)
		}
	})
}

func TestEveryExitCodeAndSignal(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var orders []wire.Order
	for code := range 256 {
		orders = append(orders, h.order("exit", "/bin/sh", "-c", "exit "+strconv.Itoa(code)))
	}
	signals := []syscall.Signal{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31}
	for _, s := range signals {
		orders = append(orders, h.order("signal", "/bin/sh", "-c", "ulimit -c 0; kill -"+strconv.Itoa(int(s))+" $$; sleep 10"))
	}
	h.start(orders...)
	for i, o := range orders {
		r := h.end(o)
		if i < 256 {
			if r.ExitCode == nil || *r.ExitCode != i || r.Signal != "" {
				t.Errorf("exit %d: got %v %q", i, r.ExitCode, r.Signal)
			}
			continue
		}
		if want := unix.SignalName(signals[i-256]); r.ExitCode != nil || r.Signal != want {
			t.Errorf("signal %s: got %v %q", want, r.ExitCode, r.Signal)
		}
	}
}

func TestEnvironmentIsExact(t *testing.T) {
	t.Parallel()
	h := newHost(t, "SECRET=of the agent")
	o := h.order("env", self(t), "job", "env")
	o.Env = []string{"top=20", "GREETING=a b=c", "top=30"}
	h.run(o)
	out, _ := h.output(o, wire.Stdout)
	at := filepath.Join(h.data, "keeper", "attempts", "r1.env.1")
	user, home, shell := whoami(t)
	want := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "USER=" + user, "LOGNAME=" + user,
		"SHELL=" + shell, "LANG=C.UTF-8", "REEVE_NET=census/packages", "REEVE_RUN=r1", "REEVE_JOB=env", "REEVE_ATTEMPT=1",
		"REEVE_FENCE=1.1", "REEVE_IN=" + at + "/in", "REEVE_OUTPUT=" + at + "/output", "top=30", "GREETING=a b=c",
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func whoami(t *testing.T) (name, home, shell string) {
	t.Helper()
	line := execute(t, "getent", "passwd", strconv.Itoa(os.Getuid()))
	f := strings.Split(strings.TrimSpace(line), ":")
	return f[0], f[5], f[6]
}

func TestOnlyThreeFilesAreOpen(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var orders []wire.Order
	for range 8 {
		orders = append(orders, h.order("fds", "/bin/sh", "-c", `ls -l /proc/$$/fd; true`))
	}
	h.start(orders...)
	links := regexp.MustCompile(`(\d+) -> (/dev/null|pipe)`)
	for _, o := range orders {
		h.end(o)
		out, _ := h.output(o, wire.Stdout)
		if got, want := fmt.Sprint(links.FindAllString(string(out), -1)), "[0 -> /dev/null 1 -> pipe 2 -> pipe]"; got != want || strings.Count(string(out), "->") != 3 {
			t.Errorf("got %s, want %s", out, want)
		}
	}
}

func TestProcessState(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	// The state is read by the job's own process: a shell blocks signals for a moment whenever it starts something.
	o := h.shell("ps -o sid= -p $$ | tr -d ' '; echo $$; pwd; ls -A | wc -l; umask; exec grep -E '^(NoNewPrivs|SigIgn|SigBlk|Umask):' /proc/self/status\n")
	r := h.run(o)
	out, _ := h.output(o, wire.Stdout)
	got := strings.Fields(strings.ReplaceAll(string(out), "\t", " "))
	work := h.client.WorkFolder(o.Attempt)
	want := []string{
		strconv.Itoa(r.PID), strconv.Itoa(r.PID), work, "0", "0022",
		"Umask:", "0022", "SigBlk:", "0000000000000000", "SigIgn:", "0000000000000000", "NoNewPrivs:", "1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWhatCannotBeExecuted(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, c := range []struct {
		name   string
		order  func() wire.Order
		detail string
	}{
		{"missing", func() wire.Order { return h.order("x", "no-such-program") }, "no-such-program"},
		{"missing path", func() wire.Order { return h.order("x", "/no/such/program") }, "ENOENT"},
		{"folder", func() wire.Order { return h.order("x", "/tmp") }, "EACCES"},
		{"not executable", func() wire.Order { return h.order("x", "/etc/passwd") }, "EACCES"},
		{"interpreter", func() wire.Order { o := h.order("x"); o.Script = "#!/no/such/sh\n"; return o }, "/no/such/sh"},
		{"no interpreter", func() wire.Order { o := h.order("x"); o.Script = "echo\n"; return o }, "#!"},
		{"reserved", func() wire.Order { o := h.order("x", "true"); o.Env = []string{"REEVE_RUN=other"}; return o }, "REEVE_RUN"},
		{"too long", func() wire.Order { return h.order("x", "true", strings.Repeat("x", 200<<10)) }, "E2BIG"},
	} {
		r := h.run(c.order())
		if r.Kind != wire.Ended || r.Reason != "exec" || !strings.Contains(r.Detail, c.detail) || r.StartedAt != nil || r.ExitCode != nil {
			t.Errorf("%s: got %+v, want reason exec and %q in the detail", c.name, r, c.detail)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	bad := func(change func(*wire.Order)) wire.Order { o := h.order("x", "true"); change(&o); return o }
	orders := []wire.Order{
		bad(func(o *wire.Order) { o.Attempt.Run = "../../etc" }),
		bad(func(o *wire.Order) { o.Attempt.Job = "a/b" }),
		bad(func(o *wire.Order) { o.Attempt.N = 0 }),
		bad(func(o *wire.Order) { o.Script = "#!/bin/sh" }),
		bad(func(o *wire.Order) { o.Command = nil }),
		bad(func(o *wire.Order) { o.Artifacts = []string{"../x"} }),
		bad(func(o *wire.Order) { o.Stdout = "/etc/x" }),
	}
	refused, err := h.client.Start(context.Background(), orders)
	if err != nil || len(refused) != len(orders) {
		t.Fatalf("got %d refusals of %d, %v", len(refused), len(orders), err)
	}
	for _, r := range refused {
		if !r.Final || r.Reason != "exec" || r.Detail == "" {
			t.Errorf("got %+v", r)
		}
	}
}

func TestSecondKeeperIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	err := Run(context.Background(), Config{Data: h.data})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), strconv.Itoa(h.client.Hello().PID)) {
		t.Errorf("got %v, want a conflict that names the other", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	args := append([]string{}, h.env...)
	args = append(args, "REEVE_TEST_DATA="+h.data, self(t))
	if err := Spawn(ctx, "/usr/bin/env", args, h.data); !fault.Is(err, fault.Conflict) {
		t.Errorf("spawning: got %v, want a conflict", err)
	}
}

func TestNobodyToConnectTo(t *testing.T) {
	t.Parallel()
	_, err := Connect(context.Background(), t.TempDir())
	if !fault.Is(err, fault.Unreachable) {
		t.Errorf("got %v, want it unreachable", err)
	}
}

func TestLongFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h := newHostAt(t, filepath.Join(dir, "data"))
	if r := h.run(h.order("x", "true")); r.ExitCode == nil || *r.ExitCode != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestStopEndsAnIdleKeeperOnly(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.shell(untilGo + "exit 7\n")
	h.start(o)
	h.begun(o)
	if err := h.client.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	refused, err := h.client.Start(context.Background(), []wire.Order{h.order("late", "true")})
	if err != nil || len(refused) != 1 || refused[0].Final {
		t.Errorf("a start after stop: got %v, %v, want it refused for now", refused, err)
	}
	h.open(o, "go")
	r := h.end(o)
	if r.ExitCode == nil || *r.ExitCode != 7 {
		t.Errorf("got %+v, want code 7", r)
	}
	<-h.client.Done()
}
