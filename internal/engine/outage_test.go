package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// TestStopped stops the server for 1 s to 10 min around firing seconds, again and again: what was decided is what the rules have.
func TestStopped(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t, day0.Add(time.Second))
	all := []calendar.Schedule{
		cron("each", "* * * * *"), cron("last", "*/3 * * * *", catchup(calendar.CatchupLast)), cron("all", "* * * * *", catchup(calendar.CatchupAll)),
		cron("fast", "*/37 * * * * *"), cron("window", "*/2 * * * *", within(3*time.Minute)),
	}
	w.define("a/b", all...)
	w.agents.set(linked("one", 0))
	w.open()
	for range 300 {
		next := w.wall.Truncate(time.Minute).Add(time.Minute)
		w.pass(next.Sub(w.wall) - time.Duration(rng.Int64N(int64(2*time.Second))) + time.Duration(rng.Int64N(int64(2*time.Second))))
		w.sweep("a/b")
		w.down(time.Second + time.Duration(rng.Int64N(int64(10*time.Minute))))
	}
	w.conserved("a/b", all...)
	for _, r := range w.records("a/b", "each") {
		if r.Decision == occurrence.Released && r.Decided.Sub(r.Due) > time.Second {
			t.Errorf("%s was released at %s as if it had been on time", r.Due, r.Decided)
		}
	}
}

// sweep cancels what is open of a net, so that a restart has little to read.
func (w *world) sweep(net string) {
	w.t.Helper()
	open := w.OpenRunsOf(net)
	done := make(chan error, len(open))
	for _, id := range open {
		go func() {
			_, err := w.Apply(w.t.Context(), id, run.Cancel{By: "test"})
			done <- err
		}()
	}
	for w.Waiting() < len(open) {
		runtime.Gosched()
	}
	w.settle()
	for range open {
		if err := <-done; err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestClocks steps and slews the wall clock at random: nothing is decided twice (the store refuses), nothing is lost.
func TestClocks(t *testing.T) {
	t.Parallel()
	const cases = 1000
	rng := rand.New(rand.NewPCG(3, 4))
	all := []calendar.Schedule{cron("hourly", "7 * * * *"), cron("daily", "30 2 * * *", catchup(calendar.CatchupLast)), cron("odd", "*/13 * * * *", within(time.Minute))}
	worlds := 10
	for i := range worlds {
		w := newWorld(t, day0.Add(time.Second))
		w.agents.set(linked("one", 0))
		w.define("a/b", all...)
		w.open()
		for range cases / worlds {
			switch rng.IntN(4) {
			case 0: // a step of 1 ms to 400 days
				step := time.Duration(float64(time.Millisecond) * pow(rng.Float64(), 400*24*3600*1000))
				if rng.IntN(2) == 0 {
					step = -step
				}
				w.wall = w.wall.Add(step)
			case 1: // a slew of 500 ppm for a while
				d := time.Duration(rng.Int64N(int64(time.Hour)))
				w.pass(d)
				w.wall = w.wall.Add(time.Duration(float64(d) * 0.0005 * (2*rng.Float64() - 1)))
			case 2:
				w.sweep("a/b")
				w.down(time.Duration(rng.Int64N(int64(10 * time.Minute))))
			case 3:
				w.pass(time.Duration(rng.Int64N(int64(2 * time.Hour))))
			}
			w.pass(time.Duration(rng.Int64N(int64(time.Minute))))
		}
		w.conserved("a/b", all...)
		if i == 0 && len(w.records("a/b", "hourly")) == 0 {
			t.Error("nothing was ever due: the test tests nothing")
		}
	}
}

// pow returns most^x: as many small steps as large ones.
func pow(x, most float64) float64 {
	n := 1.0
	for most > 1 && x > 0 {
		step := min(x, 0.05)
		n *= 1 + step*18 // about e^(18x)
		x -= step
	}
	return min(n, most)
}

// TestGapOfASecondEachForAYear: 34.6 million occurrences are one row, exactly counted.
func TestGapOfASecondEachForAYear(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Millisecond))
	s := cron("s", "* * * * * *")
	w.define("a/b", s)
	w.open()
	w.down(400 * 24 * time.Hour)
	ranges := w.ranges("a/b", "s")
	if len(ranges) != 1 || ranges[0].Count != 400*24*3600 || ranges[0].Reason != occurrence.ServerDown {
		t.Fatalf("got %v, want one range of %d missed", ranges, 400*24*3600)
	}
	if r := ranges[0]; !r.First.Equal(day0.Add(time.Second)) || !r.Last.Equal(day0.Add(400*24*time.Hour)) {
		t.Errorf("it reaches from %s to %s", r.First, r.Last)
	}
	w.conserved("a/b", s)
	w.pass(3 * time.Second)
	w.conserved("a/b", s)
}

// BenchmarkGap is the start after 400 days without a server, with a schedule of every second: time, and what the heap grows by.
func BenchmarkGap(b *testing.B) {
	for range b.N {
		b.StopTimer()
		w := newWorld(b, day0.Add(time.Millisecond))
		w.define("a/b", cron("s", "* * * * * *", catchup(calendar.CatchupLast)))
		w.open()
		w.wall = w.wall.Add(400 * 24 * time.Hour)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		w.open()
		b.StopTimer()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/(1<<20), "MiB-alloc/op")
		if len(w.ranges("a/b", "s")) != 1 {
			b.Fatal("not one range")
		}
	}
}

