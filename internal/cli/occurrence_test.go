package cli

import (
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// TestRangesAreNamed: a table of occurrences ends with what lies in ranges, and says where to see it.
func TestRangesAreNamed(t *testing.T) {
	t.Parallel()
	var w strings.Builder
	rangeLines(&w, []api.RangeCount{{Decision: "missed", Count: 240}, {Decision: "suppressed", Count: 7}})
	want := "\nand 240 missed in ranges: see `reeve occurrence missed`\nand 7 suppressed in ranges: see `reeve occurrence balance`\n"
	if got := w.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.Reset()
	rangeLines(&w, []api.RangeCount{})
	if got := w.String(); got != "" {
		t.Errorf("without ranges: got %q, want nothing", got)
	}
}
