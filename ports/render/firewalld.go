package render

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// firewalld renders a script that writes a service for each function, sets of networks, and one policy in front of all
// zones; zones stay as they are. Within the policy's own rules, what is for the host itself is dropped first.
func firewalld(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	if err := g.onlyIncoming("firewalld"); err != nil {
		return nil, err
	}
	s := g.newScript()
	name := bounded(g.name, 18) // what firewalld takes as a policy's name
	s.say("# Another folder than firewalld's own may be given; then nothing is reloaded.")
	s.say(`dir=${1-/etc/firewalld}; mkdir -p "$dir/services" "$dir/ipsets" "$dir/policies"`)
	s.say(`rm -f "$dir/policies/%s.xml" "$dir"/services/%s-*.xml "$dir"/ipsets/%s-*.xml`, name, name, name)
	if !in.Undo {
		if len(g.ins) == 0 && len(g.closed) == 0 {
			return nil, g.empty("firewalld")
		}
		if err := addresses("firewalld", g.ins, sources); err != nil {
			return nil, err
		}
		g.firewalldFiles(s, name)
	}
	s.say(`if [ $# -eq 0 ] && firewall-cmd --state >/dev/null 2>&1; then firewall-cmd --reload; fi`)
	return s.bytes(), g.omitted.err("firewalld")
}

// slug makes a name of a text: words with hyphens between.
func slug(text string) string {
	return strings.Join(strings.FieldsFunc(word(text), func(r rune) bool { return r == '_' }), "-")
}

// fwGroup is the openings of a function that the same networks may use.
type fwGroup struct {
	name     string // of the service
	function string
	nets     map[family][]netip.Prefix
	anywhere bool
	open     []ports.Opening
}

// fwGroups puts openings together by function and sources.
func fwGroups(base string, list []ports.Opening) []fwGroup {
	var out []fwGroup
	count := map[string]int{}
	for _, o := range list {
		g := fwGroup{function: o.Function, nets: map[family][]netip.Prefix{}, anywhere: len(o.Sources) == 0}
		s := sweep{peers: map[endList][]netip.Prefix{}}
		for _, f := range families() {
			if !g.anywhere {
				clear(s.peers)
				g.nets[f] = s.networks(o.Sources, f)
			}
		}
		i := slices.IndexFunc(out, func(p fwGroup) bool {
			return p.function == g.function && p.anywhere == g.anywhere && slices.Equal(p.nets[v4], g.nets[v4]) && slices.Equal(p.nets[v6], g.nets[v6])
		})
		if i < 0 {
			g.name = bounded(base+"-"+slug(g.function), 56)
			if count[g.name]++; count[g.name] > 1 {
				g.name += fmt.Sprintf("-%d", count[g.name])
			}
			i = len(out)
			out = append(out, g)
		}
		out[i].open = append(out[i].open, o)
	}
	return out
}

func (g gate) firewalldFiles(s *script, name string) {
	var rules strings.Builder
	for _, b := range bundles(cells(claimed(g.closed), sources, v4)) {
		for _, r := range b.ranges {
			fmt.Fprintf(&rules, "  <rule priority=\"-1\"><port port=\"%s\" protocol=\"%s\"/><drop/></rule>\n", span(r.First, r.Last, "-"), b.protocol)
		}
	}
	sets := 0
	for _, group := range fwGroups(name, g.ins) {
		s.heredoc(fmt.Sprintf(`cat >"$dir/services/%s.xml"`, group.name), g.firewalldService(group))
		if group.anywhere {
			fmt.Fprintf(&rules, "  <rule><service name=\"%s\"/><accept/></rule>\n", group.name)
		}
		for _, f := range families() {
			nets := group.nets[f]
			source := ""
			switch {
			case len(nets) == 0:
				continue
			case len(nets) == 1:
				source = fmt.Sprintf("address=%q", nets[0])
			default:
				sets++
				set := fmt.Sprintf("%s-%d", name, sets)
				s.heredoc(fmt.Sprintf(`cat >"$dir/ipsets/%s.xml"`, set), firewalldSet(f, nets))
				source = fmt.Sprintf("ipset=%q", set)
			}
			fmt.Fprintf(&rules, "  <rule family=\"ipv%d\"><source %s/><service name=\"%s\"/><accept/></rule>\n", f, source, group.name)
		}
	}
	s.heredoc(fmt.Sprintf(`cat >"$dir/policies/%s.xml"`, name), fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?>
<policy target="CONTINUE" priority="-10">
  <short>%s</short>
  <description>%s</description>
  <ingress-zone name="ANY"/>
  <egress-zone name="HOST"/>
%s</policy>`, name, xmlText(g.brand()), rules.String()))
}

func (g gate) firewalldService(group fwGroup) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<service>\n  <short>%s</short>\n", xmlText(oneLine(group.function)))
	fmt.Fprintf(&b, "  <description>%s.", xmlText(g.brand()))
	for _, o := range group.open {
		fmt.Fprintf(&b, " %s.", xmlText(oneLine(why(o))))
	}
	b.WriteString("</description>\n")
	anywhere := slices.Clone(group.open)
	for i := range anywhere {
		anywhere[i].Sources = nil // the policy has the networks
	}
	for _, n := range bundles(cells(anywhere, sources, v4)) {
		for _, r := range n.ranges {
			fmt.Fprintf(&b, "  <port protocol=\"%s\" port=\"%s\"/>\n", n.protocol, span(r.First, r.Last, "-"))
		}
	}
	b.WriteString("</service>")
	return b.String()
}

func firewalldSet(f family, nets []netip.Prefix) string {
	inet := map[family]string{v4: "inet", v6: "inet6"}[f]
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<ipset type=\"hash:net\">\n  <option name=\"family\" value=\"%s\"/>\n", inet)
	if len(nets) > 1<<16 {
		fmt.Fprintf(&b, "  <option name=\"maxelem\" value=\"%d\"/>\n", len(nets))
	}
	for _, p := range nets {
		fmt.Fprintf(&b, "  <entry>%s</entry>\n", p)
	}
	b.WriteString("</ipset>")
	return b.String()
}
