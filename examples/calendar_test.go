package examples_test

import (
	"os"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
)

// The days of examples/calendar.yaml are what its comments say.
func TestCalendar(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("calendar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := jobfile.ParseDocuments("calendar.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	lookup := docs.Lookup(nil)
	for i := range docs.Calendars {
		if problems := calendar.CheckDefinition(&docs.Calendars[i], lookup); len(problems) > 0 {
			t.Errorf("%s: %v", docs.Calendars[i].Name, problems)
		}
	}
	for _, test := range []struct {
		ref   string
		year  int
		month time.Month
		day   int
		want  string
	}{
		{"bank", 2026, 12, 19, "working: The year is closed on a Saturday"},
		{"bank", 2026, 12, 24, "free: Christmas Eve"},
		{"bank", 2026, 5, 15, "free: The Friday after Ascension Day (bank#bridges)"},
		{"bank", 2026, 4, 6, "free: Easter Monday (holidays/plant)"},
		{"bank#quarter-ends", 2026, 9, 30, "in bank#quarter-ends: 09-30"},
		{"bank#quarter-ends", 2027, 6, 30, "in bank#quarter-ends: 06-30"},
		{"bank#quarter-ends", 2029, 3, 31, "not in bank#quarter-ends"}, // a Saturday
	} {
		days, problems := calendar.Resolve(test.ref, lookup)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		d := calendar.DayOf(test.year, test.month, test.day)
		if got := days.Why(d); got != test.want {
			t.Errorf("%s on %s: got %q, want %q", test.ref, d, got, test.want)
		}
	}
}
