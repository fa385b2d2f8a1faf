package ports

import "slices"

// directions says which way the links of a site are dialled. A plan may have link rows in both directions: agent to
// server, and server to agent where the zones let only the server dial. The inventory's dials choose; without them
// the agent's side dials, and a row of ours in the other direction is not used. A row that a vendor's page states is an
// opening that the site has: only dials takes it away.
type directions struct {
	kinds   map[string]RoleKind
	dials   map[[2]string]bool
	fixed   map[conversation]bool // that a service of the plan has
	any     map[conversation]bool // that a service or a pool has
	pages   map[string]bool       // flow ids that a vendor's page states
	pools   map[string]bool       // flow ids of pools
	relays  map[string]bool       // roles that carry other agents' links
	relayed map[string]bool       // zones whose agents reach servers by them
}

// conversation is "link" or "enrol" with the kinds of its two ends, the dialler first.
type conversation struct {
	name     string
	from, to RoleKind
}

func newDirections(s Site) directions {
	d := directions{
		kinds: s.Compiled.Kinds, dials: map[[2]string]bool{}, fixed: map[conversation]bool{}, any: map[conversation]bool{},
		pages: map[string]bool{}, pools: map[string]bool{}, relays: map[string]bool{}, relayed: map[string]bool{},
	}
	for _, role := range s.Compiled.Relays {
		d.relays[role] = true
	}
	d.findRelayed(s.Inventory)
	for _, dial := range s.Inventory.Dials {
		d.dials[[2]string{dial.From, dial.To}] = true
	}
	origins := map[string]string{}
	isPool := map[string]bool{}
	for _, cl := range s.Compiled.Claims {
		origins[cl.Service] = cl.Origin
		isPool[cl.Service] = cl.Pool
	}
	for _, f := range s.Compiled.Flows {
		if !f.works() {
			continue
		}
		origin := f.Origin
		if origin == "" {
			origin = origins[f.Service]
		}
		d.pages[f.ID] = origin != "" && origin != "ours"
		d.pools[f.ID] = isPool[f.Service]
		for _, name := range f.Carries {
			c := conversation{name, d.kinds[f.From], d.kinds[f.To]}
			d.any[c] = true
			d.fixed[c] = d.fixed[c] || !isPool[f.Service]
		}
	}
	return d
}

// used reports whether hosts of one zone dial the flow to hosts of another. Empty zones are zones that nobody knows.
func (d directions) used(f ResolvedFlow, from, to string) bool {
	choice := []string{"link", "enrol"}
	if d.byRelay(f) {
		agents := from
		if d.relays[f.From] {
			agents = to
		}
		return d.relayed[agents] && d.dials[[2]string{from, to}] || from == "" && to == ""
	}
	if len(f.Carries) == 0 || d.kinds[f.From] == d.kinds[f.To] ||
		slices.ContainsFunc(f.Carries, func(c string) bool { return !contains(choice, c) }) {
		return true
	}
	return slices.ContainsFunc(f.Carries, func(c string) bool { return d.wanted(f, c, from, to) })
}

func (d directions) wanted(f ResolvedFlow, name, from, to string) bool {
	agents := from
	if d.kinds[f.To] == Agent {
		agents = to
	}
	back := conversation{name, d.kinds[f.To], d.kinds[f.From]}
	forwards, backwards := d.dials[[2]string{from, to}], d.dials[[2]string{to, from}]
	switch {
	case forwards:
		return true
	case d.relayed[agents]:
		return false
	case backwards:
		return !d.any[back]
	}
	return d.kinds[f.From] != Server || !d.fixed[back] || d.pages[f.ID] || d.pools[f.ID]
}
