package agent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func TestCalendarsOfAFolder(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if _, err := Calendars(data); !errors.Is(err, ErrNoCalendars) {
		t.Errorf("an empty folder: got %v", err)
	}
	keep := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(data, viewFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep(`{"id":"1","calendars":[{"calendar":"holidays/de","free":[{"date":"12-25","name":"Christmas Day"}]},{"calendar":"bank","week":[1,2,3,4,5],"boundary":21600000000000,"free_on":["holidays/de#free"]}]}`)
	lookup, err := Calendars(data)
	if err != nil {
		t.Fatal(err)
	}
	days, problems := calendar.Resolve("bank", lookup)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got, want := days.Why(calendar.DayOf(2026, 12, 25)), "free: Christmas Day (holidays/de)"; got != want || days.Boundary().Hours() != 6 {
		t.Errorf("got %q and %v, want %q and 6h", got, days.Boundary(), want)
	}
	keep(`{"id":"1"}`)
	if lookup, err = Calendars(data); err != nil {
		t.Fatal(err)
	}
	if _, ok := lookup("bank"); ok {
		t.Error("got a calendar that nobody gave")
	}
	for _, text := range []string{`{`, `{"calendars":[1]}`} {
		keep(text)
		if _, err := Calendars(data); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want a fault", text, err)
		}
	}
}
