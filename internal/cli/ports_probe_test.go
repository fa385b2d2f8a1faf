package cli

import (
	"slices"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// Of a range both ends are tried, also where only every second number counts; each has a row and a flow of its own.
func TestSpread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first, last ports.Port
		parity      ports.Parity
		want        []ports.Port
	}{
		{80, 0, "", []ports.Port{80}},
		{80, 80, "", []ports.Port{80}},
		{80, 89, "", []ports.Port{80, 89}},
		{80, 89, ports.Even, []ports.Port{80, 88}},
		{81, 89, ports.Odd, []ports.Port{81, 89}},
		{80, 81, ports.Even, []ports.Port{80}},
	} {
		got := spread(ports.Compiled{
			Claims: []ports.Claim{{Service: "a.b", Port: c.first, Last: c.last, Parity: c.parity}},
			Flows:  []ports.ResolvedFlow{{ID: "a.b.1/tcp", Service: "a.b", Port: c.first, Last: c.last, Parity: c.parity}},
		})
		var claims, flows []ports.Port
		for i, cl := range got.Claims {
			claims = append(claims, cl.Port)
			if cl.Last != 0 || i == 0 && cl.Service != "a.b" || i == 1 && cl.Service == "a.b" {
				t.Errorf("%+v: %+v", c, cl)
			}
		}
		for _, f := range got.Flows {
			flows = append(flows, f.Port)
			if whole(f.ID) != "a.b.1/tcp" || whole(f.Service) != "a.b" || !isOf([]string{"a.b.1/tcp"}, f.ID) || isOf([]string{"a.b.2/tcp"}, f.ID) {
				t.Errorf("%+v: %+v", c, f)
			}
		}
		if !slices.Equal(claims, c.want) || !slices.Equal(flows, c.want) {
			t.Errorf("%+v: rows %v, flows %v; want %v", c, claims, flows, c.want)
		}
	}
}

// What can be asked for of each built-in plan: each flow has a row, and a number within the plan.
func TestProbedFlows(t *testing.T) {
	t.Parallel()
	for _, name := range builtin.Names() {
		plan, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		whole, _ := ports.Compile(plan, ports.Inventory{}, 0)
		c := spread(whole)
		flows, err := (&probed{all: true}).among(c)
		if err != nil || len(flows) == 0 {
			t.Fatalf("%s: %d flows, %v", name, len(flows), err)
		}
		rows := listenedFor(ports.Site{Compiled: c}, "anywhere", flows)
		for _, f := range flows {
			i := slices.IndexFunc(rows, func(cl ports.Claim) bool { return cl.Service == f.Service && cl.Protocol == f.Protocol })
			if i < 0 || rows[i].Port != f.Port || !slices.ContainsFunc(whole.Claims, func(cl ports.Claim) bool {
				return cl.Protocol == f.Protocol && cl.Range().First <= f.Port && f.Port <= cl.Range().Last
			}) {
				t.Errorf("%s: nothing listens for %s on %d", name, f.ID, f.Port)
			}
		}
	}
}
