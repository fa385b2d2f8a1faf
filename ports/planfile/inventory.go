package planfile

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// ParseInventory reads the inventory of a file. Documents of other kinds may stand beside it. The error is a
// Mistakes.
func ParseInventory(file string, data []byte) (ports.Inventory, error) {
	data = oneBreak(data)
	r := &reader{notes: newNotes(file, data)}
	doc := r.only(documents(r.notes, data), "inventory")
	if doc == nil {
		return ports.Inventory{}, r.err()
	}
	var inv ports.Inventory
	inventoryTable().read(r, doc, doc.at, &inv)
	if err := r.err(); err != nil {
		return ports.Inventory{}, err
	}
	return inv, nil
}

// inventoryTable is everything that an inventory may say.
func inventoryTable() *table[ports.Inventory] {
	type inventory = ports.Inventory
	return &table[inventory]{
		what:  "the inventory",
		place: func(x *inventory) *ports.Place { return &x.At },
		fields: []field[inventory]{
			is("inventory", id[string](), func(x *inventory) *string { return &x.Name }, "the name; the first key of the document").must(),
			is("zones", keyed(zoneTable(), func(z *ports.Zone) *string { return &z.Name }, fitsID("the zone"), func(string) ports.Zone { return ports.Zone{} }),
				func(x *inventory) *[]ports.Zone { return &x.Zones }, "parts of the network"),
			is("dials", listed(dialTable()), func(x *inventory) *[]ports.Dial { return &x.Dials }, "who dials links between two zones").or("the agent's zone"),
			is("openings", settings("the switch", flagValue()), func(x *inventory) *map[string]bool { return &x.Openings }, "the plan's switches").or("each condition's own"),
			is("vars", settings("the variable", orZero(value())), func(x *inventory) *map[string]int { return &x.Vars }, "values of the plan's variables").or("each variable's own"),
			is("middleboxes", listed(middleboxTable()), func(x *inventory) *[]ports.Middlebox { return &x.Middleboxes }, "firewalls and NAT between zones"),
			is("hosts", keyed(hostTable(), func(h *ports.Host) *string { return &h.Name }, fitsHost, func(string) ports.Host { return ports.Host{} }),
				func(x *inventory) *[]ports.Host { return &x.Hosts }, "the machines of the site"),
		},
	}
}

func zoneTable() *table[ports.Zone] {
	type zone = ports.Zone
	return &table[zone]{
		what:  "a zone",
		place: func(z *zone) *ports.Place { return &z.At },
		fields: []field[zone]{
			is("networks", checkedList("network", isNetwork), func(z *zone) *[]string { return &z.Networks }, "its networks in CIDR notation"),
		},
	}
}

func dialTable() *table[ports.Dial] {
	type dial = ports.Dial
	return &table[dial]{
		what:  "an entry of dials",
		place: func(d *dial) *ports.Place { return &d.At },
		fields: []field[dial]{
			is("from", id[string](), func(d *dial) *string { return &d.From }, "the zone that dials").must(),
			is("to", id[string](), func(d *dial) *string { return &d.To }, "the zone that is dialled").must(),
		},
	}
}

func middleboxTable() *table[ports.Middlebox] {
	type box = ports.Middlebox
	return &table[box]{
		what:  "a middlebox",
		place: func(b *box) *ports.Place { return &b.At },
		fields: []field[box]{
			is("name", text[string](), func(b *box) *string { return &b.Name }, "what people call it").must(),
			is("between", listOf(id[string]()), func(b *box) *[]string { return &b.Between }, "zones"),
			is("conntrack", duration(), func(b *box) *time.Duration { return &b.Conntrack }, "how long it remembers an ended connection").or("not known"),
			is("idle", duration(), func(b *box) *time.Duration { return &b.Idle }, "how long it lets a connection be silent").or("not known"),
		},
	}
}

