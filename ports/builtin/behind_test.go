package builtin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// TestReserved compares the rows that are held without a listener with the ones that Reeve has no use for; all others
// of the pages work, are a neighbour's, or wait for a number or a switch of the site.
func TestReserved(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"default":      nil,
		"systemwalker": {"2686", "9903", "9904", "9905", "9906", "9907", "9908"},
		"jobscheduler": nil,
		"arcserve":     {"jobeng", "dbeng", "tapeeng"},
		"acs":          {"2981", "2982", "2983", "2984", "2985", "2986", "2987", "2988"},
	}
	foreign := map[string][]string{"systemwalker": {"remote-event-log"}, "acs": {"snmp-trap"}}
	for plan, reserved := range want {
		c, _ := variant{plan: plan, openings: every(true)}.compile(t)
		var got, others []string
		for _, cl := range c.Claims {
			name := cl.Service
			if cl.Port != 0 {
				name = fmt.Sprint(cl.Port)
			}
			if cl.Status == ports.Reserved {
				got = append(got, name)
			}
			if cl.Status == ports.Foreign {
				others = append(others, cl.Service)
			}
			if cl.Status == ports.Reserved && (len(cl.Doors) > 0 || !cl.Binds) {
				t.Errorf("%s: %s is reserved, and opens %v", plan, cl.Service, cl.Doors)
			}
		}
		if diff := cmp.Diff(reserved, got); diff != "" {
			t.Errorf("%s: %s", plan, diff)
		}
		if diff := cmp.Diff(foreign[plan], others); diff != "" {
			t.Errorf("%s: %s", plan, diff)
		}
	}
}

// TestCarries compares who dials what, in the order in which it is dialled, with what Reeve does behind each plan.
func TestCarries(t *testing.T) {
	t.Parallel()
	want := map[string]map[string][]string{
		"default": {
			"enrol": {"agent → server 7373", "server → agent 7373"},
			"link":  {"agent → server 7373", "server → agent 7373"},
			"peer":  {"server → server 7373"},
		},
		"systemwalker": {
			"enrol": {"job execution server → job requesting server 9352", "server → client 6961"},
			"link": {
				"job requesting server → job execution server 9327",
				"job execution server → job requesting server 9352",
				"job requesting server → job execution server 9352",
				"server → client 6961",
			},
			"peer": {
				"message event source → message event destination 9352", "server → server 9368",
				"monitoring host → monitored host 9297", "monitored host → monitoring host 9297",
			},
			"client": {
				"client → server 9367", "client → server 9352", "client → server 9368", "client → server 9297", "client → server 4013",
				"client → server 9371", "client → server 9369", "client → server 9370", "Systemwalker Centric Manager → server 9373",
				"Web console/Web API → server 9900", "server → server 2684", "server → server 9901", "server → server 9902",
			},
			"out": {
				"server → SMTP server 25", "server → client 2685", "server → client 1952", "server → client 1952",
				"the server that runs the command → remote machine 22", "server → destination that a setting or a definition names ",
				"job execution server → destination that a setting or a definition names ",
			},
			"callback": nil,
		},
		"jobscheduler": {
			"enrol":    {"client → remote 4455"},
			"link":     {"client → remote 4455"},
			"peer":     {"client → remote 4455"},
			"client":   {"client → client 4455"},
			"callback": {"remote → client 59870-59999", "remote → client 59870-59999"},
		},
		"arcserve": {
			"enrol":     {"agent → primary server 7099", "member server → primary server 7099"},
			"link":      {"primary server → agent 6050"},
			"callback":  {"primary server → command line utilities 20000-20100", "primary server → client server 7199"},
			"discovery": nil,
		},
		"acs": {
			"enrol":    {"container host → services host 3000"},
			"link":     {"services host → container host 2970"},
			"peer":     {"services host → services host 3000"},
			"callback": nil,
			"ports":    {"services host → container host 4000-4999", "client application → container host 4000-4999"},
		},
	}
	for plan, carriers := range want {
		c, _ := variant{plan: plan, openings: every(true)}.compile(t)
		for conversation, flows := range carriers {
			var got []string
			for _, f := range c.Carrying(conversation) {
				port := ""
				if f.Port != 0 {
					port = ports.Range{First: f.Port, Last: max(f.Port, f.Last)}.String()
				}
				got = append(got, c.Roles[f.From]+" → "+c.Roles[f.To]+" "+port)
			}
			if diff := cmp.Diff(flows, got); diff != "" {
				t.Errorf("%s: %s (-want +got): %s", plan, conversation, diff)
			}
		}
	}
}

