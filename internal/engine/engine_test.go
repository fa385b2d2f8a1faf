package engine_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	single = "net: estate/one\njobs:\n  - name: a\n    command: [\"true\"]\n"
	chain  = "net: estate/chain\njobs:\n  - name: a\n    command: [\"true\"]\n  - name: b\n    after: [a]\n    command: [\"true\"]\n"
)

// TestOneCommitForAll: what waits together is decided and committed together.
func TestOneCommitForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := openDesk(t, newLedger(t), "r")
		d.net(single)
		const n = 50
		gate := make(chan struct{})
		d.store.spoil(func(store.Batch) error { <-gate; return nil }) // a disk that takes its time
		before := d.store.commits.Load()
		d.start()
		errs := make(chan error, n)
		for i := range n {
			order := d.order("estate/one", "")
			order.ID = fmt.Sprintf("r%03d", i)
			go func() {
				_, err := d.StartRun(t.Context(), order)
				errs <- err
			}()
		}
		synctest.Wait() // the first commit waits for the disk, all others for it
		close(gate)
		for range n {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		if got := d.store.commits.Load() - before; got > 2 {
			t.Errorf("%d runs took %d commits, want 2: the one that was under way, and one for all that waited", n, got)
		}
		if runs, err := d.store.OpenRuns(t.Context()); err != nil || len(runs) != n {
			t.Errorf("the store has %d runs, want %d: %v", len(runs), n, err)
		}
		d.stop()
	})
}

// TestKey: the same key gives the same run, asked for one after the other or at once.
func TestKey(t *testing.T) {
	t.Parallel()
	d := openDesk(t, newLedger(t), "r")
	d.net(single)
	type answer struct {
		run.State
		error
	}
	answers := make(chan answer, 3)
	for range 3 {
		order := d.order("estate/one", "k")
		go func() {
			s, err := d.StartRun(t.Context(), order)
			answers <- answer{s, err}
		}()
	}
	for d.Waiting() < 3 {
		runtime.Gosched()
	}
	d.start()
	first := <-answers
	for range 2 {
		if next := <-answers; next.error != nil || next.ID != first.ID {
			t.Errorf("at once: got %q, %v; want %q", next.ID, next.error, first.ID)
		}
	}
	if first.error != nil {
		t.Fatal(first.error)
	}
	if s, err := d.StartRun(t.Context(), d.order("estate/one", "k")); err != nil || s.ID != first.ID {
		t.Errorf("later: got %q, %v; want %q", s.ID, err, first.ID)
	}
	if s, err := d.StartRun(t.Context(), d.order("estate/one", "other")); err != nil || s.ID == first.ID {
		t.Errorf("another key: got %q, %v", s.ID, err)
	}
	if runs, _ := d.store.OpenRuns(t.Context()); len(runs) != 2 {
		t.Errorf("the store has %d runs, want 2", len(runs))
	}
}

