package render

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// cisco renders extended access lists of IOS for the interface behind which the host stands: towards it and from it, for
// IPv4 and IPv6. An access list keeps no state, so that each flow has a line for each direction: the answers of TCP
// need the bit that a first packet lacks (established), those of UDP the number they come from. No other numbers are let through.
func cisco(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	c := ciscoWriter{name: strings.ToUpper(strings.ReplaceAll(bounded(g.name, 40), "_", "-"))}
	c.WriteString(g.stamp("!"))
	for _, end := range []side{sources, destinations} {
		if err := addresses("cisco", g.ins, end); err != nil {
			return nil, err
		}
		if err := addresses("cisco", g.outs, end); err != nil {
			return nil, err
		}
	}
	if in.Undo {
		for _, f := range families() {
			c.family(f, g)
		}
		stamp := g.stamp("!")
		c.Reset()
		c.WriteString(stamp)
		c.remove()
		for _, group := range c.order {
			c.say("no object-group %s", group)
		}
		return []byte(c.String()), nil
	}
	c.WriteString(g.gaps("!"))
	c.say("! Towards the host: ip access-group %s-IN out on its interface; from it: ip access-group %s-OUT in.", c.name, c.name)
	c.remove()
	for _, f := range families() {
		c.family(f, g)
	}
	return []byte(c.String()), g.omitted.err("cisco")
}

type ciscoWriter struct {
	strings.Builder
	name    string
	groups  map[string]string // networks to the name of their object group
	objects strings.Builder
	order   []string // the object groups, each with its kind
}

func (c *ciscoWriter) say(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

// remove takes away what a load adds, so that a second one does not append to it.
func (c *ciscoWriter) remove() {
	for _, way := range []string{"IN", "OUT"} {
		c.say("no ip access-list extended %s-%s", c.name, way)
		c.say("no ipv6 access-list %s-%s-6", c.name, way)
	}
}

// family writes both lists of an address family.
func (c *ciscoWriter) family(f family, g gate) {
	var in, out strings.Builder
	say := func(b *strings.Builder, format string, args ...any) { fmt.Fprintf(b, " "+format+"\n", args...) }
	for _, b := range []*strings.Builder{&in, &out} {
		say(b, "remark %s", cut(g.brand(), 95))
	}
	for _, cl := range bundles(cells(claimed(g.closed), sources, f)) {
		for _, r := range cl.ranges {
			say(&in, "remark for the host itself only")
			say(&in, "deny %s any any %s", cl.protocol, ciscoPorts(r))
		}
	}
	for _, t := range ciscoICMP(f) {
		say(&in, "permit icmp any any %s", t)
		say(&out, "permit icmp any any %s", t)
	}
	for _, l := range ciscoLines(g.ins, f) {
		say(&in, "remark %s", l.remark)
		say(&in, "permit %s %s %s %s", l.protocol, c.networks(l.from, f), c.networks(l.to, f), ciscoPorts(l.numbers))
		say(&out, "remark answers: %s", l.remark)
		say(&out, "permit %s %s %s %s%s", l.protocol, c.networks(l.to, f), ciscoPorts(l.numbers), c.networks(l.from, f), l.established())
	}
	for _, l := range ciscoLines(g.outs, f) {
		say(&out, "remark %s", l.remark)
		say(&out, "permit %s %s %s %s", l.protocol, c.networks(l.from, f), c.networks(l.to, f), ciscoPorts(l.numbers))
		say(&in, "remark answers: %s", l.remark)
		say(&in, "permit %s %s %s %s%s", l.protocol, c.networks(l.to, f), ciscoPorts(l.numbers), c.networks(l.from, f), l.established())
	}
	head, suffix, deny := "ip access-list extended", "", "deny ip any any log"
	if f == v6 {
		head, suffix, deny = "ipv6 access-list", "-6", "deny ipv6 any any log"
	}
	c.WriteString(c.objects.String())
	c.objects.Reset()
	c.say("%s %s-IN%s\n%s %s", head, c.name, suffix, in.String(), deny)
	c.say("%s %s-OUT%s\n%s %s", head, c.name, suffix, out.String(), deny)
}

// ciscoLine is one interval between two sets of networks.
type ciscoLine struct {
	protocol ports.Protocol
	numbers  ports.Range
	from, to []netip.Prefix
	remark   string
}

func (l ciscoLine) established() string {
	if l.protocol == ports.TCP {
		return " established"
	}
	return ""
}

// ciscoLines lays openings out by their two ends. Lines may overlap: the first that fits decides, and all of them permit.
func ciscoLines(open []ports.Opening, f family) []ciscoLine {
	var out []ciscoLine
	s := sweep{peers: map[endList][]netip.Prefix{}}
	for _, o := range open {
		from, to := []netip.Prefix{f.all()}, []netip.Prefix{f.all()}
		if len(o.Sources) > 0 {
			from = s.networks(o.Sources, f)
		}
		if len(o.Destinations) > 0 {
			to = s.networks(o.Destinations, f)
		}
		if len(from) == 0 || len(to) == 0 {
			continue
		}
		for _, r := range numbers(o.First, o.Last, o.Parity) {
			out = append(out, ciscoLine{o.Protocol, r, from, to, cut(ascii(why(o)), 90)})
		}
	}
	return out
}

func ciscoPorts(r ports.Range) string {
	if r.First == r.Last {
		return fmt.Sprintf("eq %d", r.First)
	}
	return fmt.Sprintf("range %d %d", r.First, r.Last)
}

func ciscoICMP(f family) []string {
	if f == v4 {
		return []string{"unreachable", "time-exceeded", "parameter-problem", "echo", "echo-reply"}
	}
	return []string{"unreachable", "packet-too-big", "time-exceeded", "parameter-problem", "echo-request", "echo-reply", "nd-na", "nd-ns", "router-advertisement", "router-solicitation"}
}

// networks writes one network as it stands in a line, and several as an object group.
func (c *ciscoWriter) networks(nets []netip.Prefix, f family) string {
	if len(nets) == 1 {
		return ciscoNetwork(nets[0], true)
	}
	key := fmt.Sprint(nets)
	if name, ok := c.groups[key]; ok {
		return "object-group " + name
	}
	if c.groups == nil {
		c.groups = map[string]string{}
	}
	name := fmt.Sprintf("%s-N%d", c.name, len(c.groups)+1)
	c.groups[key] = name
	kind := "network"
	if f == v6 {
		kind = "v6-network"
	}
	c.order = append(c.order, kind+" "+name)
	fmt.Fprintf(&c.objects, "no object-group %s %s\nobject-group %s %s\n", kind, name, kind, name)
	for _, p := range nets {
		fmt.Fprintf(&c.objects, " %s\n", ciscoNetwork(p, false))
	}
	return "object-group " + name
}

// ciscoNetwork writes an IPv4 network with a wildcard in a line, and with a mask in an object group.
func ciscoNetwork(p netip.Prefix, line bool) string {
	if p.Bits() == 0 && line {
		return "any"
	}
	if p.IsSingleIP() {
		return "host " + p.Addr().String()
	}
	if p.Addr().Is6() {
		return p.String()
	}
	mask := ^uint32(0) << (32 - p.Bits())
	if line {
		mask = ^mask
	}
	return fmt.Sprintf("%s %d.%d.%d.%d", p.Addr(), mask>>24, mask>>16&255, mask>>8&255, mask&255)
}
