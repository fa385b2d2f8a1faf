package render

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// dnsSRV renders lines of a zone file: an SRV record (RFC 2782) for each service and each host that others reach it on,
// and the addresses of hosts that have no full name of their own. Names are those of RFC 6335. It is for a file that
// the zone includes.
func dnsSRV(in Input) ([]byte, error) {
	if err := in.known(); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(gate{in: in, what: in.where()}.stamp(";"))
	if in.Undo {
		b.WriteString("; Included instead, this file adds nothing to the zone.\n")
		return []byte(b.String()), nil
	}
	z := zoneWriter{in: in, seen: map[string]bool{}}
	_, outs := in.Site.Openings("")
	for _, o := range outs {
		z.service(o)
	}
	if z.records.Len() == 0 {
		return nil, fmt.Errorf("%w: dns-srv: no service of the plan is reached here on a host of the inventory, under a name of RFC 6335 %s", ErrEmpty, strings.Join(z.missing.Flows, "; "))
	}
	b.WriteString(gate{omitted: z.missing}.gaps(";") + "\n" + z.records.String() + z.hosts.String())
	return []byte(b.String()), z.missing.err("dns-srv")
}

type zoneWriter struct {
	in             Input
	records, hosts strings.Builder
	seen           map[string]bool
	missing        Omitted
}

// once reports whether a line is new.
func (z *zoneWriter) once(line string) bool {
	was := z.seen[line]
	z.seen[line] = true
	return !was
}

// service writes the records of an opening's destinations.
func (z *zoneWriter) service(o ports.Opening) {
	cl, _ := z.in.Site.Compiled.Service(o.Service)
	if !cl.Binds || cl.Pool || o.First == 0 || o.First != o.Last || z.in.Role != "" && !z.in.plays(o.To) {
		return
	}
	name := cl.DNSName()
	for _, e := range o.Destinations {
		if z.in.Host != "" && z.in.Host != e.Host {
			continue
		}
		if name == "" {
			if z.once("name " + o.Service) {
				z.missing.Flows = append(z.missing.Flows, fmt.Sprintf("%s: the name %q, which RFC 6335 does not allow: give the row srv_name", o.Service, cl.Name))
			}
			return
		}
		target, ok := z.target(e)
		if !ok {
			continue
		}
		line := fmt.Sprintf("_%s._%s IN SRV 0 0 %d %s", name, o.Protocol, o.First, target)
		if z.once(line) {
			fmt.Fprintf(&z.records, "%s ; %s\n", line, oneLine(why(o)))
		}
	}
}

// target is the name of a host in the zone. A full name stands for itself; a host that has addresses only gets its
// inventory name, and a record for each address.
func (z *zoneWriter) target(e ports.Endpoint) (string, bool) {
	name := e.Address
	if strings.Contains(name, "/") {
		return "", false // a host that stands for a network is not one that can be looked up
	}
	addr, err := netip.ParseAddr(e.Address)
	if err == nil {
		name = e.Host
	}
	if !hostName(name) {
		if z.once("host " + e.Host) {
			z.missing.Flows = append(z.missing.Flows, fmt.Sprintf("host %s: %q is neither an address nor a host's name", e.Host, name))
		}
		return "", false
	}
	if err != nil {
		if strings.Contains(name, ".") {
			return strings.TrimSuffix(name, ".") + ".", true
		}
		return name, true
	}
	kind := "AAAA"
	if addr = addr.Unmap(); addr.Is4() {
		kind = "A"
	}
	if line := fmt.Sprintf("%s IN %s %s", name, kind, addr); z.once(line) {
		z.hosts.WriteString(line + "\n")
	}
	return name, true
}

// hostName reports whether a text is a name of RFC 1123.
func hostName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return len(name) > 0 && len(name) <= 253 && !slices.ContainsFunc(strings.Split(name, "."), func(label string) bool {
		return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		})
	})
}