// TestSecondWriter: where another server was faster, the engine reads again and decides again.
func TestSecondWriter(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	d, other := openDesk(t, l, "r"), openDesk(t, l, "s")
	d.net(chain)
	d.start()
	id := d.begin("estate/chain").ID
	other.start()
	if _, err := other.Apply(t.Context(), id, run.Hold{By: "bob"}); err != nil {
		t.Fatal(err)
	}
	// d's memory is old now. Its next step must build on bob's.
	s, err := d.Apply(t.Context(), id, run.Cancel{By: "ann"})
	if err != nil || s.Status != run.Cancelled || s.HeldBy != "bob" {
		t.Fatalf("got %s held by %q, %v; want cancelled, held by bob", s.Status, s.HeldBy, err)
	}
	if _, err := other.Apply(t.Context(), id, run.Release{By: "bob"}); err != nil {
		t.Errorf("releasing in the other: %v", err)
	}
	if _, err := other.Apply(t.Context(), id, run.Hold{By: "bob"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("holding what the first has ended: got %v, want a conflict", err)
	}
}

// TestConflictLosesNoJob: a job that a turn took from the queue, and could not commit, is dispatched by the next.
func TestConflictLosesNoJob(t *testing.T) {
	t.Parallel()
	d := openDesk(t, newLedger(t), "r")
	d.net(single)
	d.start()
	var ids []string
	for range 3 {
		ids = append(ids, d.begin("estate/one").ID)
	}
	left := 4
	d.store.spoil(func(b store.Batch) error {
		if left--; left >= 0 && len(b.Runs) > 0 {
			return &store.Conflict{Noun: "run", ID: b.Runs[left%len(b.Runs)].State.ID}
		}
		return nil
	})
	d.agents.set(linked("north", 10))
	d.Kick()
	seen := map[string]int{}
	for range ids {
		seen[d.command().Order.Run]++
	}
	for _, id := range ids {
		if seen[id] != 1 {
			t.Errorf("run %s was ordered %d times", id, seen[id])
		}
	}
}

// TestDiskFull: a full disk is a state: nothing new is taken, reports are sent again, and nothing is lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	d := openDesk(t, newLedger(t), "r")
	d.net(single)
	d.agents.set(linked("north", 1))
	d.start()
	first, second := d.begin("estate/one").ID, d.begin("estate/one").ID
	if c := d.command(); c.Order.Run != first {
		t.Fatalf("the first command is for %s, want %s", c.Order.Run, first)
	}
	d.store.spoil(func(store.Batch) error { return fmt.Errorf("committing: %w", store.ErrDisk) })
	if err := d.report("north", first, ended("a", 1, 0)); !fault.Is(err, fault.Disk) {
		t.Errorf("a report: got %v, want kind disk", err)
	}
	if d.Disk() == "" {
		t.Error("the engine does not say that the disk is full")
	}
	if _, err := d.StartRun(t.Context(), d.order("estate/one", "")); !fault.Is(err, fault.Disk) {
		t.Errorf("a start: got %v, want kind disk", err)
	}
	if reason, _ := d.Waits(d.selector(second)); reason != run.ReasonDisk {
		t.Errorf("the second run waits for %q, want %q", reason, run.ReasonDisk)
	}
	d.store.spoil(nil)
	if err := d.report("north", first, ended("a", 1, 0)); err != nil { // ends are stored as soon as that goes
		t.Fatal(err)
	}
	d.SetDisk("")
	if c := d.command(); c.Order.Run != second {
		t.Errorf("the next command is for %s, want %s", c.Order.Run, second)
	}
	if s := d.stored(first); s.Status != run.Succeeded {
		t.Errorf("the first run is %s, want succeeded", s.Status)
	}
}

// TestDiskFullIsPatient: with a retry that is due and a disk that is full, the engine tries now and then, not all the time.
func TestDiskFullIsPatient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := openDesk(t, newLedger(t), "r")
		d.net("net: estate/retry\njobs:\n  - name: a\n    command: [\"true\"]\n    retry: {max: 1, delay: 5s}\n")
		d.agents.set(linked("north", 1))
		d.start()
		id := d.begin("estate/retry").ID
		d.command()
		if err := d.report("north", id, ended("a", 1, 1)); err != nil {
			t.Fatal(err)
		}
		tries := 0
		d.store.spoil(func(store.Batch) error {
			if tries++; tries > 200 {
				return nil
			}
			return store.ErrDisk
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if tries == 0 || tries > 120 {
			t.Errorf("it tried %d times in a minute", tries)
		}
		d.store.spoil(nil)
		d.SetDisk("")
		if c := d.command(); c.Order.Run != id || c.Order.N != 2 {
			t.Errorf("got %s/%d, want the second attempt of %s", c.Order.Run, c.Order.N, id)
		}
		d.stop()
	})
}

// TestRetryDelay: the next attempt is ordered when the delay has passed, not before.
func TestRetryDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := openDesk(t, newLedger(t), "r")
		d.net("net: estate/retry\njobs:\n  - name: a\n    command: [\"true\"]\n    retry: {max: 1, delay: 90s}\n")
		d.agents.set(linked("north", 1))
		d.start()
		id := d.begin("estate/retry").ID
		d.command()
		failed := time.Now()
		if err := d.report("north", id, ended("a", 1, 1)); err != nil {
			t.Fatal(err)
		}
		c := <-d.agents.sent
		if waited := time.Since(failed); waited < 90*time.Second || waited > 91*time.Second || c.Order.N != 2 {
			t.Errorf("attempt %d was ordered after %v, want the second after 90 s", c.Order.N, waited)
		}
		d.stop()
	})
}

