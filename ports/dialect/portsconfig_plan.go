package dialect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// Part turns a PortsConfig.cfg into pieces over the given plan: lines for every host become rows and pools, lines of
// one host become entries of an inventory. What the file may not say is reported: a TCP, UDP or ONC RPC service takes
// exactly one port, Carunjob ranges, an MSRPC service only its name.
func (p PortsConfig) Part(file string, over ports.Compiled) (Part, []ports.Diagnostic) {
	f := &findings{file: file}
	t := configPart{rows: newRows(over), f: f, given: map[string]int{}, fixed: map[string]int{}}
	for _, l := range p.Lines {
		switch {
		case l.Key == "":
		case strings.EqualFold(l.Key, AllRPC):
			t.systemAssigned(l)
		default:
			t.line(l)
		}
	}
	t.contradiction()
	var hosts Document
	for _, h := range t.hosts {
		entry := Document{}.with("advertise", list(h.addresses...)).with("services", h.services)
		hosts = append(hosts, Field{h.name, entry})
	}
	return Part{
		Plan:      planPart(over.Plan, Field{"services", t.services}, Field{"pools", t.pools}),
		Inventory: inventoryPart(Field{"hosts", hosts}),
	}, f.all()
}

// configPart is one import in the making.
type configPart struct {
	rows     rows
	f        *findings
	services []any
	pools    []any
	hosts    []*configHost
	given    map[string]int // rows that a line for every host gives numbers, by id: the line
	fixed    map[string]int // ONC RPC rows that a line for every host fixes, by id: the line
	all      int            // the line of RPCServices; 0: none
}

// configHost is what the file says of one host.
type configHost struct {
	name      string
	addresses []string
	services  Document
}

func (t *configPart) systemAssigned(l PortsConfigLine) {
	if len(l.Ranges) > 0 || l.Host != "" || l.Address.IsValid() {
		t.f.error(ports.BadLine, l.Line, 1, AllRPC+" stands alone", "remove what stands behind it")
		return
	}
	t.all = l.Line
	for _, cl := range t.rows.each() {
		if cl.RPC.Kind == "oncrpc" && cl.RPC.Role == "" && cl.Port != 0 {
			t.services = append(t.services, Document{{"id", cl.Service}, {"port", "unassigned"}})
		}
	}
}

// contradiction reports lines that fix what RPCServices leaves to the system.
func (t *configPart) contradiction() {
	for id, line := range t.fixed {
		if t.all != 0 {
			t.f.error(ports.BadLine, line, 1, fmt.Sprintf("the line fixes %s, and line %d says that the system chooses for every RPC service", id, t.all), "keep one of the two")
		}
	}
}

func (t *configPart) line(l PortsConfigLine) {
	cl, ok := t.rows.find(l.Key)
	if !ok {
		t.f.error(ports.BadLine, l.Line, 1, "the plan has no row "+clip(l.Key), "see `reeve ports list` for its rows, or add one to the plan")
		return
	}
	switch {
	case cl.RPC.Kind == "msrpc":
		if len(l.Ranges) > 0 {
			t.f.error(ports.BadLine, l.Line, l.column, l.Key+" is an MSRPC service: the system gives its number", "write its name alone")
		}
		return
	case len(l.Ranges) == 0:
		t.f.error(ports.BadLine, l.Line, 1, l.Key+" has no number", "write one, or leave the line away for the default")
		return
	case !cl.Pool && (len(l.Ranges) != 1 || l.Ranges[0].First != l.Ranges[0].Last):
		t.f.error(ports.BadLine, l.Line, l.column, l.Key+" takes exactly one port, and the line gives "+formatRanges(l.Ranges, ";"), "write one number")
		return
	}
	if l.Host != "" || l.Address.IsValid() {
		t.host(l, cl)
		return
	}
	if before := t.given[cl.Service]; before != 0 {
		t.f.error(ports.BadLine, l.Line, 1, fmt.Sprintf("line %d gives the row %s its numbers already", before, cl.Service), "keep one")
		return
	}
	t.given[cl.Service] = l.Line
	if cl.Pool {
		ranges := once(t.f, l.Ranges, l.Line, l.column)
		if !slices.Equal(t.rows.ranges[cl.Service], ranges) {
			t.pools = append(t.pools, Document{{"id", cl.Service}, {"range", rangeList(ranges)}})
		}
		return
	}
	if cl.RPC.Kind == "oncrpc" && cl.RPC.Role == "" {
		t.fixed[cl.Service] = l.Line
	}
	if cl.Port != l.Ranges[0].First {
		t.services = append(t.services, Document{{"id", cl.Service}, {"port", int(l.Ranges[0].First)}})
	}
}

