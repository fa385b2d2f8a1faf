package render

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// kubernetes renders a NetworkPolicy for both directions. For a host the other ends are networks; for a role, of which
// no addresses are known, they are the pods that carry the other role's label.
func kubernetes(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(g.stamp("#"))
	name := bounded(strings.Trim(strings.ReplaceAll(g.name+"_"+word(in.Host), "_", "-"), "-"), 63)
	head := fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: %s\n", name)
	if in.Undo {
		b.WriteString("# kubectl delete -f THIS\n" + head)
		return []byte(b.String()), nil
	}
	if err := addresses("kubernetes", g.ins, sources); err != nil {
		return nil, err
	}
	if err := addresses("kubernetes", g.outgoing(), destinations); err != nil {
		return nil, err
	}
	b.WriteString(g.gaps("#"))
	b.WriteString(head)
	c := in.Site.Compiled
	b.WriteString("  annotations:\n")
	for _, a := range [][2]string{{"plan", c.Plan}, {"instance", strconv.Itoa(c.Instance)}, {"hash", c.Hash}, {"owner", g.owner()}, {"expires", in.Expiry}} {
		if a[1] != "" {
			fmt.Fprintf(&b, "    reeve/%s: %s\n", a[0], strconv.QuoteToASCII(a[1]))
		}
	}
	label, value := "reeve/host", in.Host
	if in.Role != "" {
		label, value = "reeve/role", in.Role
	}
	fmt.Fprintf(&b, "spec:\n  podSelector:\n    matchLabels: {%s: %s}\n  policyTypes: [Ingress, Egress]\n", label, kubeLabel(value))
	g.kubeRules(&b, kubeWay{"ingress", "from", func(o ports.Opening) string { return o.From }}, g.ins, sources)
	if g.restricted() {
		g.kubeRules(&b, kubeWay{"egress", "to", func(o ports.Opening) string { return o.To }}, g.outs, destinations)
	} else {
		b.WriteString("  egress:\n    - {}\n")
	}
	return []byte(b.String()), g.omitted.err("kubernetes")
}

// kubeWay is what differs between the two directions.
type kubeWay struct {
	field, end string
	role       func(ports.Opening) string
}

func (g gate) kubeRules(b *strings.Builder, w kubeWay, open []ports.Opening, peer side) {
	if len(open) == 0 {
		fmt.Fprintf(b, "  %s: []\n", w.field)
		return
	}
	fmt.Fprintf(b, "  %s:\n", w.field)
	for _, group := range g.byEnds(open, w.role, peer) {
		for _, o := range group.open {
			fmt.Fprintf(b, "    # %s\n", oneLine(why(o)))
		}
		b.WriteString("    - ports:\n")
		for _, n := range group.bundles() {
			for _, r := range n.ranges {
				end := ""
				if r.Last != r.First {
					end = fmt.Sprintf(", endPort: %d", r.Last)
				}
				fmt.Fprintf(b, "        - {protocol: %s, port: %d%s}\n", strings.ToUpper(string(n.protocol)), r.First, end)
			}
		}
		if g.in.Role != "" {
			fmt.Fprintf(b, "      %s:\n        - podSelector: {matchLabels: {reeve/role: %s}}\n", w.end, kubeLabel(group.function))
			continue
		}
		if group.anywhere {
			continue // a rule that names nobody is for all
		}
		fmt.Fprintf(b, "      %s:\n", w.end)
		for _, f := range families() {
			for _, p := range group.nets[f] {
				fmt.Fprintf(b, "        - ipBlock: {cidr: %q}\n", p)
			}
		}
	}
}

// byEnds puts openings together by the networks at the other end, or by its role where no networks are known.
func (g gate) byEnds(open []ports.Opening, role func(ports.Opening) string, peer side) []fwGroup {
	list := make([]ports.Opening, len(open))
	for i, o := range open {
		list[i] = o
		list[i].Sources, list[i].Function = peer(o), ""
		if g.in.Role != "" {
			list[i].Function = role(o)
		}
	}
	return fwGroups("", list)
}

// kubeLabel makes a label's value of a name.
func kubeLabel(name string) string {
	return strconv.Quote(strings.Trim(bounded(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, name), 63), "-._"))
}