// TestHeldDomain: a held domain takes runs and starts nothing, also after a restart.
func TestHeldDomain(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	d := openDesk(t, l, "r")
	d.net(single)
	d.agents.set(linked("north", 1))
	d.start()
	if err := d.SetHeld(t.Context(), "the crane is down", store.AuditRecord{At: time.Now(), By: "ann", Action: "domain.hold"}); err != nil {
		t.Fatal(err)
	}
	id := d.begin("estate/one").ID
	if reason, text := d.Waits(d.selector(id)); reason != run.ReasonDomainHeld || text != "the crane is down" {
		t.Errorf("it waits for %q (%s)", reason, text)
	}
	d.stop()
	next := openDesk(t, l, "s")
	next.agents.set(linked("north", 1))
	next.start()
	if next.Held() != "the crane is down" {
		t.Errorf("after a restart it is held because %q", next.Held())
	}
	next.begin("estate/one")
	if len(d.agents.sent)+len(next.agents.sent) > 0 {
		t.Error("a held domain has ordered something")
	}
	if err := next.SetHeld(t.Context(), "", store.AuditRecord{At: time.Now(), By: "ann", Action: "domain.release"}); err != nil {
		t.Fatal(err)
	}
	if c := next.command(); c.Order.Run != id {
		t.Errorf("the oldest run is %s, and %s is ordered first", id, c.Order.Run)
	}
}

// TestRestart: an engine goes on from the store: ready jobs are dispatched, ordered ones count and are sent again.
func TestRestart(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	d := openDesk(t, l, "r")
	d.net(chain)
	d.agents.set(linked("north", 1))
	d.start()
	first, second := d.begin("estate/chain").ID, d.begin("estate/chain").ID
	sent := d.command()
	d.stop()

	next := openDesk(t, l, "s")
	next.agents.set(linked("north", 1))
	next.start()
	if got := next.Open("id-north"); got != 1 {
		t.Errorf("%d attempts are open, want 1", got)
	}
	again, err := next.Outstanding(t.Context(), "id-north")
	if err != nil || len(again) != 1 || again[0].Order.Run != sent.Order.Run || again[0].Seq != sent.Seq || again[0].Order.N != 1 {
		t.Fatalf("outstanding: got %+v, %v; want %+v", again, err, sent)
	}
	if err := next.report("north", first, ended("a", 1, 0)); err != nil {
		t.Fatal(err)
	}
	got := []string{next.command().Order.Run}
	if err := next.report("north", got[0], ended(next.stored(got[0]).Jobs[map[bool]int{true: 1, false: 0}[got[0] == first]].Name, 1, 0)); err != nil {
		t.Fatal(err)
	}
	got = append(got, next.command().Order.Run)
	if !strings.Contains(strings.Join(got, " "), first) || !strings.Contains(strings.Join(got, " "), second) {
		t.Errorf("ordered after the restart: %v, want both runs", got)
	}
	if out, err := next.Outstanding(t.Context(), "id-south"); err != nil || len(out) != 0 {
		t.Errorf("another agent's outstanding: %v, %v", out, err)
	}
}

