package calendar

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// test is a testing.T or a rapid.T.
type test interface {
	Helper()
	Fatal(args ...any)
}

func ruleOf(t test, change func(*Schedule)) *Rule {
	t.Helper()
	s := DefaultSchedule()
	s.Name = "s"
	change(&s)
	lookup := func(name string) (*Definition, bool) {
		d := &Definition{Name: name, Week: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}}
		if name == "with/holidays" {
			d.Free = []Date{{Date: "2026-12-25"}, {Date: "2027-01-01"}}
		}
		return d, true
	}
	r, problems := NewCompiler(Builtin(), lookup).Compile("a/b", s)
	if problems != nil {
		t.Fatal(problems)
	}
	return r
}

func TestCompare(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	until := since.AddDate(1, 0, 0)
	daily := func(s *Schedule) { s.Cron, s.Zone = "0 6 * * *", "Europe/Berlin" }
	berlin := ruleOf(t, daily)
	for _, one := range []struct {
		name         string
		old, updated *Rule
		want         Diff
		first        Difference
	}{
		{"nothing", nil, nil, Diff{}, Difference{}},
		{"the same", berlin, ruleOf(t, daily), Diff{Same: 365}, Difference{}},
		{"a new one", nil, berlin, Diff{Added: 365}, Difference{Kind: DiffAdded, After: since.Add(17 * time.Hour), Count: 1}},
		{"one that goes", berlin, nil, Diff{Removed: 365}, Difference{Kind: DiffRemoved, Before: since.Add(17 * time.Hour), Count: 1}},
		{
			"another zone: the same wall time", berlin, ruleOf(t, func(s *Schedule) { s.Cron, s.Zone = "0 6 * * *", "Europe/London" }),
			Diff{Moved: 365},
			Difference{Kind: DiffMoved, Before: since.Add(17 * time.Hour), After: since.Add(18 * time.Hour), Count: 1},
		},
		{
			"another hour", berlin, ruleOf(t, func(s *Schedule) { s.Cron, s.Zone = "0 7 * * *", "Europe/Berlin" }),
			Diff{Added: 365, Removed: 365},
			Difference{Kind: DiffRemoved, Before: since.Add(17 * time.Hour), Count: 1},
		},
		{
			"one day less", berlin, ruleOf(t, func(s *Schedule) { s.Cron, s.Zone = "0 6 * * 1-6", "Europe/Berlin" }),
			Diff{Removed: 53, Same: 312},
			Difference{Kind: DiffRemoved, Before: since.Add(17 * time.Hour), Count: 1},
		},
		{
			"two holidays", ruleOf(t, func(s *Schedule) { daily(s); s.Calendar = "without/holidays" }), ruleOf(t, func(s *Schedule) { daily(s); s.Calendar = "with/holidays" }),
			Diff{Removed: 2, Same: 258},
			Difference{Kind: DiffRemoved, Before: time.Date(2026, 12, 25, 5, 0, 0, 0, time.UTC), Count: 1, Reason: ReasonCalendar},
		},
		{
			"shifted holidays", ruleOf(t, func(s *Schedule) {
				daily(s)
				s.Calendar, s.Shift, s.OnCollision = "without/holidays", "after", CollisionBoth
			}),
			ruleOf(t, func(s *Schedule) {
				daily(s)
				s.Calendar, s.Shift, s.OnCollision = "with/holidays", "after", CollisionBoth
			}),
			Diff{Moved: 2, Same: 362},
			Difference{
				Kind: DiffMoved, Before: time.Date(2026, 12, 25, 5, 0, 0, 0, time.UTC), After: time.Date(2026, 12, 28, 5, 0, 0, 0, time.UTC), Count: 1, Reason: ReasonShift,
			},
		},
	} {
		got := Compare(one.old, one.updated, since, until, 3)
		if got.Added != one.want.Added || got.Removed != one.want.Removed || got.Moved != one.want.Moved || got.Same != one.want.Same || got.Counted {
			t.Errorf("%s: got %+v, want %+v", one.name, got, one.want)
		}
		if one.first.Kind == "" {
			if len(got.Examples) > 0 {
				t.Errorf("%s: got examples %+v", one.name, got.Examples)
			}
			continue
		}
		if len(got.Examples) == 0 || got.Examples[0] != one.first || int64(len(got.Examples)) > got.Added+got.Removed+got.Moved {
			t.Errorf("%s: got %+v, want first %+v", one.name, got.Examples, one.first)
		}
	}
}

