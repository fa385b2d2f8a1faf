package domain_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// BenchmarkMissed reads the list of what 1,000 schedules missed in five outages, 80,000 records and 1,000 ranges, counts it, and releases 1,000 of it.
func BenchmarkMissed(b *testing.B) {
	s := openTimes(b)
	for i := range 1000 {
		s.scheduled(fmt.Sprintf("a/n%03d", i), `name: minutes, cron: "* * * * *"`)
	}
	for range 4 {
		s.down()
		s.pass(20 * time.Minute)
		s.up()
		s.pass(time.Second)
	}
	s.down()
	s.pass(time.Hour)
	s.up()
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			page, err := s.service.Missed(s.admin(), api.OccurrenceQuery{})
			if err != nil || page.Count != 140_000 {
				b.Fatal(page.Count, err)
			}
		}
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			page, err := s.service.Missed(s.admin(), api.OccurrenceQuery{Each: true, Limit: 1000})
			if err != nil || page.Count != 140_000 || len(page.Missed) != 1000 {
				b.Fatal(page.Count, err)
			}
		}
	})
	b.Run("release", func(b *testing.B) {
		for b.Loop() {
			got, err := s.service.ReleaseMissed(s.admin(), api.OccurrenceQuery{Limit: 1000})
			if err != nil || got.Released != 1000 {
				b.Fatal(got.Released, err)
			}
		}
	})
}
