package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCheckDefinition(t *testing.T) {
	t.Parallel()
	others := lookupOf(
		&Definition{Name: "holidays/de", Free: dates("01-01")},
		&Definition{Name: "broken", Free: dates("13-01")},
		&Definition{Name: "round", FreeOn: []string{"c"}},
	)
	long := strings.Repeat("x", 201)
	for name, test := range map[string]struct {
		def  Definition
		want []string // field: part of the message
	}{
		"nothing":           {Definition{Name: "c"}, nil},
		"all is well":       {Definition{Name: "a/c.d", Week: workweek(), FreeOn: []string{"holidays/de#free", "s"}, Sets: []Set{{Name: "s", Dates: dates("2026-01-01")}}}, nil},
		"no name":           {Definition{}, []string{`calendar: "" is no name`}},
		"a name with space": {Definition{Name: "a b"}, []string{"calendar: is no name"}},
		"a name with slash": {Definition{Name: "a/"}, []string{"calendar: is no name"}},
		"a date that never was": {
			Definition{Name: "c", Free: dates("2026-02-29", "2024-02-29", "02-29", "02-30", "2026-13-01", "tomorrow", "1899-01-01", "2026-1-01", "+2-29", "")},
			[]string{
				"free[0].date: February 2026 has 28 days", "free[3].date: February has 29 days", "free[4].date: no month 13", "free[5].date: write 2026-12-24",
				"free[6].date: years are", "free[7].date: is not a date", "free[8].date: is not a date", "free[9].date: needs its date",
			},
		},
		"twice": {
			Definition{Name: "c", Week: []time.Weekday{1, 2, 1}, Free: dates("01-01", "01-01"), Sets: []Set{{Name: "a", Dates: dates("01-01")}, {Name: "a", Dates: dates("01-02")}}},
			[]string{"week[2]: Monday stands twice", "sets[1].name: stands twice", "free[1].date: stands twice"},
		},
		"free and work":    {Definition{Name: "c", Free: dates("01-01", "2026-05-01"), Work: dates("2026-01-01", "2026-05-01")}, []string{"work[1].date: stands in free"}},
		"boundary":         {Definition{Name: "c", Boundary: 24 * time.Hour}, []string{"boundary: 00:00 to 23:59"}},
		"negative":         {Definition{Name: "c", Boundary: -time.Hour}, []string{"boundary: 00:00 to 23:59"}},
		"seconds":          {Definition{Name: "c", Boundary: time.Second}, []string{"boundary: 00:00 to 23:59"}},
		"sets' names":      {Definition{Name: "c", Sets: []Set{{Name: "free", Dates: dates("01-01")}, {Name: "A", Dates: dates("01-01")}, {Name: "", Dates: dates("01-01")}, {Name: long, Dates: dates("01-01")}}}, []string{"sets[0].name: choose another", "sets[1].name: small letters", "sets[2].name: small letters", "sets[3].name: 201 characters"}},
		"an empty set":     {Definition{Name: "c", Sets: []Set{{Name: "s"}}}, []string{"sets[0]: has no days"}},
		"long text":        {Definition{Name: "c", Work: []Date{{Date: "01-01", Name: long}}}, []string{"work[0].name: 201 characters"}},
		"nowhere":          {Definition{Name: "c", FreeOn: []string{"no", "no/such", "holidays/de#x", "#x", "x#", ""}}, []string{"free_on[0]: neither a set", "free_on[1]: neither a set", "free_on[2]: has no set \"x\"", "free_on[3]: has no set", "free_on[4]: names nothing", "free_on[5]: names nothing"}},
		"in a set":         {Definition{Name: "c", Sets: []Set{{Name: "s", Difference: []string{"no#free"}}}}, []string{"sets[0].difference[0]: no calendar \"no\""}},
		"itself":           {Definition{Name: "c", FreeOn: []string{"c"}}, []string{"free_on[0]: c → c#free → c"}},
		"a set and itself": {Definition{Name: "c", Sets: []Set{{Name: "a", Union: []string{"b"}}, {Name: "b", Union: []string{"a"}}}}, []string{"sets[1].union[0]: c#a → c#b → c#a"}},
		"round by another": {Definition{Name: "c", WorkOn: []string{"round"}}, []string{"work_on[0]: calendar round, free_on[0]: it leads back to itself: c → round → round#free → c"}},
		"another's fault":  {Definition{Name: "c", FreeOn: []string{"broken#free"}}, []string{"free_on[0]: calendar broken, free[0].date: \"13-01\": there is no month 13"}},
		"no working day":   {Definition{Name: "c", Sets: []Set{{Name: "all", Difference: []string{"none"}}, {Name: "none", Dates: dates("1950-01-01")}}, FreeOn: []string{"all"}}, []string{"calendar: no working day"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := CheckDefinition(&test.def, others)
			for i, p := range got {
				field, part := "", ""
				if i < len(test.want) {
					field, part, _ = strings.Cut(test.want[i], ": ")
				}
				if p.Field != field || !strings.Contains(p.Message, part) || part == "" {
					t.Errorf("got %s: %s, want %s: … %s", p.Field, p.Message, field, part)
				}
			}
			if len(got) < len(test.want) {
				t.Errorf("got %d problems, want %d: %v", len(got), len(test.want), got)
			}
		})
	}
}

