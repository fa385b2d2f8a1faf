package ports

import (
	"net/netip"
	"slices"
	"strings"
)

// stacks returns what stands beside what: for each machine and network namespace of the inventory the rows on it, and
// for each role that no host plays the rows of a host that would play it alone. Machines on which the same rows have
// the same addresses are looked at once.
func (c *compiler) stacks(out Compiled) [][]place {
	k := &stacking{
		c: c, site: Site{Compiled: out, Inventory: c.inv}, rows: map[string][]int{}, plays: map[string][]string{},
		played: map[string]bool{}, seen: map[string]bool{},
	}
	for i := range c.rows {
		roles := c.rows[i].listeners()
		for _, role := range roles {
			k.rows[role] = append(k.rows[role], i)
		}
		if len(roles) == 0 {
			k.anywhere = append(k.anywhere, i)
		}
	}
	var order [][2]string
	groups := map[[2]string][]int{}
	for i, h := range c.inv.Hosts {
		s := h.stack()
		if _, ok := groups[s]; !ok {
			order = append(order, s)
		}
		groups[s] = append(groups[s], i)
	}
	var all [][]place
	for _, s := range order {
		if places := k.stack(groups[s]); places != nil {
			all = append(all, places)
		}
	}
	return append(all, k.unplayed()...)
}

type stacking struct {
	c        *compiler
	site     Site
	view     *view               // made where it is needed
	rows     map[string][]int    // by role
	anywhere []int               // rows without a role
	plays    map[string][]string // by the inventory's names of roles
	played   map[string]bool
	seen     map[string]bool
}

// roles returns the plan's roles of a host; many hosts play the same.
func (k *stacking) roles(h Host) (key string, plays []string) {
	key = strings.Join(h.Roles, "\n")
	plays, ok := k.plays[key]
	if !ok {
		plays = k.site.Compiled.rolesOf(h.Roles)
		k.plays[key] = plays
		for _, role := range plays {
			k.played[role] = true
		}
	}
	return key, plays
}

// stack returns the rows on the hosts of one machine; nil for one that is like another.
func (k *stacking) stack(hosts []int) []place {
	var like strings.Builder
	for _, i := range hosts {
		h := k.c.inv.Hosts[i]
		key, _ := k.roles(h)
		like.WriteString(key)
		like.WriteString("\t")
		if len(hosts) > 1 || len(h.Services) > 0 {
			like.WriteString(h.Name) // like no other
		} else if meetAny(addresses(h.Bind, everywhere()), loopback()) {
			like.WriteString("*")
		}
	}
	if k.seen[like.String()] {
		return nil
	}
	k.seen[like.String()] = true
	places := []place{} // not nil: it is the first of its kind
	for _, i := range hosts {
		places = append(places, k.host(k.c.inv.Hosts[i], len(hosts) > 1)...)
	}
	return places
}

// host returns the rows of one host. Where another host stands on the same machine, a row whose flows nobody dials
// there is left out: two agents that only dial do not meet.
func (k *stacking) host(h Host, shared bool) []place {
	_, plays := k.roles(h)
	var places []place
	for _, i := range k.rowsOf(plays) {
		r := &k.c.rows[i]
		if shared {
			if k.view == nil {
				k.view = newView(k.site)
			}
			if !k.view.listens(Claim{Service: r.ID, Protocol: r.Protocols[0], Listeners: r.listeners()}, h, plays) {
				continue
			}
		}
		hs, _ := h.service(r.ID)
		p := place{row: i, host: h.Name, loopback: addresses(hs.Bind, loopback())}
		if r.pool == nil {
			p.port = hs.Port
		}
		p.addresses = p.loopback
		if r.Scope != SameHost {
			p.addresses = addresses(hs.Bind, addresses(h.Bind, everywhere()))
		}
		places = append(places, p)
	}
	return places
}

// rowsOf returns the rows that stand on a host with these roles, in the plan's order.
func (k *stacking) rowsOf(plays []string) []int {
	all := slices.Clone(k.anywhere)
	for _, role := range plays {
		all = append(all, k.rows[role]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unplayed returns a stack for each role that no host plays.
func (k *stacking) unplayed() [][]place {
	var all [][]place
	for _, role := range k.c.plan.Roles {
		if !k.played[role.ID] {
			all = append(all, k.alone([]string{role.ID}))
		}
	}
	if len(all) == 0 && len(k.c.inv.Hosts) == 0 {
		all = append(all, k.alone(nil))
	}
	return all
}

func (k *stacking) alone(plays []string) []place {
	var places []place
	for _, i := range k.rowsOf(plays) {
		p := place{row: i, addresses: everywhere(), loopback: loopback()}
		if k.c.rows[i].Scope == SameHost {
			p.addresses = p.loopback
		}
		places = append(places, p)
	}
	return places
}

// addresses reads addresses to listen on; those are used where none is given. What is no address is reported by
// checkInventory and met by nothing.
func addresses(bind []string, otherwise []netip.Addr) []netip.Addr {
	if len(bind) == 0 {
		return otherwise
	}
	var all []netip.Addr
	for _, b := range bind {
		if a, err := netip.ParseAddr(b); err == nil {
			all = append(all, a)
		}
	}
	return all
}

func everywhere() []netip.Addr { return []netip.Addr{netip.IPv6Unspecified()} }

func loopback() []netip.Addr {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
}

func meetAny(a, b []netip.Addr) bool {
	return slices.ContainsFunc(a, func(x netip.Addr) bool {
		return slices.ContainsFunc(b, func(y netip.Addr) bool { return Meet(x, y, false) })
	})
}

// Meet reports whether two sockets of one transport and number cannot both listen on these addresses, within one
// network namespace: they are equal, or one is the wildcard of the other's family. The wildcard of IPv6 is that of IPv4
// too, unless its socket is bound to IPv6 only (v6only). An address without a zone meets the same with any.
func Meet(a, b netip.Addr, v6only bool) bool {
	a, b = a.Unmap(), b.Unmap()
	if !a.IsValid() || !b.IsValid() {
		return false
	}
	if a.Is4() != b.Is4() {
		six := a
		if a.Is4() {
			six = b
		}
		return six.IsUnspecified() && !v6only
	}
	if a.IsUnspecified() || b.IsUnspecified() {
		return true
	}
	return a.WithZone("") == b.WithZone("") && (a.Zone() == b.Zone() || a.Zone() == "" || b.Zone() == "")
}

// splitWords splits a text at spaces and commas.
func splitWords(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
}
