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

const relayPlan = `plan: site
extends: default
roles:
  relay: {is: agent, relay: true, title: relay}
services:
  - id: relay
    function: Relay
    port: 17381
    protocol: [tcp]
    tls: true
    door: [link]
    flows:
      - {from: agent, to: relay, purpose: joining and links of agents that reach no server, carries: [enrol, link]}
  - id: inward
    function: Relay
    port: 17382
    protocol: [tcp]
    tls: true
    door: [link]
    flows:
      - {from: relay, to: agent, purpose: links of agents that dial nobody, carries: [enrol, link]}
`

const relayInventory = `inventory: site
zones: {core: {}, edge: {}, branch: {}, cellar: {}, office: {}}
dials: [{from: branch, to: edge}, {from: edge, to: cellar}, {from: core, to: edge}]
hosts:
  hq1: {roles: [server], zone: core, advertise: [10.1.0.5]}
  core1: {roles: [agent], zone: core, advertise: [10.1.0.6]}
  gw1: {roles: [agent, relay], zone: edge, advertise: [10.2.0.1]}
  b1: {roles: [agent], zone: branch, advertise: [10.3.0.1]}
  c1: {roles: [agent], zone: cellar, advertise: [10.4.0.1]}
  o1: {roles: [agent], zone: office, advertise: [10.5.0.1]}
`

func relaySite(t *testing.T) ports.Site {
	t.Helper()
	plan, err := planfile.Parse("plan.yaml", []byte(relayPlan), builtin.Load)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := planfile.ParseInventory("site.yaml", []byte(relayInventory))
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(plan, inv, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return ports.Site{Compiled: c, Inventory: inv}
}

// Agents of a zone that dials pairs with a relay's use the relay's row and no other; all others go on as without it.
func TestRelaysCarryTheLinksOfTheirZones(t *testing.T) {
	t.Parallel()
	s := relaySite(t)
	for zone, want := range map[string]string{
		"branch": "relay gw1",
		"cellar": "inward gw1 dials",
		"office": "reeve",
		"core":   "reeve",
		"edge":   "reeve server",
	} {
		for _, conversation := range []string{"link", "enrol"} {
			var got []string
			for _, p := range s.Paths(conversation, "core", zone, ports.Agent) {
				got = append(got, p.Flow.Service)
				if p.ServerDials {
					got = append(got, "server")
				}
			}
			for _, p := range s.RelayPaths(conversation, zone) {
				got = append(got, p.Flow.Service, p.Relay)
				if p.RelayDials {
					got = append(got, "dials")
				}
			}
			if text := strings.Join(got, " "); text != want {
				t.Errorf("%s of zone %s goes by %q, want %q", conversation, zone, text, want)
			}
		}
	}
}

// Only who names the role is a relay, and only its numbers are open, to its zones alone.
func TestRelaysOpenings(t *testing.T) {
	t.Parallel()
	s := relaySite(t)
	for host, want := range map[string]int{"gw1": 1, "b1": 0, "core1": 0, "nobody": 0} {
		if got := s.Relays(host); len(got) != want {
			t.Errorf("%s is a relay on %v, want %d rows", host, got, want)
		}
	}
	var got []string
	for _, c := range s.Crossings() {
		if c.Flow.Service == "relay" || c.Flow.Service == "inward" || c.Flow.Service == "reeve" && (c.From == "b1" || c.To == "b1" || c.From == "c1" || c.To == "c1") {
			got = append(got, fmt.Sprintf("%s>%s:%d", c.From, c.To, c.Port))
		}
	}
	slices.Sort(got)
	if want := []string{"b1>gw1:17381", "gw1>c1:17382"}; !slices.Equal(got, want) {
		t.Errorf("the site's crossings are %v, want %v", got, want)
	}
}

func TestRelayIsAnAgent(t *testing.T) {
	t.Parallel()
	_, err := planfile.Parse("plan.yaml", []byte("plan: site\nextends: default\nroles:\n  relay: {is: server, relay: true}\n"), builtin.Load)
	if err == nil || !strings.Contains(err.Error(), "only an agent can be one") {
		t.Errorf("a server as a relay is %v", err)
	}
}
