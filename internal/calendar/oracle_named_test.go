package calendar_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// TestNamed has the nights by which schedulers are judged, written down by hand.
func TestNamed(t *testing.T) {
	t.Parallel()
	next, skip, shift := calendar.GapNextValid, calendar.GapSkip, calendar.GapShift
	first, last, both := calendar.FoldFirst, calendar.FoldLast, calendar.FoldBoth
	for _, c := range []struct {
		name, cron, zone, since, until string
		gap                            calendar.Gap
		fold                           calendar.Fold
		want                           string
	}{
		{"New York, spring", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", next, first, "03-08T03:00-04 03-09T02:30-04"},
		{"New York, spring, skipped", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", skip, first, "03-09T02:30-04"},
		{"New York, spring, shifted", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", shift, first, "03-08T03:30-04 03-09T02:30-04"},
		{"New York, autumn", "30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", next, first, "11-01T01:30-04"},
		{"New York, autumn, last", "30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", next, last, "11-01T01:30-05"},
		{"New York, autumn, both", "30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", next, both, "11-01T01:30-04 11-01T01:30-05"},
		{"each hour goes on, spring", "30 * * * *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T09:00:00Z", skip, last, "03-08T01:30-05 03-08T03:30-04 03-08T04:30-04"},
		{"each hour goes on, autumn", "30 */1 * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T08:00:00Z", skip, last, "11-01T01:30-04 11-01T01:30-05 11-01T02:30-05"},
		{"many rule times, one instant", "*/20 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", "2026-03-08T12:00:00Z", next, first, "03-08T03:00-04"},
		{"a wildcard minute follows the fields", "* 2-3 * * *", "America/New_York", "2026-03-08T06:58:00Z", "2026-03-08T07:01:00Z", next, first, "03-08T03:00-04 03-08T03:01-04"},
		{"Lord Howe, half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z", next, first, "10-04T02:30+11"},
		{"Lord Howe, half an hour, shifted", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z", shift, first, "10-04T02:45+11"},
		{"Lord Howe, back", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-05T00:00:00Z", next, both, "04-05T01:45+11 04-05T01:45+1030"},
		{"Apia, a day that was not", "0 10 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z", next, first, "12-29T10:00-10 12-31T00:00+14 12-31T10:00+14 01-01T10:00+14"},
		{"Apia, skipped", "0 10 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", "2013-01-01T00:00:00Z", skip, first, "12-30T10:00+14"},
		{"Apia, shifted onto the next", "0 10 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z", shift, first, "12-29T10:00-10 12-31T10:00+14 01-01T10:00+14"},
		{"Casablanca, Ramadan: back", "30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00:00Z", "2026-02-15T12:00:00Z", next, both, "02-15T02:30+01 02-15T02:30+00"},
		{"Casablanca, Ramadan: forward", "30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00:00Z", "2026-03-22T12:00:00Z", next, first, "03-22T03:00+01"},
		{"Dublin, where winter is the exception", "30 1 * * *", "Europe/Dublin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", next, both, "10-25T01:30+01 10-25T01:30+00"},
		{"Dublin, spring", "30 1 * * *", "Europe/Dublin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", next, first, "03-29T02:00+01"},
		{"Sao Paulo, no midnight", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z", next, first, "11-04T01:00-02 11-05T00:00-02"},
		{"Sao Paulo, midnight comes from the day before", "30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00:00Z", "2018-02-18T12:00:00Z", next, both, "02-17T23:30-02 02-17T23:30-03"},
		{"Havana, no midnight", "0 0 * * *", "America/Havana", "2026-03-07T12:00:00Z", "2026-03-08T12:00:00Z", next, first, "03-08T01:00-04"},
		{"Havana, midnight twice", "0 0 * * *", "America/Havana", "2026-10-31T12:00:00Z", "2026-11-01T12:00:00Z", next, both, "11-01T00:00-04 11-01T00:00-05"},
		{"Cairo", "30 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-24T12:00:00Z", next, first, "04-24T01:00+03"},
		{"Kiritimati, a day that was not", "0 12 * * *", "Pacific/Kiritimati", "1994-12-30T00:00:00Z", "1995-01-02T00:00:00Z", skip, first, "12-30T12:00-10 01-01T12:00+14 01-02T12:00+14"},
		{"leap day", "0 6 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2033-01-01T00:00:00Z", next, first, "02-29T06:00+00 02-29T06:00+00"},
		{"no leap day in 2100", "0 6 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-12-31T00:00:00Z", next, first, "02-29T06:00+00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rule := compiled(t, func(s *calendar.Schedule) { s.Cron, s.Zone, s.Gap, s.Fold = c.cron, c.zone, c.gap, c.fold })
			var got []string
			for o := range rule.Between(instant(t, c.since), instant(t, c.until)) {
				got = append(got, shown(o.Nominal.In(rule.Location())))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}

// TestRareDays: what comes once in a generation is found, and what never comes is refused.
func TestRareDays(t *testing.T) {
	t.Parallel()
	monday := compiled(t, func(s *calendar.Schedule) {
		s.RRule, s.From = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "2026-01-01"
	})
	o, ok := monday.Next(instant(t, "2026-01-01T00:00:00Z"))
	if got, want := o.Nominal.UTC().Format(time.DateOnly), "2044-02-29"; !ok || got != want {
		t.Errorf("29 February on a Monday: got %s (%v), want %s", got, ok, want)
	}
	week := compiled(t, func(s *calendar.Schedule) { s.RRule, s.From = "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "2026-01-01T06:00" })
	var got []string
	for o := range week.Between(instant(t, "2026-01-01T00:00:00Z"), instant(t, "2045-01-01T00:00:00Z")) {
		got = append(got, o.Nominal.UTC().Format(time.DateOnly))
	}
	if want := "2026-12-28 2032-12-27 2037-12-28 2043-12-28"; strings.Join(got, " ") != want {
		t.Errorf("Mondays of week 53: got %v, want %s", got, want)
	}
	for _, cron := range []string{"0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"} {
		s := calendar.DefaultSchedule()
		s.Name, s.Cron = "x", cron
		if _, problems := calendar.NewCompiler(calendar.Builtin(), nil).Compile("a/b", s); len(problems) == 0 {
			t.Errorf("%s is never due, and is not refused", cron)
		}
	}
}

// TestOracleSeconds walks second by second through the hours around changes, with lines that have seconds; Liberia's clocks were
// put forward by 44 minutes and 30 seconds.
func TestOracleSeconds(t *testing.T) {
	t.Parallel()
	zones := calendar.Builtin()
	for _, c := range []struct{ zone, at string }{
		{"Africa/Monrovia", "1972-01-07T00:44:30Z"},
		{"America/New_York", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-11-01T06:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-03T15:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
		{"Europe/Dublin", "2026-10-25T01:00:00Z"},
		{"America/Havana", "2026-11-01T05:00:00Z"},
	} {
		loc, ok := zones.Location(c.zone)
		if !ok {
			t.Fatalf("there is no zone %s", c.zone)
		}
		at := instant(t, c.at)
		if _, before := at.Add(-time.Second).In(loc).Zone(); func() bool { _, after := at.In(loc).Zone(); return before == after }() {
			t.Fatalf("%s does not change at %s", c.zone, c.at)
		}
		r := rand.New(rand.NewPCG(7, uint64(at.Unix())))
		since, until := at.Add(-3*time.Hour), at.Add(3*time.Hour)
		seen := walkSeconds(loc, since.Unix(), until.Unix())
		for range 40 {
			gap, fold := anyOf(r, calendar.GapNextValid, calendar.GapSkip, calendar.GapShift), anyOf(r, calendar.FoldFirst, calendar.FoldLast, calendar.FoldBoth)
			hour := anyOf(r, "*", "*/2", "0-3", "0,1,2,3,23", strconvHour(at.In(loc).Add(-time.Hour)), strconvHour(at.In(loc)))
			minute, second := anyOf(r, "*", "*/15", "30", "14,44,45"), anyOf(r, "*", "*/30", "29-31", "0")
			cron := second + " " + minute + " " + hour + " * * *"
			rule := compiled(t, func(s *calendar.Schedule) { s.Cron, s.Zone, s.Gap, s.Fold = cron, c.zone, gap, fold })
			want := seen.expected(second, play{line: line{minute: minute, hour: hour}, gap: gap, fold: fold, since: since, until: until})
			var got []int64
			for o := range rule.Between(since.Add(-time.Second), until.Add(-time.Second)) {
				got = append(got, o.Nominal.Unix())
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q in %s around %s, dst_gap %s, dst_overlap %s: the rule has %d, the oracle %d", cron, c.zone, c.at, gap, fold, len(got), len(want))
			}
		}
	}
}

func strconvHour(t time.Time) string { return fmt.Sprint(t.Hour()) }

// seconds is what the walk second by second has seen.
type seconds struct {
	shows       map[int64][]int64 // wall second → instants
	jumps       []jump
	first, last int64 // wall seconds of which everything is known
}

func walkSeconds(loc *time.Location, since, until int64) seconds {
	offset := func(u int64) int64 { _, o := time.Unix(u, 0).In(loc).Zone(); return int64(o) }
	s := seconds{shows: map[int64][]int64{}}
	before := none
	for u := since - 6*3600; u < until+6*3600; u++ {
		w := u + offset(u)
		if before != none && w > before+1 {
			s.jumps = append(s.jumps, jump{u, before + 1, w})
		}
		before = w
		s.shows[w] = append(s.shows[w], u)
	}
	s.first, s.last = since-4*3600+offset(since-6*3600), until+4*3600+offset(until+6*3600)
	return s
}

// expected is the oracle once more, by the second.
func (s seconds) expected(second string, p play) []int64 {
	var out []int64
	l, gap, fold, since, until := p.line, p.gap, p.fold, p.since.Unix(), p.until.Unix()
	hours, minutes, secs := [24]bool{}, [60]bool{}, [60]bool{}
	for k := range 60 {
		minutes[k], secs[k] = matches(l.minute, k, 0, 59), matches(second, k, 0, 59)
		if k < 24 {
			hours[k] = matches(l.hour, k, 0, 23)
		}
	}
	for w := s.first; w < s.last; w++ {
		if !hours[w/3600%24] || !minutes[w/60%60] || !secs[w%60] {
			continue
		}
		there := s.shows[w]
		switch {
		case l.everyHour() || len(there) > 0 && fold == calendar.FoldBoth:
			out = append(out, there...)
		case len(there) > 0 && fold == calendar.FoldFirst:
			out = append(out, there[0])
		case len(there) > 0:
			out = append(out, there[len(there)-1])
		}
		for _, j := range s.jumps {
			if l.everyHour() || w < j.from || w >= j.to {
				continue
			}
			switch gap {
			case calendar.GapNextValid:
				out = append(out, j.at)
			case calendar.GapShift:
				out = append(out, j.at+w-j.from)
			case calendar.GapSkip:
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(t int64) bool { return t < since || t >= until })
}

func compiled(t *testing.T, change func(*calendar.Schedule)) *calendar.Rule {
	t.Helper()
	s := calendar.DefaultSchedule()
	s.Name = "x"
	change(&s)
	rule, problems := calendar.NewCompiler(calendar.Builtin(), nil).Compile("a/b", s)
	if len(problems) > 0 {
		t.Fatalf("%+v: %v", s, problems)
	}
	return rule
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// shown writes month, day, wall time and offset, as 11-01T01:30-04.
func shown(t time.Time) string {
	return strings.TrimSuffix(t.Format("01-02T15:04-0700"), "00")
}
