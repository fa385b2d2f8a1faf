package render

import (
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// awsQuota is how many rules a security group has by default, for each direction and family.
const awsQuota = 60

// aws renders a security group for Terraform, with one map of rules for each direction. For a host the ends are
// networks; for a role, of which no addresses are known, they are the security groups of the roles at the other end.
func aws(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(g.stamp("#"))
	if in.Undo {
		b.WriteString("# Applied in place of the rendered file, this one removes the security group and its rules.\n")
		return []byte(b.String()), nil
	}
	if err := addresses("aws", g.ins, sources); err != nil {
		return nil, err
	}
	if err := addresses("aws", g.outgoing(), destinations); err != nil {
		return nil, err
	}
	b.WriteString(g.gaps("#"))
	w := awsWriter{Builder: &b, g: g, name: g.name + "_" + word(in.Host+in.Role)}
	if in.Role != "" {
		w.name = g.name
	}
	incoming := w.rules(g.ins, sources, func(o ports.Opening) string { return o.From })
	outgoing := w.rules(g.outgoing(), destinations, func(o ports.Opening) string { return o.To })
	if n := max(len(incoming), len(outgoing)); n > awsQuota {
		fmt.Fprintf(&b, "#\n# These are %d rules in one direction; AWS allows %d unless the quota is raised.\n", n, awsQuota)
	}
	w.group()
	w.direction("ingress", incoming)
	if g.restricted() {
		w.direction("egress", outgoing)
	} else {
		w.everything()
	}
	return []byte(b.String()), g.omitted.err("aws")
}

type awsWriter struct {
	*strings.Builder
	g    gate
	name string
}

// rules are entries of a map: the key says what the entry is, so that a change of the plan changes only what it means.
// They do not overlap: AWS refuses the same rule twice.
func (w awsWriter) rules(open []ports.Opening, peer side, role func(ports.Opening) string) []string {
	var out []string
	if w.g.in.Role != "" {
		for _, group := range w.g.byEnds(open, role, peer) {
			for _, c := range cells(group.open, func(ports.Opening) []ports.Endpoint { return nil }, v4) {
				out = append(out, awsEntry(c, "role", awsText(group.function, 100)))
			}
		}
		return out
	}
	for _, f := range families() {
		for _, c := range cells(open, peer, f) {
			for _, p := range c.peers {
				out = append(out, awsEntry(c, fmt.Sprintf("cidr%d", f), p.String()))
			}
		}
	}
	return out
}

func awsEntry(c cell, field, value string) string {
	return fmt.Sprintf("    %q = { protocol = %q, from = %d, to = %d, %s = %q, why = %q }",
		fmt.Sprintf("%s %s %s", c.protocol, span(c.first, c.last, "-"), value), c.protocol, c.first, c.last, field, value, awsText(brief(c.flows, 250), 250))
}

// group writes the security group and what it must be told.
func (w awsWriter) group() {
	fmt.Fprintf(w, "\nvariable \"%s_vpc_id\" {\n  type        = string\n  description = \"the VPC of the security group\"\n}\n", w.name)
	if w.g.in.Role != "" {
		fmt.Fprintf(w, "\nvariable \"%s_groups\" {\n  type        = map(string)\n  description = \"the security groups of the other roles, by role\"\n}\n", w.name)
	}
	fmt.Fprintf(w, "\nresource \"aws_security_group\" %q {\n  name        = %q\n  description = %q\n  vpc_id      = var.%s_vpc_id\n",
		w.name, bounded(strings.ReplaceAll(w.name, "_", "-"), 200), awsText(w.g.brand(), 250), w.name)
	c := w.g.in.Site.Compiled
	fmt.Fprintf(w, "  tags = {\n    ReevePlan     = %q\n    ReeveInstance = \"%d\"\n    ReeveHash     = %q\n    ReeveOwner    = %q\n    ReeveExpires  = %q\n  }\n}\n",
		awsText(c.Plan, 200), c.Instance, c.Hash, awsText(w.g.owner(), 200), awsText(w.g.in.Expiry, 200))
}

// direction writes a map of rules and the resource that makes one rule of each entry.
func (w awsWriter) direction(way string, entries []string) {
	fmt.Fprintf(w, "\nlocals {\n  %s_%s = {\n", w.name, way)
	for _, e := range entries {
		fmt.Fprintln(w, e)
	}
	fmt.Fprintf(w, "  }\n}\n\nresource \"aws_vpc_security_group_%s_rule\" %q {\n", way, w.name)
	fmt.Fprintf(w, "  for_each          = local.%s_%s\n  security_group_id = aws_security_group.%s.id\n", w.name, way, w.name)
	fmt.Fprintf(w, "  description       = each.value.why\n  ip_protocol       = each.value.protocol\n  from_port         = each.value.from\n  to_port           = each.value.to\n")
	if w.g.in.Role != "" {
		fmt.Fprintf(w, "\n  referenced_security_group_id = var.%s_groups[each.value.role]\n}\n", w.name)
		return
	}
	fmt.Fprintf(w, "  cidr_ipv4         = lookup(each.value, \"cidr4\", null)\n  cidr_ipv6         = lookup(each.value, \"cidr6\", null)\n}\n")
}

// everything lets the group connect to anywhere: a group without a rule connects to nothing.
func (w awsWriter) everything() {
	for _, f := range families() {
		fmt.Fprintf(w, "\nresource \"aws_vpc_security_group_egress_rule\" \"%s_%d\" {\n  security_group_id = aws_security_group.%s.id\n  ip_protocol       = \"-1\"\n  cidr_ipv%d         = %q\n}\n",
			w.name, f, w.name, f, f.all())
	}
}

// awsText keeps the characters that AWS takes in descriptions and tags; none of them means anything to Terraform.
func awsText(s string, most int) string {
	return cut(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" ._-:/()#,@[]+=&;", r):
			return r
		}
		return ' '
	}, oneLine(s)), most)
}
