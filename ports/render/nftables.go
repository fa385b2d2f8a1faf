package render

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// nftComment is the most that nft takes as a comment, in bytes.
const nftComment = 120

// The bit of a packet's mark by which the tables of several plans on one host agree: what one of them lets pass, the
// others let pass too. It means nothing outside one hook.
const (
	passed    = "0x1000"
	notPassed = "0xffffefff"
)

// nftables renders a whole firewall of a host in a table of its own: what the plan does not open is closed. Loading
// it again replaces it.
func nftables(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("#!/usr/sbin/nft -f\n")
	if in.Undo {
		b.WriteString(g.stamp("#"))
		fmt.Fprintf(&b, "table inet %s\ndelete table inet %s\n", g.name, g.name)
		return []byte(b.String()), nil
	}
	if err := addresses("nftables", g.ins, sources); err != nil {
		return nil, err
	}
	if err := addresses("nftables", g.outgoing(), destinations); err != nil {
		return nil, err
	}
	b.WriteString(g.stamp("#"))
	b.WriteString(g.notice("#"))
	b.WriteString(list("#", "Opened to others:", g.ins))
	b.WriteString(list("#", "Connected to:", g.outgoing()))
	b.WriteString(g.gaps("#"))
	fmt.Fprintf(&b, "\ntable inet %s\ndelete table inet %s\ntable inet %s {\n", g.name, g.name, g.name)
	fmt.Fprintf(&b, "\tcomment \"%s\"\n", cut(g.brand(), nftComment))
	g.nftClosed(&b)
	g.nftWay(&b, nftWay{"input", "in", "saddr", "iif"}, g.ins, sources)
	if g.restricted() {
		g.nftWay(&b, nftWay{"output", "out", "daddr", "oif"}, g.outs, destinations)
	}
	b.WriteString("}\n")
	return []byte(b.String()), g.omitted.err("nftables")
}

// manyNetworks is how many networks a cell has at most in the set of all: with more, each number would stand there once
// for each of them. They get a set of their own instead, which loads in a tenth of the time and takes as little space.
const manyNetworks = 64

// nftWay is what differs between the two directions.
type nftWay struct{ hook, set, addr, device string }

// nftWay writes the sets and chains of one direction: one set for each address family, and two for each long list of
// networks.
func (g gate) nftWay(b *strings.Builder, w nftWay, open []ports.Opening, peer side) {
	var matches []string
	for _, f := range families() {
		ip := map[family]string{v4: "ip ", v6: "ip6 "}[f] + w.addr
		name := fmt.Sprintf("%s%d", w.set, f)
		var few, many []cell
		for _, c := range cells(open, peer, f) {
			if len(c.peers) > manyNetworks {
				many = append(many, c)
			} else {
				few = append(few, c)
			}
		}
		if len(few) > 0 {
			nftSet(b, name, fmt.Sprintf("inet_service . inet_proto . ipv%d_addr", f), nftEntries(few))
			matches = append(matches, "th dport . meta l4proto . "+ip+" @"+name)
		}
		for i, group := range bundles(many) {
			hosts, numbers := fmt.Sprintf("%s_hosts%d", name, i+1), fmt.Sprintf("%s_ports%d", name, i+1)
			nftSet(b, hosts, fmt.Sprintf("ipv%d_addr", f), nftNetworks(group.peers))
			nftSet(b, numbers, "inet_service . inet_proto", nftNumbers(many, group))
			matches = append(matches, ip+" @"+hosts+" th dport . meta l4proto @"+numbers)
		}
	}
	g.nftChains(b, w, matches)
}

// nftEntries are those of the set of all. The number stands first: where many entries begin alike, the kernel takes six
// times as long to load them.
func nftEntries(list []cell) []string {
	var out []string
	for _, c := range list {
		why := brief(c.flows, nftComment)
		for _, p := range c.peers {
			out = append(out, fmt.Sprintf("%s . %s . %s comment \"%s\"", span(c.first, c.last, "-"), c.protocol, p, why))
		}
	}
	return out
}

