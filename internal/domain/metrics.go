package domain

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// Metrics writes what monitoring reads, in the text format of Prometheus.
func (s *Service) Metrics(ctx context.Context) ([]byte, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	found, err := s.swept(ctx)
	if err != nil {
		return nil, err
	}
	totals, err := s.cfg.Store.Totals(ctx)
	if err != nil {
		return nil, storeFault(err)
	}
	var b bytes.Buffer
	head := func(name, kind, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	single := func(name, help string, value any) {
		head(name, "gauge", help)
		fmt.Fprintf(&b, "%s %v\n", name, value)
	}
	var last time.Time
	head("reeve_occurrences_total", "counter", "Occurrences that were decided, by decision and reason.")
	for _, t := range totals {
		fmt.Fprintf(&b, "reeve_occurrences_total{decision=%q,reason=%q} %d\n", t.Decision, t.Reason, t.Count)
		if t.Last.After(last) {
			last = t.Last
		}
	}
	head("reeve_occurrences", "gauge", "Occurrences that were due within the last 24 hours, by what became of them.")
	for _, d := range []occurrence.Decision{occurrence.Released, occurrence.Missed, occurrence.Suppressed, occurrence.Cancelled, occurrence.Pending} {
		fmt.Fprintf(&b, "reeve_occurrences{decision=%q} %d\n", d, found.counts[d])
	}
	single("reeve_occurrences_expected", "How many the rules have within the last 24 hours: the sum of reeve_occurrences.", found.expected)
	single("reeve_occurrence_imbalance", "Schedules whose sum does not hold: 0 is health.", len(found.broken))
	single("reeve_occurrences_missed_open", "Missed occurrences that are neither recovered nor dismissed.", found.missed)
	single("reeve_schedules", "Schedules that were in force within the last 24 hours.", found.checked)
	if !last.IsZero() {
		single("reeve_occurrence_last_decided_seconds", "When the last occurrence was decided, in seconds since 1970.", fmt.Sprintf("%.3f", float64(last.UnixMilli())/1000))
	}
	return b.Bytes(), nil
}
