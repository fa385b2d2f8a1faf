//go:build linux

package firewall_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// behindNAT has two agents and a client behind NAT. Where the second agent's address is that of the first, no host can
// dial either; an address of its own is one-to-one NAT.
const behindNAT = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, office: {networks: [10.3.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  north: {roles: [agent], zone: dmz, bind: [192.168.7.1], advertise: [10.2.0.9]}
  south: {roles: [agent], zone: dmz, bind: [192.168.7.2], advertise: [%s]}
  desk: {roles: [client], zone: office, bind: [192.168.8.1], advertise: [10.3.0.9]}
`

// forwarded has a server that is known under another address and another number than it has, and under a first address
// at which nobody answers.
const forwarded = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, office: {networks: [10.3.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, bind: [192.168.1.1], advertise: ["10.1.0.8:8443", "10.1.0.9:443"]}
  north: {roles: [agent], zone: dmz, bind: [192.168.7.2], advertise: [10.2.0.9]}
  desk: {roles: [client], zone: office, advertise: [10.3.0.1]}
`

// Two agents behind one address, whose ports the router changes, are told apart by their certificates; a path that is
// lost for one is none of the other's. Where servers dial agents too, each has its address, as the vendor's pages ask.
func TestBehindNAT(t *testing.T) {
	t.Parallel()
	for plan, second := range map[string]string{builtin.Default: "10.2.0.9", "systemwalker": "10.2.0.10"} {
		t.Run(plan, func(t *testing.T) {
			t.Parallel()
			l := build(t, topology{plan: plan, inventory: fmt.Sprintf(behindNAT, second)})
			row := map[string]string{builtin.Default: "reeve", "systemwalker": "jmnet"}[plan]
			l.serve("hq")
			north, south := l.join("north"), l.join("south")
			l.logIn("desk", row).runHello("north", "south")
			l.judge(l.dialled(row)...)

			j := l.long(north)
			l.block(north.host, blockage{to: true, from: true, verdict: "drop"})
			l.linked("north", false)
			l.linked("south", true)
			j.end()
			l.unblock()
			l.wantSucceeded(j.run)
			l.linked("north", true)
			if north.ended() || south.ended() {
				t.Error("an agent has ended")
			}
			l.judge()
		})
	}
}

// dialled are the flows of a row that agents and clients use.
func (l *laboratory) dialled(row string) []string {
	var all []string
	for _, h := range l.holes {
		if service(h.flow) == row && (h.source == "desk" || h.source == "north") && !slices.Contains(all, h.flow) {
			all = append(all, h.flow)
		}
	}
	return all
}

// A server that is advertised under two addresses with other numbers than its own, of which the first is dead: an agent
// behind NAT joins and links over the second, and a person logs in there.
func TestAdvertisedElsewhere(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: forwarded, dead: []string{"10.1.0.8"}})
	l.serve("hq")
	began := time.Now()
	l.join("north")
	took := time.Since(began).Round(time.Millisecond)
	if limit := 12 * time.Second; took > limit {
		t.Errorf("joined and linked after %s, want at most %s: the dead address must not cost more than a few seconds each time", took, limit)
	}
	t.Logf("joined and linked after %s", took)
	l.logIn("desk", "reeve").runHello("north")
	// The number that the server binds is not open under its advertised address, nor the advertised one at its own.
	for _, closed := range []string{fmt.Sprintf("10.1.0.9:%d", l.port("reeve")), "192.168.1.1:443"} {
		l.hosts["desk"].wantShut(splitAddress(t, closed))
	}
	l.judge("reeve.1/tcp", "reeve.2/tcp")
}

// moving has an agent with two addresses, of which it has one at a time.
const moving = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, office: {networks: [10.3.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1, 10.2.0.2]}
  desk: {roles: [client], zone: office, advertise: [10.3.0.1]}
`

// An agent whose address changes while it is linked, three times, comes back from the new one, and its job's end with it.
func TestMoving(t *testing.T) {
	t.Parallel()
	l := build(t, topology{plan: builtin.Default, inventory: moving})
	l.serve("hq")
	north := l.join("north")
	j := l.long(north)
	quickest := time.Hour
	for i, to := range []string{"10.2.0.2", "10.2.0.1", "10.2.0.2"} {
		north.welcomed(i + 1)
		l.move(north.host, to)
		moved := time.Now()
		within(t, 20*time.Second, func() string {
			if got := l.linkFrom("north"); got != to {
				return fmt.Sprintf("the link comes from %q, want %s", got, to)
			}
			return ""
		})
		took := time.Since(moved).Round(time.Millisecond)
		quickest = min(quickest, took)
		t.Logf("linked from %s after %s", to, took)
	}
	if limit := 3800 * time.Millisecond; quickest > limit {
		t.Errorf("the link came back %s after a move at best, want the time-out of three heartbeats, 3 s, and what a loaded machine adds", quickest)
	}
	j.end()
	l.wantSucceeded(j.run)
	l.judge("reeve.2/tcp")
}

// move gives a host another address instead of the one that it has: what it had open is cut off.
func (l *laboratory) move(h *host, to string) {
	l.t.Helper()
	old := h.address
	h.address = splitAddress(l.t, to).Addr()
	l.router.ip("route add %[2]s/32 dev to-%[3]s\nroute delete %[1]s/32 dev to-%[3]s\n", old, to, h.name)
	h.ip(`address add %[2]s/32 dev way
route replace default via %[3]s src %[2]s
address delete %[1]s/32 dev way
`, old, to, gateway)
}

// linkFrom returns the address that an agent's link comes from; "" where it has none.
func (l *laboratory) linkFrom(name string) string {
	l.t.Helper()
	n, err := l.server.api.Node(l.t.Context(), name)
	if err != nil {
		l.t.Fatal(err)
	}
	if !n.Linked || n.Address == nil {
		return ""
	}
	return splitAddress(l.t, *n.Address).Addr().String()
}

// welcomed waits until the agent has been welcomed on so many links: before that, it has no server's time-out.
func (a *agent) welcomed(links int) {
	a.t.Helper()
	within(a.t, 30*time.Second, func() string {
		if got := strings.Count(read(a.t, a.log), "msg=linked "); got < links {
			return fmt.Sprintf("%d links, want %d", got, links)
		}
		return ""
	})
}

// service returns the row of a flow.
func service(flow string) string { return flow[:max(0, strings.LastIndexByte(flow, '.'))] }

// wantShut connects to an address that the plan does not have, and wants that it is not open by the time that another
// connection has come through.
func (h *host) wantShut(target netip.AddrPort) {
	h.t.Helper()
	a := h.begin(target)
	defer unix.Close(a.fd)
	h.wantOpen(splitAddress(h.t, h.lab.server.known("reeve")))
	if a.answer() == "open" {
		h.t.Errorf("from %s to %s: open, want it shut", h.name, target)
	}
}