// TestLinksHaveTheirDoor sees that a flow carries a link only to a row whose door is link, and only over TLS.
func TestLinksHaveTheirDoor(t *testing.T) {
	t.Parallel()
	for _, plan := range builtin.Names() {
		c, _ := variant{plan: plan, openings: every(true)}.compile(t)
		for _, f := range c.Flows {
			if !slices.Contains(f.Carries, "link") {
				continue
			}
			cl, ok := c.Service(f.Service)
			if !ok || !slices.Contains(cl.Doors, "link") || !cl.TLS {
				t.Errorf("%s: %s carries a link, its row opens %v, TLS %v", plan, f.ID, cl.Doors, cl.TLS)
			}
		}
	}
}

// TestDoors compares which row opens which door. Every door that a domain needs is open somewhere.
func TestDoors(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]string{
		"systemwalker": {
			"auth": "9367 4013", "link": "9352 9327 6961", "peers": "9352 9297", "api": "9352 9900 2684", "nets": "9297", "calendars": "9368",
			"events": "9371", "actions": "9369 9370", "power": "9373", "console": "9900", "metrics": "9901 9902",
		},
		"arcserve": {"link": "6050", "console": "7099", "api": "7099", "peers": "7099"},
		"acs": {
			"link": "2970", "services": "2980", "console": "3000", "api": "3000 3004", "directory": "3001", "events": "3002 3005 3006 3007 3020-3049",
			"logs": "3003 3011", "nets": "3012", "config": "3012", "alerts": "3013",
		},
	}
	for plan, doors := range want {
		c, _ := variant{plan: plan, openings: every(true)}.compile(t)
		for door, numbers := range doors {
			var got []string
			for _, cl := range c.Door(door) {
				if cl.Port != 0 {
					got = append(got, cl.Range().String())
				}
			}
			if diff := cmp.Diff(numbers, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s: door %s: %s", plan, door, diff)
			}
		}
	}
	for _, plan := range builtin.Names() {
		c, _ := variant{plan: plan, openings: every(true)}.compile(t)
		for _, door := range []string{"console", "api", "auth", "link", "peers"} {
			if len(c.Door(door)) == 0 {
				t.Errorf("%s has no row for the door %s", plan, door)
			}
		}
	}
}

// TestRegistered sees that the services that register with the port mapper exist, each with a program number of its
// own in the range that is free for use.
func TestRegistered(t *testing.T) {
	t.Parallel()
	c, _ := variant{plan: "arcserve"}.compile(t)
	mapper, _ := c.Service("portmapper")
	if mapper.Port != 111 || mapper.RPC.Role != "portmapper" || len(mapper.RPC.Registers) != 6 {
		t.Fatalf("got %+v", mapper)
	}
	seen := map[uint32]bool{}
	for _, id := range mapper.RPC.Registers {
		cl, ok := c.Service(id)
		if !ok || cl.RPC.Kind != "oncrpc" || cl.RPC.Program < 0x20000000 || cl.RPC.Program > 0x3fffffff || seen[cl.RPC.Program] || len(cl.Doors) != 1 {
			t.Errorf("%s: %+v", id, cl)
		}
		seen[cl.RPC.Program] = true
	}
}

