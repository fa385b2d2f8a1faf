package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// TestHoldExpires: a hold whose expiry has let its occurrence go is expired; it is used where a person released the occurrence before.
func TestHoldExpires(t *testing.T) {
	t.Parallel()
	w, _ := site(t)
	expires := day0.Add(3 * time.Minute)
	hold := w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: at("s", "12:01:00"), Expires: expires})
	used := w.override(occurrence.Override{Kind: occurrence.OverrideHold, Key: at("s", "12:02:00"), Expires: expires})
	w.pass(2*time.Minute + 30*time.Second)
	w.do(func(ctx context.Context) error {
		_, err := w.ReleaseOccurrence(ctx, at("s", "12:02:00"), ann)
		return err
	})
	w.pass(time.Minute)
	w.expect("a/b", "s", "12:01:00 released(waited)", "12:02:00 released(by_hand)", "12:03:00 released(due)")
	if got := w.state(hold.ID); got != occurrence.OverrideExpired {
		t.Errorf("the hold is %s, want expired", got)
	}
	if got := w.state(used.ID); got != occurrence.OverrideUsed {
		t.Errorf("the hold of what was released by hand is %s, want used", got)
	}
}
