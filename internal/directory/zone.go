package directory

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/reeve-scheduler/reeve/ports"
)

// ttl is how long others may keep an answer, in seconds: a node that moves is found again soon.
const ttl = 30

// zone is a book as DNS has it. All names in it are in small letters and end in a dot.
type zone struct {
	book    *Book
	apex    string
	records map[string][]record // by name; a name that only has names below it has none
}

// zoneOf writes a book's zone: once, so that a question costs a look into a table.
func zoneOf(b *Book) *zone {
	z := &zone{book: b, apex: strings.ToLower(strings.Trim(b.Zone, ".")) + ".", records: map[string][]record{}}
	told := map[string]bool{}
	z.each(func(r record) {
		if id := r.name + r.body.GoString(); !told[id] && z.has(r.name) {
			told[id] = true
			z.records[r.name] = append(z.records[r.name], r)
		}
	})
	for own := range maps.Clone(z.records) {
		for z.has(own) {
			if _, there := z.records[own]; !there {
				z.records[own] = nil // only names below it have records
			}
			_, own, _ = strings.Cut(own, ".")
		}
	}
	return z
}

// has reports whether a name is the zone's own or below it.
func (z *zone) has(name string) bool {
	return name == z.apex || strings.HasSuffix(name, "."+z.apex)
}

// within is a host's name in DNS: full names stand for themselves, others are names of the zone.
func (z *zone) within(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if strings.Contains(host, ".") {
		return host + "."
	}
	return host + "." + z.apex
}

// nodeName is the name of a node, of which dots may be a part.
func (z *zone) nodeName(n Node) string { return strings.ToLower(n.Name) + "." + z.apex }

// target is where an SRV record points: an address has the name of its node.
func (z *zone) target(n Node, p Place) string {
	if _, err := netip.ParseAddr(p.Host); err == nil {
		return z.nodeName(n)
	}
	return z.within(p.Host)
}

// serviceName is the name of a service in DNS (RFC 2782); empty where it has none.
func (z *zone) serviceName(s Service) string {
	if s.Name == "" {
		return ""
	}
	return "_" + s.Name + "._" + string(s.Protocol) + "." + z.apex
}

// record is one resource record.
type record struct {
	name string
	body dnsmessage.ResourceBody
}

// each calls emit for every record of the zone.
func (z *zone) each(emit func(record)) {
	for _, n := range z.book.Nodes {
		z.node(n, emit)
		for _, s := range n.Services {
			z.service(n, s, emit)
		}
	}
	z.authority(emit)
}

// authority tells who answers for the zone: its servers.
func (z *zone) authority(emit func(record)) {
	first := "localhost."
	for _, n := range slices.Backward(z.book.Nodes) {
		if n.Role == ports.Server {
			first = z.nodeName(n)
			emit(record{z.apex, &dnsmessage.NSResource{NS: name(first)}})
		}
	}
	emit(record{z.apex, &dnsmessage.SOAResource{
		NS: name(first), MBox: name("hostmaster." + z.apex), Serial: z.book.Serial, Refresh: 3600, Retry: 600, Expire: 86400, MinTTL: ttl,
	}})
}

// node tells the addresses of a node, or the name that it has elsewhere where no address is known.
func (z *zone) node(n Node, emit func(record)) {
	own, addresses := z.nodeName(n), 0
	for _, text := range n.Addresses {
		a, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		addresses++
		if a = a.Unmap().WithZone(""); a.Is4() {
			emit(record{own, &dnsmessage.AResource{A: a.As4()}})
		} else {
			emit(record{own, &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	for _, text := range n.Addresses {
		if other := z.within(text); addresses == 0 && !z.has(other) {
			emit(record{own, &dnsmessage.CNAMEResource{CNAME: name(other)}})
			return
		}
	}
}

// service tells where a service is, and what it opens.
func (z *zone) service(n Node, s Service, emit func(record)) {
	own := z.serviceName(s)
	if own == "" {
		return
	}
	for _, p := range s.Places {
		emit(record{own, &dnsmessage.SRVResource{Port: uint16(p.Port), Target: name(z.target(n, p))}})
	}
	emit(record{own, &dnsmessage.TXTResource{TXT: []string{text("doors=" + strings.Join(s.Doors, ",")), map[bool]string{true: "tls=yes", false: "tls=no"}[s.TLS]}}})
}

// longestString is that of one string of a TXT record.
const longestString = 255

func text(s string) string { return s[:min(len(s), longestString)] }

// name makes a name of DNS; one that DNS cannot have is the root, which nobody asks for.
func name(s string) dnsmessage.Name {
	n, err := dnsmessage.NewName(s)
	if err != nil {
		return dnsmessage.MustNewName(".")
	}
	return n
}

// find returns the records of a name, and whether the name is there at all: it also is where only names below it are.
func (z *zone) find(wanted string) (found []record, there bool) {
	found, there = z.records[wanted]
	return found, there
}
