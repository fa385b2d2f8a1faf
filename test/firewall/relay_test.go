//go:build linux

package firewall_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// relayRow is what a site adds for a relay: one row, on which it listens for agents that reach no server.
const relayRow = `roles:
  relay: {is: agent, relay: true, title: relay}
services:
  - id: relay
    function: Relay
    port: 17381
    protocol: [tcp]
    tls: true
    door: [link]
    flows: [{from: agent, to: relay, purpose: joining and links of agents that reach no server, carries: [enrol, link]}]
`

// behindRelay has an agent in a zone that reaches the relay and nothing else.
const behindRelay = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, edge: {networks: [10.2.0.0/24]}, branch: {networks: [10.4.0.0/24]}, office: {networks: [10.3.0.0/24]}}
dials: [{from: branch, to: edge}]
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  gate: {roles: [agent, relay], zone: edge, advertise: [10.2.0.1]}
  inner: {roles: [agent], zone: branch, advertise: [10.4.0.1]}
  desk: {roles: [client], zone: office, advertise: [10.3.0.1]}
`

// An agent whose zone reaches no server joins, links, works and comes back by a relay: nothing of it goes anywhere else,
// and the server says who carries it.
func TestRelay(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, extends: relayRow, inventory: behindRelay})
	l.serve("hq")
	l.join("gate")
	at := fmt.Sprintf("%s:%d", l.hosts["gate"].address, l.port("relay"))
	l.hosts["inner"].wantOpen(splitAddress(t, at))
	inner := l.agent("inner", "--join", lastLine(l.server.must("token", "create", "agent", "inner", "--address", at)))
	l.linked("inner", true)
	n, err := l.server.api.Node(t.Context(), "inner")
	if err != nil {
		t.Fatal(err)
	}
	if n.Address == nil || !strings.HasPrefix(*n.Address, "10.4.0.1:") || !strings.HasSuffix(*n.Address, " by relay gate") {
		t.Errorf("the server says that inner comes from %v, want its own address, by the relay", n.Address)
	}
	l.logIn("desk", "reeve").runHello("inner", "gate")
	l.reconnect(inner)
	l.hosts["inner"].wantClosed(splitAddress(t, at), true, l.server.at(l.port("reeve")))
	l.judge("relay.1/tcp", "reeve.2/tcp", "reeve.1/tcp")

	// The relay's own link breaks: what it carries breaks with it, and comes back with it.
	l.block(l.hosts["gate"], blockage{to: true, from: true, verdict: "reject with tcp reset"})
	l.linked("gate", false)
	l.linked("inner", false)
	l.unblock()
	l.linked("gate", true)
	l.linked("inner", true)
	l.logIn("desk", "reeve").runHello("inner")
	l.judge()
}
