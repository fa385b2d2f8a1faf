package ports_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// Each built-in plan has the paths that its page leaves open, in the plan's order; the zones choose among them.
func TestPaths(t *testing.T) {
	t.Parallel()
	const zones = "inventory: site\nzones: {core: {}, dmz: {}}\n"
	for name, test := range map[string]struct {
		plan, inventory string
		kind            ports.RoleKind
		enrol, link     string
	}{
		"agents dial":        {builtin.Default, zones, ports.Agent, "agent reeve", "agent reeve"},
		"the server's zone":  {builtin.Default, zones + "dials: [{from: core, to: dmz}]\n", ports.Agent, "server reeve", "server reeve"},
		"both zones":         {builtin.Default, zones + "dials: [{from: core, to: dmz}, {from: dmz, to: core}]\n", ports.Agent, "agent reeve, server reeve", "agent reeve, server reeve"},
		"systemwalker":       {"systemwalker", zones, ports.Agent, "agent jmnet", "server mjsnet, agent jmnet, server jmnet"},
		"its server may not": {"systemwalker", zones + "dials: [{from: dmz, to: core}]\n", ports.Agent, "agent jmnet", "agent jmnet"},
		"its desk agents":    {"systemwalker", zones, ports.Desk, "server jmact3", "server jmact3"},
		"jobscheduler":       {"jobscheduler", zones, ports.Agent, "server jobscheduler", "server jobscheduler"},
		"arcserve":           {"arcserve", zones, ports.Agent, "agent casmgmtsvc", "server univagent"},
		"acs":                {"acs", zones, ports.Agent, "agent manager", "server container-daemon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := builtin.Load(test.plan)
			if err != nil {
				t.Fatal(err)
			}
			inv, err := planfile.ParseInventory("site.yaml", []byte(test.inventory))
			if err != nil {
				t.Fatal(err)
			}
			c, found := ports.Compile(plan, inv, 0)
			if ports.HasErrors(found) {
				t.Fatal(found)
			}
			s := ports.Site{Compiled: c, Inventory: inv}
			if got := paths(t, s.Paths("enrol", "core", "dmz", test.kind)); got != test.enrol {
				t.Errorf("a node is enrolled by %s, want %s", got, test.enrol)
			}
			if got := paths(t, s.Paths("link", "core", "dmz", test.kind)); got != test.link {
				t.Errorf("the link is dialled by %s, want %s", got, test.link)
			}
		})
	}
}

func paths(t *testing.T, all []ports.Path) string {
	t.Helper()
	said := make([]string, len(all))
	for i, p := range all {
		who := "agent"
		if p.ServerDials {
			who = "server"
		}
		if p.Turn != i+1 {
			t.Errorf("%s has the turn %d, want %d", p.Flow.ID, p.Turn, i+1)
		}
		said[i] = fmt.Sprint(who, " ", p.Flow.Service)
	}
	return strings.Join(said, ", ")
}

// Where a host is reached follows what it advertises: an address with a number is a service's only where it can mean no
// other.
func TestAt(t *testing.T) {
	t.Parallel()
	inv, err := planfile.ParseInventory("site.yaml", []byte(`inventory: site
hosts:
  plain: {roles: [server], advertise: [hq.example.com, 10.1.0.5]}
  moved: {roles: [server], advertise: ["192.0.2.7:17373", "[2001:db8::7]:17373"]}
  bound: {roles: [server], bind: [10.1.0.6]}
  nameless: {roles: [server]}
  own: {roles: [server], advertise: [10.1.0.8], services: {reeve: {port: 9000, advertise: ["gate.example.com:9001"]}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := builtin.Load(builtin.Default)
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(plan, inv, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	s := ports.Site{Compiled: c, Inventory: inv}
	for host, want := range map[string]string{
		"plain":    "hq.example.com:7373 10.1.0.5:7373",
		"moved":    "192.0.2.7:17373 [2001:db8::7]:17373",
		"bound":    "10.1.0.6:7373",
		"nameless": "nameless:7373",
		"own":      "gate.example.com:9001",
		"absent":   "",
	} {
		if got := strings.Join(s.At(host, "reeve"), " "); got != want {
			t.Errorf("%s is reached at %q, want %q", host, got, want)
		}
	}
	for host, want := range map[string]ports.Port{"plain": 7373, "own": 9000, "absent": 7373} {
		if cl, _ := s.For(host).Service("reeve"); cl.Port != want {
			t.Errorf("%s listens on %d, want %d", host, cl.Port, want)
		}
	}
	if got := s.Binds("bound", "reeve"); !slices.Equal(got, []string{"10.1.0.6"}) || s.Binds("plain", "reeve") != nil {
		t.Errorf("bound listens on %v, plain on %v", got, s.Binds("plain", "reeve"))
	}
	if got := s.At("plain", "nothing"); got != nil {
		t.Errorf("a service that the plan does not have is reached at %v", got)
	}
}

// TestBinds: what a host is told to listen on is all that it listens on, also its loopback address alone.
func TestBinds(t *testing.T) {
	t.Parallel()
	s := ports.Site{Inventory: ports.Inventory{Hosts: []ports.Host{
		{Name: "home", Bind: []string{"127.0.0.1", "::1"}},
		{Name: "both", Bind: []string{"127.0.0.1", "10.1.0.5"}},
		{Name: "row", Bind: []string{"10.1.0.5"}, Services: []ports.HostService{{Service: "main", Bind: []string{"127.0.0.1"}}}},
		{Name: "all"},
		{Name: "any", Bind: []string{"0.0.0.0"}},
	}}}
	for host, want := range map[string][]string{"home": {"127.0.0.1", "::1"}, "both": {"127.0.0.1", "10.1.0.5"}, "row": {"127.0.0.1"}, "all": nil, "any": {"0.0.0.0"}, "stranger": nil} {
		if got := s.Binds(host, "main"); !slices.Equal(got, want) {
			t.Errorf("%s listens on %q, want %q", host, got, want)
		}
	}
}
