//go:build linux

package keeper

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// gate is a job that goes on when its file is there.
func (h *host) open(o wire.Order, name string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.client.WorkFolder(o.Attempt), name), nil, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

const untilGo = "while [ ! -e go ]; do sleep 0.01; done\n"

func TestTheKeepersDeath(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, env ...string) {
		h := newHost(t, env...)
		o := h.shell("echo before\n" + untilGo + "echo after; echo err >&2; exit 4\n")
		h.start(o)
		begun := h.begun(o)
		h.kill()
		h.takeOver()
		if n := h.client.Running(); n != 1 {
			t.Errorf("running: got %d, want 1", n)
		}
		h.open(o, "go")
		r := h.end(o)
		if r.Kind != wire.Unknown || r.Reason != "keeper_died" || r.ExitCode != nil || r.PID != begun.PID || r.StartedAt == nil {
			t.Errorf("got %+v", r)
		}
		out, _ := h.output(o, wire.Stdout)
		errs, _ := h.output(o, wire.Stderr)
		if string(out) != "before\nafter\n" || string(errs) != "err\n" {
			t.Errorf("output: got %q and %q: the job lost its pipe", out, errs)
		}
	})
}

func TestAnEndWhileNoKeeperRuns(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.shell(untilGo + "echo last words\n")
	h.start(o)
	pid := h.begun(o).PID
	time.Sleep(20 * time.Millisecond) // the pidfd follows the start
	h.kill()
	h.open(o, "go")
	for syscall.Kill(pid, 0) == nil && !zombie(pid) {
		time.Sleep(time.Millisecond)
	}
	ended := time.Now()
	time.Sleep(300 * time.Millisecond)
	h.takeOver()
	r := h.end(o)
	if r.Kind != wire.Unknown || r.Reason != "keeper_died" {
		t.Errorf("got %+v", r)
	}
	if late := r.At.Sub(ended); late > 150*time.Millisecond || late < -150*time.Millisecond {
		t.Errorf("the time of the end is %v late", late)
	}
	if out, _ := h.output(o, wire.Stdout); string(out) != "last words\n" {
		t.Errorf("output: got %q", out)
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(b, []byte(") Z "))
}

func TestANewKeeperCanStillEndIt(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, env ...string) {
		h := newHost(t, env...)
		const stubborn = "trap '' TERM\n(setsid sleep 4712.5 &)\nwhile :; do sleep 0.05; done\n"
		cancelled, timed, before, fenced := h.shell(stubborn), h.shell(stubborn), h.shell(stubborn), h.shell(stubborn)
		for _, o := range []*wire.Order{&cancelled, &timed, &before, &fenced} {
			o.Grace = 100 * time.Millisecond
		}
		timed.Timeout = 3 * time.Second
		fenced.OnLost = "stop"
		before.Grace = time.Minute
		if err := h.client.Renew(4 * time.Second); err != nil {
			t.Fatal(err)
		}
		orders := []wire.Order{cancelled, timed, before, fenced}
		h.start(orders...)
		for _, o := range orders {
			h.begun(o)
		}
		ctx := context.Background()
		// Ordered of the old keeper, which dies within the grace.
		_ = h.client.Cancel(ctx, []wire.Cancel{{Attempt: before.Attempt, Position: before.Position, Grace: 200 * time.Millisecond}})
		h.kill()
		h.takeOver()
		_ = h.client.Cancel(ctx, []wire.Cancel{{Attempt: cancelled.Attempt, Position: cancelled.Position, Grace: 100 * time.Millisecond}})
		for _, c := range []struct {
			o      wire.Order
			reason string
		}{{cancelled, "cancel"}, {timed, "timeout"}, {before, "cancel"}, {fenced, "fenced"}} {
			if r := h.end(c.o); r.Kind != wire.Ended || r.Reason != c.reason {
				t.Errorf("want %s, got %+v", c.reason, r)
			}
		}
		if left := pidsWith("REEVE_OUTPUT=" + h.data); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestAgentRestartsHurtNobody(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var orders []wire.Order
	for range 20 {
		o := h.shell("echo one\n" + untilGo + "echo two\nexit 3\n")
		orders = append(orders, o)
	}
	h.start(orders...)
	for _, o := range orders {
		h.begun(o)
	}
	for range 50 {
		_ = h.client.Close()
		h.client.held.release() // a dead agent holds nothing
		h.connect()
	}
	if n := h.client.Running(); n != len(orders) {
		t.Errorf("running: got %d, want %d", n, len(orders))
	}
	for _, o := range orders[:10] {
		h.open(o, "go")
		if r := h.end(o); r.ExitCode == nil || *r.ExitCode != 3 {
			t.Errorf("got %+v", r)
		}
	}
	// The last agent was given everything by the keeper: it can still save the pipes.
	time.Sleep(20 * time.Millisecond)
	h.kill()
	h.takeOver()
	for _, o := range orders[10:] {
		h.open(o, "go")
		if r := h.end(o); r.Kind != wire.Unknown {
			t.Errorf("got %+v", r)
		}
		if out, _ := h.output(o, wire.Stdout); string(out) != "one\ntwo\n" {
			t.Errorf("output: got %q", out)
		}
	}
}

func TestBothAreGone(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.shell(untilGo + "echo to nobody; sleep 0.1\n")
	h.start(o)
	h.begun(o)
	h.kill()
	h.client.held.release()
	_ = h.client.Close()
	h.spawn()
	h.connect()
	if h.client.Running() != 1 {
		t.Error("the new keeper does not know that it runs")
	}
	h.open(o, "go")
	if r := h.end(o); r.Kind != wire.Unknown || r.Reason != "keeper_died" {
		t.Errorf("got %+v", r)
	}
}

// writeJournal puts records where the next keeper reads them.
func writeJournal(t *testing.T, data string, records ...record) {
	t.Helper()
	folder := filepath.Join(data, "keeper")
	if err := os.MkdirAll(filepath.Join(folder, "attempts"), 0o700); err != nil {
		t.Fatal(err)
	}
	var b []byte
	var err error
	for _, r := range records {
		if b, err = appendRecord(b, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, journalFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func intent(run string, seq int64, boot string) record {
	a, p := wire.Attempt{Run: run, Job: "x", N: 1}, wire.Position{Epoch: 1, Seq: seq}
	return record{Kind: recordIntent, Attempt: &a, Position: &p, Order: &wire.Order{Attempt: a, Position: p}, Boot: boot}
}

func started(run string, seq int64, boot string, id executor.Identity) record {
	r := intent(run, seq, boot)
	r.Kind, r.Order, r.Identity, r.At = recordStarted, nil, &id, time.Now()
	return r
}

func bootID(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestWhatCannotBeKnown(t *testing.T) {
	t.Parallel()
	innocent := exec.Command("sleep", "100")
	if err := innocent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = innocent.Process.Kill(); _ = innocent.Wait() }()
	data := filepath.Join(t.TempDir(), "data")
	boot := bootID(t)
	taken := executor.Identity{PID: innocent.Process.Pid, Ticks: 1, Marker: "REEVE_OUTPUT=/none"}
	writeJournal(t, data,
		intent("rebooted", 1, "another boot"), started("rebooted", 1, "another boot", taken),
		intent("before-exec", 2, boot),
		intent("reused", 3, boot), started("reused", 3, boot, taken),
		record{Kind: recordEnding, Attempt: &wire.Attempt{Run: "reused", Job: "x", N: 1}},
	)
	h := newHostAt(t, data)
	for run, reason := range map[string]string{"rebooted": "reboot", "before-exec": "start", "reused": "keeper_died"} {
		o := wire.Order{Attempt: wire.Attempt{Run: run, Job: "x", N: 1}}
		if r := h.end(o); r.Kind != wire.Unknown || r.Reason != reason {
			t.Errorf("%s: got %+v, want unknown(%s)", run, r, reason)
		}
	}
	if err := innocent.Process.Signal(syscall.Signal(0)); err != nil || zombie(innocent.Process.Pid) {
		t.Errorf("the innocent process with the old number was ended: %v", err)
	}
}

// TestKilledAtRandom kills the keeper at random moments under load: no attempt starts twice, none is lost, and what
// is reported as an end is what the witness saw.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	path := witness(t)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	var all []wire.Order
	for round := range 12 {
		var orders []wire.Order
		for i := range 25 {
			o := h.witnessed(path, fmt.Sprintf("sleep 0.0%d; echo \"END $REEVE_RUN\" >> '%s'; exit %d\n", random.IntN(10), path, i))
			orders = append(orders, o)
		}
		all = append(all, orders...)
		go func() { // its answer may never come
			_, _ = h.client.Start(context.Background(), orders)
		}()
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		h.kill()
		h.takeOver()
		if round%4 == 3 { // the server sends again what was not answered
			h.resend(all)
		}
	}
	h.resend(all)
	count := starts(t, path)
	b, _ := os.ReadFile(path)
	kinds := map[string]int{}
	for i, o := range all {
		r := h.end(o)
		kinds[string(r.Kind)+" "+r.Reason]++
		run := o.Attempt.Run
		if count[run] > 1 {
			t.Errorf("%s started %d times", run, count[run])
		}
		saw := bytes.Contains(b, []byte("END "+run+"\n"))
		switch r.Kind {
		case wire.Ended:
			if r.ExitCode == nil || *r.ExitCode != i%25 || !saw {
				t.Errorf("%s: got %+v, want code %d; the witness saw its end: %v", run, r, i%25, saw)
			}
		case wire.Unknown:
			if r.Reason == "reboot" || r.Reason == "keeper_died" && count[run] == 0 && r.StartedAt == nil {
				t.Errorf("%s: got %+v", run, r)
			}
		case wire.Started, wire.NeverStarted:
			t.Errorf("%s: got %+v", run, r)
		}
	}
	t.Logf("ends: %v", kinds)
}

// resend hands over every order again and waits for all ends.
func (h *host) resend(all []wire.Order) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for len(all) > 0 {
		n := min(len(all), 50)
		if refused, err := h.client.Start(ctx, all[:n]); err != nil || len(refused) > 0 {
			h.t.Fatalf("refused %v, %v", refused, err)
		}
		for _, o := range all[:n] {
			h.end(o)
		}
		all = all[n:]
	}
}