func nftNetworks(nets []netip.Prefix) []string {
	out := make([]string, len(nets))
	for i, p := range nets {
		out[i] = p.String()
	}
	return out
}

func nftNumbers(list []cell, group bundle) []string {
	var out []string
	for _, c := range list {
		if c.protocol == group.protocol && slices.Equal(c.peers, group.peers) {
			out = append(out, fmt.Sprintf("%s . %s comment \"%s\"", span(c.first, c.last, "-"), c.protocol, brief(c.flows, nftComment)))
		}
	}
	return out
}

// nftClosed writes the numbers that only the host itself may use.
func (g gate) nftClosed(b *strings.Builder) {
	var out []string
	for _, c := range cells(claimed(g.closed), sources, v4) {
		out = append(out, fmt.Sprintf("%s . %s comment \"%s\"", span(c.first, c.last, "-"), c.protocol, cut(ascii(c.flows[0].Flow+" for its own host only"), nftComment)))
	}
	if len(out) > 0 {
		nftSet(b, "closed", "inet_service . inet_proto", out)
	}
}

func nftSet(b *strings.Builder, name, kind string, entries []string) {
	fmt.Fprintf(b, "\n\tset %s {\n\t\ttype %s\n\t\tflags interval\n\t\telements = {\n\t\t\t%s\n\t\t}\n\t}\n", name, kind, strings.Join(entries, ",\n\t\t\t"))
}

// nftChains writes three chains for a direction: the first clears the bit, so that nothing from elsewhere passes by it,
// the second sets it on what may pass, the third drops what no table has marked.
func (g gate) nftChains(b *strings.Builder, w nftWay, matches []string) {
	const pass = " meta mark set meta mark or " + passed + " accept"
	rules := []string{"ct state established,related" + pass, w.device + " lo" + pass}
	types6 := icmp6()
	if w.hook == "output" {
		types6 = append(types6, "nd-router-solicit", "mld-listener-report", "mld2-listener-report")
	} else if len(claimed(g.closed)) > 0 {
		rules = append(rules, "th dport . meta l4proto @closed drop")
	}
	rules = append(rules, "icmp type { "+strings.Join(icmp4(), ", ")+" }"+pass, "icmpv6 type { "+strings.Join(types6, ", ")+" }"+pass)
	for _, m := range matches {
		rules = append(rules, m+pass)
	}
	chain := func(name, priority, policy string, rules ...string) {
		fmt.Fprintf(b, "\n\tchain %s {\n\t\ttype filter hook %s priority filter %s; policy %s;\n\t\t%s\n\t}\n", name, w.hook, priority, policy, strings.Join(rules, "\n\t\t"))
	}
	chain("clear_"+w.hook, "- 6", "accept", "meta mark set meta mark and "+notPassed)
	chain(w.hook, "- 5", "accept", rules...)
	chain("close_"+w.hook, "+ 5", "drop", "meta mark and "+passed+" == "+passed+" accept")
}

// icmp4 are the ICMP messages without which TCP and UDP do not work, and the echo by which paths are found.
func icmp4() []string {
	return []string{"destination-unreachable", "time-exceeded", "parameter-problem", "echo-request"}
}

// icmp6 are those of ICMPv6, neighbour discovery among them.
func icmp6() []string {
	return []string{
		"destination-unreachable", "packet-too-big", "time-exceeded", "parameter-problem", "echo-request",
		"mld-listener-query", "nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert",
	}
}

// claimed makes openings of claims, for what is laid out by numbers alone.
func claimed(claims []ports.Claim) []ports.Opening {
	var out []ports.Opening
	for _, c := range claims {
		if c.Port != 0 {
			out = append(out, ports.Opening{Flow: c.Service, Service: c.Service, Name: c.Name, Protocol: c.Protocol, First: c.Port, Last: max(c.Port, c.Last), Parity: c.Parity})
		}
	}
	return out
}
