package domain_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// BenchmarkSweep makes the sums of the last day of 100,000 schedules. It is done in the background; the next one comes a hundred times as long
// after it as it took.
func BenchmarkSweep(b *testing.B) {
	const schedules = 100_000
	begin := time.Date(2026, 3, 24, 0, 0, 0, 0, time.UTC)
	now, version := begin.Add(24*time.Hour), calendar.Builtin().Version()
	st, err := sqlite.Open(b.Context(), b.TempDir(), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	for from := 0; from < schedules; from += 1000 {
		batch := store.Batch{Epoch: 1}
		for i := from; i < from+1000; i++ {
			rule := calendar.DefaultSchedule()
			rule.Name, rule.Cron, rule.Zone = "daily", fmt.Sprintf("%d %d * * *", i%60, i/60%24), "Europe/Berlin"
			net := fmt.Sprintf("f%d/net%06d", i%100, i)
			batch.Spans = append(batch.Spans, store.SpanWrite{Span: occurrence.Span{Net: net, Schedule: "daily", Since: begin, Rule: rule, TZData: version}})
			due := begin.Add(time.Duration((i/60%24+23)%24)*time.Hour + time.Duration(i%60)*time.Minute) // Berlin is an hour ahead
			batch.Occurrences = append(batch.Occurrences, store.OccurrenceWrite{Record: occurrence.Record{
				Key: occurrence.Key{Net: net, Schedule: "daily", Nominal: due}, Due: due, Decision: occurrence.Released, Reason: occurrence.Due, Decided: due,
			}})
		}
		if _, err := st.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := st.Commit(b.Context(), store.Batch{Epoch: 1, Through: now}); err != nil {
		b.Fatal(err)
	}
	log, clock := slog.New(slog.DiscardHandler), func() time.Time { return now }
	e, err := engine.Open(b.Context(), engine.Config{
		Store: st, Dispatcher: &agents{}, Now: clock, Log: log,
		Define: func(store.NetVersion) (*jobnet.Net, error) { return &jobnet.Net{}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	people := api.WithSubject(b.Context(), access.Subject{Name: "ann", Permissions: access.Permissions()})
	b.ReportAllocs()
	for b.Loop() {
		service := domain.New(domain.Config{Store: st, Engine: e, Fleet: &fleet.Fleet{}, Now: clock, Rand: io.LimitReader(nil, 0), Log: log})
		if got, err := service.Balance(people, api.BalanceQuery{Broken: true}); err != nil || len(got) != 0 {
			b.Fatal(got, err)
		}
	}
}
