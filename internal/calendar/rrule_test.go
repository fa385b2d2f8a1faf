package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	twin "github.com/teambition/rrule-go"
	"pgregory.net/rapid"
)

// compiled makes a rule of a net named ops/net, and a schedule named s.
func compiled(t testing.TB, change func(*Schedule)) *Rule {
	t.Helper()
	s := DefaultSchedule()
	s.Name = "s"
	change(&s)
	r, problems := NewCompiler(Builtin(), nil).Compile("ops/net", s)
	if len(problems) > 0 {
		t.Fatalf("%+v: %v", s, problems)
	}
	return r
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestRRuleAgainstTwin compares with a library, in UTC, where it and we mean the same.
func TestRRuleAgainstTwin(t *testing.T) {
	t.Parallel()
	compiler := NewCompiler(Builtin(), nil)
	rapid.Check(t, func(t *rapid.T) {
		text := drawRRule(t)
		start := time.Date(2019+rapid.IntRange(0, 9).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"),
			rapid.IntRange(0, 23).Draw(t, "hour"), rapid.SampledFrom([]int{0, 15, 59}).Draw(t, "minute"), 0, 0, time.UTC)
		option, err := twin.StrToROption(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if option.Freq == twin.WEEKLY && len(option.Bysetpos) > 0 { // the twin has the first week begin with DTSTART; RFC 5545 with the week
			start = start.AddDate(0, 0, -(int(start.Weekday())+6-option.Wkst.Day())%7)
		}
		option.Dtstart = start
		end := start.AddDate(rapid.IntRange(1, 6).Draw(t, "years"), 0, 0)
		if option.Freq > twin.DAILY {
			end = start.AddDate(0, 0, 45)
		}
		option.Until = end
		other, err := twin.NewRRule(*option)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		since := start.Add(-time.Second)
		if rapid.Bool().Draw(t, "later") {
			since = start.Add(end.Sub(start) / 3)
		}
		want := other.Between(since, end, true)
		want = slices.DeleteFunc(want, func(w time.Time) bool { return !w.After(since) })

		s := DefaultSchedule()
		s.Name, s.RRule, s.From = "s", text, start.Format(time.RFC3339)
		r, problems := compiler.Compile("n", s)
		if len(problems) > 0 {
			if len(want) == 0 && strings.Contains(problems[0].Message, "never due") {
				return
			}
			t.Fatalf("%s from %s: %v; want %v", text, start, problems, want)
		}
		var got []time.Time
		for o := range r.Between(since, end) {
			got = append(got, o.Due)
		}
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("%s from %s since %s:\n got %v\nwant %v", text, start, since, got, want)
		}
		if n := r.Count(since, end).All; n != int64(len(want)) {
			t.Fatalf("%s: counted %d, want %d", text, n, len(want))
		}
	})
}

func drawRRule(t *rapid.T) string {
	freq := rapid.SampledFrom([]string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"}).Draw(t, "freq")
	intervals := []int{1, 1, 2, 3, 7, 50}
	if freq == "HOURLY" {
		intervals = []int{1, 5, 7} // the twin never returns where BYHOUR leaves out all hours that it comes to
	}
	parts := []string{"FREQ=" + freq, fmt.Sprintf("INTERVAL=%d", rapid.SampledFrom(intervals).Draw(t, "interval"))}
	by := func(name string, list ...string) bool {
		if rapid.IntRange(0, 2).Draw(t, "with "+name) > 0 {
			return false
		}
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(list), 1, min(3, len(list)), rapid.ID[string]).Draw(t, name)
		parts = append(parts, name+"="+strings.Join(some, ","))
		return true
	}
	any := by("BYMONTH", "1", "2", "6", "12")
	week := freq == "YEARLY" && by("BYWEEKNO", "1", "10", "51", "-1") // 52 and 53: see TestWeeksOfTheYear
	if freq == "YEARLY" || freq == "HOURLY" || freq == "MINUTELY" {
		any = by("BYYEARDAY", "1", "60", "366", "-1", "-200") || any
	}
	if freq != "WEEKLY" {
		any = by("BYMONTHDAY", "1", "13", "31", "-1", "-30") || any
	}
	if (freq == "YEARLY" || freq == "MONTHLY") && !week && rapid.Bool().Draw(t, "numbered") {
		any = by("BYDAY", "1MO", "-1FR", "5TU", "-2SU") || any
	} else {
		any = by("BYDAY", "MO", "WE", "FR", "SU") || any
	}
	any = by("BYHOUR", "0", "2", "13", "23") || any || week
	any = by("BYMINUTE", "0", "7", "30") || any
	if any && freq != "HOURLY" && freq != "MINUTELY" {
		by("BYSETPOS", "1", "2", "-1", "-3")
	}
	by("WKST", "SU", "MO", "TH")
	if i := slices.IndexFunc(parts, func(p string) bool { return strings.HasPrefix(p, "WKST") }); i >= 0 {
		parts[i], _, _ = strings.Cut(parts[i], ",")
	}
	return strings.Join(parts, ";")
}

// TestWeeksOfTheYear holds BYWEEKNO against Go's own weeks. The twin reckons the last week of the year before with the length of this year: it
// has no week 52 on 2022-01-01.
func TestWeeksOfTheYear(t *testing.T) {
	t.Parallel()
	compiler := NewCompiler(Builtin(), nil)
	start, end := time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 2, 1, 0, 0, 0, 0, time.UTC)
	for week := 1; week <= 53; week++ {
		s := DefaultSchedule()
		s.Name, s.From = "s", start.Format(time.RFC3339)
		s.RRule = fmt.Sprintf("FREQ=YEARLY;WKST=MO;BYWEEKNO=%d;BYDAY=MO,TU,WE,TH,FR,SA,SU", week)
		r, problems := compiler.Compile("n", s)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		var got, want []time.Time
		for o := range r.Between(start.Add(-time.Second), end) {
			got = append(got, o.Due.UTC())
		}
		for day := start; !day.After(end); day = day.AddDate(0, 0, 1) {
			if _, n := day.ISOWeek(); n == week {
				want = append(want, day)
			}
		}
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("week %d:\n got %v\nwant %v", week, got, want)
		}
	}
}

