package cli

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// An agent listens with the number and on the addresses that the inventory has for its host; --bind goes before them.
func TestAgentListensAsItsViewSays(t *testing.T) {
	t.Parallel()
	plan, err := builtin.Load(builtin.Default)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := ports.Compile(plan, ports.Inventory{}, 0)
	own := ports.Port(sockettest.Lease(t))
	site := ports.Site{Compiled: c, Inventory: ports.Inventory{Hosts: []ports.Host{
		{Name: "dmz1", Roles: []string{"agent"}, Services: []ports.HostService{{Service: "reeve", Port: own}}},
	}}}
	text, err := json.Marshal(site.For("dmz1"))
	if err != nil {
		t.Fatal(err)
	}
	v := wire.View{Hash: c.Hash, Plan: text, Listen: []wire.Route{{Row: "reeve", Port: int(own), Bind: []string{"127.0.0.1", "127.0.0.2"}}}}
	for bind, want := range map[string]string{
		"":          fmt.Sprintf("[127.0.0.1:%[1]d 127.0.0.2:%[1]d]", own),
		"127.0.0.3": fmt.Sprintf("[127.0.0.3:%d]", own),
	} {
		adopted, err := adoptPlan(v, ports.Agent, bind, byProxy{})
		if err != nil {
			t.Fatal(err)
		}
		listeners, err := adopted.Listen(t.Context(), "reeve")
		if err != nil {
			t.Fatal(err)
		}
		var at []string
		for _, l := range listeners {
			at = append(at, l.Addr().String())
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if got := fmt.Sprint(at); got != want {
			t.Errorf("with --bind %q it listens on %s, want %s", bind, got, want)
		}
	}

	v.Listen[0].Bind = []string{"127.0.0.1", "192.0.2.1"} // the second is not this host's
	adopted, err := adoptPlan(v, ports.Agent, "", byProxy{})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := adopted.Listen(t.Context(), "reeve"); err == nil || l != nil {
		t.Errorf("an address that is not this host's: %v, %v, want an error and nothing open", l, err)
	}
	v.Hash = "another"
	if _, err := adoptPlan(v, ports.Agent, "", byProxy{}); err == nil {
		t.Error("a plan with another hash than was said is adopted")
	}
}