// host notes what differs on one host.
func (t *configPart) host(l PortsConfigLine, cl ports.Claim) {
	name := l.Host
	if name == "" {
		name = hostOf(l.Address)
	}
	if cl.Pool {
		t.f.error(ports.BadLine, l.Line, l.column, "an inventory gives no host a pool of its own: "+l.Key+" of "+name+" is not imported", "write the range without a host")
		return
	}
	i := slices.IndexFunc(t.hosts, func(h *configHost) bool { return strings.EqualFold(h.name, name) })
	if i < 0 {
		i = len(t.hosts)
		t.hosts = append(t.hosts, &configHost{name: name})
	}
	h := t.hosts[i]
	if a := l.Address.String(); l.Address.IsValid() && !slices.Contains(h.addresses, a) {
		h.addresses = append(h.addresses, a)
	}
	if slices.ContainsFunc(h.services, func(f Field) bool { return f.Key == cl.Service }) {
		t.f.error(ports.BadLine, l.Line, 1, "host "+name+" has a number for "+l.Key+" already", "keep one line")
		return
	}
	h.services = append(h.services, Field{cl.Service, Document{{"port", int(l.Ranges[0].First)}}})
}

// hostOf makes a name for a host of which only the address is known.
func hostOf(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return "host-" + strings.Trim(strings.NewReplacer(":", "-", "%", "-", ".", "-").Replace(a.String()), "-")
}

// rangeList writes the numbers of a pool as a plan does.
func rangeList(ranges []ports.Range) []any {
	var all []any
	for _, r := range ranges {
		all = append(all, formatRanges([]ports.Range{r}, ""))
	}
	return all
}

// once takes each number of a list once, and reports those that stand there twice: a plan refuses them.
func once(f *findings, ranges []ports.Range, line, column int) []ports.Range {
	var all []ports.Range
	twice := false
	for _, r := range ranges {
		rest := []ports.Range{r}
		for _, before := range all {
			var cut []ports.Range
			for _, x := range rest {
				if before.Last < x.First || before.First > x.Last {
					cut = append(cut, x)
					continue
				}
				twice = true
				if x.First < before.First {
					cut = append(cut, ports.Range{First: x.First, Last: before.First - 1})
				}
				if x.Last > before.Last {
					cut = append(cut, ports.Range{First: before.Last + 1, Last: x.Last})
				}
			}
			rest = cut
		}
		all = append(all, rest...)
		if len(all) > maxRanges {
			f.error(ports.BadLine, line, column, fmt.Sprintf("the list has more than %d intervals", maxRanges), "the first ones are taken")
			return all[:maxRanges]
		}
	}
	if twice {
		f.warn(ports.BadLine, line, column, "some numbers stand twice; each is taken once: "+clip(formatRanges(all, ",")), "")
	}
	return all
}

const maxRanges = 1000

// ExportPortsConfig makes a PortsConfig.cfg of a site: every row with a fixed number, ranges of the reconnect pool,
// MSRPC services by name, RPCServices where no ONC RPC service has a number, and the numbers of single hosts.
func ExportPortsConfig(site ports.Site) PortsConfig {
	var entries []PortsConfigLine
	r := newRows(site.Compiled)
	fixed, dynamic := 0, 0
	for _, cl := range r.each() {
		l := PortsConfigLine{Key: key(cl)}
		switch {
		case !cl.Binds || !inConfig(l.Key):
			continue
		case cl.RPC.Kind == "msrpc":
		case cl.Pool && cl.Service != "reconnect", cl.Status == ports.Foreign, cl.Service == managementID: // which has a file of its own (AR-10)
			continue
		case cl.Pool:
			if l.Ranges = r.ranges[cl.Service]; len(l.Ranges) == 0 {
				continue
			}
		case cl.Port == 0:
			if cl.RPC.Kind == "oncrpc" {
				dynamic++
			}
			continue
		default:
			l.Ranges = []ports.Range{{First: cl.Port, Last: cl.Port}}
			if cl.RPC.Kind == "oncrpc" && cl.RPC.Role == "" {
				fixed++
			}
		}
		entries = append(entries, l)
	}
	if dynamic > 0 && fixed == 0 {
		entries = append(entries, PortsConfigLine{Key: AllRPC})
	}
	for _, h := range site.Inventory.Hosts {
		for _, s := range h.Services {
			if cl, ok := r.find(s.Service); ok && s.Port != 0 && !cl.Pool {
				l := PortsConfigLine{Key: key(cl), Ranges: []ports.Range{{First: s.Port, Last: s.Port}}, Host: h.Name, Address: firstAddress(h)}
				if _, err := netip.ParseAddr(l.Host); err == nil || !hostName(l.Host) {
					l.Host = "" // the address alone names it
				}
				entries = append(entries, l)
			}
		}
	}
	return NewPortsConfig(entries)
}

// inConfig reports whether a row's key is one that the file can have.
func inConfig(key string) bool { return key != "" && strings.Trim(key, letters+"0123456789_.-") == "" }

// firstAddress returns the first advertised address that is one.
func firstAddress(h ports.Host) netip.Addr {
	for _, a := range h.Advertise {
		if addr, err := netip.ParseAddr(a); err == nil {
			return addr
		}
	}
	return netip.Addr{}
}
