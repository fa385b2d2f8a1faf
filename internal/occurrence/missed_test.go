package occurrence_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// TestLosses: what follows each other of one schedule, for one reason and detail and decided together, is one; each row is counted exactly.
func TestLosses(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 3, 2, 12, minute, 0, 0, time.UTC) }
	loss := func(schedule string, first, last int, count int64, detail string, decided int) occurrence.Loss {
		return occurrence.Loss{
			Net: "a/b", Schedule: schedule, First: at(first), Last: at(last), Due: at(first), Count: count, Reason: occurrence.ServerDown, Detail: detail, Decided: at(decided),
		}
	}
	for name, c := range map[string]struct {
		in   []occurrence.Loss
		want []string
	}{
		"nothing":             {nil, []string{}},
		"singles":             {[]occurrence.Loss{loss("s", 1, 1, 1, "x", 9), loss("s", 2, 2, 1, "x", 9), loss("s", 3, 3, 1, "x", 9)}, []string{"s 1-3 3 x"}},
		"two schedules":       {[]occurrence.Loss{loss("s", 1, 1, 1, "x", 9), loss("t", 1, 1, 1, "x", 9), loss("s", 2, 2, 1, "x", 9)}, []string{"s 1-2 2 x", "t 1-1 1 x"}},
		"a range and singles": {[]occurrence.Loss{loss("s", 1, 5, 60, "x", 9), loss("s", 6, 6, 1, "x", 9)}, []string{"s 1-6 61 x"}},
		"another detail":      {[]occurrence.Loss{loss("s", 1, 1, 1, "x", 9), loss("s", 2, 2, 1, "y", 9), loss("s", 3, 3, 1, "x", 9)}, []string{"s 1-1 1 x", "s 2-2 1 y", "s 3-3 1 x"}},
		"two outages":         {[]occurrence.Loss{loss("s", 1, 1, 1, "x", 3), loss("s", 4, 4, 1, "x", 5)}, []string{"s 1-1 1 x", "s 4-4 1 x"}},
		"within a minute":     {[]occurrence.Loss{loss("s", 1, 1, 1, "x", 3), loss("s", 2, 2, 1, "x", 4), loss("s", 3, 3, 1, "x", 5)}, []string{"s 1-3 3 x"}},
		"jitter":              {[]occurrence.Loss{loss("s", 3, 3, 1, "x", 9), loss("s", 1, 1, 1, "x", 9), loss("s", 2, 2, 1, "x", 9)}, []string{"s 1-3 3 x"}},
	} {
		var all occurrence.Losses
		for _, l := range c.in {
			all.Add(l)
		}
		got := []string{}
		for _, l := range all.Gathered() {
			got = append(got, fmt.Sprintf("%s %s-%s %d %s", l.Schedule, l.First.Format("4"), l.Last.Format("4"), l.Count, l.Detail))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestEach: taken one by one a range has what it counts, also where a jitter has dues in another order, and where another range reaches into it.
func TestEach(t *testing.T) {
	t.Parallel()
	s := calendar.DefaultSchedule()
	s.Name, s.Cron, s.Jitter = "s", "* * * * *", 5*time.Minute
	rule, problems := calendar.NewCompiler(calendar.Builtin(), nil).Compile("a/b", s)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	begin := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	var ranges []occurrence.Range
	for i, until := 1, begin; i <= 3; i++ {
		g := occurrence.Gap{Rule: rule, Since: until, Until: begin.Add(time.Duration(i) * time.Hour), Now: begin.Add(time.Duration(i) * time.Hour), Outage: occurrence.Outage{Until: begin.Add(time.Duration(i) * time.Hour), Cause: occurrence.ServerDown}}
		some, _ := g.Plan()
		for _, r := range some {
			r.Span, r.ID = 1, int64(i)
			ranges = append(ranges, r)
		}
		until = g.Until
	}
	a := occurrence.Account{
		Begin: begin, End: begin.Add(4 * time.Hour), Through: begin.Add(4 * time.Hour), Ranges: ranges,
		Pieces: []occurrence.Piece{{Span: 1, Since: begin, Rule: rule}},
	}
	if len(ranges) != 3 {
		t.Fatalf("there are %d ranges", len(ranges))
	}
	seen := map[time.Time]bool{}
	for i, r := range ranges {
		n, last := int64(0), time.Time{}
		for o := range a.Each(i) {
			if seen[o.Nominal] || o.Due.Before(last) {
				t.Errorf("%s comes twice or too late", o.Nominal)
			}
			seen[o.Nominal], last = true, o.Due
			n++
		}
		if n != r.Count || !a.Readable(i) {
			t.Errorf("%s: %d one by one", r, n)
		}
	}
	a.Pieces = nil
	for o := range a.Each(0) {
		t.Errorf("without a rule it has %s", o.Nominal)
	}
	if a.Readable(0) {
		t.Error("it is said to be readable without a rule")
	}
}
