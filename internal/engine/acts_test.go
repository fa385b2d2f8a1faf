package engine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

var ann = engine.Act{By: "ann", Reason: "because"}

func at(schedule, clock string) occurrence.Key {
	d, err := time.Parse("15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return occurrence.Key{
		Net: "a/b", Schedule: schedule, Nominal: day0.Truncate(24 * time.Hour).Add(d.Sub(d.Truncate(24 * time.Hour))),
	}
}

// site is a running world with one net and one schedule of every minute.
func site(t *testing.T, options ...func(*calendar.Schedule)) (*world, calendar.Schedule) {
	t.Helper()
	w := newWorld(t, day0.Add(time.Second))
	w.agents.set(linked("one", 10))
	s := cron("s", "* * * * *", options...)
	w.define("a/b", s)
	return w.open(), s
}

func (w *world) override(o occurrence.Override) occurrence.Override {
	w.t.Helper()
	var got occurrence.Override
	w.do(func(ctx context.Context) (err error) {
		got, err = w.Override(ctx, o, ann)
		return err
	})
	return got
}

// state returns the state of an override as it is stored.
func (w *world) state(id int64) occurrence.OverrideState {
	w.t.Helper()
	all, err := w.store.Overrides(w.t.Context(), "", nil, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range all {
		if o.ID == id {
			return o.State
		}
	}
	w.t.Fatalf("there is no override %d", id)
	return ""
}

// TestOverrides: what people change of the agenda does what it says, and says that it did.
func TestOverrides(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	skip := w.override(occurrence.Override{Kind: occurrence.OverrideSkip, Key: at("s", "12:01:00")})
	move := w.override(occurrence.Override{Kind: occurrence.OverrideMove, Key: at("s", "12:02:00"), To: day0.Add(3*time.Minute + 30*time.Second)})
	early := w.override(occurrence.Override{Kind: occurrence.OverrideMove, Key: at("s", "12:05:00"), To: day0.Add(30 * time.Second)})
	hold := w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: at("s", "12:03:00"), Expires: day0.Add(4*time.Minute + 10*time.Second)})
	add := w.override(occurrence.Override{Kind: occurrence.OverrideAdd, Key: at("", "12:00:45"), Params: map[string]string{"x": "7"}})
	w.expect("a/b", "s", "12:01:00 pending(not_due)", "12:02:00 pending(not_due)", "12:03:00 pending(not_due)", "12:05:00 pending(not_due)")
	w.pass(2*time.Minute + 30*time.Second)
	w.expect("a/b", "s", "12:01:00 cancelled(cancelled)", "12:02:00 pending(not_due)", "12:03:00 pending(not_due)", "12:05:00 released(due)")
	w.pass(time.Minute)
	w.expect("a/b", "s", "12:01:00 cancelled(cancelled)", "12:02:00 released(due)", "12:03:00 pending(held_back)", "12:05:00 released(due)")
	w.conserved("a/b", s)
	w.down(0) // the mark is behind what was released before its time
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 cancelled(cancelled)", "12:02:00 released(due)", "12:03:00 released(waited)", "12:04:00 released(due)", "12:05:00 released(due)", "12:06:00 released(due)")
	w.conserved("a/b", s)
	w.expect("a/b", "manual", "12:00:45 released(by_hand)")
	added := w.records("a/b", "manual")[0]
	if st, err := w.store.Run(t.Context(), added.Run); err != nil || st.Params["x"] != "7" || st.Schedule != occurrence.Manual {
		t.Errorf("the run of what was added: %v %v", st, err)
	}
	for id, want := range map[int64]occurrence.OverrideState{
		skip.ID: occurrence.OverrideUsed, move.ID: occurrence.OverrideUsed, early.ID: occurrence.OverrideUsed, hold.ID: occurrence.OverrideExpired, add.ID: occurrence.OverrideUsed,
	} {
		if got := w.state(id); got != want {
			t.Errorf("override %d is %s, want %s", id, got, want)
		}
	}
}

