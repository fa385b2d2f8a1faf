package domain_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// manyNets is a site with n daily nets of two jobs, and an engine that knows them. Each net has had runs runs.
func manyNets(b *testing.B, n, runs int) *timeSite {
	b.Helper()
	s := &timeSite{site: build(b), wall: begin()}
	const step = 1000
	for from := 0; from < n; from += step {
		batch := store.Batch{Epoch: 1}
		for i := from; i < min(n, from+step); i++ {
			rule := calendar.DefaultSchedule()
			rule.Name, rule.Cron = "daily", fmt.Sprintf("%d %d * * *", i%60, i/60%24)
			net := fmt.Sprintf("estate/%02d/net%05d", i%40, i)
			batch.Nets = append(batch.Nets, store.NetVersion{Name: net, Version: 1, Applied: begin(), By: "ann", Text: fmt.Sprintf(
				"net: %s\nschedules:\n  - name: daily\n    cron: %q\njobs:\n  - name: first\n    command: [/opt/estate/bin/load, --from, north]\n    agent: {names: [north, south], select: next}\n    retry: {max: 2, delay: 1m}\n"+
					"  - name: second\n    after: [first]\n    command: [/opt/estate/bin/report]\n    agent: {labels: {site: north}}\n",
				net, rule.Cron)})
			batch.Spans = append(batch.Spans, store.SpanWrite{Span: occurrence.Span{Net: net, Schedule: "daily", Version: 1, Since: begin().Add(-48 * time.Hour), Rule: rule, TZData: "2025c"}})
		}
		if _, err := s.store.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if runs > 0 {
		fillRuns(b, s, n, runs)
	}
	if _, err := s.store.Commit(b.Context(), store.Batch{Epoch: 1, Through: begin()}); err != nil {
		b.Fatal(err)
	}
	s.up()
	b.Cleanup(s.down)
	s.candidates(
		run.Candidate{ID: "n", Name: "north", Linked: true, Slots: 500, Labels: map[string]string{"site": "north"}},
		run.Candidate{ID: "s", Name: "south", Linked: true, Slots: 500, Labels: map[string]string{"site": "south"}},
	)
	return s
}

// fillRuns stores so many runs of each net that ended well.
func fillRuns(b *testing.B, s *timeSite, n, runs int) {
	b.Helper()
	number := 0
	batch := store.Batch{Epoch: 1}
	for r := range runs {
		for i := range n {
			number++
			at := begin().Add(time.Duration(r-runs-1) * 24 * time.Hour).Add(time.Duration(i) * time.Second)
			st := run.State{ID: fmt.Sprintf("r%09d", number), Net: fmt.Sprintf("estate/%02d/net%05d", i%40, i), Version: 1, Status: run.Succeeded, Created: at, Started: at, Ended: at.Add(time.Hour)}
			for _, name := range []string{"first", "second"} {
				st.Jobs = append(st.Jobs, run.Job{Name: name, Status: run.Succeeded, Since: at, Attempts: []run.Attempt{
					{N: 1, Agent: "north", AgentID: "n", Status: run.Succeeded, Ordered: at, Started: at, Ended: at.Add(time.Duration(30+(i+r*7)%90) * time.Second)},
				}})
			}
			batch.Runs = append(batch.Runs, store.RunWrite{State: st})
			if len(batch.Runs) == 2000 || r == runs-1 && i == n-1 {
				if _, err := s.store.Commit(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				batch = store.Batch{Epoch: 1}
			}
		}
	}
}

// heap is what is reachable, and what the process has of the system for it.
func heap() (live, kept uint64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.HeapSys - m.HeapReleased
}

// BenchmarkForecast makes large forecasts as a server does, from a store with history, and tells what they leave behind in memory.
func BenchmarkForecast(b *testing.B) {
	for _, c := range []struct {
		nets, days, replications int
	}{{50_000, 395, 100}, {5000, 7, 100}} {
		b.Run(fmt.Sprintf("nets=%d/days=%d", c.nets, c.days), func(b *testing.B) {
			s := manyNets(b, c.nets, 10)
			before, keptBefore := heap()
			for b.Loop() {
				f, err := s.service.Forecast(s.admin(), api.ForecastQuery{Days: c.days, Replications: c.replications})
				if err != nil || f.Occurrences == 0 {
					b.Fatal(f.Occurrences, err)
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapSys-m.HeapReleased-keptBefore)/1e6, "MB-more-of-system")
			}
			after, _ := heap()
			b.ReportMetric(float64(int64(after)-int64(before))/1e6, "MB-left")
		})
	}
}
