package sqlite

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Through implements store.Times.
func (s *Store) Through(ctx context.Context) (time.Time, error) { return time.Time{}, nil }

// Spans implements store.Times.
func (s *Store) Spans(ctx context.Context, q store.SpanQuery) ([]occurrence.Span, error) {
	return nil, nil
}

// Occurrences implements store.Times.
func (s *Store) Occurrences(ctx context.Context, q store.OccurrenceQuery) ([]occurrence.Record, error) {
	return nil, nil
}

// Ranges implements store.Times.
func (s *Store) Ranges(ctx context.Context, q store.OccurrenceQuery) ([]occurrence.Range, error) {
	return nil, nil
}

// Tallies implements store.Times.
func (s *Store) Tallies(ctx context.Context, q store.OccurrenceQuery) ([]store.Tally, error) {
	return nil, nil
}

// Overrides implements store.Times.
func (s *Store) Overrides(ctx context.Context, net string, states []occurrence.OverrideState, limit int) ([]occurrence.Override, error) {
	return nil, nil
}

// Pauses implements store.Times.
func (s *Store) Pauses(ctx context.Context) ([]occurrence.Pause, error) { return nil, nil }

// Durations implements store.Times.
func (s *Store) Durations(ctx context.Context, net string, limit int) (map[string][]time.Duration, error) {
	return nil, nil
}

// Calendar implements store.Calendars.
func (s *Store) Calendar(ctx context.Context, name string, version int) (store.CalendarVersion, error) {
	return store.CalendarVersion{}, store.ErrNotFound
}

// ListCalendars implements store.Calendars.
func (s *Store) ListCalendars(ctx context.Context) ([]store.CalendarVersion, error) { return nil, nil }

// CalendarVersions implements store.Calendars.
func (s *Store) CalendarVersions(ctx context.Context, name string) ([]store.CalendarVersion, error) {
	return nil, store.ErrNotFound
}