// TestForeignReport: an agent speaks only of its own attempts; what nobody knows needs no more sending.
func TestForeignReport(t *testing.T) {
	t.Parallel()
	d := openDesk(t, newLedger(t), "r")
	d.net(single)
	d.agents.set(linked("north", 1))
	d.start()
	id := d.begin("estate/one").ID
	d.command()
	if err := d.report("south", id, ended("a", 1, 0)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a foreign agent's report: got %v, want forbidden", err)
	}
	if s := d.stored(id); s.Jobs[0].Status != run.Dispatched {
		t.Errorf("the job is %s after it, want dispatched", s.Jobs[0].Status)
	}
	for name, in := range map[string]run.Input{"attempt": ended("a", 2, 0), "job": ended("nobody", 1, 0), "number": ended("a", 0, 0)} {
		if err := d.report("north", id, in); err != nil {
			t.Errorf("a report of no %s: %v", name, err)
		}
	}
	if err := d.report("north", "none", ended("a", 1, 0)); err != nil {
		t.Errorf("a report of no run: %v", err)
	}
	for range 2 { // an end may be told twice
		if err := d.report("north", id, ended("a", 1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if d.Open("id-north") != 0 {
		t.Error("the attempt is still open")
	}
}

// TestLose: what a silent agent ran is unknown, and its own word replaces that.
func TestLose(t *testing.T) {
	t.Parallel()
	d := openDesk(t, newLedger(t), "r")
	d.net(chain)
	d.agents.set(linked("north", 4))
	d.start()
	first, second := d.begin("estate/chain").ID, d.begin("estate/chain").ID
	d.command()
	d.command()
	if err := d.Lose(t.Context(), "id-north", run.ReasonFenced, "silent", time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{first, second} {
		if s := d.stored(id); s.Status != run.Lost || s.Jobs[0].Reason != run.ReasonFenced {
			t.Errorf("run %s is %s (%s)", id, s.Status, s.Jobs[0].Reason)
		}
	}
	if err := d.report("north", first, ended("a", 1, 0)); err != nil {
		t.Fatal(err)
	}
	if c := d.command(); c.Order.Run != first || c.Order.Job.Name != "b" {
		t.Errorf("got %s/%s, want the next job of %s", c.Order.Run, c.Order.Job.Name, first)
	}
	if s := d.stored(first); s.Status != run.Running {
		t.Errorf("the run is %s, want running", s.Status)
	}
	if err := d.Lose(t.Context(), "id-north", run.ReasonAgentGone, "removed", time.Now()); err != nil {
		t.Fatal(err)
	}
	if d.Open("id-north") != 0 {
		t.Error("a removed agent has open attempts")
	}
}

// TestWideNet: 2,000 jobs at once are ordered and ended within seconds.
func TestWideNet(t *testing.T) {
	t.Parallel()
	const n = 2000
	var b strings.Builder
	b.WriteString("net: estate/wide\njobs:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: j%04d, command: [\"true\"]}\n", i)
	}
	d := openDesk(t, newLedger(t), "r")
	d.net(b.String())
	d.agents.set(linked("north", 500))
	d.start()
	began := time.Now()
	id := d.begin("estate/wide").ID
	var reports []run.Report
	for done := 0; done < n; {
		c := d.command()
		reports = append(reports, run.Report{Run: id, Input: ended(c.Order.Job.Name, 1, 0)})
		if len(d.agents.sent) > 0 && len(reports) < 256 {
			continue
		}
		for _, err := range d.Report(t.Context(), "id-north", reports) {
			if err != nil {
				t.Fatal(err)
			}
		}
		done += len(reports)
		reports = reports[:0]
	}
	if s := d.stored(id); s.Status != run.Succeeded {
		t.Errorf("the run is %s, want succeeded", s.Status)
	}
	took := time.Since(began)
	t.Logf("%d jobs took %v", n, took)
	if took > 3*time.Minute { // what is quadratic takes far longer; a busy machine does not
		t.Errorf("%d jobs took %v", n, took)
	}
}

// TestEngineEnds: after its end nobody waits for an answer that never comes; a store in a later epoch ends it.
func TestEngineEnds(t *testing.T) {
	t.Parallel()
	d := openDesk(t, newLedger(t), "r")
	d.net(single)
	d.start()
	d.stop()
	if _, err := d.StartRun(t.Context(), d.order("estate/one", "")); !fault.Is(err, fault.Unreachable) {
		t.Errorf("got %v, want unreachable", err)
	}

	d = openDesk(t, newLedger(t), "r")
	d.net(single)
	d.store.spoil(func(store.Batch) error { return store.ErrEpoch })
	ended := make(chan error, 1)
	go func() { ended <- d.Run(t.Context()) }()
	if _, err := d.StartRun(t.Context(), d.order("estate/one", "")); !fault.Is(err, fault.Unreachable) {
		t.Errorf("got %v, want unreachable", err)
	}
	if err := <-ended; !errors.Is(err, store.ErrEpoch) {
		t.Errorf("the engine ended with %v, want %v", err, store.ErrEpoch)
	}
}
