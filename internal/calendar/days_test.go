package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func lookupOf(defs ...*Definition) Lookup {
	return func(name string) (*Definition, bool) {
		for _, d := range defs {
			if d.Name == name {
				return d, true
			}
		}
		return nil, false
	}
}

func dates(list ...string) (out []Date) {
	for _, text := range list {
		date, name, _ := strings.Cut(text, " ")
		out = append(out, Date{Date: date, Name: name})
	}
	return out
}

func workweek() []time.Weekday {
	return []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
}

func day(t *testing.T, text string) Day {
	t.Helper()
	year, month, d, err := ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return DayOf(year, month, d)
}

func bank() Lookup {
	return lookupOf(
		&Definition{Name: "holidays/de", Free: dates("01-01 New Year's Day", "12-25 Christmas Day", "2026-04-03 Good Friday")},
		&Definition{
			Name: "bank", Week: workweek(), Boundary: 6 * time.Hour, Free: dates("12-24 Christmas Eve", "02-29"),
			FreeOn: []string{"holidays/de#free", "closed"}, Work: dates("2026-12-24", "2026-01-10 Stocktaking"),
			Sets: []Set{
				{Name: "closed", Dates: dates("2026-06-05 Bridge")},
				{Name: "odd", Union: []string{"bank"}, Intersection: []string{"first-half"}, Difference: []string{"#free", "holidays/de#free"}},
				{Name: "first-half", Dates: dates("2026-04-01", "2026-04-02", "2026-04-03", "2026-06-05")},
				{Name: "rest", Difference: []string{"bank"}},
			},
		},
	)
}

func TestDays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		ref, day string
		want     bool
		why      string
	}{
		{"bank", "2026-12-23", true, "Wednesday"},
		{"bank", "2026-12-24", true, "working: 2026-12-24"},
		{"bank", "2027-12-24", false, "free: Christmas Eve"},
		{"bank", "2026-12-25", false, "free: Christmas Day (holidays/de)"},
		{"bank", "2026-12-26", false, "Saturday"},
		{"bank", "2026-01-10", true, "working: Stocktaking"},
		{"bank", "2026-06-05", false, "free: Bridge (bank#closed)"},
		{"bank", "2028-02-29", false, "free: 02-29"},
		{"bank", "2027-03-01", true, "Monday"},
		{"bank", "2150-12-25", false, "free: Christmas Day (holidays/de)"},
		{"bank", "2150-12-23", true, "Wednesday"},
		{"bank", "1960-02-29", false, "free: 02-29"},
		{"bank#free", "2026-04-03", true, "in bank#free: Good Friday (holidays/de)"},
		{"bank#free", "2026-04-04", false, "not in bank#free"},
		{"bank#odd", "2026-04-02", true, "in bank#odd: Thursday (bank)"},
		{"bank#odd", "2026-04-03", false, "not in bank#odd, which leaves out Good Friday (holidays/de)"},
		{"bank#rest", "2026-04-04", true, "in bank#rest: Saturday"},
		{"bank#rest", "2026-04-02", false, "not in bank#rest, which leaves out Thursday (bank)"},
		{"holidays/de", "2026-04-04", true, "Saturday"},
	} {
		days, problems := Resolve(test.ref, bank())
		if len(problems) > 0 {
			t.Fatalf("%s: %v", test.ref, problems)
		}
		d := day(t, test.day)
		if got := days.Working(d); got != test.want {
			t.Errorf("%s on %s: got %v, want %v", test.ref, test.day, got, test.want)
		}
		if got := days.Why(d); got != test.why {
			t.Errorf("%s on %s: got %q, want %q", test.ref, test.day, got, test.why)
		}
	}
	days, _ := Resolve("bank", bank())
	for text, want := range map[string]string{"2026-12-24": "2026-12-24", "2027-12-24": "Christmas Eve", "2026-12-25": "Christmas Day", "2026-12-23": "", "2026-12-26": "", "2026-06-05": "Bridge"} {
		if got := days.Entry(day(t, text)); got != want {
			t.Errorf("entry of %s: got %q, want %q", text, got, want)
		}
	}
	odd, _ := Resolve("bank#odd", bank())
	if in, out := odd.Entry(day(t, "2026-04-02")), odd.Entry(day(t, "2026-04-03")); in != "" || out != "" {
		t.Errorf("got %q and %q, want none", in, out)
	}
	if got, want := days.Boundary(), 6*time.Hour; got != want {
		t.Errorf("boundary: got %v, want %v", got, want)
	}
	if got, want := days.Calendars(), []string{"holidays/de", "bank"}; !slices.Equal(got, want) {
		t.Errorf("calendars: got %v, want %v", got, want)
	}
}

