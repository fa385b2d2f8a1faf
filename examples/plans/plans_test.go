// Package plans_test proves that the plans and the inventory beside it are valid, and fit together.
package plans_test

import (
	"io"
	"os"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

func load(t *testing.T, file string) ports.Plan {
	t.Helper()
	p, err := builtin.Resolve(file, func(name string) (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func inventory(t *testing.T) ports.Inventory {
	t.Helper()
	return inventoryOf(t, "inventory.yaml")
}

func inventoryOf(t *testing.T, file string) ports.Inventory {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := planfile.ParseInventory(file, text)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func compile(t *testing.T, p ports.Plan, inv ports.Inventory, instance int) ports.Compiled {
	t.Helper()
	c, found := ports.Compile(p, inv, instance)
	for _, d := range found {
		if d.Severity == ports.Error {
			t.Error(d)
		}
	}
	return c
}

// The site's plan changes one row of the plan that it extends, and has one of its own.
func TestSite(t *testing.T) {
	t.Parallel()
	c := compile(t, load(t, "site.yaml"), inventory(t), 0)
	base, err := builtin.Load("systemwalker")
	if err != nil {
		t.Fatal(err)
	}
	was := compile(t, base, inventory(t), 0)
	for _, cl := range c.Claims {
		before, known := was.Service(cl.Service)
		switch {
		case cl.Service == "jmnet" && cl.Port != 19352, cl.Service == "metrics" && cl.Port != 9101:
			t.Errorf("%s is on %d", cl.Service, cl.Port)
		case cl.Service != "jmnet" && cl.Service != "metrics" && (!known || before.Port != cl.Port):
			t.Errorf("%s is on %d, and was on %d", cl.Service, cl.Port, before.Port)
		}
	}
	if len(c.Claims) != len(was.Claims)+1 {
		t.Errorf("%d claims, %d before", len(c.Claims), len(was.Claims))
	}
}

// Each form of the studio's plan gives what its comment says, in every lane, with and without TLS.
func TestStudio(t *testing.T) {
	t.Parallel()
	p := load(t, "studio.yaml")
	for _, lane := range p.Instances() {
		for secure, want := range map[int]ports.Port{1: 18443, 0: 18080} {
			c := compile(t, p, ports.Inventory{Vars: map[string]int{"secure": secure}}, lane)
			if cl, _ := c.Service("queue"); cl.Port != ports.Port(17400+100*lane) {
				t.Errorf("lane %d: queue is on %d", lane, cl.Port)
			}
			if cl, _ := c.Service("gallery"); cl.Port != want || cl.TLS != (secure == 1) || cl.Status != ports.Works {
				t.Errorf("lane %d: gallery is %+v", lane, cl)
			}
			if len(c.Pools) != 1 || c.Pools[0].Size != 80 || c.Pools[0].Ranges[0].First != ports.Port(17410+100*lane) {
				t.Errorf("lane %d: pools %+v", lane, c.Pools)
			}
		}
	}
}

// The plan with names says by its rows alone what is spoken where.
func TestNames(t *testing.T) {
	t.Parallel()
	c := compile(t, load(t, "names.yaml"), ports.Inventory{}, 0)
	for service, doors := range map[string]string{"names": "directory", "discovery": "discovery", "discovery-answers": "discovery"} {
		udp := 0
		for _, cl := range c.Claims {
			if cl.Service == service && cl.Protocol == ports.UDP && cl.Status == ports.Works && len(cl.Doors) == 1 && cl.Doors[0] == doors {
				udp++
			}
		}
		if udp != 1 {
			t.Errorf("%s: %d rows of UDP that are in use and open %s alone, want 1", service, udp, doors)
		}
	}
}

// The branch's agents reach the relay and nothing else of Reeve's.
func TestBranch(t *testing.T) {
	t.Parallel()
	inv := inventoryOf(t, "branch-inventory.yaml")
	s := ports.Site{Compiled: compile(t, load(t, "branch.yaml"), inv, 0), Inventory: inv}
	for _, c := range s.Crossings() {
		if c.From == "till1" && len(c.Flow.Carries) > 0 && c.Flow.Service != "relay" && c.Flow.Service != "proxy" || c.To == "till1" {
			t.Errorf("%s dials %s by %s", c.From, c.To, c.Flow.ID)
		}
	}
	if got := s.RelayPaths("link", "branch"); len(got) != 1 || got[0].Relay != "gate1" {
		t.Errorf("the branch is linked by %+v, want the relay gate1", got)
	}
}