func hostTable() *table[ports.Host] {
	type host = ports.Host
	return &table[host]{
		what:  "a host",
		place: func(h *host) *ports.Place { return &h.At },
		fields: []field[host]{
			is("roles", listOf(id[string]()), func(h *host) *[]string { return &h.Roles }, "the roles that it plays: of the plan, or server, agent, desk, client"),
			is("zone", id[string](), func(h *host) *string { return &h.Zone }, "the zone that it is in"),
			is("machine", checkedText("host name", isHostName), func(h *host) *string { return &h.Machine }, "hosts of one machine share its ports").or("the name"),
			is("netns", checkedText("name", isNetns), func(h *host) *string { return &h.Netns }, "its network namespace").or("the machine's own"),
			is("os", word("linux", "windows", "darwin"), func(h *host) *string { return &h.OS }, "its operating system").or("linux"),
			is("bind", checkedList("address", isAddress), func(h *host) *[]string { return &h.Bind }, "addresses to listen on").or("all"),
			is("advertise", checkedList("HOST or HOST:PORT", isAdvertised), func(h *host) *[]string { return &h.Advertise }, "under which others reach it"),
			is("networks", checkedList("network", isNetwork), func(h *host) *[]string { return &h.Networks }, "of a host that stands for many"),
			is("ephemeral", interval1(), func(h *host) *ports.Range { return &h.Ephemeral }, "its range for outgoing connections").or("its system's"),
			is("services", keyed(hostServiceTable(), func(s *ports.HostService) *string { return &s.Service }, fitsID("the service"), func(string) ports.HostService { return ports.HostService{} }),
				func(h *host) *[]ports.HostService { return &h.Services }, "what differs for one service on this host"),
		},
	}
}

func hostServiceTable() *table[ports.HostService] {
	type service = ports.HostService
	return &table[service]{
		what:  "a host's service",
		place: func(s *service) *ports.Place { return &s.At },
		fields: []field[service]{
			is("port", number[ports.Port](1, maxPort), func(s *service) *ports.Port { return &s.Port }, "its number here").or("the plan's"),
			is("bind", checkedList("address", isAddress), func(s *service) *[]string { return &s.Bind }, "addresses to listen on").or("the host's"),
			is("advertise", checkedList("HOST or HOST:PORT", isAdvertised), func(s *service) *[]string { return &s.Advertise }, "under which others reach it").or("the host's"),
		},
	}
}

// settings are values by name: of switches, of variables.
func settings[V any](what string, k kind[V]) kind[map[string]V] {
	fits := fitsVar(what)
	return kind[map[string]V]{
		form:   "mapping by name: " + k.form,
		schema: schema{"type": []string{"object", "null"}, "additionalProperties": k.schema, "propertyNames": schema{"pattern": varForm.String()}},
		read: func(r *reader, n *node, what string, to *map[string]V) {
			for _, e := range r.entries(n, what) {
				if !fits(r, e) {
					continue
				}
				before := len(r.found)
				var v V
				if k.read(r, e.value, e.key, &v); len(r.found) > before {
					continue
				}
				if *to == nil {
					*to = map[string]V{}
				}
				(*to)[e.key] = v
			}
		},
		write: func(m map[string]V) *written {
			w := &written{mapping: true}
			for _, name := range sortedKeys(m) {
				w.add(name, k.write(m[name]))
			}
			return w.orNothing()
		},
	}
}

// flagValue is true or false, and always written.
func flagValue() kind[bool] {
	k := flag(false)
	k.write = func(b bool) *written { return bare(strconv.FormatBool(b)) }
	return k
}

// checkedText is a text that passes a check, which says what is wrong.
func checkedText(form string, wrong func(string) string) kind[string] {
	k := text[string]()
	k.form = form
	read := k.read
	k.read = func(r *reader, n *node, what string, to *string) {
		before := len(r.found)
		var s string
		if read(r, n, what, &s); len(r.found) > before {
			return
		}
		if why := wrong(s); why != "" {
			r.add(n.at, "%s %q %s", what, clip(s), why)
			return
		}
		*to = s
	}
	return k
}

func checkedList(form string, wrong func(string) string) kind[[]string] {
	return listOf(checkedText(form, wrong))
}

func fitsHost(r *reader, e entry) bool {
	wrong := isHostName(e.key)
	if wrong != "" {
		r.add(e.at, "the host name %q %s", clip(e.key), wrong)
	}
	return wrong == ""
}

func isHostName(s string) string {
	if !hostForm(s) {
		return "must be letters, digits, dots and hyphens"
	}
	return ""
}

func isNetns(s string) string {
	if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" || s[0] == '.' {
		return "must be letters, digits, dots, underscores and hyphens"
	}
	return ""
}

func isAddress(s string) string {
	if _, err := netip.ParseAddr(s); err != nil {
		return "must be an IP address"
	}
	return ""
}

func isNetwork(s string) string {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil {
			return "must be a network in CIDR notation; for one address write " + s + "/" + strconv.Itoa(a.BitLen())
		}
		return "must be a network in CIDR notation, such as 10.1.0.0/16"
	}
	if p != p.Masked() {
		return "has bits behind its mask; write " + p.Masked().String()
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
	if !hostForm(host) || hasPort && (err != nil || n < 1 || n > maxPort) {
		return "must be HOST or HOST:PORT"
	}
	return ""
}

func hostForm(s string) bool {
	return s != "" && len(s) <= 253 && s[0] != '-' && s[0] != '.' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}
