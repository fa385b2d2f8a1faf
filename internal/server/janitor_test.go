package server

import (
	"testing"
	"time"
)

// TestOccurrencesAreKept holds how long what became of occurrences is kept.
func TestOccurrencesAreKept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		runs Keep
		want time.Time
	}{
		"runs for a while":    {Keep{Age: 90 * day}, now.Add(-400 * day)},
		"runs for long":       {Keep{Age: 3650 * day}, now.Add(-3650 * day)},
		"runs by count alone": {Keep{Count: 10}, time.Time{}},
	} {
		if got := occurrencesBefore(tt.runs, now); !got.Equal(tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}
