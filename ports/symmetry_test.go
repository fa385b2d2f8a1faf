package ports_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// drawSite makes inventories for twoWays: zones that dial each other in all ways, and hosts with own numbers.
func drawSite(t *rapid.T) ports.Inventory {
	zones := []string{"", "core", "dmz", "field"}
	inv := ports.Inventory{Zones: []ports.Zone{{Name: "core"}, {Name: "dmz"}, {Name: "field"}}}
	for range rapid.IntRange(0, 3).Draw(t, "dials") {
		inv.Dials = append(inv.Dials, ports.Dial{From: rapid.SampledFrom(zones[1:]).Draw(t, "from"), To: rapid.SampledFrom(zones[1:]).Draw(t, "to")})
	}
	roles := rapid.SampledFrom([]string{"server", "agent", "worker", "client", "mail"})
	for n := range rapid.IntRange(1, 6).Draw(t, "hosts") {
		h := ports.Host{Name: fmt.Sprintf("h%d", n), Roles: rapid.SliceOfN(roles, 0, 2).Draw(t, "roles"), Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
		h.Machine = rapid.SampledFrom([]string{"", "", "m"}).Draw(t, "machine")
		if rapid.Bool().Draw(t, "own") {
			h.Services = []ports.HostService{{Service: "main", Port: ports.Port(rapid.IntRange(0, 2).Draw(t, "port"))}}
		}
		inv.Hosts = append(inv.Hosts, h)
	}
	return inv
}

// connect is that one host may dial another.
type connect struct {
	service, from, to string
	roles             string
	port              ports.Port
}

// connects takes openings apart. The empty host of an end is one that no inventory names.
func connects(list []ports.Opening, keep func(from, to string) bool) map[connect]bool {
	set := map[connect]bool{}
	for _, o := range list {
		ends := func(all []ports.Endpoint) []string {
			names := []string{}
			for _, e := range all {
				names = append(names, e.Host)
			}
			if len(names) == 0 {
				return []string{""}
			}
			return names
		}
		for _, from := range ends(o.Sources) {
			for _, to := range ends(o.Destinations) {
				if keep(from, to) {
					set[connect{o.Service, from, to, o.From + " " + o.To, o.First}] = true
				}
			}
		}
	}
	return set
}

func sortedConnects(set map[connect]bool) []string {
	var all []string
	for c := range maps.Keys(set) {
		all = append(all, fmt.Sprintf("%+v", c))
	}
	slices.Sort(all)
	return all
}

// What one host may dial, the other lets in; the openings of the site are those of its hosts together; who dials is
// what the inventory's dials say, in one direction or both, and else the agent's side.
func TestOpeningsAreSymmetric(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inv := drawSite(t)
		c, found := ports.Compile(twoWays(), inv, 0)
		for _, d := range found {
			if d.Severity == ports.Error && d.Code != ports.Overlap { // of two servers on one machine
				t.Fatal(d)
			}
		}
		site := ports.Site{Compiled: c, Inventory: inv}
		known := func(from, to string) bool { return from != "" && to != "" }
		ins, outs := map[connect]bool{}, map[connect]bool{}
		allIn, allOut := map[connect]bool{}, map[connect]bool{}
		machines := map[string]string{}
		for _, h := range inv.Hosts {
			machines[h.Name] = h.Machine
			in, out := site.Openings(h.Name)
			maps.Copy(ins, connects(in, known))
			maps.Copy(outs, connects(out, known))
			maps.Copy(allIn, connects(in, func(from, to string) bool { return true }))
			maps.Copy(allOut, connects(out, func(from, to string) bool { return true }))
		}
		if diff := cmp.Diff(sortedConnects(ins), sortedConnects(outs)); diff != "" {
			t.Fatalf("in and out differ: %s", diff)
		}
		same := func(from, to string) bool {
			return from == to || machines[from] != "" && machines[from] == machines[to]
		}
		in, out := site.Openings("")
		if diff := cmp.Diff(sortedConnects(allIn), sortedConnects(connects(in, func(from, to string) bool { return to != "" && !same(from, to) }))); diff != "" {
			t.Fatalf("the site lets in: %s", diff)
		}
		if diff := cmp.Diff(sortedConnects(allOut), sortedConnects(connects(out, func(from, to string) bool { return from != "" && !same(from, to) }))); diff != "" {
			t.Fatalf("the site lets out: %s", diff)
		}
		dialsAsAsked(t, inv, ins)
	})
}

// dialsAsAsked compares the links between servers and workers with the inventory, pair by pair.
func dialsAsAsked(t *rapid.T, inv ports.Inventory, got map[connect]bool) {
	asked := func(from, to string) bool {
		return slices.ContainsFunc(inv.Dials, func(d ports.Dial) bool { return d.From == from && d.To == to })
	}
	plays := func(h ports.Host, roles ...string) bool {
		return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(h.Roles, r) })
	}
	for _, s := range inv.Hosts {
		for _, w := range inv.Hosts {
			if !plays(s, "server") || !plays(w, "worker", "agent") || s.Name == w.Name || s.Machine != "" && s.Machine == w.Machine {
				continue
			}
			up, down := asked(w.Zone, s.Zone), asked(s.Zone, w.Zone)
			if !up && !down {
				up = true
			}
			has := func(from, to ports.Host, roles string) bool {
				return slices.ContainsFunc(slices.Collect(maps.Keys(got)), func(c connect) bool {
					return c.service == "main" && c.from == from.Name && c.to == to.Name && c.roles == roles
				})
			}
			if has(w, s, "worker server") != up || has(s, w, "server worker") != down {
				t.Fatalf("%s in %q and %s in %q: the worker dials %v, want %v; the server %v, want %v",
					w.Name, w.Zone, s.Name, s.Zone, has(w, s, "worker server"), up, has(s, w, "server worker"), down)
			}
		}
	}
}
