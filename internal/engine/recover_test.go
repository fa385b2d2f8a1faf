package engine_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// atOnce has people do several things in one turn, and returns what each was told.
func (w *world) atOnce(acts ...func(ctx context.Context) error) []error {
	w.t.Helper()
	answers := make([]chan error, len(acts))
	for i, act := range acts {
		answers[i] = make(chan error, 1)
		go func() { answers[i] <- act(w.t.Context()) }()
		for w.Waiting() < i+1 {
			runtime.Gosched()
		}
	}
	for w.Waiting() > 0 {
		w.settle()
	}
	errs := make([]error, len(acts))
	for i := range acts {
		errs[i] = <-answers[i]
	}
	return errs
}

// TestRecoveredAtOnce: what several people do to the same missed occurrence, or to the same range, in one turn, is done once and one after the other.
func TestRecoveredAtOnce(t *testing.T) {
	t.Parallel()
	release := func(w *world, k occurrence.Key) func(context.Context) error {
		return func(ctx context.Context) error { _, err := w.ReleaseOccurrence(ctx, k, ann); return err }
	}
	dismiss := func(w *world, of engine.Dismissal) func(context.Context) error {
		return func(ctx context.Context) error { _, err := w.Dismiss(ctx, of, ann); return err }
	}
	w, s := site(t)
	w.down(10 * time.Minute)
	errs := w.atOnce(release(w, at("s", "12:04:00")), release(w, at("s", "12:04:00")), release(w, at("s", "12:05:00")))
	if errs[0] != nil || !fault.Is(errs[1], fault.Conflict) || errs[2] != nil {
		t.Errorf("the same record twice, and another: %v", errs)
	}
	w.conserved("a/b", s)
	w.down(2 * time.Hour)
	errs = w.atOnce(release(w, at("s", "13:04:00")), release(w, at("s", "13:05:00")), release(w, at("s", "13:04:00")),
		dismiss(w, engine.Dismissal{Key: at("s", "13:06:00")}), dismiss(w, engine.Dismissal{Net: "a/b"}), release(w, at("s", "13:07:00")))
	if errs[0] != nil || errs[1] != nil || !fault.Is(errs[2], fault.Conflict) || errs[3] != nil || errs[4] != nil || errs[5] != nil {
		t.Errorf("of one range: %v", errs)
	}
	w.conserved("a/b", s)
}
