package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestCronRefused names the field, what stands there and what can.
func TestCronRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                {"0 fields; write five"},
		"*":                               {"1 field; write five"},
		"* * * *":                         {"4 fields"},
		"0 15 10 * * ? 2005":              {"seven fields", "`from` and `until`"},
		"60 24 32 13 8":                   {`the minute is "60": it can be 0 to 59`, `the hour is "24": it can be 0 to 23`, `the day of the month is "32": it can be 1 to 31`, `the month is "13"`, `the day of the week is "8"`},
		"60 * * * * *":                    {`the second is "60": it can be 0 to 59`},
		"* * 0 * *":                       {"1 to 31"},
		"* * * 0 *":                       {"1 to 12 or JAN to DEC"},
		"a * * * *":                       {`the minute is "A"`},
		"-1 * * * *":                      {`the minute is "-1"`},
		"+1 * * * *":                      {"0 to 59"},
		"1- * * * *":                      {"0 to 59"},
		"1,,2 * * * *":                    {`the minute is ""`},
		"*/0 * * * *":                     {"from 1 on"},
		"*/-5 * * * *":                    {"from 1 on"},
		"*/ * * * *":                      {"from 1 on"},
		"*/61 * * * *":                    {"longer than the whole field", "`every`"},
		"50-10 * * * *":                   {"does not run over its end: write 50-59,0-10"},
		"0 0 * NOV-FEB *":                 {"write NOV-12,1-FEB"},
		"0 0 * * FRI-MON":                 {"write FRI-6,0-MON"},
		"0 0 * * 7-1":                     {"write 0-1"},
		"0 23-6/2 * * *":                  {"write 23,1-6/2"},
		"0 0 * * 7-2/2":                   {"write 0-2/2"},
		"? * * * *":                       {"0 to 59"},
		"0~30 * * * *":                    {"H(0-29)"},
		"H(5) * * * *":                    {"H(0-29)"},
		"H(5-2) * * * *":                  {"run over its end: write H(5-59) or H(0-2)"},
		"0 0 L-31 * *":                    {"up to L-30"},
		"0 0 L3 * *":                      {"L-3"},
		"0 0 32W * *":                     {"nearest to the 15th"},
		"0 0 W * *":                       {"nearest to the 15th"},
		"0 0 * * 5#6":                     {"after # stands 1 to 5"},
		"0 0 * * L":                       {"5L or FRIL"},
		"0 0 * * 8L":                      {"0 to 7"},
		"@reboot":                         {"`reeve run start NET`"},
		"@every 5m":                       {"write `every: 90s`"},
		"@fortnightly":                    {"@yearly, @annually"},
		strings.Repeat("1,", 600) + "1 *": {"longer than 1000"},
		"0 0 30 2 *":                      {"never due"},
		"0 0 31 4,6,9,11 *":               {"never due"},
		"0 0 30W 2 *":                     {"never due"},
	} {
		s := DefaultSchedule()
		s.Name, s.Cron = "s", text
		if text == "" {
			s.Cron = " "
		}
		r, problems := NewCompiler(Builtin(), nil).Compile("n", s)
		var got []string
		for _, p := range problems {
			got = append(got, p.Field+": "+p.Message)
		}
		all := strings.Join(got, "\n")
		for _, w := range want {
			if r != nil || !strings.Contains(all, w) {
				t.Errorf("%.40q: got %s, want %q", text, all, w)
			}
		}
	}
}

