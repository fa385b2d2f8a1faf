package domain_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// BenchmarkAgenda shows a day of 50,000 occurrences of 50,000 schedules, half of them decided.
func BenchmarkAgenda(b *testing.B) {
	const many = 50_000
	s := &timeSite{site: build(b), wall: begin()}
	day := begin().Truncate(24 * time.Hour)
	var batch store.Batch
	for i := range many {
		minute := i % (24 * 60)
		rule := calendar.DefaultSchedule()
		rule.Name, rule.Cron = "daily", fmt.Sprintf("%d %d * * *", minute%60, minute/60)
		net := fmt.Sprintf("estate/%02d/net%05d", i%40, i)
		batch.Spans = append(batch.Spans, store.SpanWrite{Span: occurrence.Span{Net: net, Schedule: "daily", Version: 1, Since: day.Add(-48 * time.Hour), Rule: rule, TZData: "2025c"}})
		if due := day.Add(time.Duration(minute) * time.Minute); !due.After(begin().Add(7 * time.Hour)) {
			batch.Occurrences = append(batch.Occurrences, store.OccurrenceWrite{Record: occurrence.Record{
				Key: occurrence.Key{Net: net, Schedule: "daily", Nominal: due}, Span: int64(-1 - i), Due: due, Decision: occurrence.Released, Reason: occurrence.Due,
				Decided: due, Version: 1, Zone: "UTC", TZData: "2025c", Run: fmt.Sprint("r", i),
			}})
		}
	}
	batch.Epoch = 1
	if _, err := s.store.Commit(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	if _, err := s.store.Commit(b.Context(), store.Batch{Epoch: 1, Through: begin().Add(7 * time.Hour)}); err != nil {
		b.Fatal(err)
	}
	s.wall = begin().Add(7 * time.Hour)
	s.up()
	defer s.down()
	first, err := s.service.ShowAgenda(s.admin(), api.AgendaQuery{})
	if err != nil || first.Counts.Expected != many || first.Counts.Released == 0 || first.Counts.Pending == 0 {
		b.Fatalf("got %+v, %v", first.Counts, err)
	}
	for name, q := range map[string]api.AgendaQuery{"first": {}, "second": {After: *first.Next}, "pending": {State: "pending"}, "folder": {Folder: "estate/07"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.service.ShowAgenda(s.admin(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAgendaOfAnOutage shows a day of 48,000 occurrences of 2,000 hourly schedules, nearly all of them missed in an outage that began the
// day before: 2,000 ranges are cut at midnight, and counted by hours.
func BenchmarkAgendaOfAnOutage(b *testing.B) {
	const many = 2000
	s := &timeSite{site: build(b), wall: begin()}
	day := begin().Truncate(24 * time.Hour)
	until := day.Add(22*time.Hour + 30*time.Minute)
	spans, ranges := store.Batch{Epoch: 1}, store.Batch{Epoch: 1, Through: until}
	for i := range many {
		rule := calendar.DefaultSchedule()
		rule.Name, rule.Cron = "hourly", fmt.Sprintf("%d * * * *", i%30)
		net := fmt.Sprintf("estate/%02d/net%05d", i%40, i)
		spans.Spans = append(spans.Spans, store.SpanWrite{Span: occurrence.Span{Net: net, Schedule: "hourly", Version: 1, Since: day.Add(-48 * time.Hour), Rule: rule, TZData: "2025c"}})
		first := day.Add(time.Duration(i%30)*time.Minute - 8*time.Hour)
		ranges.Ranges = append(ranges.Ranges, store.RangeWrite{Range: occurrence.Range{
			Net: net, Schedule: "hourly", First: first, Last: first.Add(30 * time.Hour), Count: 31, Decision: occurrence.Missed,
			Reason: occurrence.ServerDown, Decided: until, Zone: "UTC", TZData: "2025c",
		}})
	}
	made, err := s.store.Commit(b.Context(), spans)
	if err != nil {
		b.Fatal(err)
	}
	for i := range ranges.Ranges {
		ranges.Ranges[i].Range.Span = made.Spans[i].ID
	}
	if _, err := s.store.Commit(b.Context(), ranges); err != nil {
		b.Fatal(err)
	}
	s.wall = until
	s.up()
	defer s.down()
	first, err := s.service.ShowAgenda(s.admin(), api.AgendaQuery{})
	if want := (api.AgendaCounts{Expected: 24 * many, Missed: 23 * many, Pending: many}); err != nil || first.Counts != want || first.Items[0].Count != 23 {
		b.Fatalf("got %+v, %v, want %+v", first.Counts, err, want)
	}
	for name, q := range map[string]api.AgendaQuery{"first": {}, "missed": {State: "missed"}, "second": {After: *first.Next}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.service.ShowAgenda(s.admin(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
