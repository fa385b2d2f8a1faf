package render

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// eachPlan calls f for every built-in plan in every instance, with and without an inventory.
func eachPlan(t *testing.T, f func(t *testing.T, in Input)) {
	t.Helper()
	for _, name := range builtin.Names() {
		plan := builtinPlan(t, name)
		for _, instance := range plan.Instances() {
			for _, inv := range []ports.Inventory{{}, twoZones(plan)} {
				t.Run(fmt.Sprintf("%s/%d/%d hosts", name, instance, len(inv.Hosts)), func(t *testing.T) {
					t.Parallel()
					f(t, Input{Site: compiled(t, plan, inv, instance)})
				})
			}
		}
	}
}

func builtinPlan(t *testing.T, name string) ports.Plan {
	t.Helper()
	plan, err := builtin.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func compiled(t *testing.T, plan ports.Plan, inv ports.Inventory, instance int) ports.Site {
	t.Helper()
	c, found := ports.Compile(plan, inv, instance)
	for _, d := range found {
		if d.Severity == ports.Error {
			t.Fatal(d)
		}
	}
	return ports.Site{Compiled: c, Inventory: inv}
}

// twoZones is a site with a firewall: servers in one zone, what they dial and who dials them in the other.
func twoZones(plan ports.Plan) ports.Inventory {
	inv := ports.Inventory{
		Name:        "two-zones",
		Zones:       []ports.Zone{{Name: "core", Networks: []string{"10.1.0.0/16"}}, {Name: "dmz", Networks: []string{"10.2.0.0/16", "fd00:2::/64"}}},
		Middleboxes: []ports.Middlebox{{Name: "fw-2", Between: []string{"core", "dmz"}}},
		Hosts:       []ports.Host{{Name: "hq1", Zone: "core", Advertise: []string{"10.1.0.5"}}, {Name: "hq2", Zone: "core", Advertise: []string{"10.1.0.6"}}},
	}
	dmz := ports.Host{Name: "dmz1", Zone: "dmz", Advertise: []string{"10.2.0.5"}}
	for _, r := range plan.Roles {
		switch r.Is {
		case ports.Server:
			inv.Hosts[0].Roles = append(inv.Hosts[0].Roles, r.ID)
			inv.Hosts[1].Roles = append(inv.Hosts[1].Roles, r.ID)
		case ports.Agent, ports.Desk, ports.Client:
			dmz.Roles = append(dmz.Roles, r.ID)
		case ports.Unmanaged:
		}
	}
	inv.Hosts = append(inv.Hosts, dmz)
	return inv
}

// words that a plan may hold: signs that Markdown, HTML, roff, CSV and XML each take as their own, and other scripts.
var nasty = []string{
	"", "a", "client data", "x|y", `back\slash`, "*bold*", "_under_", "smtp_mpaosfb", "<b>&amp;</b>", "`code`", `"quoted", with comma`, ".TH", "'line", "-dash", "(1)",
	"日本語のサービス", "Zürich", "two\nlines", "tab\there", "[1](x)", "& co", "&lt;", "a;b", "%s %d", "\\e\\&", "~~", "#1", "=cmd()", "a\u202eb",
}

// anyPlan draws a plan with some of everything that a document prints.
func anyPlan(t *rapid.T) (ports.Plan, ports.Inventory) {
	text := rapid.SampledFrom(nasty)
	p := ports.Plan{Name: "site-" + rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "name"), Owner: "owner", Description: text.Draw(t, "description")}
	for _, id := range []string{"one", "two", "three", "four"} {
		p.Roles = append(p.Roles, ports.Role{ID: id, Is: rapid.SampledFrom([]ports.RoleKind{ports.Server, ports.Agent, ports.Client, ports.Unmanaged}).Draw(t, "is"), Title: text.Draw(t, "title")})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "conditions") {
		c := ports.Condition{ID: fmt.Sprintf("c%d", i), Text: fmt.Sprint(text.Draw(t, "condition"), i)}
		if rapid.Bool().Draw(t, "guarded") {
			c.When = "openings.task_link"
		}
		p.Conditions = append(p.Conditions, c)
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "services") {
		s := anyService(t, p, fmt.Sprintf("s%d", i))
		if rapid.IntRange(0, 4).Draw(t, "number") > 0 {
			s.Port = ports.Formula(fmt.Sprint(2000 + 10*i + rapid.IntRange(0, 9).Draw(t, "port")))
		} else if rapid.Bool().Draw(t, "application") {
			s.Application = "program " + text.Draw(t, "program")
		}
		p.Services = append(p.Services, s)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "pools") {
		first := ports.Port(20000 + 1000*i)
		pool := ports.Pool{Service: anyService(t, p, fmt.Sprintf("p%d", i)), Down: rapid.Bool().Draw(t, "down"), Parity: rapid.SampledFrom([]ports.Parity{"", ports.Even}).Draw(t, "parity")}
		pool.Span.Ranges = []ports.Range{{First: first, Last: first + ports.Port(rapid.IntRange(1, 900).Draw(t, "size"))}}
		p.Pools = append(p.Pools, pool)
	}
	return p, anyInventory(t)
}

