package calendar

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestCertificates are steps as people read them.
func TestCertificates(t *testing.T) {
	t.Parallel()
	office := &Definition{Name: "office", Week: []time.Weekday{1, 2, 3, 4, 5}, Free: []Date{{Date: "2026-12-25", Name: "Christmas Day"}}}
	for _, test := range []struct {
		change func(*Schedule)
		after  string
		want   []string
	}{
		{
			func(s *Schedule) { s.Cron = "30 2 * * *" }, "2026-03-08T05:00:00Z",
			[]string{`cron "30 2 * * *" means 2026-03-08T02:30:00 in America/New_York`, "from 2026-03-08 02:00:00 to 2026-03-08 03:00:00", "dst_gap next-valid makes it 2026-03-08T03:00:00-04:00", "it is due at 2026-03-08T03:00:00-04:00"},
		},
		{
			func(s *Schedule) { s.Cron = "*/10 2 * * *" }, "2026-03-08T05:00:00Z",
			[]string{"means 2026-03-08T02:00:00 to 2026-03-08T02:50:00", "it is due at 2026-03-08T03:00:00-04:00"},
		},
		{
			func(s *Schedule) { s.Cron, s.Gap = "30 2 * * *", GapShift }, "2026-03-08T05:00:00Z",
			[]string{"dst_gap shift makes it 2026-03-08T03:30:00-04:00"},
		},
		{
			func(s *Schedule) { s.Cron, s.Fold = "30 1 * * *", FoldLast }, "2026-11-01T05:31:00Z",
			[]string{"comes 2 times: 2026-11-01T01:30:00-04:00, 2026-11-01T01:30:00-05:00; dst_overlap last", "it is due at 2026-11-01T01:30:00-05:00"},
		},
		{
			func(s *Schedule) { s.Cron = "30 * * * *" }, "2026-11-01T05:31:00Z",
			[]string{"its hour is * or */n, so each counts"},
		},
		{
			func(s *Schedule) { s.Cron, s.Calendar, s.Shift = "0 6 * * *", "office", "before" }, "2026-12-24T12:00:00Z",
			[]string{"calendar office: business day 2026-12-25, ", "Christmas Day", "it is suppressed: an earlier occurrence is due at 2026-12-24T06:00:00-05:00"},
		},
		{
			func(s *Schedule) { s.Dates, s.Calendar, s.Shift = []string{"2026-12-25T06:00"}, "office", "after 2" }, "2026-12-24T12:00:00Z",
			[]string{"shift after 2: to 2026-12-29, 2026-12-29T06:00:00-05:00", "it is due at 2026-12-29T06:00:00-05:00"},
		},
		{
			func(s *Schedule) { s.Dates, s.Calendar = []string{"2026-12-25T06:00"}, "office" }, "2026-12-24T12:00:00Z",
			[]string{"it is suppressed: calendar"},
		},
		{
			func(s *Schedule) {
				s.Every, s.Blackouts = 6*time.Hour, []Blackout{{"12-24T18:00", "12-27", "holidays"}}
			}, "2026-12-25T12:00:00Z",
			[]string{"every 6h0m0s means 2026-12-25T13:00:00-05:00", "it is suppressed: blackout from 12-24T18:00 until 12-27 (holidays)"},
		},
		{
			func(s *Schedule) { s.Cron, s.Jitter = "0 6 * * *", time.Hour }, "2026-12-24T12:00:00Z",
			[]string{"jitter up to 1h0m0s makes it "},
		},
	} {
		s := DefaultSchedule()
		s.Name, s.Zone = "s", "America/New_York"
		test.change(&s)
		r, problems := NewCompiler(Builtin(), func(string) (*Definition, bool) { return office, true }).Compile("n", s)
		if len(problems) > 0 {
			t.Errorf("%+v: %v", s, problems)
			continue
		}
		o, ok := r.Next(at(t, test.after))
		got := strings.Join(r.Certificate(o), "\n")
		for _, want := range test.want {
			if !ok || !strings.Contains(got, want) {
				t.Errorf("%s after %s:\n%s\nwant %q", r.written(), test.after, got, want)
			}
		}
	}
}

