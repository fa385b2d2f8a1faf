//go:build linux

package keeper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// witness is a file outside of the keeper's folders that jobs append to: what it says happened.
func witness(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "witness")
}

// starts counts the STARTs of each attempt in a witness file.
func starts(t *testing.T, path string) map[string]int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	count := map[string]int{}
	for line := range strings.Lines(string(b)) {
		if run, ok := strings.CutPrefix(strings.TrimSpace(line), "START "); ok {
			count[run]++
		}
	}
	return count
}

func (h *host) witnessed(path, rest string) wire.Order {
	o := h.shell("echo \"START $REEVE_RUN\" >> '" + path + "'\n" + rest)
	return o
}

func TestAHundredTimesTheSameStart(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	path := witness(t)
	o := h.witnessed(path, "sleep 0.2\n")
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if refused, err := h.client.Start(context.Background(), []wire.Order{o, o}); err != nil || len(refused) > 0 {
				t.Errorf("refused %v, %v", refused, err)
			}
		})
	}
	all.Wait()
	r := h.end(o)
	// Over, acknowledged, and asked for again: it is told again, and not executed.
	delete(h.ended, o.Attempt)
	h.start(o)
	if again := h.end(o); again.ID != r.ID {
		t.Errorf("told again as %d, was %d", again.ID, r.ID)
	}
	h.kill()
	h.takeOver()
	delete(h.ended, o.Attempt)
	h.start(o)
	h.end(o)
	if got := starts(t, path)["r1"]; got != 1 {
		t.Errorf("started %d times, want once", got)
	}
}

func TestTombstones(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	path := witness(t)
	o := h.witnessed(path, "")
	err := h.client.Cancel(context.Background(), []wire.Cancel{{Attempt: o.Attempt, Position: o.Position}})
	if err != nil {
		t.Fatal(err)
	}
	if r := h.end(o); r.Kind != wire.NeverStarted || r.Reason != "withdrawn" {
		t.Errorf("got %+v", r)
	}
	h.kill()
	h.takeOver()
	delete(h.ended, o.Attempt)
	h.start(o)
	if r := h.end(o); r.Kind != wire.NeverStarted {
		t.Errorf("started after its cancel: got %+v", r)
	}
	if got := starts(t, path); len(got) > 0 {
		t.Errorf("executed: %v", got)
	}
}

func TestEpochsAndMark(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	path := witness(t)
	at := func(epoch, seq int64) wire.Order {
		o := h.witnessed(path, "")
		o.Position = wire.Position{Epoch: epoch, Seq: seq}
		return o
	}
	ctx := context.Background()
	first := at(3, 5)
	h.run(first)
	old := at(2, 9)
	refused, err := h.client.Start(ctx, []wire.Order{old})
	if err != nil || len(refused) != 1 || !refused[0].Final || refused[0].Reason != "epoch" {
		t.Errorf("an old epoch: got %v, %v", refused, err)
	}
	if err := h.client.Mark(3, 5); err != nil {
		t.Fatal(err)
	}
	below := at(3, 4)
	if r := h.run(below); r.Kind != wire.NeverStarted {
		t.Errorf("below the mark: got %+v", r)
	}
	above := at(3, 6)
	if r := h.run(above); r.Kind != wire.Ended {
		t.Errorf("above the mark: got %+v", r)
	}
	h.kill()
	h.takeOver()
	hello := h.client.Hello()
	if hello.Epoch != 3 || hello.Highest != 6 || hello.Mark != 5 {
		t.Errorf("after a restart: got %+v", hello)
	}
	if err := h.client.Mark(4, 0); err != nil { // a higher epoch begins a new count
		t.Fatal(err)
	}
	again := at(4, 1)
	if r := h.run(again); r.Kind != wire.Ended {
		t.Errorf("a new epoch: got %+v", r)
	}
	refused, err = h.client.Start(ctx, []wire.Order{at(3, 7)})
	if err != nil || len(refused) != 1 || refused[0].Reason != "epoch" {
		t.Errorf("the epoch before: got %v, %v", refused, err)
	}
	got := starts(t, path)
	if len(got) != 3 {
		t.Errorf("executed: %v", got)
	}
}