func anyService(t *rapid.T, p ports.Plan, id string) ports.Service {
	text := rapid.SampledFrom(nasty)
	role := rapid.SampledFrom([]string{"one", "two", "three", "four"})
	s := ports.Service{
		ID: id, Function: text.Draw(t, "function"), Name: id + text.Draw(t, "service"), Binds: rapid.Bool().Draw(t, "binds"), TLS: rapid.Bool().Draw(t, "tls"),
		Protocols:    rapid.SampledFrom([][]ports.Protocol{{ports.TCP}, {ports.UDP}, {ports.TCP, ports.UDP}}).Draw(t, "protocols"),
		Scope:        rapid.SampledFrom([]ports.Scope{ports.External, ports.External, ports.SameHost, ports.Remote}).Draw(t, "scope"),
		Status:       rapid.SampledFrom([]ports.Status{ports.Works, ports.Works, ports.Reserved, ports.Foreign}).Draw(t, "status"),
		ServicesFile: ports.ServicesFile{Windows: rapid.SampledFrom([]ports.Addition{"", ports.Auto, ports.Manual}).Draw(t, "windows")},
		Origin:       rapid.SampledFrom([]string{"ours", "SW-3", ""}).Draw(t, "origin"), Was: rapid.SampledFrom([]string{"", "3013"}).Draw(t, "was"), Note: text.Draw(t, "note"),
	}
	condition := func(what string) string {
		if len(p.Conditions) == 0 || rapid.Bool().Draw(t, what) {
			return ""
		}
		return p.Conditions[rapid.IntRange(0, len(p.Conditions)-1).Draw(t, what)].ID
	}
	s.When = condition("when")
	for range rapid.IntRange(0, 3).Draw(t, "flows") {
		s.Flows = append(s.Flows, ports.Flow{From: role.Draw(t, "from"), To: role.Draw(t, "to"), Purpose: text.Draw(t, "purpose"), When: condition("flow when"), Note: text.Draw(t, "flow note")})
	}
	return s
}

// anyInventory draws up to five hosts in up to two zones, or none.
func anyInventory(t *rapid.T) ports.Inventory {
	inv := ports.Inventory{Openings: map[string]bool{"task_link": rapid.Bool().Draw(t, "task_link")}}
	zones := []string{""}
	for _, z := range []string{"core", "dmz"}[:rapid.IntRange(0, 2).Draw(t, "zones")] {
		inv.Zones = append(inv.Zones, ports.Zone{Name: z})
		zones = append(zones, z)
	}
	if len(inv.Zones) == 2 {
		inv.Middleboxes = []ports.Middlebox{{Name: "fw", Between: []string{"core", "dmz"}}}
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "hosts") {
		inv.Hosts = append(inv.Hosts, ports.Host{
			Name: fmt.Sprintf("h%d", i), Zone: rapid.SampledFrom(zones).Draw(t, "zone"), Advertise: []string{fmt.Sprintf("10.0.0.%d", i+1)},
			Roles: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"one", "two", "three", "four", "server", "agent"}), 1, 3, rapid.ID).Draw(t, "roles"),
		})
	}
	return inv
}

// anyInput compiles a random plan; what Compile refuses is left out of it.
func anyInput(t *rapid.T) Input {
	plan, inv := anyPlan(t)
	c, _ := ports.Compile(plan, inv, 0)
	return Input{Site: ports.Site{Compiled: c, Inventory: inv}, Locale: rapid.SampledFrom([]string{"en", "de", "ja"}).Draw(t, "locale")}
}
