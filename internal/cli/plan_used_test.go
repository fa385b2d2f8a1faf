package cli

import (
	"testing"

	"github.com/reeve-scheduler/reeve/internal/server"
)

// A server that is told an instance and has no inventory keeps its plan as it is, and finds it again.
func TestPlanInUseOfAnInstance(t *testing.T) {
	t.Parallel()
	cfg := server.Default()
	seven := 7
	cfg.Data, cfg.Instance = t.TempDir(), &seven
	for range 2 {
		known, err := openPlans(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if known.plan.Instance != seven {
			t.Errorf("the plan is of instance %d, want %d", known.plan.Instance, seven)
		}
		if err := known.keep(); err != nil {
			t.Fatal(err)
		}
	}
}