var errCrash = errors.New("the process dies here")

// TestCrash ends the process at any commit, before it or after it, and starts it again: nothing is decided twice, nothing is lost.
func TestCrash(t *testing.T) {
	t.Parallel()
	const nets = 510 // more than one turn decides
	rng := rand.New(rand.NewPCG(5, 6))
	w := newWorld(t, day0.Add(time.Second))
	s := cron("s", "* * * * *", catchup(calendar.CatchupLast))
	names := many(w, nets, func(int) calendar.Schedule { return s })
	crashes := 0
	for range 12 {
		commits := rng.IntN(3)
		w.store.spoil(func(b store.Batch) error {
			if commits--; commits < 0 {
				return errCrash
			}
			return nil
		})
		if err := w.until(time.Duration(rng.Int64N(int64(3 * time.Minute)))); err != nil {
			crashes++
		}
		w.store.spoil(nil)
	}
	w.down(time.Minute)
	for _, net := range names {
		w.conserved(net, s)
	}
	if crashes < 5 {
		t.Errorf("it crashed %d times: the test tests little", crashes)
	}
}

// until starts the server and lets time pass, until a commit fails for good.
func (w *world) until(d time.Duration) error {
	w.wall, w.mono = w.wall.Add(d/2), w.mono+d/2
	e, err := engine.Open(w.t.Context(), w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	w.Engine = e
	for left := d / 2; left > 0; {
		for {
			if err := w.Turn(w.t.Context()); err != nil {
				return err
			}
			if w.Sleep() > 0 {
				break
			}
		}
		step := min(w.Sleep(), left)
		w.wall, w.mono, left = w.wall.Add(step), w.mono+step, left-step
	}
	return nil
}

// TestAtOneSecond: all that is due in one second is released, in the order of due, net and schedule.
func TestAtOneSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	names := many(w, 1200, func(int) calendar.Schedule { return cron("s", "* * * * *") })
	slices.Sort(names)
	w.open()
	w.pass(time.Minute)
	last := ""
	for _, net := range names {
		r := w.records(net, "s")
		if len(r) != 1 || r[0].Decision != occurrence.Released {
			t.Fatalf("%s: %v", net, r)
		}
		if r[0].Run <= last {
			t.Fatalf("%s was released before the one before it", net)
		}
		last = r[0].Run
	}
}

// TestDueWhileHeld: while the domain is held what is due waits; then it is decided as after an outage.
func TestDueWhileHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	none, last, window := cron("none", "* * * * *"), cron("last", "* * * * *", catchup(calendar.CatchupLast)), cron("window", "* * * * *", within(90*time.Second))
	w.agents.set(linked("one", 0))
	w.define("a/b", none, last, window)
	w.open()
	w.do(func(ctx context.Context) error { return w.SetHeld(ctx, "maintenance", store.AuditRecord{}) })
	w.pass(2 * time.Minute)
	w.expect("a/b", "last", "12:01:00 pending(domain_held)", "12:02:00 pending(domain_held)")
	w.conserved("a/b", none, last, window)
	w.down(time.Minute)
	w.do(func(ctx context.Context) error { return w.SetHeld(ctx, "", store.AuditRecord{}) })
	w.expect("a/b", "none", "12:01:00 suppressed(held)", "12:02:00 suppressed(held)", "12:03:00 suppressed(held)")
	w.expect("a/b", "last", "12:01:00 missed(catchup_limit)", "12:02:00 missed(catchup_limit)", "12:03:00 released(catchup)")
	w.expect("a/b", "window", "12:01:00 suppressed(held)", "12:02:00 released(catchup)", "12:03:00 released(catchup)")
	w.conserved("a/b", none, last, window)
}

// TestDueWhileTheDiskIsFull: while the disk is full nothing is decided, and nothing lost.
func TestDueWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	s := cron("s", "* * * * *", within(90*time.Second))
	w.agents.set(linked("one", 0))
	w.define("a/b", s)
	w.open()
	full := true
	w.store.spoil(func(b store.Batch) error {
		if full && len(b.Occurrences) > 0 {
			return store.ErrDisk
		}
		return nil
	})
	w.pass(2*time.Minute + 10*time.Second)
	w.expect("a/b", "s")
	if got, ok := w.PendingWhy(occurrence.Key{Net: "a/b", Schedule: "s", Nominal: day0.Add(time.Minute)}); !ok || got.Reason != occurrence.DiskFull {
		t.Errorf("why it waits: %v %v", got, ok)
	}
	err := w.try(func(ctx context.Context) error {
		_, err := w.ReleaseOccurrence(ctx, occurrence.Key{Net: "a/b", Schedule: "s", Nominal: day0.Add(5 * time.Minute)}, ann)
		return err
	})
	if !fault.Is(err, fault.Disk) {
		t.Errorf("released on a full disk: %v", err)
	}
	err = w.try(func(ctx context.Context) error {
		_, err := w.CancelOccurrence(ctx, occurrence.Key{Net: "a/b", Schedule: "s", Nominal: day0.Add(5 * time.Minute)}, ann)
		return err
	})
	if !fault.Is(err, fault.Disk) {
		t.Errorf("cancelled on a full disk: %v", err)
	}
	full = false
	w.SetDisk("")
	w.settle()
	w.expect("a/b", "s", "12:01:00 released(catchup)", "12:02:00 released(catchup)")
	w.conserved("a/b", s)
}

