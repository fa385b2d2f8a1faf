package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// timesBegin is when the schedules of the benchmarks begin.
func timesBegin() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// openSpans opens n spans of daily nets: every minute of the day is somebody's.
func openSpans(b *testing.B, s *sqlite.Store, n int) {
	b.Helper()
	const step = 1000
	for from := 0; from < n; from += step {
		var batch store.Batch
		batch.Epoch = 1
		for i := from; i < min(n, from+step); i++ {
			rule := calendar.DefaultSchedule()
			rule.Name, rule.Cron, rule.Zone, rule.Calendar = "daily", fmt.Sprintf("%d %d * * *", i%60, i/60%24), "Europe/Berlin", "holidays/de"
			batch.Spans = append(batch.Spans, store.SpanWrite{Span: occurrence.Span{
				Net: fmt.Sprintf("folder%d/net%06d", i%100, i), Schedule: "daily", Version: 1, Since: timesBegin(), Rule: rule,
				Calendars: map[string]int{"holidays/de": 3}, TZData: "2025c",
			}})
		}
		if _, err := s.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// dueBatch is a batch of occurrences that are released at one instant, with their runs.
func dueBatch(due time.Time, from, n, span int, runs bool) store.Batch {
	batch := store.Batch{Epoch: 1, Through: due}
	for i := from; i < from+n; i++ {
		r := occurrence.Record{
			Key: occurrence.Key{Net: fmt.Sprintf("folder%d/net%06d", i%100, i), Schedule: "daily", Nominal: due}, Due: due, Span: int64(min(i, span-1) + 1),
			Decision: occurrence.Released, Reason: occurrence.Due, Decided: due, Version: 1, Zone: "Europe/Berlin", TZData: "2025c",
		}
		if runs {
			state := benchRun(1)
			state.Net, state.Schedule, state.Nominal = r.Net, r.Schedule, r.Nominal
			r.Run = state.ID
			batch.Runs = append(batch.Runs, store.RunWrite{State: state})
		}
		batch.Occurrences = append(batch.Occurrences, store.OccurrenceWrite{Record: r})
	}
	return batch
}

// BenchmarkTimesDecide commits 10,000 occurrences of one second with their runs, in batches of 500; beside it, in the same process, what
// the machine needs to write and sync as many bytes in as many pieces.
func BenchmarkTimesDecide(b *testing.B) {
	for _, old := range []int{0, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("records=%d", old), func(b *testing.B) {
			s := open(b, b.TempDir())
			openSpans(b, s, 10_000)
			if err := s.FillTimes(b.Context(), old); err != nil {
				b.Fatal(err)
			}
			due := timesBegin().AddDate(1, 0, 0)
			b.ResetTimer()
			for b.Loop() {
				due = due.Add(time.Second)
				for from := 0; from < 10_000; from += 500 {
					if _, err := s.Commit(b.Context(), dueBatch(due, from, 500, 10_000, true)); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "decided/s")
		})
	}
	b.Run("machine", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "f"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = f.Close() })
		piece := make([]byte, 500*1200) // about what a run, its job and its occurrence are in the store
		for b.Loop() {
			for range 20 {
				if _, err := f.Write(piece); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkTimesPage lists a page of a day that has 50,000 records, from its middle, among those of other days; and what asks for no time at all: of
// ten million records the answer may take no longer than of half a million.
func BenchmarkTimesPage(b *testing.B) {
	for _, records := range []int{500_000, 10_000_000} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) { benchPages(b, records) })
	}
}

func benchPages(b *testing.B, records int) {
	s := open(b, b.TempDir())
	if err := s.FillTimes(b.Context(), records); err != nil {
		b.Fatal(err)
	}
	day := timesBegin().AddDate(0, 0, 5)
	middle := store.OccurrenceCursor{Due: day.Add(12 * time.Hour)}
	for name, q := range map[string]store.OccurrenceQuery{
		"page":     {Since: day, Until: day.AddDate(0, 0, 1), After: middle, Limit: 200},
		"largest":  {Since: day, Until: day.AddDate(0, 0, 1), After: middle, Limit: 1000},
		"net":      {Net: "folder7/net000007", Limit: 200},
		"folder":   {Folder: "folder7", Since: day, Until: day.AddDate(0, 0, 1), After: middle, Limit: 200},
		"missed":   {Undismissed: true, Limit: 200},
		"newest":   {Newest: true, Limit: 1, Net: "folder7/net000007"},
		"decision": {Since: day, Until: day.AddDate(0, 0, 1), Decisions: []occurrence.Decision{occurrence.Missed}, Limit: 200},
		"why":      {Net: "folder7/net000007", Since: day, Until: day.AddDate(0, 0, 1), Limit: 1000},
		"nominal":  {Net: "folder7/net000007", Schedule: "daily", Nominal: timesBegin().Add(7 * 1728 * time.Millisecond), Limit: 1},
		// Without a time:
		"all folder":    {Folder: "folder7", Limit: 200},
		"all missed":    {Decisions: []occurrence.Decision{occurrence.Missed}, Limit: 1000},
		"all of two":    {Decisions: []occurrence.Decision{occurrence.Missed, occurrence.Cancelled}, Newest: true, Limit: 1000},
		"all cancelled": {Decisions: []occurrence.Decision{occurrence.Cancelled}, Limit: 200},
		"all pending":   {Decisions: []occurrence.Decision{occurrence.Pending}, Limit: 200},
		"of no folder":  {Folder: "none", Limit: 200},
	} {
		b.Run(name, func(b *testing.B) {
			none := name == "all cancelled" || name == "all pending" || name == "of no folder"
			for b.Loop() {
				got, err := s.Occurrences(b.Context(), q)
				if err != nil || len(got) == 0 != none {
					b.Fatal(len(got), err)
				}
			}
		})
	}
	for name, q := range map[string]store.OccurrenceQuery{
		"day": {Since: day, Until: day.AddDate(0, 0, 1)}, "net": {Net: "folder7/net000007"}, "month of a net": {Net: "folder7/net000007", Since: day, Until: day.AddDate(0, 1, 0)},
	} {
		b.Run("tallies "+name, func(b *testing.B) {
			for b.Loop() {
				if got, err := s.Tallies(b.Context(), q); err != nil || len(got) == 0 {
					b.Fatal(len(got), err)
				}
			}
		})
	}
	b.Run("hours", func(b *testing.B) {
		for b.Loop() {
			if got, err := s.Hours(b.Context(), store.OccurrenceQuery{Since: day, Until: day.AddDate(0, 0, 1)}, day); err != nil || len(got) == 0 {
				b.Fatal(len(got), err)
			}
		}
	})
}

// BenchmarkTimesOpen reads the spans of 100,000 schedules: what a server does when it starts.
func BenchmarkTimesOpen(b *testing.B) {
	s := open(b, b.TempDir())
	openSpans(b, s, 100_000)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		spans, err := s.Spans(b.Context(), store.SpanQuery{Open: true})
		if err != nil || len(spans) != 100_000 {
			b.Fatal(len(spans), err)
		}
	}
}