// TestOverridesInAnOutage: what people said before still counts for what fell due while no server ran.
func TestOverridesInAnOutage(t *testing.T) {
	t.Parallel()
	w, s := site(t, catchup(calendar.CatchupLast))
	w.override(occurrence.Override{Kind: occurrence.OverrideSkip, Key: at("s", "12:30:00")})
	hold := w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: at("s", "12:40:00")})
	w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: occurrence.Key{Net: "a/b", Schedule: "s"}, From: day0.Add(50 * time.Minute)})
	w.down(time.Hour)
	w.conserved("a/b", s)
	lines := w.said("a/b", "s")
	for _, want := range []string{"12:30:00 cancelled(cancelled)", "12:40:00 pending(held_back)", "13:00:00 pending(held_back)"} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is not among %q", want, lines)
		}
	}
	w.do(func(ctx context.Context) error {
		_, err := w.ReleaseOccurrence(ctx, at("s", "12:40:00"), ann)
		return err
	})
	if got := w.state(hold.ID); got != occurrence.OverrideUsed {
		t.Errorf("the hold is %s", got)
	}
	w.conserved("a/b", s)
}

// TestRecover: a missed occurrence that is released stays missed and names its run; a range is split exactly.
func TestRecover(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	w.down(10 * time.Minute)
	release := func(k occurrence.Key) error {
		return w.try(func(ctx context.Context) error {
			st, err := w.ReleaseOccurrence(ctx, k, ann)
			if err == nil && (st.ID == "" || st.Schedule != k.Schedule || !st.Nominal.Equal(k.Nominal) || st.By != "ann") {
				t.Errorf("the run is %+v", st)
			}
			return err
		})
	}
	if err := release(at("s", "12:04:00")); err != nil {
		t.Fatal(err)
	}
	if r := w.records("a/b", "s")[3]; r.Decision != occurrence.Missed || r.RecoveredBy == "" || r.Run != "" {
		t.Errorf("got %+v", r)
	}
	if err := release(at("s", "12:04:00")); !fault.Is(err, fault.Conflict) {
		t.Errorf("once more: %v", err)
	}
	w.down(10 * time.Hour)
	if n := len(w.ranges("a/b", "s")); n != 1 {
		t.Fatalf("%d ranges", n)
	}
	for _, k := range []occurrence.Key{at("s", "15:00:00"), at("s", "12:11:00"), at("s", "22:10:00"), at("s", "15:01:00"), at("s", "14:59:00")} {
		if err := release(k); err != nil {
			t.Fatalf("%s: %v", k.Nominal, err)
		}
		w.conserved("a/b", s)
	}
	if got := w.ranges("a/b", "s"); len(got) != 2 || got[0].Count != 167 || got[1].Count != 428 {
		t.Errorf("got %v", got)
	}
	var n int64
	w.do(func(ctx context.Context) (err error) {
		n, err = w.Dismiss(ctx, engine.Dismissal{Net: "a/b"}, ann)
		return err
	})
	if want := int64(9 + 167 + 428); n != want {
		t.Errorf("%d were dismissed, want %d", n, want)
	}
	if err := release(at("s", "11:00:00")); !fault.Is(err, fault.NotFound) {
		t.Errorf("before the schedule was in force: %v", err)
	}
}

// TestReleaseBeforeItsTime: what is released or cancelled before it is due is not decided again when it is.
func TestReleaseBeforeItsTime(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	w.do(func(ctx context.Context) error {
		_, err := w.ReleaseOccurrence(ctx, at("s", "12:02:00"), ann)
		return err
	})
	w.do(func(ctx context.Context) error {
		_, err := w.CancelOccurrence(ctx, at("s", "12:03:00"), ann)
		return err
	})
	w.pass(time.Minute)
	w.down(time.Second)
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 released(by_hand)", "12:03:00 cancelled(cancelled)", "12:04:00 released(due)")
	w.conserved("a/b", s)
}

// TestPause: what falls due in a pause is suppressed, also in an outage; a pause ends by itself.
func TestPause(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	w.do(func(ctx context.Context) error {
		_, err := w.Pause(ctx, "a/b", "s", day0.Add(3*time.Minute+30*time.Second), ann)
		return err
	})
	w.pass(2 * time.Minute)
	w.down(3 * time.Minute)
	w.pass(time.Minute)
	w.expect("a/b", "s", "12:01:00 suppressed(paused)", "12:02:00 suppressed(paused)", "12:03:00 suppressed(paused)",
		"12:04:00 missed(server_down)", "12:05:00 missed(server_down)", "12:06:00 released(due)")
	if _, paused := w.PausedNow("a/b", "s"); paused {
		t.Error("it is still paused")
	}
	if all, err := w.store.Pauses(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("the store has pauses: %v %v", all, err)
	}
	w.conserved("a/b", s)
	err := w.try(func(ctx context.Context) error { return w.Resume(ctx, "a/b", "s", ann) })
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("resuming what is not paused: %v", err)
	}
}

