package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// TestRangesAreLines: a range is a line with first, last and count, as `occurrence missed` has it, in the list and in the agenda.
func TestRangesAreLines(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 3, 24, 5, 1, 0, 0, time.UTC)
	last, reason := due.Add(239*time.Minute), "server_down"
	rows := []api.Occurrence{
		{Kind: "range", Net: "a/often", Schedule: "minutes", Nominal: due, Due: due, Last: &last, Count: 240, Decision: "missed", Reason: &reason},
		{Kind: "occurrence", Net: "a/b", Schedule: "d", Nominal: due.Add(time.Hour), Due: due.Add(time.Hour), Count: 1, Decision: "pending"},
	}
	for name, c := range map[string]struct {
		print func(w *strings.Builder)
		want  []string
	}{
		"list": {func(w *strings.Builder) { occurrenceTable(w, rows) }, []string{
			"DUE LAST COUNT NET SCHEDULE NOMINAL MOVED DECISION REASON RUN STATE",
			"2026-03-24T05:01:00Z 2026-03-24T09:00:00Z 240 a/often minutes = - missed server_down - -",
			"2026-03-24T06:01:00Z = 1 a/b d = - pending - - -",
		}},
		"agenda": {func(w *strings.Builder) { agendaTable(w, api.AgendaPage{Zone: "Europe/Berlin", Items: rows}) }, []string{
			"TIME LAST COUNT NET SCHEDULE DECISION REASON RUN STATE NOMINAL",
			"06:01:00 +0100 10:00:00 +0100 240 a/often minutes missed server_down - - 2026-03-24T05:01:00Z",
			"07:01:00 +0100 = 1 a/b d pending - - - 2026-03-24T06:01:00Z",
		}},
	} {
		var w strings.Builder
		c.print(&w)
		lines := strings.Split(strings.TrimSpace(w.String()), "\n")
		lines = lines[len(lines)-len(c.want):]
		for i := range lines {
			if got := strings.Join(strings.Fields(lines[i]), " "); got != c.want[i] {
				t.Errorf("%s: got %q, want %q", name, got, c.want[i])
			}
		}
	}
}