// TestRRuleExamples are from RFC 5545, 3.8.5.3, in the zone and with the DTSTART that stand there.
func TestRRuleExamples(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ rule, from, want string }{
		{"FREQ=DAILY;COUNT=3", "1997-09-02T09:00", "1997-09-02T09:00-04:00 1997-09-03T09:00-04:00 1997-09-04T09:00-04:00"},
		{"FREQ=DAILY;UNTIL=19970904T130000Z", "1997-09-02T09:00", "1997-09-02T09:00-04:00 1997-09-03T09:00-04:00 1997-09-04T09:00-04:00"},
		{"FREQ=WEEKLY;INTERVAL=2;UNTIL=19970928T000000Z;WKST=SU;BYDAY=MO,WE,FR", "1997-09-01T09:00", "1997-09-01T09:00-04:00 1997-09-03T09:00-04:00 1997-09-05T09:00-04:00 1997-09-15T09:00-04:00 1997-09-17T09:00-04:00 1997-09-19T09:00-04:00"},
		{"FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "1997-09-05T09:00", "1997-09-05T09:00-04:00 1997-10-03T09:00-04:00 1997-11-07T09:00-05:00"},
		{"FREQ=MONTHLY;COUNT=3;BYMONTHDAY=-3", "1997-09-28T09:00", "1997-09-28T09:00-04:00 1997-10-29T09:00-05:00 1997-11-28T09:00-05:00"},
		{"FREQ=YEARLY;BYDAY=20MO;COUNT=2", "1997-05-19T09:00", "1997-05-19T09:00-04:00 1998-05-18T09:00-04:00"},
		{"FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=2", "1997-05-12T09:00", "1997-05-12T09:00-04:00 1998-05-11T09:00-04:00"},
		{"FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=2", "1997-09-02T09:00", "1998-02-13T09:00-05:00 1998-03-13T09:00-05:00"},
		{"FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3", "1996-11-05T09:00", "1996-11-05T09:00-05:00 2000-11-07T09:00-05:00 2004-11-02T09:00-05:00"},
		{"FREQ=WEEKLY;COUNT=2;BYDAY=MO,WE;BYSETPOS=1", "1997-09-02T09:00", "1997-09-08T09:00-04:00 1997-09-15T09:00-04:00"}, // 3.3.10: a set starts with its interval
		{"FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04T09:00", "1997-09-04T09:00-04:00 1997-10-07T09:00-04:00 1997-11-06T09:00-05:00"},
		{"FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z", "1997-09-02T09:00", "1997-09-02T09:00-04:00 1997-09-02T12:00-04:00"}, // RFC 5545, erratum 3883
		{"FREQ=MINUTELY;INTERVAL=90;COUNT=3", "1997-09-02T09:00", "1997-09-02T09:00-04:00 1997-09-02T10:30-04:00 1997-09-02T12:00-04:00"},
		{"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05T09:00", "1997-08-05T09:00-04:00 1997-08-10T09:00-04:00 1997-08-19T09:00-04:00 1997-08-24T09:00-04:00"},
		{"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05T09:00", "1997-08-05T09:00-04:00 1997-08-17T09:00-04:00 1997-08-19T09:00-04:00 1997-08-31T09:00-04:00"},
		{"FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15T09:00", "2007-01-15T09:00-05:00 2007-01-30T09:00-05:00 2007-02-15T09:00-05:00 2007-03-15T09:00-04:00 2007-03-30T09:00-04:00"},
		{"FREQ=YEARLY;BYWEEKNO=53;BYDAY=TH", "2019-01-01T09:00", "2020-12-31T09:00-05:00 2026-12-31T09:00-05:00 2032-12-30T09:00-05:00"},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "2019-01-01T09:00", "2044-02-29T09:00-05:00 2072-02-29T09:00-05:00"},
	} {
		r := compiled(t, func(s *Schedule) { s.RRule, s.From, s.Zone = test.rule, test.from, "America/New_York" })
		var got []string
		after := at(t, "1990-01-01T00:00:00Z")
		for range strings.Count(test.want, " ") + 2 {
			o, ok := r.Next(after)
			if !ok {
				break
			}
			got = append(got, o.Due.In(r.Location()).Format("2006-01-02T15:04Z07:00"))
			after = o.Due
		}
		want := strings.Fields(test.want)
		if open := !strings.Contains(test.rule, "COUNT") && !strings.Contains(test.rule, "UNTIL"); open && len(got) > len(want) {
			got = got[:len(want)]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s from %s:\n got %v\nwant %v", test.rule, test.from, got, want)
		}
	}
}

