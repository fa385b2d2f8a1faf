package cli

import (
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// TestInstants: times with an offset are taken as they are; wall times need a zone, and exist there once.
func TestInstants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, zone, want string }{
		{"", "", ""},
		{"2026-12-24T06:00:00Z", "", "2026-12-24T06:00:00Z"},
		{"2026-12-24T06:00:00+01:00", "Asia/Tokyo", "2026-12-24T05:00:00Z"},
		{"2026-12-24T06:00", "Europe/Berlin", "2026-12-24T05:00:00Z"},
		{"2026-12-24 06:00:30", "Europe/Berlin", "2026-12-24T05:00:30Z"},
		{"2026-07-01", "Europe/Berlin", "2026-06-30T22:00:00Z"},
		{"2026-12-24T06:00", "", "error"},
		{"2026-12-24T06:00", "Europe/Atlantis", "error"},
		{"yesterday", "Europe/Berlin", "error"},
		{"2026-03-29T02:30", "Europe/Berlin", "error"}, // missing
		{"2026-10-25T02:30", "Europe/Berlin", "error"}, // twice
		{"2026-10-25T03:00", "Europe/Berlin", "2026-10-25T02:00:00Z"},
		{"2026-04-05T01:45", "Australia/Lord_Howe", "error"}, // twice, by half an hour
		{"2011-12-30T12:00", "Pacific/Apia", "error"},        // a day that was not
	} {
		z := zoneFlag{name: test.zone}
		got, err := z.instant("--at", test.text)
		switch {
		case test.want == "error":
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q in %q: got %v, %v, want an error", test.text, test.zone, got, err)
			}
		case err != nil:
			t.Errorf("%q in %q: %v", test.text, test.zone, err)
		case test.want == "" && !got.IsZero(), test.want != "" && got.Format(time.RFC3339) != test.want:
			t.Errorf("%q in %q: got %v, want %s", test.text, test.zone, got, test.want)
		}
	}
	asked := zoneFlag{name: "Europe/Berlin", gone: true}
	if got, err := asked.instant("--at", "2026-03-29T02:30"); err != nil || got.Format(time.RFC3339) != "2026-03-29T01:30:00Z" {
		t.Errorf("a wall time that is asked about: got %v, %v", got, err)
	}
}
