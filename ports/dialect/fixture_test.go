package dialect

import (
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// compiled is a built-in plan.
func compiled(t testing.TB, name string, instance int) ports.Compiled {
	t.Helper()
	p, err := builtin.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(p, ports.Inventory{}, instance)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return c
}

// builtIn are all built-in plans, in their first and last instances.
func builtIn(t testing.TB) []ports.Compiled {
	t.Helper()
	var all []ports.Compiled
	for _, name := range builtin.Names() {
		all = append(all, compiled(t, name, 0))
		if name == "acs" || name == "default" {
			all = append(all, compiled(t, name, 9))
		}
	}
	return all
}

// applied is what a part makes of a built-in plan: the written form is read by the readers of plans and inventories.
func applied(t testing.TB, part Part, instance int) (ports.Plan, ports.Site) {
	t.Helper()
	text := part.YAML()
	var p ports.Plan
	var inv ports.Inventory
	var err error
	if len(part.Plan) > 0 {
		if p, err = planfile.Parse("part.yaml", text, builtin.Load); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
	}
	if len(part.Inventory) > 0 {
		if inv, err = planfile.ParseInventory("part.yaml", text); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
	}
	c, _ := ports.Compile(p, inv, instance)
	return p, ports.Site{Compiled: c, Inventory: inv}
}

// readable checks that the readers of plans and inventories take a part, over a plan that has only these rows. It is
// applied without the work of a real plan, for fuzzing.
func readable(t *testing.T, part Part, over ports.Compiled) {
	t.Helper()
	text := part.YAML()
	base := ports.Plan{Name: over.Plan}
	for _, cl := range over.Claims {
		s := ports.Service{ID: cl.Service, Protocols: []ports.Protocol{cl.Protocol}, Port: "1", Binds: true, Scope: ports.External, Status: ports.Works}
		if cl.Pool {
			base.Pools = append(base.Pools, ports.Pool{Service: s})
		} else {
			base.Services = append(base.Services, s)
		}
	}
	if len(part.Plan) > 0 {
		if _, err := planfile.Parse("part.yaml", text, func(string) (ports.Plan, error) { return base, nil }); err != nil {
			t.Errorf("%v in:\n%s", err, text)
		}
	}
	if len(part.Inventory) > 0 {
		if _, err := planfile.ParseInventory("part.yaml", text); err != nil {
			t.Errorf("%v in:\n%s", err, text)
		}
	}
}

// lines are the findings as they are printed, without what comes after the message's beginning.
func lines(found []ports.Diagnostic) []string {
	var all []string
	for _, d := range found {
		all = append(all, d.String())
	}
	return all
}

// says checks that the findings are these, each by its beginning and parts that it holds.
func says(t *testing.T, found []ports.Diagnostic, want ...[]string) {
	t.Helper()
	got := lines(found)
	if len(got) != len(want) {
		t.Fatalf("got %d findings:\n%s\nwant %d", len(got), strings.Join(got, "\n"), len(want))
	}
	for i, parts := range want {
		if !strings.HasPrefix(got[i], parts[0]) || slices.ContainsFunc(parts[1:], func(p string) bool { return !strings.Contains(got[i], p) }) {
			t.Errorf("got  %s\nwant %q", got[i], parts)
		}
	}
}

// port returns the number of a row, 0 if it has none.
func port(c ports.Compiled, id string) ports.Port {
	cl, _ := c.Service(id)
	return cl.Port
}