// TestRescheduled: what waits and is no occurrence of the newer definition is cancelled, what it still has goes on waiting, and overrides of what is
// gone are stale.
func TestRescheduled(t *testing.T) {
	t.Parallel()
	w, s := site(t, overlap(calendar.OverlapQueue))
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 pending(queued)", "12:03:00 pending(queued)")
	gone := w.override(occurrence.Override{Kind: occurrence.OverrideSkip, Key: at("s", "12:05:00")})
	kept := w.override(occurrence.Override{Kind: occurrence.OverrideSkip, Key: at("s", "12:06:00")})
	newer := cron("s", "*/2 * * * *", overlap(calendar.OverlapQueue))
	w.define("a/b", newer)
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 pending(queued)", "12:03:00 cancelled(definition_changed)", "12:04:00 pending(queued)",
		"12:05:00 cancelled(definition_changed)", "12:06:00 cancelled(cancelled)")
	if a, b := w.state(gone.ID), w.state(kept.ID); a != occurrence.OverrideStale || b != occurrence.OverrideUsed {
		t.Errorf("the overrides are %s and %s", a, b)
	}
	_ = s
	w.define("a/b")
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 cancelled(definition_changed)", "12:03:00 cancelled(definition_changed)",
		"12:04:00 cancelled(definition_changed)", "12:05:00 cancelled(definition_changed)", "12:06:00 cancelled(cancelled)")
	if all := w.Schedules("", ""); len(all) != 0 {
		t.Errorf("still in force: %v", all)
	}
}

// TestRolledBack: what a person has changed of an occurrence that is still to come outlives a definition that does not have it and is taken back.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	w.pass(time.Minute)
	skip := w.override(occurrence.Override{Kind: occurrence.OverrideSkip, Key: at("s", "12:11:00")})
	hold := w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: at("s", "12:03:00")})
	lost := w.override(occurrence.Override{Kind: occurrence.OverrideSkip, Key: at("s", "12:05:00")})
	brief := w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: at("s", "12:13:00"), Expires: day0.Add(4 * time.Minute)})
	states := func(want ...occurrence.OverrideState) {
		t.Helper()
		for i, o := range []occurrence.Override{skip, hold, lost, brief} {
			if got := w.state(o.ID); got != want[i] {
				t.Errorf("override %d is %s, want %s", i, got, want[i])
			}
		}
	}
	w.define("a/b", cron("s", "*/2 * * * *"))
	states(occurrence.OverrideStale, occurrence.OverrideStale, occurrence.OverrideStale, occurrence.OverrideStale)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:03:00 pending(not_due)", "12:05:00 pending(not_due)", "12:11:00 pending(not_due)", "12:13:00 pending(not_due)")
	if err := w.try(func(ctx context.Context) error {
		_, err := w.Override(ctx, occurrence.Override{Kind: occurrence.OverrideSkip, Key: at("s", "12:13:00")}, engine.Act{By: "ann"})
		return err
	}); !fault.Is(err, fault.Conflict) {
		t.Errorf("what no rule has is skipped: %v", err)
	}
	w.pass(2 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 released(due)", "12:03:00 cancelled(definition_changed)", "12:05:00 pending(not_due)",
		"12:11:00 pending(not_due)", "12:13:00 pending(not_due)")
	w.down(time.Minute)
	w.down(time.Minute)
	w.pass(30 * time.Second)
	w.define("a/b", s)
	states(occurrence.OverrideActive, occurrence.OverrideStale, occurrence.OverrideStale, occurrence.OverrideExpired)
	w.pass(8 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 released(due)", "12:03:00 cancelled(definition_changed)", "12:04:00 missed(server_down)",
		"12:05:00 cancelled(definition_changed)", "12:06:00 released(due)", "12:07:00 released(due)", "12:08:00 released(due)", "12:09:00 released(due)",
		"12:10:00 released(due)", "12:11:00 cancelled(cancelled)", "12:12:00 released(due)", "12:13:00 released(due)")
	states(occurrence.OverrideUsed, occurrence.OverrideStale, occurrence.OverrideStale, occurrence.OverrideExpired)
}