// The server of a new epoch may be a restored one: what the journal still knows is told to it again.
func TestEndsAreToldAgainInANewEpoch(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	first, last := h.order("x", "true"), h.order("y", "true")
	want := h.run(first)
	h.run(last) // and so the first end is acknowledged
	clear(h.ended)
	if err := h.client.Mark(first.Position.Epoch+1, 0); err != nil {
		t.Fatal(err)
	}
	if got := h.end(first); got.ID != want.ID || got.Kind != wire.Ended || got.ExitCode == nil {
		t.Errorf("told again: got %+v, want %+v", got, want)
	}
}

func TestReportIDsCountUpOverRestarts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	seen := map[int64]string{}
	last := int64(0)
	for range 4 {
		for range 5 {
			r := h.run(h.order("x", "true"))
			if other, twice := seen[r.ID]; twice || r.ID <= last {
				t.Errorf("id %d after %d, was given to %s", r.ID, last, other)
			}
			seen[r.ID], last = r.Attempt.Run, r.ID
		}
		_ = h.client.Mark(1, h.seq)
		h.kill()
		h.takeOver()
	}
}

func TestCompaction(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	reg := newRegistry()
	j, _, err := openJournal(folder)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.run(ctx) }()
	note := func(r record) {
		reg.mu.Lock()
		defer reg.mu.Unlock()
		reg.apply(r)
		j.append(r, true)
	}
	for i := int64(1); i <= 500; i++ {
		a := wire.Attempt{Run: "r" + strconv.FormatInt(i, 10), Job: "x", N: 1}
		p := wire.Position{Epoch: 2, Seq: i}
		note(record{Kind: recordIntent, Attempt: &a, Position: &p, Order: &wire.Order{Attempt: a, Position: p}, Boot: "b"})
		if i%3 != 0 {
			note(record{Kind: recordExit, Attempt: &a, Position: &p, Report: &wire.Report{ID: i, Attempt: a, Position: p, Kind: wire.Ended}})
		} else {
			note(record{Kind: recordStarted, Attempt: &a, Position: &p, Identity: &executor.Identity{PID: int(i)}, Boot: "b"})
		}
		if i%3 == 1 {
			note(record{Kind: recordAck, IDs: []int64{i}})
		}
		if i%100 == 0 {
			note(record{Kind: recordMark, Epoch: 2, Mark: i - 50})
			reg.mu.Lock()
			reg.forget()
			reg.mu.Unlock()
			if err := j.compact(ctx, func() []record { reg.mu.Lock(); defer reg.mu.Unlock(); return reg.records() }); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	_, found, err := openJournal(folder)
	if err != nil || len(found.damaged) > 0 {
		t.Fatalf("%v, damaged %v", err, found.damaged)
	}
	again := newRegistry()
	for _, r := range found.records {
		again.apply(r)
	}
	again.forget()
	say := func(r *registry) string {
		var b strings.Builder
		fmt.Fprintln(&b, r.epoch, r.highest, r.mark, r.lastID, len(r.entries), len(r.unacked))
		for i := range 501 {
			a := wire.Attempt{Run: "r" + strconv.Itoa(i), Job: "x", N: 1}
			if e := r.entries[a]; e != nil {
				fmt.Fprintln(&b, a.Run, e.position, e.end != nil, e.acked, e.identity != nil, e.order != nil)
			}
		}
		return b.String()
	}
	if got, want := say(again), say(reg); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRunAs(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		h := newHost(t)
		o := h.order("x", "true")
		o.RunAs = "root"
		if r := h.run(o); r.Reason != "run_as" {
			t.Errorf("got %+v", r)
		}
		return
	}
	h := newHost(t)
	// The test's folder is below one that others may pass.
	o := h.shell("id -un; id -g; id -G; grep CapEff /proc/self/status; ls \"$REEVE_IN/first\"; cat \"$REEVE_IN/first/f.txt\"; echo made > made.txt; echo x=1 >> $REEVE_OUTPUT\n")
	o.RunAs, o.Artifacts, o.Stdout = "nobody", []string{"made.txt", "out.txt"}, "out.txt"
	o.Inputs = []wire.Artifact{{Job: "first", Name: "f.txt"}}
	in, err := h.client.InputFolder(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(in, "first"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(in, "first", "f.txt"), []byte("input\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	passable(t, filepath.Dir(h.data))
	r := h.run(o)
	out, _ := h.output(o, wire.Stdout)
	if r.Reason != "" || *r.ExitCode != 0 || len(r.Artifacts) != 2 || len(r.Outputs) != 1 {
		errs, _ := h.output(o, wire.Stderr)
		t.Fatalf("got %+v, %s", r, errs)
	}
	lines := strings.Split(string(out), "\n")
	if lines[0] != "nobody" || lines[3] != "CapEff:\t0000000000000000" || lines[5] != "input" || strings.Contains(" "+lines[2]+" ", " 0 ") {
		t.Errorf("got %q", lines)
	}
	if b, err := os.ReadFile(filepath.Join(h.client.WorkFolder(o.Attempt), "out.txt")); err != nil || string(b) != string(out) {
		t.Errorf("the copy of standard output: %q, %v", b, err)
	}
	for _, c := range []struct{ user, net, env, detail string }{
		{"nobody", "other/net", "", "not permitted"},
		{"daemon", "census/packages", "", "not permitted"},
		{"no-such-user", "census/packages", "", "not permitted"},
		{"nobody", "census/packages", "LD_PRELOAD=/tmp/x.so", "LD_PRELOAD"},
	} {
		o := h.order("x", "true")
		o.RunAs, o.Net = c.user, c.net
		if c.env != "" {
			o.Env = []string{c.env}
		}
		if r := h.run(o); r.Kind != wire.Ended || r.Reason != "run_as" || !strings.Contains(r.Detail, c.detail) {
			t.Errorf("%v: got %+v", c, r)
		}
	}
	allow := filepath.Join(filepath.Dir(h.data), "allow.yaml")
	if err := os.Chmod(allow, 0o666); err != nil {
		t.Fatal(err)
	}
	if r := h.run(h.order("x", "true")); r.Reason != "run_as" || !strings.Contains(r.Detail, "chmod") {
		t.Errorf("a file that others may write: got %+v", r)
	}
	if err := os.Remove(allow); err != nil {
		t.Fatal(err)
	}
	// Without the file nobody but the agent's own user is granted; that one is the executor's to test.
	o = h.order("x", "true")
	o.RunAs = "nobody"
	if r := h.run(o); r.Reason != "run_as" || !strings.Contains(r.Detail, "no allow file") {
		t.Errorf("no file: got %+v", r)
	}
}

// passable lets other users pass the test's folders, which are made for one user only.
func passable(t *testing.T, dir string) {
	t.Helper()
	for ; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIdleMemory(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var orders []wire.Order
	for range 200 {
		orders = append(orders, h.order("x", "true"))
	}
	h.start(orders...)
	for _, o := range orders {
		h.end(o)
	}
	pid := h.client.Hello().PID
	most := 14 << 10 // KiB, of which the test binary's own share is about 4 MiB more than the program's
	if raceDetector {
		most *= 8
	}
	var kib int
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "VmRSS:")
		_, _ = fmt.Sscan(rest, &kib)
		if kib <= most {
			t.Logf("idle: %d KiB", kib)
			return
		}
	}
	t.Errorf("idle: %d KiB, want at most %d", kib, most)
}
