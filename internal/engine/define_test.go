package engine_test

import (
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/engine"
)

// TestDefinitionsAreRenewed: the newest version of a net is known until the engine is told of another, and what nobody asks for is let go.
func TestDefinitionsAreRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, day0)
	w.define("a/b")
	w.define("a/c")
	d := engine.NewDefinitions(w.config())
	ask := func(net string, version, want int) {
		t.Helper()
		if got, err := d.Of(t.Context(), net, version); err != nil || got != want {
			t.Errorf("%s@%d: got %d %v, want %d", net, version, got, err, want)
		}
	}
	ask("a/b", 0, 1)
	ask("a/c", 0, 1)
	w.define("a/b")
	ask("a/b", 0, 1) // nobody has said so
	d.Renew("a/b")
	ask("a/b", 0, 2)
	ask("a/b", 1, 1)
	if _, err := d.Of(t.Context(), "a/none", 0); err == nil {
		t.Error("a net that there is not has a definition")
	}
	d.Age()
	ask("a/b", 0, 2)
	d.Age()
	d.Age()
	if got := d.Kept(); got != 0 {
		t.Errorf("%d definitions are kept that nobody asks for", got)
	}
	ask("a/b", 0, 2)
}

// TestANewVersionIsReleased: an occurrence runs the newest version of its net, also where only the jobs have changed.
func TestANewVersionIsReleased(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	for i := range 3 {
		w.pass(time.Minute)
		w.define("a/b", s)
		if got := w.records("a/b", "s"); got[i].Version != i+1 {
			t.Errorf("occurrence %d ran version %d", i, got[i].Version)
		}
	}
	w.conserved("a/b", s)
}
