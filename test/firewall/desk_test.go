//go:build linux

package firewall_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// The server dials a desk agent on a person's machine in the office, by the row that the page has for actions: it is
// enrolled and linked there, runs what names it, and comes back on it. It dials nobody, and nothing else finds it: neither
// work that names no agent, nor other hosts.
func TestDeskAgent(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: "systemwalker", inventory: strings.Replace(threeZones, "roles: [client]", "roles: [client, desk]", 1)})
	l.serve("hq")
	l.join("north")
	code := filepath.Join(l.hosts["desk"].home, "code")
	pc := l.agent("desk", "--desk", "--enrol", "--code-file", code)
	exists(t, code)
	enrol := []string{"node", "enrol", "desk", pc.address.String(), "--code-file", code}
	l.server.refuses(5, []string{"no row on which a server enrols an agent", "--desk"}, enrol...)

	// Without its rule the row is named, and nothing is stored.
	var left []hole
	for _, h := range l.holes {
		if h.flow != "jmact3.1/tcp" {
			left = append(left, h)
		}
	}
	l.router.nft(l.rules(left))
	l.server.refuses(3, []string{"dialling jmact3 at " + pc.at(l.port("jmact3")).String()}, append(enrol, "--desk")...)
	l.close()

	l.server.must(append(enrol, "--desk")...)
	l.linked("desk", true)
	n, err := l.server.api.Node(t.Context(), "desk")
	if err != nil || n.Kind != "desk" || n.Row == nil || *n.Row != "jmact3" || n.DialledBy == nil || *n.DialledBy != "server" {
		t.Errorf("the node is %+v (%v)", n, err)
	}
	l.logIn("desk", "mpahso").runHello("desk", "north")
	l.reconnect(pc)
	l.logIn("desk", "mpahso").runHello("desk")
	l.hosts["north"].wantClosed(l.server.at(l.port("jmnet")), true, pc.at(l.port("jmact3")))
	l.judge("jmact3.1/tcp")
}