// TestCheckAlone: without the other calendars only what stands in this one is looked at.
func TestCheckAlone(t *testing.T) {
	t.Parallel()
	d := Definition{Name: "c", FreeOn: []string{"other#free", "s", "#no"}, Sets: []Set{{Name: "s", Union: []string{"other"}}}}
	got := CheckAmong(&d, nil)
	if len(got) != 1 || got[0].Field != "free_on[2]" {
		t.Errorf("got %v, want one problem of free_on[2]", got)
	}
}

// TestManyWays: references that double with each level are followed once.
func TestManyWays(t *testing.T) {
	t.Parallel()
	d := Definition{Name: "c", FreeOn: []string{"s150"}, Sets: []Set{{Name: "s0", Dates: dates("2026-05-01")}}}
	for i := range 150 {
		ref := fmt.Sprintf("s%d", i)
		d.Sets = append(d.Sets, Set{Name: fmt.Sprintf("s%d", i+1), Union: []string{ref, ref}, Intersection: []string{ref, ref}})
	}
	if got := CheckAmong(&d, nil); len(got) > 0 {
		t.Fatalf("got %v", got)
	}
	days, _ := Resolve("c", lookupOf(&d))
	if got, want := days.Why(day(t, "2026-05-01")), "free: 2026-05-01 (c#s0)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !days.Working(day(t, "2150-05-01")) {
		t.Error("beyond the days that are made once: got free, want working")
	}
	d.Sets[0].Union = []string{"no"}
	if got := CheckAmong(&d, nil); len(got) != 0 { // "no" may be another calendar
		t.Errorf("got %v", got)
	}
	if got := CheckDefinition(&d, lookupOf()); len(got) != 1 {
		t.Errorf("got %v, want one problem", got)
	}
}

func TestResolveProblems(t *testing.T) {
	t.Parallel()
	lookup := lookupOf(&Definition{Name: "c", FreeOn: []string{"no"}, Free: dates("99-99"), Sets: []Set{{Name: "s", Dates: dates("01-01")}}})
	for ref, want := range map[string]string{
		"":     "names nothing",
		"no":   `there is no calendar "no"`,
		"#s":   "needs its calendar",
		"c#no": `has no set "no"`,
		"c":    `calendar c, free[0].date: "99-99": there is no month 99`,
	} {
		_, got := Resolve(ref, lookup)
		if len(got) == 0 || got[0].Field != "calendar" || !strings.Contains(got[0].Message, want) {
			t.Errorf("%q: got %v, want calendar: … %s", ref, got, want)
		}
	}
	if days, got := Resolve("c#s", lookup); len(got) > 0 || !days.Working(day(t, "2030-01-01")) {
		t.Errorf("got %v; a set that is whole can be used", got)
	}
}
