//go:build linux

package firewall_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// own is the address that a host has itself: the first that it binds, else the first that it advertises.
func own(t testing.TB, h ports.Host) netip.Addr {
	t.Helper()
	if len(h.Bind) > 0 {
		return netip.MustParseAddr(h.Bind[0])
	}
	return splitAddress(t, h.Advertise[0]).Addr()
}

// splitAddress reads ADDRESS or ADDRESS:PORT; the port is 0 where there is none.
func splitAddress(t testing.TB, text string) netip.AddrPort {
	t.Helper()
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 0)
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// forward is the translation of a destination: what others dial, and what the host behind it binds.
type forward struct {
	public, own netip.AddrPort // port 0: every one
}

// public returns the address under which a host behind NAT is known. It is false for a host that has its addresses
// itself.
func (l *laboratory) public(name string) (netip.Addr, bool) {
	h, ok := l.site.Host(name)
	if !ok || len(h.Bind) == 0 {
		return netip.Addr{}, false
	}
	for _, text := range h.Advertise {
		if a := splitAddress(l.t, text).Addr(); a != l.hosts[name].address {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// translate loads the router's NAT. What a host sends comes from its public address, and from another port than its own.
// What is sent to an advertised ADDRESS:PORT arrives at the number that the host binds for its service, and what is sent
// to an advertised address at the same number of the host, unless it is the address of several. A dead address swallows
// what it is sent.
func (l *laboratory) translate(dead []string) {
	l.t.Helper()
	var before, behind strings.Builder
	for _, h := range l.site.Inventory.Hosts {
		public, ok := l.public(h.Name)
		if !ok {
			continue
		}
		own := l.hosts[h.Name].address
		fmt.Fprintf(&behind, "ip saddr %s meta l4proto { tcp, udp } snat to %s:10000-29999\nip saddr %s snat to %s\n", own, public, own, public)
		for _, f := range l.forwards(h) {
			l.forward = append(l.forward, f)
			if slices.Contains(dead, f.public.Addr().String()) {
				l.router.ip("route add blackhole %s/32\n", f.public.Addr())
				continue
			}
			if f.public.Port() == 0 {
				fmt.Fprintf(&before, "ip daddr %s dnat to %s\n", f.public.Addr(), own)
			} else {
				fmt.Fprintf(&before, "ip daddr %s tcp dport %d dnat to %s\n", f.public.Addr(), f.public.Port(), f.own)
			}
		}
	}
	if len(l.forward) > 0 || behind.Len() > 0 {
		l.router.nft("table ip nat {\nchain before {\ntype nat hook prerouting priority dstnat;\n" + before.String() +
			"}\nchain behind {\ntype nat hook postrouting priority srcnat;\n" + behind.String() + "}\n}\n")
	}
}

// forwards are the translations of a host's advertised addresses.
func (l *laboratory) forwards(h ports.Host) []forward {
	l.t.Helper()
	own := l.hosts[h.Name].address
	var all []forward
	add := func(text string, number ports.Port) {
		public := splitAddress(l.t, text)
		switch {
		case public.Addr() == own:
		case public.Port() != 0:
			all = append(all, forward{public, netip.AddrPortFrom(own, uint16(number))})
		case !l.shared(public.Addr()):
			all = append(all, forward{public, netip.AddrPortFrom(own, 0)})
		}
	}
	for _, text := range h.Advertise {
		number := ports.Port(0)
		if splitAddress(l.t, text).Port() != 0 {
			number = l.onlyNumber(h.Name)
		}
		add(text, number)
	}
	for _, s := range h.Services {
		for _, text := range s.Advertise {
			add(text, l.port(s.Service))
		}
	}
	return all
}

// shared reports whether several hosts are known under an address.
func (l *laboratory) shared(a netip.Addr) bool {
	n := 0
	for name := range l.hosts {
		if public, ok := l.public(name); ok && public == a {
			n++
		}
	}
	return n > 1
}

// onlyNumber is the one number that a host binds for others.
func (l *laboratory) onlyNumber(name string) ports.Port {
	l.t.Helper()
	in, _ := l.site.Openings(name)
	var all []ports.Port
	for _, o := range in {
		if !slices.Contains(all, o.First) {
			all = append(all, o.First)
		}
	}
	if len(all) != 1 {
		l.t.Fatalf("the host %s binds %v for others: which of them an address with a port is for has to be said", name, all)
	}
	return all[0]
}

// behind returns a packet as it looks behind the router's NAT, but for its source port.
func (l *laboratory) behind(p packet) packet {
	for _, h := range l.hosts {
		if public, ok := l.public(h.name); ok && p.from.Addr() == h.address {
			p.from = netip.AddrPortFrom(public, p.from.Port())
		}
	}
	for _, f := range l.forward {
		switch {
		case f.public.Port() == 0 && f.public.Addr() == p.to.Addr():
			p.to = netip.AddrPortFrom(f.own.Addr(), p.to.Port())
		case f.public == p.to:
			p.to = f.own
		}
	}
	return p
}

// known is where others find a service of the host: HOST:PORT.
func (h *host) known(service string) string {
	h.t.Helper()
	in, _ := h.lab.site.Host(h.name)
	all := in.Advertise
	for _, s := range in.Services {
		if s.Service == service && len(s.Advertise) > 0 {
			all = s.Advertise
		}
	}
	a := splitAddress(h.t, all[len(all)-1])
	port := a.Port()
	if port == 0 {
		port = uint16(h.lab.port(service))
	}
	return net.JoinHostPort(a.Addr().String(), strconv.Itoa(int(port)))
}