// TestNowSuppressed: an override of an occurrence that a newer definition suppresses is stale, as the occurrence will be cancelled; taken back, it is active.
func TestNowSuppressed(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	w.pass(time.Minute)
	hold := w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: at("s", "12:03:00")})
	stays := w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: at("s", "12:05:00")})
	states := func(wantHold, wantStays occurrence.OverrideState) {
		t.Helper()
		if got, other := w.state(hold.ID), w.state(stays.ID); got != wantHold || other != wantStays {
			t.Errorf("got %s and %s, want %s and %s", got, other, wantHold, wantStays)
		}
	}
	quiet := s
	quiet.Blackouts = []calendar.Blackout{{From: "12:03", Until: "12:04"}}
	w.define("a/b", quiet)
	states(occurrence.OverrideStale, occurrence.OverrideActive)
	w.define("a/b", s)
	states(occurrence.OverrideActive, occurrence.OverrideActive)
	w.define("a/b", quiet)
	w.pass(3 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:02:00 released(due)", "12:03:00 cancelled(definition_changed)", "12:04:00 released(due)", "12:05:00 pending(not_due)")
	states(occurrence.OverrideStale, occurrence.OverrideActive)
}

// TestSpanGuard: a definition that was changed between the decision and its commit is read anew.
func TestSpanGuard(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	w.pass(time.Minute)
	w.wall, w.mono = w.wall.Add(time.Second), w.mono+time.Second
	w.running = false // nobody tells the engine
	other := cron("s", "30 * * * *")
	w.define("a/b", other)
	w.pass(2 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)")
	w.pass(30 * time.Minute)
	w.expect("a/b", "s", "12:01:00 released(due)", "12:30:00 released(due)")
	w.conserved("a/b", s)
}

// TestByEnd: of a rule by end the next occurrence counts from the end of the run, over restarts too.
func TestByEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0.Add(time.Second))
	w.agents.set(linked("one", 10))
	s := calendar.DefaultSchedule()
	s.Name, s.Every, s.EveryBy = "s", time.Minute, calendar.EveryEnd
	w.open()
	w.pass(time.Second / 2)
	w.define("a/b", s)
	w.pass(5 * time.Second)
	w.expect("a/b", "s", "12:00:02 released(due)")
	w.pass(100 * time.Second)
	if sch, ok := w.RuleOf("a/b", "s"); !ok || !sch.AwaitsEnd || sch.HasNext {
		t.Errorf("while the run is open: %+v", sch)
	}
	w.end(w.OpenRunsOf("a/b")[0])
	if sch, _ := w.RuleOf("a/b", "s"); !sch.HasNext || sch.Next.Due.Sub(w.wall) < 59*time.Second {
		t.Errorf("after it: %+v", sch)
	}
	w.down(10 * time.Second)
	w.pass(time.Minute)
	got := w.records("a/b", "s")
	if len(got) != 2 || got[1].Decision != occurrence.Released || got[1].Reason != occurrence.Due {
		t.Errorf("got %v", w.said("a/b", "s"))
	}
}

// TestByEndRedefined: a rule by end that is changed counts from the same end, with what it says now.
func TestByEndRedefined(t *testing.T) {
	t.Parallel()
	for length, want := range map[time.Duration][]string{
		time.Minute:      {"12:00:01 released(due)", "12:01:02 released(due)"},
		30 * time.Second: {"12:00:01 released(due)", "12:00:32 released(due)", "12:01:02 cancelled(definition_changed)"},
		5 * time.Second:  {"12:00:01 released(due)", "12:00:13 released(due)", "12:01:02 cancelled(definition_changed)"}, // not in the past
		time.Hour:        {"12:00:01 released(due)", "12:01:02 cancelled(definition_changed)", "13:00:02 pending(not_due)"},
	} {
		w := newWorld(t, day0.Add(time.Second))
		w.agents.set(linked("one", 10))
		s := calendar.DefaultSchedule()
		s.Name, s.Every, s.EveryBy = "s", time.Minute, calendar.EveryEnd
		w.define("a/b", s)
		w.open()
		w.pass(time.Second)
		w.end(w.OpenRunsOf("a/b")[0])
		w.pass(10*time.Second + time.Millisecond)
		s.Every, s.Overlap = length, calendar.OverlapSkip
		w.define("a/b", s)
		w.pass(2 * time.Minute)
		w.expect("a/b", "s", want...)
	}
}