// TestRangesAreDecided: what a range stands for is not decided again where a changed rule has it at a later due, neither when that comes nor in
// another outage.
func TestRangesAreDecided(t *testing.T) {
	t.Parallel()
	spread := func(s *calendar.Schedule) { s.Jitter = 2 * time.Minute }
	for name, later := range map[string]func(w *world){
		"in time":        func(w *world) { w.pass(5 * time.Minute) },
		"after a second": func(w *world) { w.pass(time.Second); w.down(20 * time.Minute) },
		"in an outage":   func(w *world) { w.down(20 * time.Minute) },
	} {
		w := newWorld(t, day0.Add(time.Second))
		w.agents.set(linked("one", 100))
		w.define("a/b", cron("s", "*/20 * * * * *"))
		w.open()
		w.down(10 * time.Minute)
		if ranges := w.ranges("a/b", "s"); len(ranges) != 1 || ranges[0].Count != 30 {
			t.Fatalf("%s: got %v, want a range of 30", name, ranges)
		}
		w.define("a/b", cron("s", "*/20 * * * * *", spread))
		since := w.wall
		later(w)
		rule, problems := calendar.NewCompiler(w.zones, nil).Compile("a/b", cron("s", "*/20 * * * * *", spread))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		again, want := 0, int64(30)
		for o := range rule.Between(since.Add(-time.Microsecond), w.Decided()) {
			if o.Nominal.After(since) {
				want++
			} else {
				again++
			}
		}
		got := int64(0)
		for _, r := range w.records("a/b", "s") {
			got++
			if !r.Nominal.After(since) {
				t.Errorf("%s: %s is %s(%s), and a range stands for it", name, r.Nominal, r.Decision, r.Reason)
			}
		}
		for _, r := range w.ranges("a/b", "s") {
			got += r.Count
		}
		if again == 0 || got != want {
			t.Errorf("%s: %d are decided, want %d; %d of the changed rule were decided before", name, got, want, again)
		}
	}
}

// TestDueAsItOpens: what falls due at the instant at which a server opens is on time.
func TestDueAsItOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	w.agents.set(linked("one", 100))
	w.define("a/b", cron("s", "* * * * *"))
	w.open()
	w.down(2*time.Minute - time.Second)
	w.pass(time.Second)
	w.expect("a/b", "s", "12:01:00 missed(server_down)", "12:02:00 released(due)")
}

// TestRecordsAreDecided: what an earlier rule had decided before its nominal instant, by a shift, is not decided again in an outage under a rule
// that has it later.
func TestRecordsAreDecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Date(2026, 3, 26, 12, 1, 0, 0, time.UTC)) // a Thursday
	w.days = []*calendar.Definition{{Name: "office", Week: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}}}
	w.agents.set(linked("one", 100))
	w.define("a/b", cron("s", "0 9 * * *", func(s *calendar.Schedule) {
		s.Calendar, s.Shift, s.OnCollision = "office", "before", calendar.CollisionBoth
	}))
	w.open()
	w.pass(24 * time.Hour) // Friday, at noon: Saturday and Sunday were released
	if got := w.records("a/b", "s"); len(got) != 3 {
		t.Fatalf("got %v, want Friday, Saturday and Sunday", got)
	}
	w.define("a/b", cron("s", "0 * * * *"))
	w.down(60*time.Hour + time.Second)
	got := int64(0)
	for _, r := range w.ranges("a/b", "s") {
		got += r.Count
	}
	if want := int64(60 - 2); got != want || len(w.records("a/b", "s")) != 3 {
		t.Errorf("got %v in ranges and %d records, want %d: of Saturday and Sunday at nine it was decided on Friday", w.ranges("a/b", "s"), len(w.records("a/b", "s")), want)
	}
}

// TestChangedWhileDown: what was due by a definition that ended while no server ran is decided, with the calendars that it had.
func TestChangedWhileDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	w.days = []*calendar.Definition{{Name: "office", Week: []time.Weekday{time.Monday, time.Tuesday}}}
	w.agents.set(linked("one", 100))
	w.define("a/b", cron("s", "* * * * *", func(s *calendar.Schedule) { s.Calendar = "office" }))
	w.open()
	w.running = false
	w.wall, w.mono = w.wall.Add(3*time.Minute), w.mono+3*time.Minute
	w.define("a/b", cron("s", "30 * * * *", func(s *calendar.Schedule) { s.Calendar = "office" }))
	w.down(time.Minute)
	w.expect("a/b", "s", "12:01:00 missed(server_down)", "12:02:00 missed(server_down)", "12:03:00 missed(server_down)")
}
