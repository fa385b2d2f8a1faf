package render

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// rect is what one entry of a rule lets through: numbers of a transport with the addresses of one network.
type rect struct {
	way         string // "in" or "out"
	protocol    string
	first, last int
	net         netip.Prefix
}

// region is what rules let through, in a form that is the same however it was written: for each direction, transport
// and family the intervals of numbers with the intervals of addresses that may use them. It is slow and obvious on purpose.
func region(rects []rect) []string {
	groups := map[string][]rect{}
	for _, r := range rects {
		key := fmt.Sprintf("%s %s v4=%t", r.way, r.protocol, r.net.Addr().Is4())
		groups[key] = append(groups[key], r)
	}
	var out []string
	for key, list := range groups {
		var edges []int
		for _, r := range list {
			edges = append(edges, r.first, r.last+1)
		}
		slices.Sort(edges)
		edges = slices.Compact(edges)
		first, was := 0, ""
		flush := func(end int) {
			if was != "" {
				out = append(out, fmt.Sprintf("%s %d-%d %s", key, first, end-1, was))
			}
		}
		for _, edge := range edges {
			now := ""
			var nets []netip.Prefix
			for _, r := range list {
				if r.first <= edge && edge <= r.last {
					nets = append(nets, r.net)
				}
			}
			if len(nets) > 0 {
				now = addressIntervals(nets)
			}
			if now != was {
				flush(edge)
				first, was = edge, now
			}
		}
		flush(first)
	}
	slices.Sort(out)
	return out
}

// addressIntervals joins networks to intervals from the first address to the last.
func addressIntervals(nets []netip.Prefix) string {
	slices.SortFunc(nets, func(a, b netip.Prefix) int { return a.Masked().Addr().Compare(b.Masked().Addr()) })
	text := ""
	var first, last netip.Addr
	for _, p := range nets {
		begin, end := p.Masked().Addr(), lastAddress(p)
		if first.IsValid() && (begin.Compare(last) <= 0 || begin == last.Next()) {
			if end.Compare(last) > 0 {
				last = end
			}
			continue
		}
		if first.IsValid() {
			text += fmt.Sprintf("%s-%s ", first, last)
		}
		first, last = begin, end
	}
	return text + fmt.Sprintf("%s-%s", first, last)
}

func lastAddress(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

// planned is what the plan's openings let through: both families from anywhere where the sources are not known.
func planned(in Input) []rect {
	ins, outs := in.Site.Openings(in.Host)
	if in.Role != "" {
		ins, outs = in.Site.RoleOpenings(in.Role)
	}
	var out []rect
	add := func(way string, o ports.Opening, ends []ports.Endpoint) {
		for n := int(o.First); n > 0 && n <= int(o.Last); n++ {
			first := n
			if o.Parity == "" {
				n = int(o.Last)
			} else if (n%2 == 0) != (o.Parity == ports.Even) {
				continue
			}
			for _, p := range prefixesOf(in, ends) {
				out = append(out, rect{way, string(o.Protocol), first, n, p})
			}
		}
	}
	for _, o := range ins {
		add("in", o, o.Sources)
	}
	if in.Site.Compiled.Egress == "restricted" {
		for _, o := range outs {
			add("out", o, o.Destinations)
		}
	}
	return out
}

// prefixesOf reads ends; a host known by a name has the addresses that the inventory lets it bind.
func prefixesOf(in Input, ends []ports.Endpoint) []netip.Prefix {
	if len(ends) == 0 {
		return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	}
	var out []netip.Prefix
	for _, e := range ends {
		texts := []string{e.Address}
		if _, err := netip.ParseAddr(e.Address); err != nil {
			if _, err := netip.ParsePrefix(e.Address); err != nil {
				h, _ := in.Site.Host(e.Host)
				texts = append(slices.Clone(h.Bind), h.Networks...)
			}
		}
		for _, text := range texts {
			out = append(out, mustPrefix(text))
		}
	}
	return out
}

func mustPrefix(text string) netip.Prefix {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p
	}
	addr := netip.MustParseAddr(text)
	return netip.PrefixFrom(addr, addr.BitLen())
}

// sameRegion compares what was read back with what was planned.
func sameRegion(t rapid.TB, target string, want, got []rect) {
	t.Helper()
	if diff := cmp.Diff(region(want), region(got)); diff != "" {
		t.Fatalf("%s does not let through what is planned (-plan +rules):\n%s", target, diff)
	}
}

// TestUnion: the fewest networks hold the same addresses as the given ones, and none of them meets another.
func TestUnion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var nets []netip.Prefix
		for range rapid.IntRange(1, 12).Draw(rt, "n") {
			addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 255).Draw(rt, "address"))})
			nets = append(nets, netip.PrefixFrom(addr, rapid.IntRange(22, 32).Draw(rt, "bits")).Masked())
		}
		got := union(nets)
		if addressIntervals(slices.Clone(nets)) != addressIntervals(slices.Clone(got)) {
			rt.Fatalf("union(%v) = %v", nets, got)
		}
		for i := 1; i < len(got); i++ {
			if got[i-1].Overlaps(got[i]) || siblings(got[i-1], got[i]) {
				rt.Fatalf("union(%v) = %v: %v and %v could be one", nets, got, got[i-1], got[i])
			}
		}
	})
}

// TestCells: cells have no packet in common and hold what the openings hold.
func TestCells(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var open []ports.Opening
		var want []rect
		for i := range rapid.IntRange(0, 6).Draw(rt, "openings") {
			first := rapid.IntRange(1, 30).Draw(rt, "first")
			o := ports.Opening{Flow: fmt.Sprint(i), Protocol: rapid.SampledFrom([]ports.Protocol{ports.TCP, ports.UDP}).Draw(rt, "protocol"), First: ports.Port(first), Last: ports.Port(first + rapid.IntRange(0, 9).Draw(rt, "more"))}
			o.Parity = rapid.SampledFrom([]ports.Parity{"", ports.Even, ports.Odd}).Draw(rt, "parity")
			o.Sources = []ports.Endpoint{{Address: fmt.Sprintf("10.0.0.%d/%d", rapid.IntRange(0, 255).Draw(rt, "a"), rapid.IntRange(24, 32).Draw(rt, "bits"))}}
			open = append(open, o)
			for n := o.First; n <= o.Last; n++ {
				if o.Parity == "" || (n%2 == 0) == (o.Parity == ports.Even) {
					want = append(want, rect{"in", string(o.Protocol), int(n), int(n), mustPrefix(o.Sources[0].Address)})
				}
			}
		}
		var got []rect
		for _, c := range cells(open, sources, v4) {
			for _, p := range c.peers {
				r := rect{"in", string(c.protocol), int(c.first), int(c.last), p}
				for _, other := range got {
					if other.protocol == r.protocol && other.net.Overlaps(r.net) && other.first <= r.last && r.first <= other.last {
						rt.Fatalf("%v and %v have packets in common", other, r)
					}
				}
				got = append(got, r)
			}
		}
		sameRegion(rt, "cells", want, got)
	})
}