// A schedule of every second is counted, and not looked at second by second.
func TestCompareCounts(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	until := since.AddDate(0, 13, 0)
	seconds := int64(until.Sub(since) / time.Second)
	every := func(d time.Duration) *Rule { return ruleOf(t, func(s *Schedule) { s.Every = d }) }
	got := Compare(every(time.Second), every(2*time.Second), since, until, 3)
	if !got.Counted || got.Removed != seconds/2 || got.Same != seconds/2 || got.Added != 0 || len(got.Examples) != 1 || got.Examples[0].Count != seconds/2 || !got.Examples[0].Last.Equal(until) {
		t.Errorf("got %+v", got)
	}
	if got := Compare(nil, every(time.Second), since, until, 3); got.Added != seconds || len(got.Examples) != 3 {
		t.Errorf("got %+v", got)
	}
}

// What a comparison says adds up: what old has is removed, moved or the same, and what updated has is added, moved or the same.
func TestCompareAddsUp(t *testing.T) {
	t.Parallel()
	draw := func(t *rapid.T, label string) *Rule {
		return ruleOf(t, func(s *Schedule) {
			s.Cron = rapid.SampledFrom([]string{"0 6 * * *", "30 2 * * *", "0 0 1,15 * *", "0 */6 * * *", "0 12 * * 1-5", "15 1 L * *"}).Draw(t, label+" cron")
			s.Zone = rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}).Draw(t, label+" zone")
			s.Fold = rapid.SampledFrom([]Fold{FoldFirst, FoldLast, FoldBoth}).Draw(t, label+" fold")
			s.Gap = rapid.SampledFrom([]Gap{GapNextValid, GapSkip, GapShift}).Draw(t, label+" gap")
			if rapid.Bool().Draw(t, label+" calendar") {
				s.Calendar = rapid.SampledFrom([]string{"without/holidays", "with/holidays"}).Draw(t, label+" name")
				s.Shift = rapid.SampledFrom([]string{"skip", "run"}).Draw(t, label+" shift")
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		old, updated := draw(t, "old"), draw(t, "new")
		since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 400*86400).Draw(t, "since")) * time.Second)
		until := since.Add(time.Duration(rapid.Int64Range(1, 200*86400).Draw(t, "length")) * time.Second)
		got := Compare(old, updated, since, until, 1_000_000)
		count := func(r *Rule) int64 { c := r.Count(since, until); return c.All - c.Suppressed() }
		kinds := map[DiffKind]int64{}
		within := func(at time.Time) bool { return at.After(since) && !at.After(until) }
		var movedOld, movedNew int64
		for i, d := range got.Examples {
			kinds[d.Kind] += d.Count
			if d.Kind == DiffMoved && within(d.Before) {
				movedOld++
			}
			if d.Kind == DiffMoved && within(d.After) {
				movedNew++
			}
			if i > 0 && d.when().Before(got.Examples[i-1].when()) {
				t.Fatalf("examples are not in order: %v", got.Examples)
			}
		}
		if kinds[DiffAdded] != got.Added || kinds[DiffRemoved] != got.Removed || kinds[DiffMoved] != got.Moved {
			t.Fatalf("got %v of %+v", kinds, got)
		}
		if was := got.Removed + movedOld + got.Same; was != count(old) {
			t.Fatalf("old: got %d, want %d", was, count(old))
		}
		if is := got.Added + movedNew + got.Same; is != count(updated) {
			t.Fatalf("new: got %d, want %d", is, count(updated))
		}
	})
}
