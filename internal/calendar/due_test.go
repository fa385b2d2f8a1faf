package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// obvious finds what a rule has between two instants the slow way: every nominal of a long time around them, each with its own
// walk over days, and each compared with each.
func obvious(r *Rule, since, until time.Time, reach int) []Occurrence {
	var all []Occurrence
	lo, hi := since.AddDate(0, 0, -reach), until.AddDate(0, 0, reach)
	for n, ok := r.nominal(lo.Unix(), hi.Unix()); ok; n, ok = r.nominal(n+1, hi.Unix()) {
		all = append(all, obviousOne(r, n))
	}
	for i := range all {
		if all[i].Suppressed != "" || r.schedule.OnCollision == CollisionBoth {
			continue
		}
		for j := range all[:i] {
			if all[j].Suppressed == "" && all[j].Due.Equal(all[i].Due) && r.jitter == 0 {
				all[i].Suppressed = ReasonCollision
			}
		}
	}
	var found []Occurrence
	for _, o := range all {
		if o.Suppressed != "" {
			o.Due, o.Moved = o.Nominal, r.nominals.moved(o.Nominal.Unix())
		}
		if o.Due.After(since) && !o.Due.After(until) {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b Occurrence) int { return cmp.Or(a.Due.Compare(b.Due), a.Nominal.Compare(b.Nominal)) })
	return found
}

func obviousOne(r *Rule, n int64) Occurrence {
	o := Occurrence{Nominal: instant(n), Due: instant(n), Moved: r.nominals.moved(n)}
	if r.days != nil && r.shift.kind != shiftRun {
		local := instant(n).In(r.zone.loc)
		d := r.day(n)
		if !r.days.Working(Day(d)) {
			step := 0
			switch r.shift.kind {
			case shiftBefore:
				step = -1
			case shiftAfter:
				step = 1
			case shiftSkip, shiftRun:
			}
			moved, left := 0, r.shift.n
			for step != 0 && left > 0 {
				if moved += step; moved > r.shift.within || moved < -r.shift.within {
					step = 0
					break
				}
				if r.days.Working(Day(d + int64(moved))) {
					left--
				}
			}
			if step == 0 {
				o.Suppressed = ReasonCalendar
				return o
			}
			// In a zone without changes of clocks near, a day is 24 hours; the test draws such a one where it shifts.
			o.Due, o.Moved = local.AddDate(0, 0, moved).UTC(), cmp.Or(o.Moved, ReasonShift)
		}
	}
	if late := r.late(o.Due.Unix()); late > 0 {
		o.Due, o.Moved = o.Due.Add(late), cmp.Or(o.Moved, ReasonJitter)
	}
	w := r.zone.wall(o.Due.Unix())
	for i := range r.blackouts {
		if r.blackouts[i].has(w) {
			o.Suppressed = ReasonBlackout
		}
	}
	return o
}