func TestEveryDayWithoutACalendar(t *testing.T) {
	t.Parallel()
	var days Days
	if !days.Working(20000) || days.Why(day(t, "2026-12-26")) != "Saturday" || days.Count(10, 20) != 10 {
		t.Error("the zero value must have every day as a working day")
	}
	if got, ok := days.Next(10, 2, 0); got != 12 || !ok {
		t.Errorf("got %v, %v, want 12", got, ok)
	}
}

func TestCountingDays(t *testing.T) {
	t.Parallel()
	days, problems := Resolve("bank", bank())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, test := range []struct {
		period Period
		in     string
		n      int
		want   string
	}{
		{Month, "2026-01-20", 1, "2026-01-02"},
		{Month, "2026-01-20", 7, "2026-01-10"},
		{Month, "2026-12-01", -1, "2026-12-31"},
		{Month, "2026-12-01", -5, "2026-12-24"},
		{Month, "2026-12-01", 24, ""},
		{Month, "2026-12-01", 0, ""},
		{Quarter, "2026-05-01", 1, "2026-04-01"},
		{Quarter, "2026-12-31", -1, "2026-12-31"},
		{Year, "2026-05-01", 1, "2026-01-02"},
		{Year, "2100-05-01", -1, "2100-12-31"},
		{Year, "2101-05-01", 1, "2101-01-03"},
		{Year, "2101-05-01", -1, "2101-12-30"},
	} {
		text := ""
		if got, ok := days.NthOf(test.period, day(t, test.in), test.n); ok {
			text = got.String()
		}
		if text != test.want {
			t.Errorf("working day %d of the %s of %s: got %q, want %q", test.n, test.period, test.in, text, test.want)
		}
	}
	if a, b := days.Position(Month, day(t, "2026-01-10")); a != 7 || b != -16 {
		t.Errorf("position: got %d and %d, want 7 and -16", a, b)
	}
	if got, ok := days.Next(day(t, "2026-12-25"), 1, 2); ok {
		t.Errorf("got %v, want none within 2 days", got)
	}
	if got, ok := days.Next(day(t, "2026-12-25"), 1, 3); !ok || got.String() != "2026-12-28" {
		t.Errorf("got %v, want 2026-12-28", got)
	}
	if got, ok := days.Previous(day(t, "2026-12-27"), 2, 0); !ok || got.String() != "2026-12-23" {
		t.Errorf("got %v, want 2026-12-23", got)
	}
}

// member is the slow twin: it says by the words of the definition whether a day is in a set of a calendar.
func member(defs Lookup, calendar, set string, d Day) bool {
	def, _ := defs(calendar)
	in := func(list []Date) bool {
		return slices.ContainsFunc(list, func(e Date) bool { return e.Date == d.String() || e.Date == d.String()[5:] })
	}
	refer := func(ref string) bool {
		name, part, sharp := strings.Cut(ref, "#")
		switch {
		case name == "":
			name = calendar
		case !sharp && setOf(def, name) != nil:
			name, part = calendar, name
		}
		return member(defs, name, part, d)
	}
	some := func(list []string) bool { return slices.ContainsFunc(list, refer) }
	switch set {
	case "":
		week := len(def.Week) == 0 || slices.Contains(def.Week, d.Weekday())
		return in(def.Work) || some(def.WorkOn) || week && !member(defs, calendar, "free", d)
	case "free":
		return in(def.Free) || some(def.FreeOn)
	}
	s := setOf(def, set)
	got := in(s.Dates) || some(s.Union) || len(s.Dates)+len(s.Union) == 0
	for _, ref := range s.Intersection {
		got = got && refer(ref)
	}
	return got && !some(s.Difference)
}

