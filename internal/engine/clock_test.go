package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// TestDue: what is due is released at its second, each occurrence once, with a run that names it.
func TestDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(-time.Second))
	s := cron("s", "*/20 * * * * *")
	w.define("a/b", s)
	w.open()
	w.pass(time.Minute + time.Second)
	w.expect("a/b", "s", "12:00:00 released(due)", "12:00:20 released(due)", "12:00:40 released(due)", "12:01:00 released(due)")
	w.conserved("a/b", s)
	if got := len(w.OpenRunsOf("a/b")); got != 4 {
		t.Errorf("%d runs are open, want 4", got)
	}
}

// TestDown: what fell due while no server ran follows the schedule's catchup and start window.
func TestDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schedule calendar.Schedule
		want     []string
	}{
		{cron("s", "* * * * *"), []string{"12:01:00 missed(server_down)", "12:02:00 missed(server_down)", "12:03:00 missed(server_down)"}},
		{cron("s", "* * * * *", catchup(calendar.CatchupLast)), []string{"12:01:00 missed(catchup_limit)", "12:02:00 missed(catchup_limit)", "12:03:00 released(catchup)"}},
		{cron("s", "* * * * *", catchup(calendar.CatchupAll)), []string{"12:01:00 released(catchup)", "12:02:00 released(catchup)", "12:03:00 released(catchup)"}},
		{cron("s", "* * * * *", within(2*time.Minute)), []string{"12:01:00 missed(server_down)", "12:02:00 released(catchup)", "12:03:00 released(catchup)"}},
		{cron("s", "* * * * *", catchup(calendar.CatchupAll), overlap(calendar.OverlapSkip)), []string{"12:01:00 released(catchup)", "12:02:00 suppressed(overlap)", "12:03:00 suppressed(overlap)"}},
		{cron("s", "* * * * *", catchup(calendar.CatchupAll), overlap(calendar.OverlapReplace)), []string{"12:01:00 suppressed(overlap)", "12:02:00 suppressed(overlap)", "12:03:00 released(catchup)"}},
		{cron("s", "* * * * *", catchup(calendar.CatchupAll), overlap(calendar.OverlapQueue)), []string{"12:01:00 released(catchup)", "12:02:00 pending(queued)", "12:03:00 pending(queued)"}},
	} {
		w := newWorld(t, day0.Add(time.Second))
		w.agents.set(linked("one", 0))
		w.define("a/b", c.schedule)
		w.open()
		w.down(3*time.Minute + 10*time.Second)
		w.expect("a/b", "s", c.want...)
		w.conserved("a/b", c.schedule)
	}
}

// TestClockForward: a clock that is put forward by more than a minute skips what it passes; by less, it is only late.
func TestClockForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	s := cron("s", "* * * * *")
	w.define("a/b", s)
	w.open()
	w.pass(10 * time.Second)
	w.wall = w.wall.Add(3 * time.Minute)
	w.pass(10 * time.Second)
	w.expect("a/b", "s", "12:01:00 missed(clock_jump)", "12:02:00 missed(clock_jump)", "12:03:00 missed(clock_jump)")
	w.wall = w.wall.Add(55 * time.Second)
	w.pass(10 * time.Second)
	w.expect("a/b", "s", "12:01:00 missed(clock_jump)", "12:02:00 missed(clock_jump)", "12:03:00 missed(clock_jump)", "12:04:00 released(due)")
	w.conserved("a/b", s)
}

// TestClockBack: nothing that was decided is decided again; what comes is waited for.
func TestClockBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	s := cron("s", "* * * * *")
	w.define("a/b", s)
	w.open()
	w.pass(2 * time.Minute)
	w.wall = w.wall.Add(-90 * time.Second)
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 released(due)", "12:03:00 released(due)")
	w.down(-2 * time.Minute)
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 released(due)", "12:03:00 released(due)", "12:04:00 released(due)")
	w.conserved("a/b", s)
}

// TestStoodStill: a process that was stopped for more than a minute could not decide.
func TestStoodStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	s := cron("s", "* * * * *")
	w.define("a/b", s)
	w.open()
	w.pass(time.Second)
	w.wall, w.mono = w.wall.Add(150*time.Second), w.mono+150*time.Second
	w.settle()
	w.expect("a/b", "s", "12:01:00 missed(server_down)", "12:02:00 missed(server_down)")
}

