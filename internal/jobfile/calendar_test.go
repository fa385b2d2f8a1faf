package jobfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// golden compares with a file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, file)), got); diff != "" {
		t.Errorf("run with -update if this is right:\n%s", diff)
	}
}

// Each broken calendar has the messages that its .txt shows.
func TestBrokenCalendars(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "testdata/calendars/broken/*.yaml", 3) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			docs, err := ParseDocuments(filepath.Base(file), read(t, file))
			var mistakes fault.Mistakes
			if !errors.As(err, &mistakes) || docs.Calendars != nil {
				t.Fatalf("got %v, %v, want mistakes and no calendars", docs, err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}

// Good calendars are read, and their canonical form stands beside them.
func TestGoodCalendars(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "testdata/calendars/good/*.yaml", 1) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			docs, err := ParseDocuments(filepath.Base(file), read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			canonical := ""
			for i, c := range docs.Calendars {
				if i > 0 {
					canonical += "---\n"
				}
				canonical += string(FormatCalendar(c))
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".canonical", canonical)
		})
	}
}

// TestCalendarSchema: the schema takes what is good, and not what is broken in form.
func TestCalendarSchema(t *testing.T) {
	t.Parallel()
	var schema map[string]any
	if err := json.Unmarshal(CalendarSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	errors := func(text string) []string {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return validate(schema, "calendar", v)
	}
	for doc := range strings.SplitSeq(string(read(t, "testdata/calendars/good/bank.canonical")), "---\n") {
		if got := errors(doc); len(got) > 0 {
			t.Errorf("got %v in\n%s", got, doc)
		}
	}
	for _, text := range []string{
		"{}", "calendar: A", "{calendar: a, week: [monday]}", "{calendar: a, boundary: '6:00'}", "{calendar: a, free: ['2026-1-1']}",
		"{calendar: a, free: [{name: x}]}", "{calendar: a, sets: [{union: [x]}]}", "{calendar: a, more: 1}",
	} {
		if got := errors(text); len(got) == 0 {
			t.Errorf("%s: want an error", text)
		}
	}
}

// TestCalendarsRoundTrip: whatever a calendar holds, its canonical form is read back as it was.
func TestCalendarsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := func(label string) (out []calendar.Date) {
			days := rapid.SliceOfNDistinct(rapid.IntRange(0, 40000), 0, 5, rapid.ID).Draw(t, label)
			for _, d := range days {
				entry := calendar.Date{Date: calendar.Day(d).String(), Name: rapid.SampledFrom([]string{"", "New Year's Day", "Día: {x}", "- #\n\"", "成人の日", strings.Repeat("long ", 39)}).Draw(t, "name")}
				out = append(out, entry)
			}
			return out
		}
		refs := func(label string) []string {
			return rapid.SliceOfN(rapid.SampledFrom([]string{"s", "other/calendar", "a#free", "#free", "x.y#b-c"}), 1, 30).Draw(t, label)
		}
		want := calendar.Definition{
			Name: "a/b.c", Description: rapid.SampledFrom([]string{"", "one line", "two\nlines"}).Draw(t, "description"),
			Boundary: time.Duration(rapid.IntRange(0, 1439).Draw(t, "boundary")) * time.Minute,
			Free:     table("free"), FreeOn: refs("free_on"), WorkOn: refs("work_on"),
			Sets: []calendar.Set{{Name: "s", Dates: table("dates"), Union: refs("union")}, {Name: "s-2", Intersection: refs("intersection"), Difference: refs("difference")}},
		}
		for d := range 7 {
			if day := time.Weekday((d + 1) % 7); rapid.Bool().Draw(t, "day") && len(want.Week) < 6 {
				want.Week = append(want.Week, day)
			}
		}
		text := FormatCalendar(want)
		d := draft("x", text, false)
		if len(d.r.mistakes) > 0 || len(d.Found().Calendars) != 1 {
			t.Fatalf("%v in\n%s", d.r.mistakes, text)
		}
		if diff := cmp.Diff(want, d.Found().Calendars[0]); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}
	})
}

func TestParseCalendar(t *testing.T) {
	t.Parallel()
	if c, err := ParseCalendar([]byte("calendar: a\nfree_on: [other]\n")); err != nil || c.Name != "a" {
		t.Errorf("got %v, %v", c, err)
	}
	for _, text := range []string{"", "net: a\njobs: [{name: x, command: [a]}]\n", "calendar: a\n---\ncalendar: b\n"} {
		if _, err := ParseCalendar([]byte(text)); err == nil {
			t.Errorf("%q: want an error", text)
		}
	}
}