// TestRRuleRefused names what is wrong.
func TestRRuleRefused(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		"BYDAY=MO":                                "FREQ is missing",
		"FREQ=HOURLYISH":                          "FREQ is",
		"FREQ=DAILY;FREQ=DAILY":                   "twice",
		"FREQ=DAILY;COUNT=3;UNTIL=20260101":       "COUNT and UNTIL",
		"FREQ=DAILY;COUNT=3":                      "`from` on",
		"FREQ=DAILY;DTSTART=20260101":             "`from` of the schedule",
		"FREQ=DAILY;BYEASTER=1":                   "RFC 5545",
		"FREQ=DAILY;INTERVAL=0":                   "whole number from 1",
		"FREQ=DAILY;BYMONTH=13":                   "1 to 12",
		"FREQ=MONTHLY;BYMONTHDAY=0":               "from the end",
		"FREQ=MONTHLY;BYDAY=53MO":                 "five at most",
		"FREQ=WEEKLY;BYDAY=1MO":                   "only for MONTHLY and YEARLY",
		"FREQ=WEEKLY;BYDAY=XX":                    "MO, TU",
		"FREQ=MONTHLY;BYWEEKNO=3":                 "only for YEARLY",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30":     "never due",
		"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30":      "never due",
		"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30":   "never due",
		"FREQ=SECONDLY;INTERVAL=2;BYSECOND=1":     "never due",
		"FREQ=MINUTELY;INTERVAL=60;BYMINUTE=1":    "never due",
		"FREQ=DAILY;BYSETPOS=1":                   "needs another",
		"FREQ=HOURLY;BYMINUTE=1,2;BYSETPOS=1":     "BYSETPOS is only",
		"FREQ=DAILY;UNTIL=2026-01-01":             "20261231T235959Z",
		"":                                        "nothing says",
		"FREQ=DAILY;" + strings.Repeat("X", 3000): "longer than",
	} {
		s := DefaultSchedule()
		s.Name, s.RRule = "s", rule
		r, problems := NewCompiler(Builtin(), nil).Compile("n", s)
		if r != nil || len(problems) == 0 || !strings.Contains(problems[0].Message, want) {
			t.Errorf("%.60q: got %v, want %q", rule, problems, want)
		}
	}
}

// FuzzRRule looks for rules that make a search long, or that break what a rule promises.
func FuzzRRule(f *testing.F) {
	for _, text := range []string{
		"FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1", "FREQ=SECONDLY;INTERVAL=7;BYSECOND=1;BYMONTHDAY=29;BYMONTH=2",
		"FREQ=WEEKLY;INTERVAL=3;WKST=SU;BYDAY=SA", "FREQ=DAILY;COUNT=5;BYHOUR=1,2,3", "FREQ=HOURLY;UNTIL=20261231;BYYEARDAY=-1", "FREQ=MINUTELY;INTERVAL=999999",
	} {
		f.Add(text, uint8(1), int64(1772000000))
	}
	zones := []string{"UTC", "America/New_York", "Pacific/Apia", "Africa/Casablanca"}
	compiler := NewCompiler(Builtin(), nil)
	f.Fuzz(func(t *testing.T, text string, pick uint8, from int64) {
		s := DefaultSchedule()
		s.Name, s.RRule, s.Zone = "s", text, zones[int(pick)%len(zones)]
		if pick&8 > 0 {
			s.From = "2020-02-29T02:30"
		}
		begun := time.Now()
		r, problems := compiler.Compile("n", s)
		if took := time.Since(begun); took > endless {
			t.Errorf("%+v: Compile took %s", s, took)
		}
		if (r == nil) == (len(problems) == 0) {
			t.Fatalf("rule %v, problems %v", r, problems)
		}
		if r != nil {
			checkRule(t, r, time.Unix(from%4_000_000_000, 0))
		}
	})
}