// TestDueAgainstTwin compares calendars, shifts, blackouts, jitter and collisions with the obvious way.
func TestDueAgainstTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		def := &Definition{Name: "days", Week: []time.Weekday{1, 2, 3, 4, 5}}
		if rapid.Bool().Draw(t, "each day") {
			def.Week = nil
		}
		for range rapid.IntRange(0, 12).Draw(t, "holidays") {
			def.Free = append(def.Free, Date{Date: fmt.Sprintf("2026-%02d-%02d", rapid.IntRange(3, 6).Draw(t, "month"), rapid.IntRange(1, 30).Draw(t, "day"))})
		}
		def.Boundary = rapid.SampledFrom([]time.Duration{0, 0, 6 * time.Hour, 22*time.Hour + 30*time.Minute}).Draw(t, "boundary")
		s := DefaultSchedule()
		s.Name, s.Calendar = "s", "days"
		s.Zone = rapid.SampledFrom([]string{"UTC", "Asia/Tokyo", "America/Bogota"}).Draw(t, "zone")
		s.Cron = rapid.SampledFrom([]string{"0 6 * * *", "30 5,23 * * *", "0 */7 * * 1-6", "15 22 1,15,L * *", "0 12 * * 6,0", "*/47 3-5 * * *"}).Draw(t, "cron")
		if rapid.IntRange(0, 4).Draw(t, "by grid") == 0 {
			s.Cron, s.Every = "", rapid.SampledFrom([]time.Duration{2 * time.Hour, 7 * time.Hour, 41 * time.Minute}).Draw(t, "every")
		}
		s.Shift = rapid.SampledFrom([]string{"skip", "run", "before", "after", "before 2", "after 3", "before 2 within 3", "after within 1", "after within 2"}).Draw(t, "shift")
		s.OnCollision = rapid.SampledFrom([]Collision{CollisionOne, CollisionBoth}).Draw(t, "collision")
		blackouts := []Blackout{{From: "22:00", Until: "05:45"}, {From: "2026-04-03T12:00", Until: "2026-04-20T06:30"}, {From: "05-01", Until: "05-02T12:00"}, {From: "12:00", Until: "12:01"}}
		s.Blackouts = rapid.SliceOfN(rapid.SampledFrom(blackouts), 0, 2).Draw(t, "blackouts")
		if rapid.IntRange(0, 3).Draw(t, "jittered") == 0 {
			s.Jitter = rapid.SampledFrom([]time.Duration{90 * time.Second, 5 * time.Hour, 24 * time.Hour}).Draw(t, "jitter")
			s.OnCollision = CollisionBoth // the twin does not know what would meet without it
		}
		if rapid.Bool().Draw(t, "bounded") {
			s.From, s.Until = "2026-04-02T06:00", "2026-06-20"
		}
		if rapid.IntRange(0, 3).Draw(t, "nth") == 0 {
			s.WorkingDays = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1 of month", "-1 of month", "-2 of quarter", "85 of year"}), 1, 2, rapid.ID[string]).Draw(t, "working days")
		}
		r, problems := NewCompiler(Builtin(), func(name string) (*Definition, bool) { return def, name == "days" }).Compile("n", s)
		if len(problems) == 1 && len(s.WorkingDays) > 0 { // the boundary takes it to days that never are the n-th
			return
		}
		if len(problems) > 0 {
			t.Fatalf("%+v: %v", s, problems)
		}
		since := time.Date(2026, 3, rapid.IntRange(1, 60).Draw(t, "since"), rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, time.UTC)
		until := since.Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "hours")) * time.Hour)
		compare(t, r, since, until)
	})
}

func compare(t *rapid.T, r *Rule, since, until time.Time) {
	want := obvious(r, since, until, 40)
	got := slices.Collect(r.Between(since, until))
	if !slices.Equal(got, want) {
		t.Fatalf("%+v from %s until %s:\n got %s\nwant %s", r.schedule, since, until, shownAll(got), shownAll(want))
	}
	counts, wantCounts := r.Count(since, until), Counts{}
	for i := range want {
		wantCounts.add(&want[i])
	}
	if counts != wantCounts {
		t.Fatalf("%+v from %s until %s: counted %+v, want %+v", r.schedule, since, until, counts, wantCounts)
	}
	after := since
	for i := range want[:min(5, len(want))] {
		if i > 0 && want[i].Due.Equal(want[i-1].Due) {
			continue
		}
		o, ok := r.Next(after)
		if !ok || o != want[i] {
			t.Fatalf("%+v: next after %s is %v %t, want %v", r.schedule, after, o, ok, want[i])
		}
		if o, ok = r.At(want[i].Nominal); !ok || o != want[i] {
			t.Fatalf("%+v: at %s is %v %t, want %v", r.schedule, want[i].Nominal, o, ok, want[i])
		}
		after = want[i].Due
	}
}

func shownAll(list []Occurrence) string {
	text := ""
	for _, o := range list {
		text += fmt.Sprintf("\n  %s %s %s %s", o.Nominal.Format(time.DateTime), o.Due.Format(time.DateTime), o.Moved, o.Suppressed)
	}
	return text
}

