package ports_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
)

// twoWays is a plan whose links are dialled by agents, and by the server where zones ask for it.
func twoWays() ports.Plan {
	tcp := []ports.Protocol{ports.TCP}
	return ports.Plan{
		Name: "two-ways",
		Roles: []ports.Role{
			{ID: "server", Is: ports.Server}, {ID: "worker", Is: ports.Agent}, {ID: "client", Is: ports.Client}, {ID: "mail"},
		},
		Conditions: []ports.Condition{
			{ID: "mailing", Text: "if mail is sent", When: "openings.mail", Default: true},
			{ID: "dialled", Text: "where the server dials"},
		},
		Services: []ports.Service{
			{ID: "main", Port: "7000", Protocols: tcp, Binds: true, Origin: "ours", Flows: []ports.Flow{
				{From: "client", To: "server", Purpose: "commands"},
				{From: "client", To: "server", Purpose: "pages", When: "dialled"},
				{From: "worker", To: "server", Purpose: "link", Carries: []string{"link", "enrol"}},
				{From: "server", To: "worker", Purpose: "link", Carries: []string{"link", "enrol"}, When: "dialled"},
				{From: "server", To: "server", Purpose: "peers", Carries: []string{"peer"}},
			}},
			{ID: "inside", Port: "7001", Protocols: tcp, Binds: true, Scope: ports.SameHost, RunsOn: []string{"server"}},
			{ID: "kept", Port: "7002", Protocols: tcp, Binds: true, Status: ports.Reserved, RunsOn: []string{"server"}, Flows: []ports.Flow{{From: "client", To: "server"}}},
			{ID: "smtp", Port: "25", Protocols: tcp, When: "mailing", Scope: ports.External, Flows: []ports.Flow{{From: "server", To: "mail", Purpose: "mail"}}},
			{ID: "app", Application: "Event Log", Protocols: tcp, Flows: []ports.Flow{{From: "server", To: "mail", Purpose: "events"}}},
			{ID: "late", Port: ports.Unassigned, Protocols: []ports.Protocol{ports.UDP}, Binds: true, Flows: []ports.Flow{{From: "server", To: "worker"}}},
		},
		Pools: []ports.Pool{{
			Service: ports.Service{ID: "jobs", Protocols: tcp, Binds: true, Flows: []ports.Flow{{From: "client", To: "worker", Purpose: "services"}}},
			Span:    ports.Span{Ranges: []ports.Range{{First: 8000, Last: 8099}, {First: 8100, Last: 8109}}}, Parity: "",
			Pair: ports.Pair{},
		}},
	}
}

func twoZones() ports.Inventory {
	return ports.Inventory{
		Zones: []ports.Zone{{Name: "core"}, {Name: "dmz"}},
		Hosts: []ports.Host{
			{Name: "hq1", Roles: []string{"server"}, Zone: "core", Advertise: []string{"hq1.example.com"}},
			{Name: "hq2", Roles: []string{"server"}, Zone: "core", Bind: []string{"10.1.0.6"}, Services: []ports.HostService{{Service: "main", Port: 7100, Advertise: []string{"nat.example.com:17100"}}}},
			{Name: "w1", Roles: []string{"agent"}, Zone: "dmz", Advertise: []string{"10.2.0.5"}},
			{Name: "w2", Roles: []string{"worker"}, Zone: "core"},
			{Name: "desks", Roles: []string{"client"}, Networks: []string{"10.9.0.0/16"}},
		},
	}
}

func lines(list []ports.Opening) []string {
	var all []string
	for _, o := range list {
		ends := func(es []ports.Endpoint) string {
			var s []string
			for _, e := range es {
				s = append(s, e.Address)
			}
			return strings.Join(s, ",")
		}
		number := ports.Range{First: o.First, Last: o.Last}.String()
		if o.First == 0 {
			number = "app:" + o.Application
		}
		all = append(all, fmt.Sprintf("%s %s/%s %s>%s [%s]>[%s] %s (%s)", o.Flow, number, o.Protocol, o.From, o.To, ends(o.Sources), ends(o.Destinations), o.Purpose, o.Condition))
	}
	return all
}

