package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// many stores n nets with a schedule each, all in force from the world's instant on, and returns their names.
func many(w *world, n int, line func(i int) calendar.Schedule) []string {
	w.t.Helper()
	var names []string
	for i := 0; i < n; {
		b := store.Batch{Epoch: 1}
		for ; i < n && len(b.Nets) < 5000; i++ {
			net := fmt.Sprintf("estate/area%02d/net%06d", i%50, i)
			names = append(names, net)
			text := fmt.Sprintf("net: %s\njobs:\n  - name: a\n    command: [\"true\"]\n", net)
			b.Nets = append(b.Nets, store.NetVersion{Name: net, Version: 1, Hash: net, Text: text, Applied: w.wall, By: "test"})
			b.Spans = append(b.Spans, store.SpanWrite{Span: occurrence.Span{Net: net, Schedule: "s", Version: 1, Since: w.wall, Rule: line(i), TZData: w.zones.Version()}})
		}
		if _, err := w.store.Store.Commit(w.t.Context(), b); err != nil {
			w.t.Fatal(err)
		}
	}
	return names
}

// BenchmarkOpen100000 opens an engine over 100,000 schedules: how long it takes, what stays in memory, and what a turn costs in which nothing is due.
func BenchmarkOpen100000(b *testing.B) {
	w := newWorld(b, day0.Add(time.Second))
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"}
	many(w, 100_000, func(i int) calendar.Schedule {
		s := cron("s", fmt.Sprintf("%d %d * * *", i%60, i/60%24))
		s.Zone = zones[i%len(zones)]
		return s
	})
	heap := func() uint64 {
		runtime.GC()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range b.N {
		b.StopTimer()
		w.Engine = nil
		before := heap()
		b.StartTimer()
		w.open()
		b.StopTimer()
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-kept")
	}
	start := time.Now()
	const turns = 1000
	for range turns {
		if err := w.Turn(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/turns, "ns/idle-turn")
}

// BenchmarkOutage100000 is the start after an hour without a server in which each of 100,000 schedules was due once: all are recorded as missed.
func BenchmarkOutage100000(b *testing.B) {
	w := newWorld(b, day0.Add(time.Second))
	many(w, 100_000, func(i int) calendar.Schedule { return cron("s", fmt.Sprintf("%d * * * *", i%60)) })
	w.open()
	for range b.N {
		w.down(time.Hour)
	}
	if got := w.Decided(); got.Before(w.wall.Add(-time.Minute)) {
		b.Fatalf("decided until %s only", got)
	}
}

// BenchmarkFire10000 is the second in which 10,000 are due: all released, with their runs, in as many commits as that takes.
func BenchmarkFire10000(b *testing.B) {
	const n = 10_000
	w := newWorld(b, day0.Add(time.Second))
	many(w, n, func(int) calendar.Schedule { return cron("s", "* * * * *") })
	w.open()
	for range b.N {
		b.StopTimer()
		w.pass(day0.Add(w.wall.Sub(day0).Truncate(time.Minute) + time.Minute - time.Second).Sub(w.wall))
		w.WarmUp(context.Background())
		before := w.store.commits.Load()
		b.StartTimer()
		w.pass(time.Second)
		b.StopTimer()
		b.ReportMetric(float64(w.store.commits.Load()-before), "commits/op")
	}
	if got, err := w.store.OpenRuns(b.Context()); err != nil || len(got) != n*b.N {
		b.Fatalf("%d runs are open, want %d: %v", len(got), n*b.N, err)
	}
}

// BenchmarkUpcoming asks for the next 200 occurrences of 50,000 daily schedules.
func BenchmarkUpcoming(b *testing.B) {
	w := newWorld(b, day0.Add(time.Second))
	many(w, 50_000, func(i int) calendar.Schedule { return cron("s", fmt.Sprintf("%d %d * * *", i%60, i/60%24)) })
	w.open()
	b.ResetTimer()
	for range b.N {
		if got := w.Upcoming(engine.UpcomingQuery{Since: w.wall, Until: w.wall.Add(24 * time.Hour), Limit: 200}); len(got) != 200 {
			b.Fatal(len(got))
		}
	}
}
