//go:build linux

package firewall_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// After a cut, links of many agents are back within two seconds of the path, whoever dials: nobody waits for a pause that
// has grown, or for the system to send a packet again. The cut lasts 90 s in make fault.
func TestHeal(t *testing.T) {
	t.Parallel()
	for plan, flow := range map[string]string{builtin.Default: "reeve.2/tcp", "jobscheduler": "jobscheduler.1/tcp"} {
		t.Run(plan, func(t *testing.T) {
			t.Parallel()
			l := build(t, topology{plan: plan, inventory: crowded()})
			l.serve("hq")
			for i := range crowd {
				l.member(fmt.Sprintf("a%d", i))
			}
			l.without(flow)
			for i := range crowd {
				l.linked(fmt.Sprintf("a%d", i), false)
			}
			cut := 20 * time.Second
			if *rounds >= campaign {
				cut = 90 * time.Second
			}
			over := time.NewTimer(cut)
			defer over.Stop()
			<-over.C
			l.heal()
			healed := time.Now()
			back := map[string]time.Duration{}
			within(t, 30*time.Second, func() string {
				nodes, err := l.server.api.ListNodes(t.Context())
				if err != nil {
					return err.Error()
				}
				for _, n := range nodes {
					if _, known := back[n.Name]; n.Role == "agent" && n.Linked && !known {
						back[n.Name] = time.Since(healed)
					}
				}
				if len(back) < crowd {
					return fmt.Sprintf("%d of %d are back", len(back), crowd)
				}
				return ""
			})
			var took []time.Duration
			for _, d := range back {
				took = append(took, d.Round(time.Millisecond))
			}
			slices.Sort(took)
			t.Logf("back after %v", took)
			if half, limit := took[len(took)/2], 2*time.Second; half > limit {
				t.Errorf("half of the links were back after %s, want %s", half, limit)
			}
			if last, limit := took[len(took)-1], 4*time.Second; last > limit {
				t.Errorf("the last link was back after %s, want 2 s and what a loaded machine adds", last)
			}
			l.judge(flow)
		})
	}
}
