package planfile

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/ports"
)

// ParseInventory reads the inventory of a file. Documents of other kinds may stand beside it. The error is a
// Mistakes.
func ParseInventory(file string, data []byte) (ports.Inventory, error) {
	data = oneBreak(data)
	r := &reader{newNotes(file, data)}
	doc := r.only(documents(r.notes, data), "inventory")
	if doc == nil {
		return ports.Inventory{}, r.err()
	}
	inv := ports.Inventory{At: r.place(doc)}
	r.fields(doc, "the inventory", []field{
		{"inventory", r.id(&inv.Name, "inventory")},
		{"zones", func(n ast.Node) { inv.Zones = r.zones(n) }},
		{"dials", func(n ast.Node) { inv.Dials = r.dials(n) }},
		{"hosts", func(n ast.Node) { inv.Hosts = r.hosts(n) }},
	})
	if err := r.err(); err != nil {
		return ports.Inventory{}, err
	}
	return inv, nil
}

func (r *reader) zones(n ast.Node) []ports.Zone {
	var zones []ports.Zone
	for _, e := range r.entries(n, "zones") {
		if r.isID(e.key, e.at, "the zone") {
			zones = append(zones, ports.Zone{Name: e.key, At: e.at})
		}
		r.fields(e.value, "a zone", nil)
	}
	return zones
}

func (r *reader) dials(n ast.Node) []ports.Dial {
	var dials []ports.Dial
	for _, item := range r.items(n, "dials") {
		d := ports.Dial{At: r.place(item)}
		given := r.fields(item, "an entry of dials", []field{
			{"from", r.id(&d.From, "from")},
			{"to", r.id(&d.To, "to")},
		})
		if !given["from"] || !given["to"] {
			r.add(d.At, "an entry of dials needs from and to")
		}
		dials = append(dials, d)
	}
	return dials
}

func (r *reader) hosts(n ast.Node) []ports.Host {
	var hosts []ports.Host
	for _, e := range r.entries(n, "hosts") {
		h := ports.Host{Name: e.key, At: e.at}
		if !hostForm(e.key) {
			r.add(e.at, "the host name %q must be letters, digits, dots and hyphens", e.key)
		}
		r.fields(e.value, "a host", []field{
			{"roles", r.ids(&h.Roles, "roles")},
			{"zone", r.id(&h.Zone, "zone")},
			{"bind", func(n ast.Node) { h.Bind = r.addresses(n, "bind", isAddress) }},
			{"advertise", func(n ast.Node) { h.Advertise = r.addresses(n, "advertise", isAdvertised) }},
		})
		hosts = append(hosts, h)
	}
	return hosts
}

// addresses reads a list of texts that pass a check; a single one stands for a list of one.
func (r *reader) addresses(n ast.Node, what string, fits func(string) string) []string {
	nodes := []ast.Node{n}
	if _, ok := scalar(n); !ok {
		nodes = r.items(n, what)
	}
	var list []string
	for _, item := range nodes {
		var s string
		if r.text(&s, what)(item); s == "" {
			continue
		}
		if wrong := fits(s); wrong != "" {
			r.add(r.place(item), "%s %q %s", what, s, wrong)
			continue
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func isAddress(s string) string {
	if _, err := netip.ParseAddr(s); err != nil {
		return "must be an IP address"
	}
	return ""
}

func isAdvertised(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return ""
	}
	host, port, hasPort := strings.Cut(s, ":")
	n, err := ports.Formula(port).Eval(nil)
	if !hostForm(host) || hasPort && (err != nil || n < 1 || n > 1<<16-1) {
		return "must be HOST or HOST:PORT"
	}
	return ""
}

func hostForm(s string) bool {
	return s != "" && len(s) <= 253 && s[0] != '-' && s[0] != '.' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}
