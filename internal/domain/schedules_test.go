package domain_test

import (
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// TestLastIsOver: the last occurrence is one that has fallen due; what a person released before its time is not, until then.
func TestLastIsOver(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: hourly, cron: "0 * * * *"`)
	last := func(want string) {
		t.Helper()
		got, err := s.service.Schedule(s.admin(), "a/b", "hourly")
		if err != nil {
			t.Fatal(err)
		}
		if was := cmpTime(got.Last); was != want {
			t.Errorf("got the last at %s (%v), want %s", was, got.LastWas, want)
		}
	}
	last("")
	if _, err := s.service.ActOnOccurrence(s.admin(), api.OccurrenceAct{Net: "a/b", Schedule: "hourly", Nominal: instant(t, "2026-03-24T09:00:00Z"), Verb: "release"}); err != nil {
		t.Fatal(err)
	}
	last("")
	s.passTo("2026-03-24T06:00:00Z")
	last("2026-03-24T06:00:00Z")
	s.passTo("2026-03-24T09:00:00Z")
	last("2026-03-24T09:00:00Z")
}

func cmpTime(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.Format(time.RFC3339)
}