// TestCountAgainstWalk counts where clocks are changed, and compares with walking.
func TestCountAgainstWalk(t *testing.T) {
	t.Parallel()
	compiler := map[time.Duration]*Compiler{}
	for _, boundary := range []time.Duration{0, 2*time.Hour + 30*time.Minute, 23 * time.Hour} {
		def := &Definition{Name: "days", Week: []time.Weekday{1, 2, 3, 4, 5}, Boundary: boundary, Free: []Date{{Date: "2026-10-26"}, {Date: "2018-11-05"}}}
		compiler[boundary] = NewCompiler(Builtin(), func(string) (*Definition, bool) { return def, true })
	}
	rapid.Check(t, func(t *rapid.T) {
		s := DefaultSchedule()
		s.Name, s.Calendar = "s", "days"
		s.Zone = rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "America/Havana", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns"}).Draw(t, "zone")
		s.Cron = rapid.SampledFrom([]string{"*/20 * * * *", "*/30 0-23 * * *", "15 0-3 * * *", "0 0 * * 0,1", "59 23 * * *"}).Draw(t, "cron")
		if rapid.IntRange(0, 4).Draw(t, "by grid") == 0 {
			s.Cron, s.Every = "", rapid.SampledFrom([]time.Duration{time.Hour, 7 * time.Hour, 25 * time.Minute}).Draw(t, "every")
		}
		s.Shift = rapid.SampledFrom([]string{"skip", "before", "after", "before 2", "after 2 within 3"}).Draw(t, "shift")
		s.OnCollision = rapid.SampledFrom([]Collision{CollisionOne, CollisionBoth}).Draw(t, "collision")
		s.Gap = rapid.SampledFrom([]Gap{GapNextValid, GapSkip, GapShift}).Draw(t, "gap")
		s.Fold = rapid.SampledFrom([]Fold{FoldFirst, FoldLast, FoldBoth}).Draw(t, "fold")
		if rapid.IntRange(0, 3).Draw(t, "jittered") == 0 {
			s.Jitter = rapid.SampledFrom([]time.Duration{90 * time.Second, 5 * time.Hour}).Draw(t, "jitter")
		}
		if rapid.IntRange(0, 3).Draw(t, "black") == 0 {
			s.Blackouts = []Blackout{{From: "01:30", Until: "02:45"}}
		}
		boundary := rapid.SampledFrom([]time.Duration{0, 2*time.Hour + 30*time.Minute, 23 * time.Hour}).Draw(t, "boundary")
		r, problems := compiler[boundary].Compile("n", s)
		if len(problems) > 0 {
			t.Fatalf("%+v: %v", s, problems)
		}
		z := r.zone
		i := z.index(time.Date(2005+rapid.IntRange(0, 22).Draw(t, "year"), 7, 1, 0, 0, 0, 0, time.UTC).Unix())
		since := instant(z.segments[i].start - rapid.Int64Range(0, 15*daySeconds).Draw(t, "before"))
		until := since.Add(time.Duration(rapid.Int64Range(0, 25*daySeconds).Draw(t, "length")) * time.Second)
		if got, want := r.Count(since, until), r.countEach(since, until); got != want {
			t.Fatalf("%+v boundary %s from %s until %s: counted %+v, walked %+v", s, boundary, since, until, got, want)
		}
		last := since
		for o := range r.Between(since, until) {
			if o.Due.Before(last) || !o.Due.After(since) || o.Due.After(until) {
				t.Fatalf("%+v: %v is out of order", s, o)
			}
			if last = o.Due; rapid.Bool().Draw(t, "ask") {
				if again, ok := r.At(o.Nominal); !ok || again != o {
					t.Fatalf("%+v: at %s is %v, in the walk %v", s, o.Nominal, again, o)
				}
				break
			}
		}
	})
}
