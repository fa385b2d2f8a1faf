package ports_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
)

// site is a small plan with everything that can be compiled.
func site() ports.Plan {
	return ports.Plan{
		Name: "site", Instance: "i",
		Vars: []ports.Var{{Name: "i", Max: 9}},
		Roles: []ports.Role{
			{ID: "server", Is: ports.Server}, {ID: "agent", Is: ports.Agent}, {ID: "client", Is: ports.Client, Title: "the client"},
		},
		Conditions: []ports.Condition{{ID: "power", Text: "if power control is used"}},
		Services: []ports.Service{
			{
				ID: "main", Name: "main", Port: "2000 + i", Protocols: []ports.Protocol{ports.TCP}, TLS: true, Doors: []string{"api", "link"}, Binds: true,
				Scope: ports.External, Status: ports.Works, ServicesFile: ports.ServicesFile{Windows: ports.Auto, Unix: ports.Manual},
				Flows: []ports.Flow{
					{From: "client", To: "server", Purpose: "commands"},
					{From: "agent", To: "server", Purpose: "link", Carries: []string{"link"}, When: "power"},
				},
			},
			{ID: "wake", Name: "wake", Port: "2952", Protocols: []ports.Protocol{ports.TCP, ports.UDP}, Binds: true, Scope: ports.External, Status: ports.Works, RunsOn: []string{"agent"}},
			{ID: "late", Port: ports.Unassigned, Protocols: []ports.Protocol{ports.UDP}, Binds: true, Scope: ports.SameHost, Status: ports.Works, RunsOn: []string{"server"}},
		},
		Local: []ports.LocalSocket{{ID: "admin", RunsOn: "server"}},
	}
}

// unlate removes the note on the service late of site, which has no number.
func unlate(found []ports.Diagnostic) []ports.Diagnostic {
	return slices.DeleteFunc(found, func(d ports.Diagnostic) bool { return d.Code == ports.NoNumber })
}

func TestCompile(t *testing.T) {
	t.Parallel()
	c, found := ports.Compile(site(), ports.Inventory{}, 2)
	if found = unlate(found); len(found) > 0 {
		t.Fatal(found)
	}
	var table []string
	for _, row := range c.Rows() {
		table = append(table, strings.Join(row.Fields(), "|"))
	}
	want := []string{
		"main||main|2002|tcp|external|the client|server|commands|Y|N||api link|works|||",
		"main||main|2002|tcp|external|agent|server|link|Y|N|if power control is used|api link|works|||",
		"wake||wake|2952|tcp|external|not stated|agent||||||works|||",
		"wake||wake|2952|udp|external|not stated|agent||||||works|||", // F07: one number, two transports
		"late||||udp|same-host|server|server||||||inactive|||",
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Error(diff)
	}
	if cl, ok := c.Service("main"); !ok || cl.Port != 2002 || !cl.TLS {
		t.Errorf("Service: %+v, %v", cl, ok)
	}
	if _, ok := c.Service("nobody"); ok {
		t.Error("a service that is none is found")
	}
	if got := c.Door("link"); len(got) != 1 || got[0].Service != "main" || c.Door("power") != nil {
		t.Errorf("Door: %+v", got)
	}
	if got := c.Carrying("link"); len(got) != 1 || got[0].From != "agent" || got[0].Port != 2002 {
		t.Errorf("Carrying: %+v", got)
	}
	for _, m := range []struct {
		role, service string
		listen, dial  bool
	}{
		{"server", "main", true, true},
		{"agent", "main", false, true},
		{"client", "main", false, true},
		{"agent", "wake", true, true},
		{"client", "wake", false, false},
		{"client", "nobody", false, false},
	} {
		if c.MayListen(m.role, m.service) != m.listen || c.MayDial(m.role, m.service) != m.dial {
			t.Errorf("%s and %s: listen %v, dial %v", m.role, m.service, c.MayListen(m.role, m.service), c.MayDial(m.role, m.service))
		}
	}
	if len(ports.Columns()) != len(c.Rows()[0].Fields()) {
		t.Error("columns and fields differ in number")
	}
}