// TestQueue: overlap queue lets one after the other go, in the commit in which the run before ends.
func TestQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	w.agents.set(linked("one", 10))
	s := cron("s", "* * * * *", overlap(calendar.OverlapQueue))
	w.define("a/b", s)
	w.open()
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 pending(queued)", "12:03:00 pending(queued)")
	for i, want := range [][]string{
		{"12:01:00 released(due)", "12:02:00 released(waited)", "12:03:00 pending(queued)"},
		{"12:01:00 released(due)", "12:02:00 released(waited)", "12:03:00 released(waited)"},
	} {
		w.end(w.OpenRunsOf("a/b")[0])
		w.expect("a/b", "s", want...)
		if got := len(w.OpenRunsOf("a/b")); got != 1 {
			t.Errorf("after end %d %d runs are open, want 1", i, got)
		}
	}
	w.conserved("a/b", s)
}

// TestQueuedWhileHeld: what was queued before the domain was held is released after it, also where its turn came meanwhile.
func TestQueuedWhileHeld(t *testing.T) {
	t.Parallel()
	w, s := site(t, overlap(calendar.OverlapQueue))
	w.pass(2 * time.Minute)
	w.do(func(ctx context.Context) error { return w.SetHeld(ctx, "maintenance", store.AuditRecord{}) })
	w.end(w.OpenRunsOf("a/b")[0])
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 pending(queued)")
	w.pass(time.Minute)
	w.do(func(ctx context.Context) error { return w.SetHeld(ctx, "", store.AuditRecord{}) })
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 released(waited)", "12:03:00 suppressed(held)")
	w.conserved("a/b", s)
}

// TestQueuedWhileTheDiskIsFull: a run that ends while nothing can be decided lets what is queued behind it go afterwards.
func TestQueuedWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	w, s := site(t, overlap(calendar.OverlapQueue))
	w.pass(2 * time.Minute)
	w.SetDisk("full")
	w.end(w.OpenRunsOf("a/b")[0])
	w.pass(time.Second)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 pending(queued)")
	w.SetDisk("")
	w.settle()
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 released(waited)")
	w.conserved("a/b", s)
}

// end reports that the job of a run has ended well.
func (w *world) end(id string) {
	w.t.Helper()
	w.do(func(ctx context.Context) error {
		zero := 0
		return w.Report(ctx, "id-one", []run.Report{{Run: id, Input: run.Ended{Job: "a", N: 1, StartedAt: w.wall, At: w.wall, ExitCode: &zero}}})[0]
	})
}

// TestReplace: overlap replace cancels what is open, and the newest takes its place.
func TestReplace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	w.agents.set(linked("one", 10))
	s := cron("s", "* * * * *", overlap(calendar.OverlapReplace))
	w.define("a/b", s)
	w.open()
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 suppressed(overlap)", "12:03:00 pending(queued)")
	w.end(w.OpenRunsOf("a/b")[0])
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 suppressed(overlap)", "12:03:00 released(waited)")
	w.conserved("a/b", s)
}

// TestStartWindow: with a start window an occurrence waits for an agent until it closes.
func TestStartWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	s := cron("s", "*/2 * * * *", within(30*time.Second))
	w.define("a/b", s)
	w.open()
	w.pass(2*time.Minute + 5*time.Second)
	w.expect("a/b", "s", "12:02:00 pending(awaits_agent)")
	before := w.Alarms()
	for range 100 {
		w.Kick()
		w.settle()
	}
	if got := w.Alarms(); got != before {
		t.Errorf("%d alarms for one that waits, want %d", got, before)
	}
	w.pass(time.Minute)
	w.expect("a/b", "s", "12:02:00 missed(no_agent)")
	w.pass(55 * time.Second)
	w.agents.set(linked("one", 1))
	w.Kick()
	w.settle()
	w.expect("a/b", "s", "12:02:00 missed(no_agent)", "12:04:00 released(waited)")
	w.conserved("a/b", s)
}

// TestLoop: the engine's own loop wakes for each second in which something is due, and is never late by more than a moment.
func TestLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Now())
		s := cron("s", "*/3 * * * * *")
		c := w.config()
		c.Now, c.Mono = time.Now, nil
		w.wall = time.Now()
		w.define("a/b", s)
		var err error
		if w.Engine, err = engine.Open(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(31 * time.Second)
		synctest.Wait()
		records := w.records("a/b", "s")
		for _, r := range records[1:] { // the first may be due in the instant of the start
			if r.Decision != occurrence.Released || r.Reason != occurrence.Due || r.Decided.Sub(r.Due) > time.Millisecond {
				t.Errorf("due %s: %s (%s) at %s", r.Due, r.Decision, r.Reason, r.Decided)
			}
		}
		if len(records) < 10 {
			t.Errorf("%d in half a minute", len(records))
		}
		w.conserved("a/b", s)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
