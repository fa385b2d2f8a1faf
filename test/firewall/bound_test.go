//go:build linux

package firewall_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// bound is a socket that waits for others.
type bound struct {
	protocol ports.Protocol
	at       netip.AddrPort
}

// bound returns what waits in the place: sockets that listen, and those for datagrams that are not connected.
func (p *place) bound() []bound {
	p.t.Helper()
	const listens, unconnected = "0A", "07"
	var all []bound
	for name, state := range map[string]string{"tcp": listens, "tcp6": listens, "udp": unconnected, "udp6": unconnected} {
		var text []byte
		var err error
		p.do(func() { text, err = os.ReadFile(filepath.Join("/proc/thread-self/net", name)) })
		if err != nil {
			p.t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			if f := strings.Fields(line); len(f) > 3 && f[3] == state {
				all = append(all, bound{ports.Protocol(strings.TrimSuffix(name, "6")), p.address(f[1])})
			}
		}
	}
	return all
}

// address reads an address as /proc writes it: words in the machine's order, which is little-endian here.
func (p *place) address(text string) netip.AddrPort {
	p.t.Helper()
	host, number, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(number, 16, 16)
	if err != nil || err2 != nil {
		p.t.Fatalf("%q: %v, %v", text, err, err2)
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		p.t.Fatalf("%q is no address", text)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n))
}

// tracked returns the connections that the place's firewall knows.
func (p *place) tracked() string {
	p.t.Helper()
	var text []byte
	var err error
	p.do(func() { text, err = os.ReadFile("/proc/thread-self/net/nf_conntrack") })
	if err != nil {
		p.t.Skipf("the kernel does not show the connections that a firewall knows: %v", err)
	}
	return string(bytes.TrimSpace(text))
}

// wantBound compares what waits for connections on each host with the plan: only numbers that the host holds, and on
// loopback only what is for the host itself, be it that the row says so or that no other host has an opening to it.
func (l *laboratory) wantBound() {
	l.t.Helper()
	for name, h := range l.hosts {
		held, closed := l.site.Held(name), l.site.Closed(name)
		in, _ := l.site.Openings(name)
		var said []string
		for _, b := range h.bound() {
			said = append(said, fmt.Sprintf("%s %s", b.protocol, b.at))
			has := func(cl ports.Claim) bool {
				return cl.Protocol == b.protocol && int(cl.Port) <= int(b.at.Port()) && int(b.at.Port()) <= int(max(cl.Port, cl.Last))
			}
			switch {
			case !slices.ContainsFunc(held, has):
				l.t.Errorf("on %s something waits at %s %s, which the plan does not give to it", name, b.protocol, b.at)
			case slices.ContainsFunc(closed, has) && !b.at.Addr().IsLoopback():
				l.t.Errorf("on %s %s %s is for the host itself, and is not on loopback", name, b.protocol, b.at)
			case !b.at.Addr().IsLoopback() && !slices.ContainsFunc(in, func(o ports.Opening) bool {
				return o.Protocol == b.protocol && o.First <= ports.Port(b.at.Port()) && ports.Port(b.at.Port()) <= o.Last
			}):
				l.t.Errorf("on %s %s %s is open to no other host, and is not on loopback", name, b.protocol, b.at)
			}
		}
		slices.Sort(said)
		l.t.Logf("bound on %s: %s", name, strings.Join(said, ", "))
	}
}
