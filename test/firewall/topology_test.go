//go:build linux

package firewall_test

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// topology is a site as data. Between any two hosts, of one zone too, stands the router. What the inventory says is what
// is built: a host that binds an address other than those that it advertises stands behind NAT, and a middlebox forgets
// silent connections after the time that is its idle limit.
type topology struct {
	plan      string // a built-in one
	inventory string // YAML; addresses are numbers
	// extends is what the site's own plan sets over the built-in one, YAML without its first keys; empty: nothing.
	extends string
	far     []string // zones behind a second router
	dead    []string // advertised addresses at which nobody answers
}

// twoZones is the smallest site: an agent in front of the firewall, a client elsewhere.
const twoZones = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, office: {networks: [10.3.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1]}
  desk: {roles: [client], zone: office, advertise: [10.3.0.1]}
`

// threeZones has agents in two zones, and the client in a third.
const threeZones = `inventory: laboratory
zones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}, plant: {networks: [10.4.0.0/24]}, office: {networks: [10.3.0.0/24]}}
hosts:
  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}
  north: {roles: [agent], zone: dmz, advertise: [10.2.0.1]}
  south: {roles: [agent], zone: plant, advertise: [10.4.0.1]}
  desk: {roles: [client], zone: office, advertise: [10.3.0.1]}
`

// hole is what a rule of the router lets through.
type hole struct {
	flow        string // ports.ResolvedFlow.ID
	protocol    ports.Protocol
	source      string       // the inventory's name of the host that dials
	from, to    netip.Prefix // the source as its destination knows it, and what the destination binds
	first, last ports.Port
	parity      ports.Parity
}

func (h hole) String() string {
	return fmt.Sprintf("%s from %s to %s port %d to %d (%s)", h.protocol, h.from, h.to, h.first, h.last, h.flow)
}

// lets reports whether a packet is one that the hole is for.
func (h hole) lets(p packet) bool {
	return p.protocol == h.protocol && h.from.Contains(p.from.Addr()) && h.to.Contains(p.to.Addr()) &&
		ports.Port(p.to.Port()) >= h.first && ports.Port(p.to.Port()) <= h.last && h.fits(p.to.Port())
}

// fits reports whether a number is of the hole's parity.
func (h hole) fits(number uint16) bool {
	return h.parity == "" || (h.parity == ports.Even) == (number%2 == 0)
}

// text is the plan's document where the site extends the built-in one.
func (tp topology) text() string {
	return "plan: laboratory\nextends: " + tp.plan + "\n" + tp.extends
}

// site compiles the plan on the inventory.
func (tp topology) site(t testing.TB) ports.Site {
	t.Helper()
	name := tp.plan
	if tp.extends != "" {
		name = "plan.yaml"
	}
	plan, err := builtin.Resolve(name, func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(tp.text())), nil })
	if err != nil {
		t.Fatal(err)
	}
	inv, err := planfile.ParseInventory("inventory.yaml", []byte(tp.inventory))
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(plan, inv, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return ports.Site{Compiled: c, Inventory: inv}
}

// holes are the openings between the hosts of a site: sources, destinations and numbers, and nothing else.
func holes(t testing.TB, s ports.Site) []hole {
	t.Helper()
	var all []hole
	for _, h := range s.Inventory.Hosts {
		in, _ := s.Openings(h.Name)
		for _, o := range in {
			for _, from := range o.Sources {
				for _, to := range o.Destinations {
					all = append(all, hole{o.Flow, o.Protocol, from.Host, prefix(t, from.Address), prefix(t, to.Address), o.First, o.Last, o.Parity})
				}
			}
		}
	}
	return all
}

func prefix(t testing.TB, text string) netip.Prefix {
	t.Helper()
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rules is the router's firewall: the holes, and what belongs to connections that came through one. It stands behind
// the translation of destinations, and before that of sources.
func (l *laboratory) rules(all []hole) string {
	var b strings.Builder
	b.WriteString("table inet router\ndelete table inet router\ntable inet router {\n")
	b.WriteString("\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n")
	b.WriteString("\t\tct state invalid drop\n\t\tct state established,related accept\n")
	for _, h := range all {
		from := h.from
		if _, ok := l.public(h.source); ok {
			from = netip.PrefixFrom(l.hosts[h.source].address, h.from.Bits())
		}
		fmt.Fprintf(&b, "\t\tip saddr %s ip daddr %s %s dport %d-%d %sct state new accept\n", from, h.to, h.protocol, h.first, h.last, map[ports.Parity]string{
			ports.Even: "th dport & 1 == 0 ", ports.Odd: "th dport & 1 == 1 ",
		}[h.parity])
	}
	b.WriteString("\t}\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n")
	return b.String()
}