// TestCronRemedy: what is said to write instead of a range that runs over its end is taken, and is what such a range would be.
func TestCronRemedy(t *testing.T) {
	t.Parallel()
	for index, f := range cronFields() {
		fields := strings.Fields("0 0 0 1 1 *")
		for lo := f.min; lo <= f.max; lo++ {
			for hi := f.min; hi < lo; hi++ {
				for step := 1; step <= f.max-f.min+1; step += 1 + step/3 {
					fields[index] = fmt.Sprintf("%d-%d/%d", lo, hi, step)
					if step == 1 {
						fields[index] = fmt.Sprintf("%d-%d", lo, hi)
					}
					_, mistakes := parseCron(strings.Join(fields, " "), "")
					if len(mistakes) == 0 {
						if hi == 0 && index == fieldDow { // it ends on a Sunday
							continue
						}
						t.Fatalf("%s %s is taken", f.name, fields[index])
					}
					_, remedy, _ := strings.Cut(mistakes[0], "write ")
					fields[index] = remedy
					got, mistakes := parseCron(strings.Join(fields, " "), "")
					if len(mistakes) > 0 {
						t.Fatalf("%s: the remedy %s is refused: %v", f.name, remedy, mistakes)
					}
					size := f.max - f.min + 1
					if index == fieldDow {
						size = 7
					}
					var want uint64
					for n := lo; n <= hi+(lo-hi+size-1)/size*size; n += step {
						want |= 1 << ((n-f.min)%size + f.min)
					}
					have := [6]uint64{got.second, got.minute, uint64(got.hour), uint64(got.dom), uint64(got.month), uint64(got.dow)}[index]
					if have != want {
						t.Fatalf("%s: %d-%d/%d: the remedy %s is %b, want %b", f.name, lo, hi, step, remedy, have, want)
					}
				}
			}
		}
	}
}

// TestCronHash spreads H over schedules, within its range, and always in the same way.
func TestCronHash(t *testing.T) {
	t.Parallel()
	minutes := map[int]int{}
	for i := range 600 {
		name := strings.Repeat("x", i%40) + string(rune('a'+i/40))
		first, mistakes := parseCron("H H(9-17) H * H", "net\x00"+name)
		again, _ := parseCron("H H(9-17) H * H", "net\x00"+name)
		if len(mistakes) > 0 || first != again || !first.hashed {
			t.Fatalf("%s: %v %v", name, first, mistakes)
		}
		minute, ok := first.time(0)
		if hour := minute / 3600; !ok || hour < 9 || hour > 17 || first.times(daySeconds) != 1 {
			t.Errorf("%s: hour %d", name, hour)
		}
		minutes[minute/60%60]++
		if first.dom>>29 != 0 || first.dom == 0 || first.dow == 0 || first.dow>>7 != 0 {
			t.Errorf("%s: days %b, weekdays %b", name, first.dom, first.dow)
		}
	}
	for m := range 60 {
		if minutes[m] == 0 || minutes[m] > 30 {
			t.Errorf("minute %d has %d of 600 schedules", m, minutes[m])
		}
	}
	steps, _ := parseCron("H/15 H/6 * * *", "net\x00a")
	if n := steps.times(daySeconds); n != 16 || steps.everyHour {
		t.Errorf("H/15 H/6: %d times a day, want 16 that follow the fields for gaps", n)
	}
}

// TestCronInZones says which lines fire at each real instant.
func TestCronEveryHour(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"* * * * *": true, "0 */2 * * *": true, "@hourly": true, "0 0 * * * *": true, "30 */1 * * *": true,
		"0 0-23 * * *": false, "* 2 * * *": false, "0 *,5 * * *": false, "0 H * * *": false, "0 1/2 * * *": false, "@daily": false,
	} {
		if c, mistakes := parseCron(text, ""); c.everyHour != want || len(mistakes) > 0 {
			t.Errorf("%s: got %t %v, want %t", text, c.everyHour, mistakes, want)
		}
	}
}