func TestDiagnostics(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   func(*ports.Plan, *ports.Inventory)
		instance int
		code     ports.Code
		severity ports.Severity
		says     string
	}{
		"instance too high":                 {nil, 10, ports.BadInstance, ports.Error, "instance 10 is outside 0 to 9"},
		"instance below":                    {nil, -1, ports.BadInstance, ports.Error, "instance -1 is outside 0 to 9"},
		"no instances":                      {func(p *ports.Plan, _ *ports.Inventory) { p.Instance = "" }, 1, ports.BadInstance, ports.Error, "has no instances"},
		"too many instances":                {func(p *ports.Plan, _ *ports.Inventory) { p.Vars[0].Max = 1 << 40 }, 0, ports.BadInstance, ports.Error, "more than"},
		"port too high in a later instance": {func(p *ports.Plan, _ *ports.Inventory) { p.Services[0].Port = "65530 + i" }, 0, ports.BadPort, ports.Error, "port 65536 in instance 6"},
		"port 0":                            {func(p *ports.Plan, _ *ports.Inventory) { p.Services[0].Port = "0" }, 0, ports.BadPort, ports.Error, "port 0"},
		"unknown variable":                  {func(p *ports.Plan, _ *ports.Inventory) { p.Services[0].Port = "1 + x" }, 0, ports.BadFormula, ports.Error, `no variable "x"`},
		"unknown role":                      {func(p *ports.Plan, _ *ports.Inventory) { p.Services[0].Flows[0].From = "x" }, 0, ports.UnknownRole, ports.Error, `the role "x"`},
		"unknown runs on":                   {func(p *ports.Plan, _ *ports.Inventory) { p.Services[1].RunsOn = []string{"x"} }, 0, ports.UnknownRole, ports.Error, "use one of server, agent, client"},
		"local role":                        {func(p *ports.Plan, _ *ports.Inventory) { p.Local[0].RunsOn = "x" }, 0, ports.UnknownRole, ports.Error, "local socket admin"},
		"unknown condition":                 {func(p *ports.Plan, _ *ports.Inventory) { p.Services[0].When = "x" }, 0, ports.UnknownCondition, ports.Error, `the condition "x"`},
		"condition of flow":                 {func(p *ports.Plan, _ *ports.Inventory) { p.Services[0].Flows[0].When = "x" }, 0, ports.UnknownCondition, ports.Error, `the condition "x"`},
		"no protocol":                       {func(p *ports.Plan, _ *ports.Inventory) { p.Services[0].Protocols = nil }, 0, ports.NoProtocol, ports.Error, "no protocol"},
		"id twice":                          {func(p *ports.Plan, _ *ports.Inventory) { p.Services[1].ID = "main" }, 0, ports.Duplicate, ports.Error, "declared twice"},
		"name":                              {func(p *ports.Plan, _ *ports.Inventory) { p.Services[0].Name = "jobsch_win" }, 0, ports.BadServiceName, ports.Warning, "RFC 6335"},
		"case of name":                      {func(p *ports.Plan, _ *ports.Inventory) { p.Services[1].Name = "MAIN" }, 0, ports.SameServiceName, ports.Warning, "case"},
		"overlap in another instance": {func(p *ports.Plan, _ *ports.Inventory) {
			p.Services[1].Port, p.Services[1].RunsOn = "2007", []string{"server"}
		}, 0, ports.Overlap, ports.Error, "both claim 2007/tcp in instance 7"},
		"overlap on a host of two roles": {func(p *ports.Plan, inv *ports.Inventory) {
			p.Services[1].Port = "2000"
			inv.Hosts = []ports.Host{{Name: "h", Roles: []string{"server", "agent"}}}
		}, 3, ports.Overlap, ports.Error, "both claim 2000/tcp in instance 0"},
		"overlap of instances": {func(p *ports.Plan, _ *ports.Inventory) {
			p.Services[1].Port, p.Services[1].RunsOn = "2005 + i", []string{"server"}
		}, 0, ports.InstancesMeet, ports.Warning, "do not run both"},
		"host's role": {func(_ *ports.Plan, inv *ports.Inventory) { inv.Hosts = []ports.Host{{Name: "h", Roles: []string{"x"}}} }, 0, ports.UnknownRole, ports.Error, "host h"},
		"host's zone": {func(_ *ports.Plan, inv *ports.Inventory) { inv.Hosts = []ports.Host{{Name: "h", Zone: "x"}} }, 0, ports.UnknownZone, ports.Error, "host h"},
		"dial of an unknown zone": {func(_ *ports.Plan, inv *ports.Inventory) {
			inv.Zones, inv.Dials = []ports.Zone{{Name: "a"}}, []ports.Dial{{From: "x", To: "a"}}
		}, 0, ports.UnknownZone, ports.Error, "dials"},
		"dial that the plan lacks": {func(_ *ports.Plan, inv *ports.Inventory) { zones(inv, "core", "dmz") }, 0, ports.NoSuchDial, ports.Error, "no link row from server to agent"},
		"dialled by name":          {func(_ *ports.Plan, inv *ports.Inventory) { zones(inv, "dmz", "core") }, 0, ports.NoAdvertise, ports.Warning, "host hq"},
	} {
		p, inv := site(), ports.Inventory{}
		if c.change != nil {
			c.change(&p, &inv)
		}
		got, found := ports.Compile(p, inv, c.instance)
		found = unlate(found)
		if len(found) != 1 || found[0].Code != c.code || found[0].Severity != c.severity || !strings.Contains(found[0].String(), c.says) {
			t.Errorf("%s: got %v, want %s %s saying %q", name, found, c.code, c.severity, c.says)
		}
		if ports.HasErrors(found) != (c.severity == ports.Error) {
			t.Errorf("%s: HasErrors is wrong", name)
		}
		// One bad entry never silences the others.
		if len(got.Claims) < 2 {
			t.Errorf("%s: only %d claims are left", name, len(got.Claims))
		}
	}
}