// TestSiteGivesNumbers sees that what is inactive for want of a number works once a site gives one, by a plan of its
// own: the reconnect range and the discovery port.
func TestSiteGivesNumbers(t *testing.T) {
	t.Parallel()
	site := extended(t, "plan: site\nextends: arcserve\npools: [{id: reconnect, range: 20200-20299}]\nservices: [{id: discovery, port: 20400}]\n")
	c, found := ports.Compile(site, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	for _, id := range []string{"reconnect", "discovery"} {
		if cl, ok := c.Service(id); !ok || cl.Status != ports.Works {
			t.Errorf("%+v", cl)
		}
	}
	if links := c.Carrying("link"); len(links) != 2 || links[1].Port != 20200 || links[1].From != "agent" {
		t.Errorf("got %+v", links)
	}
	if got := c.Carrying("discovery"); len(got) != 4 {
		t.Errorf("discovery over tcp and udp, to both kinds of nodes: got %+v", got)
	}
	sub := extended(t, "plan: site\nextends: systemwalker\nservices: [{id: jobsch, cases: [{when: subsystem == 2, port: 19297}]}]\n")
	c, _ = ports.Compile(sub, ports.Inventory{}, 2)
	if cl, _ := c.Service("jobsch"); cl.Port != 19297 || cl.Status != ports.Works {
		t.Errorf("got %+v", cl)
	}
}

// TestApplicationRule sees that the row without a number keeps its rule, although Reeve does not use it.
func TestApplicationRule(t *testing.T) {
	t.Parallel()
	c, _ := variant{plan: "systemwalker"}.compile(t)
	in, out := ports.Site{Compiled: c}.Openings("")
	for _, all := range [][]ports.Opening{in, out} {
		i := slices.IndexFunc(all, func(o ports.Opening) bool { return o.Service == "remote-event-log" })
		if i < 0 || all[i].Application != "remote event log management" || all[i].First != 0 {
			t.Errorf("the application has no opening: %+v", all)
		}
	}
}

// TestSquatters moves the default plan to a number that a release of macOS took from everybody: compiling says who has
// it now (F53).
func TestSquatters(t *testing.T) {
	t.Parallel()
	for _, port := range []string{"5000", "7000"} {
		site := extended(t, "plan: site\nextends: default\nservices: [{id: reeve, port: "+port+"}]\n")
		_, found := ports.Compile(site, ports.Inventory{}, 0)
		if !slices.ContainsFunc(found, func(d ports.Diagnostic) bool {
			return strings.Contains(d.Message, port) && strings.Contains(d.Message, "AirPlay") && d.Suggestion != ""
		}) {
			t.Errorf("%s: got %v", port, found)
		}
	}
}

// TestOutgoing: behind every plan, agents may look whether what a job needs is there, by a row without a number; also when
// the compiled plan has been sent to them. A plan that takes the flow away takes the row from them.
func TestOutgoing(t *testing.T) {
	t.Parallel()
	for _, plan := range builtin.Names() {
		c, _ := variant{plan: plan}.compile(t)
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var sent ports.Compiled
		if err := json.Unmarshal(text, &sent); err != nil {
			t.Fatal(err)
		}
		for _, c := range []ports.Compiled{c, sent} {
			if row, ok := c.Outgoing(ports.Agent); !ok || row != "outgoing" || !c.MayDial(string(ports.Agent), row) {
				t.Errorf("%s: agents connect by %q (%v)", plan, row, ok)
			}
			if row, ok := c.Outgoing(ports.Client); ok {
				t.Errorf("%s: clients connect by %q", plan, row)
			}
		}
	}
	site := extended(t, "plan: site\nextends: default\nservices: [{id: outgoing, flows: [{from: server, to: named-destination, purpose: mail, carries: [out]}]}]\n")
	c, found := ports.Compile(site, ports.Inventory{}, 0)
	if row, ok := c.Outgoing(ports.Agent); ok || ports.HasErrors(found) {
		t.Errorf("agents connect by %q, which the plan does not let them: %v", row, found)
	}
}