func compiled(t *testing.T, p ports.Plan, inv ports.Inventory) ports.Site {
	t.Helper()
	c, found := ports.Compile(p, inv, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return ports.Site{Compiled: c, Inventory: inv}
}

func TestOpenings(t *testing.T) {
	t.Parallel()
	dialsDMZ := twoZones()
	dialsDMZ.Dials = []ports.Dial{{From: "core", To: "dmz"}}
	for name, c := range map[string]struct {
		inv     ports.Inventory
		host    string
		in, out []string
	}{
		"a server, agents dial": {twoZones(), "hq1", []string{
			"main.1/tcp 7000/tcp client>server [10.9.0.0/16]>[hq1.example.com] commands; pages ()",
			"main.3/tcp 7000/tcp worker>server [10.2.0.5,w2]>[hq1.example.com] link ()",
			"main.5/tcp 7000/tcp server>server [10.1.0.6]>[hq1.example.com] peers ()",
		}, []string{
			"main.5/tcp 17100/tcp server>server [hq1.example.com]>[nat.example.com] peers ()",
			"smtp.1/tcp 25/tcp server>mail [hq1.example.com]>[] mail (if mail is sent)",
			"app.1/tcp app:Event Log/tcp server>mail [hq1.example.com]>[] events ()",
		}},
		"a server with a number of its own": {twoZones(), "hq2", []string{
			"main.1/tcp 7100/tcp client>server [10.9.0.0/16]>[10.1.0.6] commands; pages ()",
			"main.3/tcp 7100/tcp worker>server [10.2.0.5,w2]>[10.1.0.6] link ()",
			"main.5/tcp 7100/tcp server>server [hq1.example.com]>[10.1.0.6] peers ()",
		}, []string{
			"main.5/tcp 7000/tcp server>server [10.1.0.6]>[hq1.example.com] peers ()",
			"smtp.1/tcp 25/tcp server>mail [10.1.0.6]>[] mail (if mail is sent)",
			"app.1/tcp app:Event Log/tcp server>mail [10.1.0.6]>[] events ()",
		}},
		"an agent dials, and is not dialled": {twoZones(), "w1", []string{
			"jobs.1/tcp 8000-8109/tcp client>worker [10.9.0.0/16]>[10.2.0.5] services ()",
		}, []string{
			"main.3/tcp 7000/tcp worker>server [10.2.0.5]>[hq1.example.com] link ()",
			"main.3/tcp 17100/tcp worker>server [10.2.0.5]>[nat.example.com] link ()",
		}},
		"an agent that the zones let only be dialled": {dialsDMZ, "w1", []string{
			"main.4/tcp 7000/tcp server>worker [hq1.example.com,10.1.0.6]>[10.2.0.5] link (where the server dials)",
			"jobs.1/tcp 8000-8109/tcp client>worker [10.9.0.0/16]>[10.2.0.5] services ()",
		}, nil},
		"one zone is as without dials": {dialsDMZ, "w2", []string{
			"jobs.1/tcp 8000-8109/tcp client>worker [10.9.0.0/16]>[w2] services ()",
		}, []string{
			"main.3/tcp 7000/tcp worker>server [w2]>[hq1.example.com] link ()",
			"main.3/tcp 17100/tcp worker>server [w2]>[nat.example.com] link ()",
		}},
		"unknown": {twoZones(), "nobody", nil, nil},
	} {
		in, out := compiled(t, twoWays(), c.inv).Openings(c.host)
		if diff := cmp.Diff(c.in, lines(in)); diff != "" {
			t.Errorf("%s: in: %s", name, diff)
		}
		if diff := cmp.Diff(c.out, lines(out)); diff != "" {
			t.Errorf("%s: out: %s", name, diff)
		}
	}
}

func TestRoleOpenings(t *testing.T) {
	t.Parallel()
	bare := compiled(t, twoWays(), ports.Inventory{})
	in, out := bare.RoleOpenings("worker")
	if diff := cmp.Diff([]string{"jobs.1/tcp 8000-8109/tcp client>worker []>[] services ()"}, lines(in)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"main.3/tcp 7000/tcp worker>server []>[] link ()"}, lines(out)); diff != "" {
		t.Error(diff)
	}
	// A kind stands for its roles; a vendor's rows stay in both directions.
	p := twoWays()
	p.Services[0].Origin = "XX-1"
	in, _ = compiled(t, p, ports.Inventory{}).RoleOpenings("agent")
	if len(in) != 2 {
		t.Errorf("a row of a page is left out: %v", lines(in))
	}
	// A plan that only lets the server dial does so.
	p = twoWays()
	p.Services[0].Flows = slices.Delete(p.Services[0].Flows, 2, 3)
	in, _ = compiled(t, p, ports.Inventory{}).RoleOpenings("worker")
	if len(in) != 2 {
		t.Errorf("the only direction is left out: %v", lines(in))
	}
	all, outs := bare.Openings("")
	if len(all) != 6 || len(outs) != 6 {
		t.Errorf("the site has %v and %v", lines(all), lines(outs))
	}
}

func TestHeldAndClosed(t *testing.T) {
	t.Parallel()
	inv := twoZones()
	site := compiled(t, twoWays(), inv)
	list := func(claims []ports.Claim) string {
		var all []string
		for _, cl := range claims {
			all = append(all, cl.Service+" "+cl.Range().String())
		}
		return strings.Join(all, ", ")
	}
	for _, c := range []struct{ host, held, closed string }{
		{"hq1", "main 7000, inside 7001, kept 7002", "inside 7001"},
		{"hq2", "main 7100, inside 7001, kept 7002", "inside 7001"},
		{"w1", "jobs 8000-8099, jobs 8100-8109", ""},
		{"desks", "", ""},
		{"nobody", "", ""},
		{"", "main 7000, inside 7001, kept 7002, jobs 8000-8099, jobs 8100-8109", "inside 7001"},
	} {
		if got := list(site.Held(c.host)); got != c.held {
			t.Errorf("held by %q: %s, want %s", c.host, got, c.held)
		}
		if got := list(site.Closed(c.host)); got != c.closed {
			t.Errorf("closed on %q: %s, want %s", c.host, got, c.closed)
		}
	}
	site.Inventory.Dials = []ports.Dial{{From: "core", To: "dmz"}}
	if got := list(site.Held("w1")); got != "main 7000, jobs 8000-8099, jobs 8100-8109" {
		t.Errorf("held by an agent that is dialled: %s", got)
	}
	if got := site.Addresses("hq2"); len(got) != 1 || got[0] != (ports.Endpoint{Host: "hq2", Zone: "core", Address: "10.1.0.6"}) {
		t.Errorf("addresses: %v", got)
	}
	if got := site.Roles("w1"); !slices.Equal(got, []string{"agent", "worker"}) {
		t.Errorf("roles: %v", got)
	}
}
