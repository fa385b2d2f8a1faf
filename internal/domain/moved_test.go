package domain_test

import (
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// TestMovedIsShownWhereItWent: what a person moved is shown at its new time before it is released and after, in lists and alone, and is
// counted once.
func TestMovedIsShownWhereItWent(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", daily(""))
	six, to := instant(t, "2026-03-24T06:00:00Z"), instant(t, "2026-03-24T08:30:00Z")
	s.override(api.CreateOverride{Kind: "move", Schedule: "d", Nominal: &six, To: &to})
	see := func(decision string) {
		t.Helper()
		page, err := s.service.ListOccurrences(s.admin(), api.OccurrenceQuery{Net: "a/b"})
		if err != nil || len(page.Occurrences) != 1 {
			t.Fatalf("got %+v, %v, want one", page, err)
		}
		day, err := s.service.ShowAgenda(s.admin(), api.AgendaQuery{Net: "a/b", Day: "2026-03-24"})
		if err != nil || len(day.Items) != 1 || day.Counts.Expected != 1 {
			t.Fatalf("got %+v, %v, want one", day, err)
		}
		alone, err := s.service.Occurrence(s.admin(), "a/b", "d", six)
		if err != nil {
			t.Fatal(err)
		}
		for where, got := range map[string]api.Occurrence{"list": page.Occurrences[0], "agenda": day.Items[0], "alone": alone} {
			if !got.Due.Equal(to) || !got.Nominal.Equal(six) || got.Decision != decision || got.Moved == nil || *got.Moved != "override" {
				t.Errorf("%s: got %+v, want it %s, due at %s", where, got, decision, to.Format(time.RFC3339))
			}
		}
	}
	see("pending")
	s.passTo("2026-03-24T08:40:00Z")
	see("released")
}
