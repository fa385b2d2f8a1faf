// Package ports_test proves that the plan and the net beside it fit together. Real jobs run it in test/fault.
package ports_test

import (
	"io"
	"os"
	"slices"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

func TestPlanAndNet(t *testing.T) {
	t.Parallel()
	p, err := builtin.Resolve("plan.yaml", func(name string) (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(p, ports.Inventory{}, 0)
	for _, d := range found {
		t.Error(d)
	}
	text, err := os.ReadFile("service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	nets, err := jobfile.Parse("service.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	wishes := 0
	for _, j := range nets[0].Jobs {
		for _, w := range j.Ports {
			wishes++
			if !slices.ContainsFunc(c.Pools, func(p ports.ResolvedPool) bool {
				return p.ID == w.Pool && p.Size > 0 && (w.Pair == "" || p.Pair.ID != "")
			}) {
				t.Errorf("job %s wants %+v, which no pool of the plan gives", j.Name, w)
			}
		}
	}
	if wishes != 2 {
		t.Errorf("the net has %d ports, want 2", wishes)
	}
}
