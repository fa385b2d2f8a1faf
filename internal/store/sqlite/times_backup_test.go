package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// timesOf is all that a store has of schedules and occurrences.
type timesOf struct {
	Through   time.Time
	Spans     []occurrence.Span
	Records   []occurrence.Record
	Ranges    []occurrence.Range
	Totals    []store.Total
	Pauses    []occurrence.Pause
	Overrides []occurrence.Override
	Calendars []store.CalendarVersion
}

func readTimes(t *testing.T, s *sqlite.Store) timesOf {
	t.Helper()
	ctx := t.Context()
	var all timesOf
	var errs [8]error
	all.Through, errs[0] = s.Through(ctx)
	all.Spans, errs[1] = s.Spans(ctx, store.SpanQuery{})
	all.Records, errs[2] = s.Occurrences(ctx, store.OccurrenceQuery{})
	all.Ranges, errs[3] = s.Ranges(ctx, store.OccurrenceQuery{})
	all.Totals, errs[4] = s.Totals(ctx)
	all.Pauses, errs[5] = s.Pauses(ctx)
	all.Overrides, errs[6] = s.Overrides(ctx, "", nil, 0)
	all.Calendars, errs[7] = s.ListCalendars(ctx)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestBackupHasTimes: what was decided, and through when, comes back as it was. What fell due since is the restored server's to decide.
func TestBackupHasTimes(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	begin := timesBegin()
	rule := calendar.DefaultSchedule()
	rule.Name, rule.Cron, rule.Dates = "daily", "0 3 * * *", []string{"2026-12-24"}
	b := dueBatch(begin, 0, 20, 1, false)
	for i := range b.Occurrences {
		b.Occurrences[i].Record.Span = 0
	}
	b.Spans = []store.SpanWrite{{Span: occurrence.Span{Net: "a", Schedule: "daily", Since: begin, Rule: rule, Calendars: map[string]int{"c": 1}, TZData: "2025c"}}}
	b.Ranges = []store.RangeWrite{{Range: occurrence.Range{Net: "a", Schedule: "daily", First: begin, Last: begin, Count: 1e12, Decision: occurrence.Missed, Reason: occurrence.ServerDown}}}
	b.Pauses = []store.PauseWrite{{Pause: occurrence.Pause{Net: "a", Schedule: "daily", By: "ann", Since: begin}}}
	b.Overrides = []store.OverrideWrite{{Override: occurrence.Override{Kind: occurrence.OverrideSkip, State: occurrence.OverrideActive}}}
	b.Calendars = []store.CalendarVersion{{Name: "c", Version: 1, Text: "calendar: c\n"}}
	if _, err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	want := readTimes(t, s)
	folder, data := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
	if err := s.Backup(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Restore(t.Context(), folder, data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, readTimes(t, open(t, data))); diff != "" || len(want.Records) != 20 || want.Through.IsZero() {
		t.Errorf("after backup and restore (-want +got):\n%s", diff)
	}
}
