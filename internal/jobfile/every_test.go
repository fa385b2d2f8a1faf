package jobfile

import (
	"strings"
	"testing"
)

// TestEveryOfNothing: an every of 0s is refused as what it is, and not as a rule that is missing.
func TestEveryOfNothing(t *testing.T) {
	t.Parallel()
	_, err := Parse("x", []byte("net: a/b\nschedules:\n  - name: d\n    every: 0s\njobs: [{name: x, command: [echo]}]\n"))
	if err == nil || !strings.Contains(err.Error(), "x:4:12: every is at least 1s") || strings.Contains(err.Error(), "needs a rule") {
		t.Errorf("got %v, want that every is at least 1s", err)
	}
}
