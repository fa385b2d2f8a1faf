//go:build linux

package keeper

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// The test binary is the keeper as well, and some of its jobs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "job" {
		os.Exit(job(os.Args[2:]))
	}
	if data := os.Getenv("REEVE_TEST_DATA"); data != "" {
		os.Exit(keep(data))
	}
	os.Exit(m.Run())
}

func keep(data string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg := Config{Data: data, Version: "test", Allow: os.Getenv("REEVE_TEST_ALLOW"), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if s := os.Getenv("REEVE_TEST_OUTPUT"); s != "" {
		cfg.MaxOutput, _ = strconv.ParseInt(s, 10, 64)
	}
	if s := os.Getenv("REEVE_TEST_FREE"); s != "" {
		cfg.MinFree, _ = strconv.ParseInt(s, 10, 64)
	}
	if file := os.Getenv("REEVE_TEST_PROFILE"); file != "" && !stage() {
		if f, err := os.Create(file); err == nil {
			_ = pprof.StartCPUProfile(f)
			defer f.Close()
			defer pprof.StopCPUProfile()
		}
	}
	if err := Run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// host is a data folder with its keeper and the agent's side of it.
type host struct {
	t       testing.TB
	data    string
	client  *Client
	env     []string
	seq     int64
	started map[wire.Attempt]wire.Report
	ended   map[wire.Attempt]wire.Report
}

func newHost(t testing.TB, env ...string) *host {
	t.Helper()
	return newHostAt(t, filepath.Join(t.TempDir(), "data"), env...)
}

func newHostAt(t testing.TB, data string, env ...string) *host {
	t.Helper()
	allow := filepath.Join(filepath.Dir(data), "allow.yaml")
	if err := os.WriteFile(allow, []byte("allow:\n- {user: root, nets: ['*']}\n- {user: nobody, nets: ['census/*']}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, data: data, env: append(env, "REEVE_TEST_ALLOW="+allow), started: map[wire.Attempt]wire.Report{}, ended: map[wire.Attempt]wire.Report{}}
	h.spawn()
	h.connect()
	t.Cleanup(h.stop)
	return h
}

// spawn starts a keeper as an agent does, save that its settings come by the environment.
func (h *host) spawn() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	args := append(append([]string{"-i"}, append(h.env, "REEVE_TEST_DATA="+h.data)...), exe)
	// env -i would lose the stage: it is given on.
	args = append([]string{"-c", `exec env "$@"`, "sh"}, args[1:]...)
	if err := Spawn(ctx, "/bin/sh", args, h.data); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) connect(opts ...Option) {
	h.t.Helper()
	c, err := Connect(context.Background(), h.data, append(opts, Wait(5*time.Second))...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.client = c
}

// kill ends the keeper as nothing can be prevented from.
func (h *host) kill() {
	h.t.Helper()
	if err := syscall.Kill(h.client.Hello().PID, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	<-h.client.Done()
}

// takeOver starts a new keeper with what the agent's side holds.
func (h *host) takeOver() {
	h.t.Helper()
	h.spawn()
	h.connect(After(h.client))
}

func (h *host) stop() {
	if h.client.Err() == nil {
		if h.t.Failed() { // where its goroutines are goes to its log
			_ = syscall.Kill(h.client.Hello().PID, syscall.SIGQUIT)
			select {
			case <-h.client.Done():
			case <-time.After(5 * time.Second):
			}
		}
		_ = syscall.Kill(h.client.Hello().PID, syscall.SIGKILL)
	}
	_ = h.client.Close()
	if h.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(h.data, "keeper", "log"))
		h.t.Logf("keeper's log:\n%s", log)
	}
	for _, pid := range pidsWith("REEVE_OUTPUT=" + h.data) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	removeGroups(h.data)
}

// removeGroups removes the cgroups of a keeper that did not end by itself.
func removeGroups(data string) {
	name, err := folderID(filepath.Join(data, "keeper"))
	if err != nil {
		return
	}
	roots, _ := filepath.Glob("/sys/fs/cgroup/unified/reeve-attempts-" + name)
	for _, root := range roots {
		for range 100 {
			below, _ := filepath.Glob(root + "/*")
			for _, dir := range below {
				_ = os.Remove(dir)
			}
			if os.Remove(root) == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// order builds the next order of the host.
func (h *host) order(job string, command ...string) wire.Order {
	h.seq++
	return wire.Order{
		Attempt: wire.Attempt{Run: "r" + strconv.FormatInt(h.seq, 10), Job: job, N: 1}, Position: wire.Position{Epoch: 1, Seq: h.seq},
		Net: "census/packages", Command: command, Fence: "1." + strconv.FormatInt(h.seq, 10),
	}
}

// shell builds an order that runs a script.
func (h *host) shell(text string) wire.Order {
	o := h.order("script")
	o.Script = "#!/bin/sh\n" + text
	return o
}

func (h *host) start(orders ...wire.Order) {
	h.t.Helper()
	refused, err := h.client.Start(context.Background(), orders)
	if err != nil || len(refused) > 0 {
		h.t.Fatalf("start: refused %v, %v", refused, err)
	}
}

// take reads reports until one satisfies enough, and keeps and acknowledges all.
func (h *host) take(what string, enough func() bool) {
	h.t.Helper()
	timeout := time.After(20 * time.Second)
	for !enough() {
		select {
		case reports, ok := <-h.client.Reports():
			if !ok {
				h.t.Fatalf("waiting for %s: the connection was lost: %v", what, h.client.Err())
			}
			for _, r := range reports {
				if r.Kind == wire.Started {
					h.started[r.Attempt] = r
				} else {
					h.ended[r.Attempt] = r
				}
				if err := h.client.Ack([]int64{r.ID}); err != nil {
					h.t.Fatal(err)
				}
			}
		case <-timeout:
			h.t.Fatalf("waiting for %s: nothing came", what)
		}
	}
}

// end waits for the end of an attempt.
func (h *host) end(o wire.Order) wire.Report {
	h.t.Helper()
	h.take("the end of "+o.Attempt.Run, func() bool { _, ok := h.ended[o.Attempt]; return ok })
	return h.ended[o.Attempt]
}

// begun waits for the start of an attempt.
func (h *host) begun(o wire.Order) wire.Report {
	h.t.Helper()
	h.take("the start of "+o.Attempt.Run, func() bool {
		if end, over := h.ended[o.Attempt]; over && h.started[o.Attempt].PID == 0 {
			h.t.Fatalf("it ended at once: %+v", end)
		}
		return h.started[o.Attempt].PID != 0
	})
	return h.started[o.Attempt]
}

// run starts an order and returns its end.
func (h *host) run(o wire.Order) wire.Report {
	h.t.Helper()
	h.start(o)
	return h.end(o)
}

// output returns what a spool holds of a stream, and how much it says was dropped.
func (h *host) output(o wire.Order, tag wire.Stream) (data []byte, lost int64) {
	h.t.Helper()
	b, err := os.ReadFile(h.client.SpoolPath(o.Attempt))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	for len(b) > 0 {
		r, n, err := wire.ParseRecord(b)
		if err != nil || n == 0 {
			h.t.Fatalf("spool: %d bytes left, %v", len(b), err)
		}
		b = b[n:]
		switch r.Stream {
		case wire.Gap:
			lost += int64(binary.BigEndian.Uint64(r.Data))
		case wire.Stdout, wire.Stderr:
			if r.Stream == tag {
				data = append(data, r.Data...)
			}
		}
	}
	return data, lost
}

// pidsWith returns the processes that have an entry in their environment beginning with prefix, zombies aside.
func pidsWith(prefix string) []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for entry := range strings.SplitSeq(string(b), "\x00") {
			if strings.HasPrefix(entry, prefix) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func execute(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