// TestCronDaysAgainstTwin compares L, W and # with what a person would count on a calendar sheet.
func TestCronDaysAgainstTwin(t *testing.T) {
	t.Parallel()
	type sheet func(dom, days int, first time.Weekday) bool
	weekdayOf := func(dom int, first time.Weekday) time.Weekday { return time.Weekday((int(first) + dom - 1) % 7) }
	nearest := func(want, days int, first time.Weekday) int {
		for _, d := range []int{want, want - 1, want + 1, want - 2, want + 2} {
			if w := weekdayOf(d+7, first); d >= 1 && d <= days && w != time.Saturday && w != time.Sunday {
				return d
			}
		}
		return 0
	}
	for text, want := range map[string]sheet{
		"0 0 L * *":     func(dom, days int, _ time.Weekday) bool { return dom == days },
		"0 0 L-3 * *":   func(dom, days int, _ time.Weekday) bool { return dom == days-3 },
		"0 0 15W * *":   func(dom, days int, first time.Weekday) bool { return dom == nearest(15, days, first) },
		"0 0 1W * *":    func(dom, days int, first time.Weekday) bool { return dom == nearest(1, days, first) },
		"0 0 31W * *":   func(dom, days int, first time.Weekday) bool { return days == 31 && dom == nearest(31, days, first) },
		"0 0 30W * *":   func(dom, days int, first time.Weekday) bool { return days >= 30 && dom == nearest(30, days, first) },
		"0 0 LW * *":    func(dom, days int, first time.Weekday) bool { return dom == nearest(days, days, first) },
		"0 0 L-2W * *":  func(dom, days int, first time.Weekday) bool { return dom == nearest(days-2, days, first) },
		"0 0 * * 5L":    func(dom, days int, first time.Weekday) bool { return weekdayOf(dom, first) == 5 && dom+7 > days },
		"0 0 * * SUN#2": func(dom, _ int, first time.Weekday) bool { return weekdayOf(dom, first) == 0 && dom > 7 && dom <= 14 },
		"0 0 * * 1#5":   func(dom, _ int, first time.Weekday) bool { return weekdayOf(dom, first) == 1 && dom > 28 },
		"0 0 13 * FRI":  func(dom, _ int, first time.Weekday) bool { return dom == 13 || weekdayOf(dom, first) == 5 },
	} {
		c, mistakes := parseCron(text, "")
		if len(mistakes) > 0 {
			t.Fatal(mistakes)
		}
		for month := range 12 * 30 {
			start := time.Date(2000, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC)
			days := start.AddDate(0, 1, -1).Day()
			for dom := 1; dom <= days; dom++ {
				day := int64(DayOf(start.Year(), start.Month(), dom))
				if got := c.on(day); got != want(dom, days, start.Weekday()) {
					t.Errorf("%s on %s: got %t", text, Day(day), got)
				}
			}
		}
	}
}

// TestCronCounts compares counting with stepping.
func TestCronCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"* * * * *", "*/7 3-5 * * *", "15,45 */2 * * * *", "0 0 1 1 *", "0 0 L * *", "30 4 10-20 2,3 1", "59 59 23 * * 0", "1-3 * 31 * *"}).Draw(t, "cron")
		c, _ := parseCron(text, "")
		lo := rapid.Int64Range(-1e9, 3e9).Draw(t, "lo")
		hi := lo + rapid.Int64Range(0, 40*daySeconds).Draw(t, "length")
		var want int64
		var last int64
		for w, ok := c.next(lo, hi); ok; w, ok = c.next(w+1, hi) {
			if want++; w < lo || w >= hi || want > 1 && w <= last {
				t.Fatalf("%s: %s is out of order or range", text, wallText(w))
			}
			if i := w - floorDiv(w, daySeconds)*daySeconds; c.choose(int(c.times(int(i)))) != i {
				t.Fatalf("%s: %s is not the %d-th of its day", text, wallText(w), c.times(int(i)))
			}
			last = w
		}
		if got := c.count(lo, hi); got != want {
			t.Fatalf("%s from %s to %s: counted %d, stepped %d", text, wallText(lo), wallText(hi), got, want)
		}
	})
}