// TestByEndInANewSpan: what of a rule by end was due while no server ran is missed, and the rule that took its place meanwhile (by a new time zone
// database, say) goes on from there.
func TestByEndInANewSpan(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{10 * time.Second, 3 * time.Minute} {
		w := newWorld(t, day0.Add(time.Second))
		w.agents.set(linked("one", 10))
		s := calendar.DefaultSchedule()
		s.Name, s.Every, s.EveryBy = "s", time.Minute, calendar.EveryEnd
		w.define("a/b", s)
		w.open()
		w.pass(time.Second)
		w.end(w.OpenRunsOf("a/b")[0])
		w.running = false
		w.wall, w.mono = w.wall.Add(length), w.mono+length
		w.define("a/b", s)
		w.open()
		w.pass(2 * time.Minute)
		got := w.records("a/b", "s")
		if last := got[len(got)-1]; last.Decision != occurrence.Released || w.wall.Sub(last.Due) > 2*time.Minute {
			t.Errorf("after %s: %v", length, w.said("a/b", "s"))
		}
		if length > time.Minute && got[1].Decision != occurrence.Missed {
			t.Errorf("after %s: %v, want the second missed", length, w.said("a/b", "s"))
		}
	}
}

// TestLate: a run that has not ended in time is said to be late, once, and goes on.
func TestLate(t *testing.T) {
	t.Parallel()
	w, _ := site(t, func(s *calendar.Schedule) { s.MustEnd = 30 * time.Second; s.Cron = "1 * * * *" })
	w.pass(70 * time.Second)
	id := w.OpenRunsOf("a/b")[0]
	if due, late := w.Late(id); late || !due.Equal(day0.Add(90*time.Second)) {
		t.Errorf("late %v, must end %s", late, due)
	}
	w.down(time.Second)
	w.pass(time.Minute)
	if _, late := w.Late(id); !late || !slices.Equal(w.late, []string{id}) {
		t.Errorf("late %v, told %v", late, w.late)
	}
	if s, ok := w.OpenRun(id); !ok || s.Status == run.Cancelled {
		t.Error("it was ended for being late")
	}
	w.end(id)
	if due, _ := w.Late(id); !due.IsZero() {
		t.Error("it has ended, and is still late")
	}
}

// TestRefusals: what could never do anything is refused, with what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w, _ := site(t)
	key := at("s", "12:05:00")
	for name, o := range map[string]occurrence.Override{
		"move into the past":   {Kind: occurrence.OverrideMove, Key: key, To: day0},
		"move too far":         {Kind: occurrence.OverrideMove, Key: key, To: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)},
		"add too far":          {Kind: occurrence.OverrideAdd, Key: occurrence.Key{Net: key.Net, Nominal: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"add in the past":      {Kind: occurrence.OverrideAdd, Key: at("", "11:00:00")},
		"add with a parameter": {Kind: occurrence.OverrideAdd, Key: at("", "13:00:00"), Params: map[string]string{"none": "1"}},
		"no such schedule":     {Kind: occurrence.OverrideSkip, Key: at("other", "12:05:00")},
		"no such occurrence":   {Kind: occurrence.OverrideSkip, Key: at("s", "12:05:30")},
		"expired":              {Kind: occurrence.OverrideSkip, Key: key, Expires: day0.Add(time.Minute)},
		"hold of nothing":      {Kind: occurrence.OverrideHold, Key: at("s", "12:05:00"), From: day0.Add(time.Hour)},
		"no kind":              {Kind: "wish", Key: key},
	} {
		err := w.try(func(ctx context.Context) error {
			_, err := w.Override(ctx, o, ann)
			return err
		})
		if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.override(occurrence.Override{Kind: occurrence.OverrideSkip, Key: key})
	err := w.try(func(ctx context.Context) error {
		_, err := w.Override(ctx, occurrence.Override{Kind: occurrence.OverrideSkip, Key: key}, ann)
		return err
	})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("twice: %v", err)
	}
}