// zones makes a site of two zones, of which one dials the other.
func zones(inv *ports.Inventory, from, to string) {
	inv.Zones = []ports.Zone{{Name: "core"}, {Name: "dmz"}}
	inv.Dials = []ports.Dial{{From: from, To: to}}
	inv.Hosts = []ports.Host{
		{Name: "hq", Roles: []string{"server"}, Zone: "core"},
		{Name: "edge", Roles: []string{"agent"}, Zone: "dmz", Advertise: []string{"edge"}},
	}
}

// No overlap where none is: roles on different hosts, a target that is not bound, one number over two transports (F06).
func TestNoOverlap(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ports.Service){
		"other role": func(*ports.Service) {},
		"target":     func(s *ports.Service) { s.RunsOn, s.Binds = []string{"server"}, false },
	} {
		p := site()
		p.Services[1].Port = "2000"
		change(&p.Services[1])
		if _, found := ports.Compile(p, ports.Inventory{}, 0); len(unlate(found)) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

func TestPlacesAndOrder(t *testing.T) {
	t.Parallel()
	p := site()
	p.Services[0].At, p.Services[1].At = ports.Place{File: "p", Line: 9, Column: 3}, ports.Place{File: "p", Line: 5, Column: 3}
	p.Services[0].When, p.Services[1].When = "x", "y"
	_, found := ports.Compile(p, ports.Inventory{}, 0)
	if found = unlate(found); len(found) != 2 || !strings.HasPrefix(found[0].String(), `p:5:3: PP126 error: service wake`) || found[1].Line != 9 {
		t.Errorf("got %v", found)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	base, _ := ports.Compile(site(), ports.Inventory{}, 0)
	if len(base.Hash) != 64 {
		t.Fatalf("hash %q", base.Hash)
	}
	// Hosts, zones and addresses are a site's business: they never make two ends disagree.
	inv := ports.Inventory{}
	zones(&inv, "dmz", "core")
	if c, _ := ports.Compile(site(), inv, 0); c.Hash != base.Hash {
		t.Error("an inventory changes the hash")
	}
	changes := map[string]func(*ports.Plan){
		"number":    func(p *ports.Plan) { p.Services[1].Port = "2953" },
		"direction": func(p *ports.Plan) { p.Services[0].Flows[0].From = "agent" },
		"purpose":   func(p *ports.Plan) { p.Services[0].Flows[0].Purpose = "x" },
		"tls":       func(p *ports.Plan) { p.Services[0].TLS = false },
		"doors":     func(p *ports.Plan) { p.Services[0].Doors = []string{"api"} },
		"carries":   func(p *ports.Plan) { p.Services[0].Flows[0].Carries = []string{"client"} },
		"binds":     func(p *ports.Plan) { p.Services[0].Binds = false },
		"status":    func(p *ports.Plan) { p.Services[0].Status = ports.Reserved },
		"order":     func(p *ports.Plan) { slices.Reverse(p.Services[0].Flows) },
		"less":      func(p *ports.Plan) { p.Services = p.Services[:2] },
		"name":      func(p *ports.Plan) { p.Name = "other" },
	}
	seen := map[string]string{base.Hash: "the plan itself"}
	for name, change := range changes {
		p := site()
		change(&p)
		c, _ := ports.Compile(p, ports.Inventory{}, 0)
		if other, ok := seen[c.Hash]; ok {
			t.Errorf("a change of %s has the hash of %s", name, other)
		}
		seen[c.Hash] = name
	}
	if c, _ := ports.Compile(site(), ports.Inventory{}, 1); seen[c.Hash] != "" {
		t.Error("another instance has the same hash")
	}
}

// A compiled plan that was sent over a link says the same as before.
func TestJSON(t *testing.T) {
	t.Parallel()
	c, _ := ports.Compile(site(), ports.Inventory{}, 4)
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back ports.Compiled
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, back); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c.Rows(), back.Rows()); diff != "" {
		t.Error(diff)
	}
}