// TestCivil compares the days of this package with package time.
func TestCivil(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.Int64Range(earliest/daySeconds, latest/daySeconds).Draw(t, "day")
		year, month, dom := civil(day)
		want := instant(day * daySeconds)
		if year != want.Year() || month != int(want.Month()) || dom != want.Day() || weekday(day) != int(want.Weekday()) || civilDay(year, month, dom) != day {
			t.Fatalf("day %d: got %d-%d-%d, want %s", day, year, month, dom, want)
		}
		if got, want := daysIn(year, month), time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day(); got != want {
			t.Fatalf("%d-%d has %d days, want %d", year, month, got, want)
		}
	})
}

// endless is a search that goes day by day to the end of time, or worse: one that ends takes milliseconds, on whatever machine.
const endless = 20 * time.Second

// FuzzCron looks for expressions that make a search long, or that break what a rule promises.
func FuzzCron(f *testing.F) {
	for _, text := range []string{"0 0 31 2 *", "* * * * * *", "0 0 29 2 1", "H H L-3W * 5#3", "@yearly", "*/7 1-5,9 15W FEB MON-FRI", "0 0 30 2 *", "59 59 23 31 12 7L"} {
		f.Add(text, uint8(0), int64(1772000000))
	}
	zones := []string{"UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns"}
	compiler := NewCompiler(Builtin(), nil)
	f.Fuzz(func(t *testing.T, text string, pick uint8, from int64) {
		s := DefaultSchedule()
		s.Name, s.Cron, s.Zone = "s", text, zones[int(pick)%len(zones)]
		s.Gap = []Gap{GapNextValid, GapSkip, GapShift}[int(pick)/8%3]
		s.Fold = []Fold{FoldFirst, FoldLast, FoldBoth}[int(pick)/32%3]
		r, problems := compiler.Compile("n", s)
		if (r == nil) == (len(problems) == 0) {
			t.Fatalf("rule %v, problems %v", r, problems)
		}
		if r == nil {
			return
		}
		checkRule(t, r, time.Unix(from%4_000_000_000, 0))
	})
}

// checkRule holds what every rule promises.
func checkRule(t *testing.T, r *Rule, after time.Time) {
	t.Helper()
	begun := time.Now()
	first, ok := r.Next(after)
	if took := time.Since(begun); took > endless {
		t.Errorf("%+v: Next took %s", r.schedule, took)
	}
	if !ok {
		return
	}
	if !first.Due.After(after) {
		t.Fatalf("%+v: next after %s is %s", r.schedule, after, first.Due)
	}
	again, ok := r.At(first.Nominal)
	if !ok || again != first {
		t.Fatalf("%+v: at %s is %v %t, want %v", r.schedule, first.Nominal, again, ok, first)
	}
	until := first.Due.Add(36 * time.Hour)
	var n int64
	for o := range r.Between(after, until) {
		if n == 0 && o != first {
			t.Fatalf("%+v: between begins with %v, next is %v", r.schedule, o, first)
		}
		if n++; n > 2000 {
			return
		}
	}
	if got := r.Count(after, until).All; got != n {
		t.Fatalf("%+v after %s: counted %d, stepped %d", r.schedule, after, got, n)
	}
	if len(r.Certificate(first)) < 2 {
		t.Fatalf("%+v: no certificate", r.schedule)
	}
}

