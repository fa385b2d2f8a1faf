package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

const reservedPorts = "net.ipv4.ip_local_reserved_ports"

// sysctl renders the file that keeps the plan's numbers out of the range for outgoing connections. The kernel takes
// the list as a whole and forgets the last one, so that what others reserved (Input.Reserved) is written with it, and
// stays in the undo. It is for IPv4 and IPv6, TCP and UDP, and each network namespace has its own.
func sysctl(in Input) ([]byte, error) {
	if err := in.known(); err != nil {
		return nil, err
	}
	claims := in.held()
	var own []ports.Range
	for _, cl := range claims {
		own = append(own, numbers(cl.Port, cl.Last, cl.Parity)...)
	}
	own = merge(own)
	if len(own) == 0 {
		return nil, fmt.Errorf("%w: sysctl: the plan holds no number here", ErrEmpty)
	}
	others := without(merge(in.Reserved), own)
	g := gate{in: in, what: in.where()}
	var b strings.Builder
	b.WriteString(g.stamp("#"))
	b.WriteString("#\n# As /etc/sysctl.d/60-" + strings.ReplaceAll(identifier(in.Site.Compiled), "_", "-") + ".conf. The list below is the whole list: the kernel forgets the last one,\n" +
		"# and of several files the last one counts.\n")
	if len(others) > 0 {
		b.WriteString("# Of others, and kept: " + spans(others, "-", ",") + "\n")
	}
	list := others
	if !in.Undo {
		for _, cl := range claims {
			fmt.Fprintf(&b, "#   %s  %s\n", span(cl.Port, max(cl.Port, cl.Last), "-"), oneLine(cl.Service+" "+string(cl.Protocol)+" "+cl.Function))
		}
		list = merge(append(slices.Clone(others), own...))
	}
	fmt.Fprintf(&b, "%s = %s\n", reservedPorts, spans(list, "-", ","))
	return []byte(b.String()), nil
}

// where names what the input is about.
func (in Input) where() string {
	switch {
	case in.Host != "":
		return "host " + oneLine(in.Host)
	case in.Role != "":
		return "role " + oneLine(in.Role)
	}
	return "every host of the plan"
}

// merge returns the fewest intervals with the same numbers, sorted.
func merge(ranges []ports.Range) []ports.Range {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b ports.Range) int { return int(a.First) - int(b.First) })
	var out []ports.Range
	for _, r := range sorted {
		if n := len(out); n > 0 && int(r.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// without returns the numbers of a that b does not have. Both are sorted and disjoint.
func without(a, b []ports.Range) []ports.Range {
	var out []ports.Range
	for _, r := range a {
		first := int(r.First)
		for _, s := range b {
			if int(s.Last) < first || s.First > r.Last {
				continue
			}
			if int(s.First) > first {
				out = append(out, ports.Range{First: ports.Port(first), Last: s.First - 1})
			}
			first = int(s.Last) + 1
		}
		if first <= int(r.Last) {
			out = append(out, ports.Range{First: ports.Port(first), Last: r.Last})
		}
	}
	return out
}
