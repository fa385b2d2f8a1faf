package render

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// fireTargets are the targets that can be read back to what they let through.
func fireTargets() map[string]func(rapid.TB, string) (open, closed []rect) {
	return map[string]func(rapid.TB, string) (open, closed []rect){
		"nftables": readNft, "iptables": readIPTables, "firewalld": readFirewalld, "ufw": readUFW, "pf": readPF, "windows": readWindows, "aws": readAWS, "kubernetes": readKubernetes,
	}
}

func target(t rapid.TB, name string) Target {
	t.Helper()
	i := slices.IndexFunc(Targets(), func(x Target) bool { return x.Name == name })
	if i < 0 {
		t.Fatalf("there is no target %s", name)
	}
	return Targets()[i]
}

// rendered renders what must have nothing to say about applications.
func rendered(t rapid.TB, name string, in Input) (string, bool) {
	t.Helper()
	text, err := target(t, name).Render(in)
	var omitted *Omitted
	switch {
	case errors.Is(err, ErrEmpty):
		return "", false
	case err != nil && !errors.As(err, &omitted):
		t.Fatalf("%s: %v", name, err)
	case len(text) == 0:
		t.Fatalf("%s: an empty text is no answer (F72)", name)
	}
	return string(text), true
}

// mixedHosts is a site with every role twice, names and addresses, both families, networks, and a host that stands for many.
func mixedHosts(plan ports.Plan) ports.Inventory {
	inv := ports.Inventory{Name: "mixed", Hosts: []ports.Host{
		{Name: "hq1", Bind: []string{"10.1.0.5", "fd00:1::5"}, Advertise: []string{"hq1.example.com"}},
		{Name: "hq2", Bind: []string{"10.1.0.6"}},
		{Name: "branch", Networks: []string{"10.2.0.0/24", "10.2.1.0/24", "fd00:2::/64"}},
		{Name: "desk", Advertise: []string{"10.3.0.9"}},
		{Name: "outside", Networks: []string{"192.0.2.0/28"}},
	}}
	for i, r := range plan.Roles {
		hosts := map[ports.RoleKind][]int{ports.Server: {0, 1}, ports.Agent: {1, 2}, ports.Client: {2, 3}, ports.Desk: {3}, ports.Unmanaged: {4}}[r.Is]
		for _, h := range hosts {
			if i%5 != 4 || r.Is != ports.Unmanaged { // some ends are not in the inventory
				inv.Hosts[h].Roles = append(inv.Hosts[h].Roles, r.ID)
			}
		}
	}
	return inv
}

// everyPlace calls f for every built-in plan in every instance, on each host of two inventories, and in the first for each
// role: an instance changes numbers, not who has them.
func everyPlace(t *testing.T, f func(t rapid.TB, in Input)) {
	for _, name := range builtin.Names() {
		plan := builtinPlan(t, name)
		for _, instance := range plan.Instances() {
			for _, inv := range []ports.Inventory{mixedHosts(plan), twoZones(plan)} {
				t.Run(fmt.Sprintf("%s/%d/%s", name, instance, inv.Name), func(t *testing.T) {
					t.Parallel()
					site := compiled(t, plan, inv, instance)
					places(site, func(in Input) { f(t, in) })
				})
			}
		}
	}
}

// places calls f for each host and each role of a site.
func places(site ports.Site, f func(in Input)) {
	for _, h := range site.Inventory.Hosts {
		f(Input{Site: site, Host: h.Name, Owner: "batch-platform", Expiry: "2027-01-01"})
	}
	for role := range site.Compiled.Kinds {
		if site.Compiled.Instance == 0 {
			f(Input{Site: site, Role: role})
		}
	}
}

// checkFirewalls renders every firewall, reads it back and compares it with the plan: P7, F68, F69, F70, F72.
func checkFirewalls(t rapid.TB, in Input) {
	t.Helper()
	want := planned(in)
	var shut []rect
	for _, cl := range in.Site.Closed(in.Host) {
		if stands(in, cl) {
			shut = append(shut, rectsOf(cl)...)
		}
	}
	for name, read := range fireTargets() {
		if _, err := target(t, name).Render(in); errors.Is(err, ErrUnsupported) {
			if in.Site.Compiled.Egress != "restricted" || name != "firewalld" && name != "ufw" {
				t.Fatalf("%s: %v", name, err)
			}
			continue
		}
		text, ok := rendered(t, name, in)
		if !ok {
			if len(want) > 0 {
				t.Fatalf("%s: nothing was rendered, and %d entries are planned", name, len(want))
			}
			continue
		}
		open, closed := read(t, text)
		sameRegion(t, name+" "+in.Host+in.Role, want, open)
		if name == "aws" || name == "kubernetes" {
			continue // they have nothing to close with: what no rule lets in stays out
		}
		sameRegion(t, name+", what is closed, "+in.Host+in.Role, shut, closed)
	}
}

// rectsOf is a claim as what is closed to everybody.
func rectsOf(cl ports.Claim) []rect {
	var out []rect
	for n := int(cl.Port); n > 0 && n <= int(max(cl.Port, cl.Last)); n++ {
		if cl.Parity == "" || (n%2 == 0) == (cl.Parity == ports.Even) {
			for _, p := range everywhere {
				out = append(out, rect{"in", string(cl.Protocol), n, n, p})
			}
		}
	}
	return out
}

func TestFirewallsReadBack(t *testing.T) {
	t.Parallel()
	everyPlace(t, checkFirewalls)
}

func TestFirewallsOfAnyPlanReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		plan, inv := anyPlan(rt)
		if rapid.Bool().Draw(rt, "restricted") {
			plan.Policies.Egress = "restricted"
		}
		for i := range inv.Hosts {
			h := &inv.Hosts[i]
			h.Advertise = nil
			h.Networks = rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.0/24", "10.0.0.128/25", "10.0.1.0/24", "10.0.0.7/32", "fd00::/64", "fd00::1/128", "0.0.0.0/0"}), 1, 3).Draw(rt, "networks")
		}
		c, _ := ports.Compile(plan, inv, 0)
		places(ports.Site{Compiled: c, Inventory: inv}, func(in Input) {
			checkFirewalls(rt, in)
		})
	})
}