// TestAnyCron does what FuzzCron does, with expressions that are mostly right.
func TestAnyCron(t *testing.T) {
	t.Parallel()
	names := Builtin().Names()
	compiler := NewCompiler(Builtin(), nil)
	rapid.Check(t, func(rt *rapid.T) {
		field := func(name string, parts ...string) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 3).Draw(rt, name), ",")
		}
		s := DefaultSchedule()
		s.Name, s.Zone = "s", rapid.SampledFrom(names).Draw(rt, "zone")
		s.Gap = rapid.SampledFrom([]Gap{GapNextValid, GapSkip, GapShift}).Draw(rt, "gap")
		s.Fold = rapid.SampledFrom([]Fold{FoldFirst, FoldLast, FoldBoth}).Draw(rt, "fold")
		s.Cron = strings.Join([]string{
			field("minute", "0", "30", "*/17", "59", "H"), field("hour", "*", "0", "1", "2", "3", "23", "*/3", "H(1-4)"),
			field("dom", "*", "29", "31", "L", "15W", "LW", "L-3", "1-7"), field("month", "*", "2", "3", "10-11"), field("dow", "*", "?", "0", "MON", "5L", "2#5"),
		}, " ")
		r, problems := compiler.Compile("n", s)
		if len(problems) > 0 {
			if !strings.Contains(problems[0].Message, "never due") {
				rt.Fatalf("%s: %v", s.Cron, problems)
			}
			return
		}
		n := rapid.Int64Range(0, 2_100_000_000).Draw(rt, "after")
		if z := r.zone; len(z.segments) > 3 && rapid.Bool().Draw(rt, "near a transition") {
			n = z.segments[rapid.IntRange(1, len(z.segments)-1).Draw(rt, "segment")].start - rapid.Int64Range(0, 2*daySeconds).Draw(rt, "seconds")
		}
		checkRule(t, r, instant(n))
	})
}

// TestSearchesEnd gives every kind of rule what makes its search long.
func TestSearchesEnd(t *testing.T) {
	t.Parallel()
	never := func(name string) (*Definition, bool) {
		return &Definition{Name: name, Week: []time.Weekday{1}, Boundary: 12 * time.Hour}, true
	}
	for _, change := range []func(*Schedule){
		func(s *Schedule) { s.Cron = "0 0 31 2 *" },
		func(s *Schedule) { s.Cron, s.Calendar, s.Shift = "0 0 29 2 *", "c", "before 300 within 366" },
		func(s *Schedule) {
			s.Cron, s.Calendar, s.WorkingDays = "0 0 29 2 *", "c", []string{"1 of month", "-1 of year"}
		},
		func(s *Schedule) { s.Cron, s.Jitter = "* * * * * *", time.Hour },
		func(s *Schedule) {
			s.Cron, s.Blackouts = "* * * * * *", []Blackout{{From: "00:00:01", Until: "00:00:00"}}
		},
		func(s *Schedule) {
			s.RRule = "FREQ=SECONDLY;INTERVAL=99991;BYHOUR=3;BYMINUTE=5;BYSECOND=13;BYMONTHDAY=31;BYDAY=SU"
		},
		func(s *Schedule) { s.RRule = "FREQ=MINUTELY;INTERVAL=1439;BYYEARDAY=366" },
		func(s *Schedule) { s.RRule = "FREQ=YEARLY;INTERVAL=7;BYWEEKNO=53;BYDAY=SU;BYMONTH=1" },
		func(s *Schedule) {
			s.RRule = "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=0,1,2,3,4,5,6,7;BYSETPOS=366,-366"
		},
		func(s *Schedule) { s.RRule = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" },
		func(s *Schedule) { s.Every = 39 * 366 * 24 * time.Hour },
		func(s *Schedule) { s.Dates = []string{"1900-01-01", "2198-12-31"} },
	} {
		s := DefaultSchedule()
		s.Name = "s"
		change(&s)
		r, _ := NewCompiler(Builtin(), never).Compile("n", s)
		if r == nil {
			continue
		}
		r.Next(at(t, "2026-01-01T00:00:00Z"))
		r.Next(at(t, "2150-01-01T00:00:00Z"))
		list := slices.Collect(func(yield func(Occurrence) bool) {
			for o := range r.Between(at(t, "2026-01-01T00:00:00Z"), at(t, "2026-01-01T00:10:00Z")) {
				if !yield(o) {
					return
				}
			}
		})
		if got := r.Count(at(t, "2026-01-01T00:00:00Z"), at(t, "2026-01-01T00:10:00Z")); got.All != int64(len(list)) {
			t.Errorf("%+v: counted %d, listed %d", s, got.All, len(list))
		}
	}
}
