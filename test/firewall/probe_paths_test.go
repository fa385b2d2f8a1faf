//go:build linux

package firewall_test

import (
	"testing"

	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// Behind two routers the one that drops is between the last that answered and the next.
func TestProbeHops(t *testing.T) {
	t.Parallel()
	p := newProvingIn(t, topology{plan: builtin.Default, inventory: twoZones, extends: probeRows, far: []string{"dmz"}})
	for name, c := range map[string]struct {
		at      *place
		number  int
		address string
	}{
		"the first router":  {p.second, 1, secondGateway},
		"the second router": {p.router, 2, gateway},
		"the host":          {p.far.place, 2, gateway},
	} {
		for _, protocol := range []string{"tcp", "udp"} {
			hook, row := "forward", map[string]string{"tcp": "secure", "udp": "datagram"}[protocol]
			if c.at == p.far.place {
				hook = "input"
			}
			c.at.nft("table inet block {\nchain " + hook + " {\ntype filter hook " + hook + " priority filter - 10; policy accept;\nmeta l4proto " + protocol + " drop\n}\n}\n")
			got, _ := p.dial(p.far.address.String(), "--service", row)
			c.at.nft("delete table inet block\n")
			if h := got[0].Evidence.Hop; h == nil || h.Number != c.number || h.Address != c.address {
				t.Errorf("%s drops %s: the last that let it through is %+v, want hop %d (%s)", name, protocol, h, c.number, c.address)
			}
		}
	}
}

// Over IPv6 the same is known.
func TestProbeIPv6(t *testing.T) {
	t.Parallel()
	p := newProving(t)
	const far, middle = "fd00:1::1", "fd00::fe"
	p.open()
	p.far.nft("flush ruleset\n")
	p.router.set("ipv6/conf/all/forwarding", 1)
	p.router.ip(`address add %[1]s/128 dev to-hq nodad
address add %[1]s/128 dev to-north nodad
route add %[2]s/128 dev to-hq
route add fd00:2::1/128 dev to-north
`, middle, far)
	for h, address := range map[*host]string{p.near: "fd00:2::1", p.far: far} {
		h.ip(`address add %[1]s/128 dev way nodad
route add %[2]s/128 dev way
route add default via %[2]s dev way src %[1]s
`, address, middle)
	}
	for _, tr := range []truth{
		{name: "listening", reason: probe.OK, both: probe.Proven},
		{name: "nothing bound", end: "look", reason: probe.NoListener, both: probe.Broken},
		{name: "host resets", far: "tcp dport 17971 reject with tcp reset", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "host rejects", far: "tcp dport 17971 reject with icmpv6 port-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router resets", router: "tcp dport 17971 reject with tcp reset", reason: probe.ResetOnPath, both: probe.Blocked},
		{name: "router prohibits", router: "tcp dport 17971 reject with icmpv6 admin-prohibited", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router unreachable", router: "tcp dport 17971 reject with icmpv6 addr-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router drops", router: "tcp dport 17971 drop", reason: probe.DroppedAfterHop, both: probe.Blocked},
		{name: "own rules reset", near: "tcp dport 17971 reject with tcp reset", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "own rules prohibit", near: "tcp dport 17971 reject with icmpv6 admin-prohibited", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "own rules drop", near: "tcp dport 17971 drop", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "absent", set: onLink("fd00:2::77"), address: "fd00:2::77", reason: probe.HostAbsent, both: probe.Broken},
		{name: "echo", row: "datagram", reason: probe.OK, both: probe.Proven},
		{name: "nothing bound for datagrams", row: "datagram", end: "look", reason: probe.NoListener, both: probe.Broken},
		{name: "router rejects datagrams", row: "datagram", router: "udp dport 17973 reject with icmpv6 port-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "own rules drop datagrams", row: "datagram", near: "udp dport 17973 drop", reason: probe.LocalEgressBlocked, both: probe.Blocked},
	} {
		if tr.address == "" {
			tr.address = far
		}
		p.prove(tr)
	}
}