// TestDaysAgainstTwin makes calendars that lean on earlier ones, and looks at days inside and outside of what is made once.
func TestDaysAgainstTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var defs []*Definition
		var refs []string // that may be named so far
		table := func(label string) []Date {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Date {
				d := Day(rapid.IntRange(-400, 400).Draw(t, "day"))
				if rapid.Bool().Draw(t, "late") {
					d += afterDay
				}
				if rapid.Bool().Draw(t, "yearly") {
					return Date{Date: d.String()[5:]}
				}
				return Date{Date: d.String()}
			}), 0, 6).Draw(t, label)
		}
		some := func(label string) []string {
			if len(refs) == 0 {
				return nil
			}
			return rapid.SliceOfN(rapid.SampledFrom(refs), 0, 3).Draw(t, label)
		}
		for i := range rapid.IntRange(1, 4).Draw(t, "calendars") {
			d := &Definition{Name: fmt.Sprintf("c%d", i)}
			d.Week = rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(0, 6), func(n int) time.Weekday { return time.Weekday(n) }), 0, 6, rapid.ID).Draw(t, "week")
			outside := len(refs)
			for k := range rapid.IntRange(0, 3).Draw(t, "sets") {
				name := fmt.Sprintf("s%d", k)
				d.Sets = append(d.Sets, Set{Name: name, Dates: table("dates"), Union: some("union"), Intersection: some("intersection"), Difference: some("difference")})
				refs = append(refs, name)
			}
			d.Free, d.FreeOn, d.Work, d.WorkOn = table("free"), some("free_on"), table("work"), some("work_on")
			refs = append(refs[:outside:outside], d.Name, d.Name+"#free")
			for _, s := range d.Sets {
				refs = append(refs, d.Name+"#"+s.Name)
			}
			defs = append(defs, d)
		}
		lookup := lookupOf(defs...)
		ref := rapid.SampledFrom(refs).Draw(t, "ref")
		days, problems := Resolve(ref, lookup)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", ref, problems)
		}
		name, set, _ := strings.Cut(ref, "#")
		first := Day(rapid.SampledFrom([]int{-300, 0, 20000, int(afterDay) - 150, int(afterDay) + 10}).Draw(t, "first"))
		var working []Day
		for d := first; d < first+300; d++ {
			want := member(lookup, name, set, d)
			if got := days.Working(d); got != want {
				t.Fatalf("%s on %s: got %v, want %v", ref, d, got, want)
			}
			if why := days.Why(d); why == "" {
				t.Fatalf("%s on %s: no reason", ref, d)
			}
			if want {
				working = append(working, d)
			}
		}
		if got := days.Count(first, first+300); got != len(working) {
			t.Fatalf("count: got %d, want %d", got, len(working))
		}
		n := rapid.IntRange(1, 300).Draw(t, "n")
		for _, back := range []bool{false, true} {
			k, at := n, n-1
			if back {
				k, at = -n, len(working)-n
			}
			got, ok := days.Nth(k, first, first+300)
			if want := n <= len(working); ok != want || ok && got != working[at] {
				t.Fatalf("working day %d: got %v, %v of %d", k, got, ok, len(working))
			}
		}
	})
}

func BenchmarkWorking(b *testing.B) {
	days, _ := Resolve("bank", bank())
	n := 0
	for i := 0; b.Loop(); i++ {
		n += one(days.Working(Day(i % 40000)))
	}
	_ = n
}

func BenchmarkResolve(b *testing.B) {
	lookup := bank()
	for b.Loop() {
		Resolve("bank", lookup)
	}
}