// TestEvery is elapsed time, whatever clocks do.
func TestEvery(t *testing.T) {
	t.Parallel()
	r := compiled(t, func(s *Schedule) {
		s.Every, s.From, s.Until, s.Zone = 5*time.Hour, "2026-03-07T20:00", "2026-03-08T21:00", "America/New_York"
	})
	var got []string
	for o := range r.Between(at(t, "2026-01-01T00:00:00Z"), at(t, "2027-01-01T00:00:00Z")) {
		got = append(got, o.Due.In(r.Location()).Format("02T15:04"))
	}
	if want := []string{"07T20:00", "08T01:00", "08T07:00", "08T12:00", "08T17:00"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	grid := compiled(t, func(s *Schedule) { s.Every = 90 * time.Minute })
	if o, _ := grid.Next(at(t, "2026-01-01T00:00:01Z")); !o.Due.Equal(at(t, "2026-01-01T01:30:00Z")) {
		t.Errorf("without from the grid begins in 1970; got %s", o.Due)
	}

	end := compiled(t, func(s *Schedule) {
		s.Every, s.EveryBy, s.From, s.Until = 10*time.Minute, EveryEnd, "2026-01-01T06:00", "2026-01-01T07:00"
	})
	all := slices.Collect(end.Between(at(t, "2025-01-01T00:00:00Z"), at(t, "2027-01-01T00:00:00Z")))
	if len(all) != 1 || !all[0].Due.Equal(at(t, "2026-01-01T06:00:00Z")) || !end.ByEnd() {
		t.Errorf("by end: got %v, want the first alone", all)
	}
	if o, ok := end.AfterEnd(at(t, "2026-01-01T06:20:00.5Z")); !ok || !o.Nominal.Equal(at(t, "2026-01-01T06:30:01Z")) {
		t.Errorf("after an end: got %v %t", o, ok)
	}
	if o, ok := end.AfterEnd(at(t, "2026-01-01T06:55:00Z")); ok {
		t.Errorf("after until: got %v", o)
	}
	at0 := compiled(t, func(s *Schedule) { s.Every, s.EveryBy = time.Minute, EveryEnd })
	if o, ok := at0.Next(at(t, "2026-01-01T00:00:00Z")); ok {
		t.Errorf("by end without from: got %v", o)
	}
}

// TestBusinessDays are days that follow each other, also where midnight is missing or comes twice.
func TestBusinessDays(t *testing.T) {
	t.Parallel()
	early := &Definition{Name: "early", Boundary: 6 * time.Hour}
	for _, test := range []struct{ zone, calendar, time, day, begin, end string }{
		{"UTC", "", "2026-03-08T00:00:00Z", "2026-03-08", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"},
		{"UTC", "early", "2026-03-08T05:59:59Z", "2026-03-07", "2026-03-07T06:00:00Z", "2026-03-08T06:00:00Z"},
		{"UTC", "early", "2026-03-08T06:00:00Z", "2026-03-08", "2026-03-08T06:00:00Z", "2026-03-09T06:00:00Z"},
		{"America/New_York", "", "2026-03-08T12:00:00Z", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"America/Sao_Paulo", "", "2018-11-04T03:00:00Z", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // no midnight
		{"America/Sao_Paulo", "", "2018-02-18T02:30:00Z", "2018-02-17", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"}, // 23:00 twice
		{"America/St_Johns", "", "2010-11-07T03:00:00Z", "2010-11-07", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},  // 00:01 back to 23:01
		{"Pacific/Apia", "", "2011-12-30T10:00:00Z", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
	} {
		s := DefaultSchedule()
		s.Name, s.Cron, s.Zone, s.Calendar = "s", "@daily", test.zone, test.calendar
		r, problems := NewCompiler(Builtin(), func(string) (*Definition, bool) { return early, true }).Compile("n", s)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		d := r.Day(at(t, test.time))
		begin, end := r.Bounds(d)
		if d.String() != test.day || !begin.Equal(at(t, test.begin)) || !end.Equal(at(t, test.end)) {
			t.Errorf("%s %s: got %s from %s to %s, want %s from %s to %s", test.zone, test.time, d, begin, end, test.day, test.begin, test.end)
		}
	}
	apia := compiled(t, func(s *Schedule) { s.Cron, s.Zone = "@daily", "Pacific/Apia" })
	if begin, end := apia.Bounds(DayOf(2011, 12, 30)); !begin.Equal(end) {
		t.Errorf("the day that was not: got %s to %s", begin, end)
	}
}

// TestBusinessDaysPartition checks that each instant is in the bounds of its day, in every zone.
func TestBusinessDaysPartition(t *testing.T) {
	t.Parallel()
	compiler, names := NewCompiler(Builtin(), nil), Builtin().Names()
	rapid.Check(t, func(t *rapid.T) {
		s := DefaultSchedule()
		s.Name, s.Cron, s.Zone = "s", "@daily", rapid.SampledFrom(names).Draw(t, "zone")
		r, problems := compiler.Compile("n", s)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		n := rapid.Int64Range(-3e9, 5e9).Draw(t, "instant")
		if i := r.zone.index(n); rapid.Bool().Draw(t, "near a transition") && i > 0 {
			n = r.zone.segments[i].start + rapid.Int64Range(-7200, 7200).Draw(t, "seconds")
		}
		d := r.Day(instant(n))
		begin, end := r.Bounds(d)
		if instant(n).Before(begin) || !instant(n).Before(end) {
			t.Fatalf("%s: %s is on %s, which goes from %s to %s", s.Zone, instant(n), d, begin, end)
		}
	})
}

// TestTaken are wall times that the fields for gaps and overlaps took.
func TestTaken(t *testing.T) {
	t.Parallel()
	list := func(change func(*Schedule), since, until string) string {
		r := compiled(t, func(s *Schedule) { s.Zone = "America/New_York"; change(s) })
		var got []string
		for x := range r.Taken(at(t, since), at(t, until)) {
			got = append(got, x.Wall+" "+string(x.Reason)+" "+x.At.Format("15:04"))
		}
		return strings.Join(got, ", ")
	}
	for _, test := range []struct {
		name   string
		change func(*Schedule)
		want   string
	}{
		{"next-valid and first", func(s *Schedule) { s.Cron = "30 1,2 * * *" }, "2026-11-01T01:30:00 dst_overlap 06:30"},
		{"skip and both", func(s *Schedule) { s.Cron, s.Gap, s.Fold = "30 1,2 * * *", GapSkip, FoldBoth }, "2026-03-08T02:30:00 dst_gap 07:00"},
		{"last", func(s *Schedule) { s.Cron, s.Fold = "30 1 * * *", FoldLast }, "2026-11-01T01:30:00 dst_overlap 05:30"},
		{"each hour", func(s *Schedule) { s.Cron, s.Gap = "30 * * * *", GapSkip }, ""},
		{"elapsed time", func(s *Schedule) { s.Every, s.Gap = time.Hour, GapSkip }, ""},
		{"dates", func(s *Schedule) { s.Dates, s.Gap = []string{"2026-03-08T02:15", "2026-07-01"}, GapSkip }, "2026-03-08T02:15:00 dst_gap 07:00"},
	} {
		if got := list(test.change, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if got := list(func(s *Schedule) { s.Cron = "30 1 * * *" }, "2026-11-01T06:30:00Z", "2027-01-01T00:00:00Z"); got != "" {
		t.Errorf("what is at since is not after it: got %q", got)
	}
}

// TestCountIsExact counts every second of 400 days with changes of clocks, under all fields, and compares with elapsed seconds.
func TestCountIsExact(t *testing.T) {
	t.Parallel()
	since, until := at(t, "2026-01-01T00:00:00Z"), at(t, "2027-02-05T00:00:00Z")
	seconds := int64(until.Sub(since) / time.Second)
	for _, test := range []struct {
		gap  Gap
		fold Fold
		cron string
		want int64
	}{
		{GapNextValid, FoldFirst, "* * * * * *", seconds},
		{GapNextValid, FoldBoth, "* * 0-23 * * *", seconds},
		{GapNextValid, FoldFirst, "* * 0-23 * * *", seconds - 3600}, // the hour that comes twice counts once; the gap comes to an instant that is there anyway
		{GapShift, FoldLast, "* * 0-23 * * *", seconds - 3600},      // so does what is shifted
		{GapSkip, FoldBoth, "* * 0-23 * * *", seconds},
	} {
		r := compiled(t, func(s *Schedule) { s.Cron, s.Gap, s.Fold, s.Zone = test.cron, test.gap, test.fold, "Europe/Berlin" })
		if got := r.Count(since, until).All; got != test.want {
			t.Errorf("%s %s %s: got %d, want %d", test.cron, test.gap, test.fold, got, test.want)
		}
	}
}

// TestRefusedSchedules are mistakes outside the expression, each with its field.
func TestRefusedSchedules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(*Schedule)
		field  string
		want   string
	}{
		{func(s *Schedule) { s.Cron = "" }, "cron", "nothing says when"},
		{func(s *Schedule) { s.Every = time.Hour }, "every", "one of cron, rrule, every and dates"},
		{func(s *Schedule) { s.Zone = "Europe/Belrin" }, "zone", "did you mean Europe/Berlin"},
		{func(s *Schedule) { s.Zone = "" }, "zone", "as Europe/Berlin or UTC"},
		{func(s *Schedule) { s.Zone = "Local" }, "zone", "no time zone"},
		{func(s *Schedule) { s.Gap = "never" }, "dst_gap", "next-valid, skip, shift"},
		{func(s *Schedule) { s.Fold = "" }, "dst_overlap", "first, last, both"},
		{func(s *Schedule) { s.Catchup = "some" }, "catchup", "none, last, all"},
		{func(s *Schedule) { s.Overlap = "kill" }, "overlap", "allow, skip, queue, replace"},
		{func(s *Schedule) { s.OnCollision = "two" }, "on_collision", "one, both"},
		{func(s *Schedule) { s.From = "tomorrow" }, "from", "write 2026-12-24"},
		{func(s *Schedule) { s.From, s.Until = "2026-02-01", "2026-01-01" }, "until", "nothing is left"},
		{func(s *Schedule) { s.From, s.Until = "2026-02-01T07:00", "2026-02-02T05:00" }, "cron", "never due"},
		{func(s *Schedule) { s.Shift = "nearest" }, "shift", "before 2 within 5"},
		{func(s *Schedule) { s.Shift = "before 9 within 5" }, "shift", "leaves nothing"},
		{func(s *Schedule) { s.WorkingDays = []string{"1 of month"} }, "working_days", "need a calendar"},
		{func(s *Schedule) { s.Calendar, s.WorkingDays = "c", []string{"1 of month", "0 of year"} }, "working_days[1]", "1 of month, -1 of quarter"},
		{func(s *Schedule) { s.Calendar, s.WorkingDays = "c", []string{"40 of month"} }, "working_days[0]", "never"},
		{func(s *Schedule) { s.Jitter = 25 * time.Hour }, "jitter", "a jitter of 25h is too long: it goes up to 24h"},
		{func(s *Schedule) { s.Cron, s.Jitter = "* * * * * *", 3*time.Hour }, "jitter", "make it shorter"},
		{func(s *Schedule) { s.Cron, s.Calendar, s.Shift = "* * * * * *", "c", "after" }, "shift", "too often"},
		{func(s *Schedule) { s.StartWithin = -1 }, "start_within", "below zero"},
		{func(s *Schedule) { s.Blackouts = []Blackout{{From: "22:00", Until: "12-24"}} }, "blackouts[0].until", "one form"},
		{func(s *Schedule) { s.Blackouts = []Blackout{{From: "22:00", Until: "22:00"}} }, "blackouts[0].until", "always"},
		{func(s *Schedule) { s.Blackouts = []Blackout{{From: "noon", Until: "22:00"}} }, "blackouts[0].from", "every day"},
		{func(s *Schedule) { s.Cron, s.Every = "", 100*time.Millisecond }, "every", "less than a second"},
		{func(s *Schedule) { s.Cron, s.Dates = "", []string{"2026-01-01", "2026-13-01"} }, "dates[1]", "is not a time"},
		{func(s *Schedule) { s.Cron, s.Dates = "", []string{"2026-01-01T00:00:00Z"} }, "dates[0]", "leave the offset out"},
	} {
		s := DefaultSchedule()
		s.Name, s.Cron = "s", "0 6 * * *"
		test.change(&s)
		_, problems := NewCompiler(Builtin(), func(name string) (*Definition, bool) { return &Definition{Name: "c"}, name == "c" }).Compile("n", s)
		if len(problems) != 1 || problems[0].Field != test.field || !strings.Contains(problems[0].Message, test.want) {
			t.Errorf("%s: got %v, want %q", test.field, problems, test.want)
		}
	}
}

// TestJitter is the same for one occurrence, and spread over schedules.
func TestJitter(t *testing.T) {
	t.Parallel()
	named := func(name string) *Rule {
		return compiled(t, func(s *Schedule) { s.Name, s.Cron, s.Jitter = name, "0 6 * * *", time.Hour })
	}
	a, b := named("a"), named("b")
	after := at(t, "2026-01-01T00:00:00Z")
	first, _ := a.Next(after)
	again, _ := a.Next(after)
	other, _ := b.Next(after)
	if late := first.Due.Sub(first.Nominal); late < 0 || late >= time.Hour || first.Moved != ReasonJitter {
		t.Errorf("got %v", first)
	}
	if first != again || first.Due.Equal(other.Due) {
		t.Errorf("got %v, again %v, another schedule's %v", first, again, other)
	}
}

// TestFirstReason: of several rules that moved an occurrence the first is named: a jitter does not hide a change of clocks.
func TestFirstReason(t *testing.T) {
	t.Parallel()
	s := DefaultSchedule()
	s.Name, s.Cron, s.Zone, s.Gap, s.Jitter = "s", "30 2 * * *", "Europe/Berlin", GapShift, 10*time.Minute
	r, problems := NewCompiler(Builtin(), nil).Compile("n", s)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := map[int]Reason{28: ReasonJitter, 29: ReasonGap, 30: ReasonJitter}
	for o := range r.Between(time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)) {
		if o.Moved != want[o.Nominal.Day()] || !o.Due.After(o.Nominal) {
			t.Errorf("%s is due at %s for %q, want %q", o.Nominal, o.Due, o.Moved, want[o.Nominal.Day()])
		}
		delete(want, o.Nominal.Day())
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}
