package domain_test

import (
	"testing"

	"github.com/reeve-scheduler/reeve/internal/domain"
)

// TestAwayText: a length of time is written as people say it, however long it is.
func TestAwayText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ to, want string }{
		{"2026-03-24T05:00:10.6Z", "1s"},
		{"2026-03-24T05:59:59Z", "59m49s"},
		{"2026-03-24T06:00:10Z", "1h"},
		{"2026-03-24T07:01:41Z", "2h2m"},
		{"2026-03-26T05:00:10Z", "48h"},
		{"2026-03-26T06:00:10Z", "2 days"},
		{"2026-07-28T07:01:40Z", "126 days"},
		{"9999-12-31T00:00:00Z", "2912359 days"},
	} {
		if got := domain.AwayText(begin(), instant(t, test.to)); got != test.want {
			t.Errorf("until %s: got %s, want %s", test.to, got, test.want)
		}
	}
}
