package ports

import (
	"slices"
)

// Openings returns what must be let in to a host, and what must be let out of it, each as few as the flows allow. Only
// flows in use count; a connect of a host to itself needs no opening. Incoming numbers are those that the host binds,
// outgoing ones those under which the destination is reached. The empty host is the whole site; without hosts in the
// inventory the ends are roles. An unknown host has none.
func (s Site) Openings(host string) (in, out []Opening) {
	v := newView(s)
	if host == "" {
		return v.all(false), v.all(true)
	}
	for i := range v.hosts {
		if v.hosts[i].Name == host {
			return v.incoming(&v.hosts[i]), v.outgoing(&v.hosts[i])
		}
	}
	return nil, nil
}

// RoleOpenings returns what must be let in to hosts of a role and out of them, without addresses. A kind (server, agent,
// desk, client) stands for all roles of it.
func (s Site) RoleOpenings(role string) (in, out []Opening) {
	v := newView(s)
	plays := s.Compiled.rolesOf([]string{role})
	for _, f := range v.flows {
		if !v.somewhere(f) {
			continue
		}
		o := v.opening(f)
		if contains(plays, f.To) {
			in = append(in, o)
		}
		if contains(plays, f.From) {
			out = append(out, o)
		}
	}
	return fewest(in), fewest(out)
}

// view is a site prepared for questions about openings.
type view struct {
	site   Site
	flows  []ResolvedFlow // in use, and to be opened
	claims map[flowKey]Claim
	hosts  []viewHost
	plays  map[string][]*viewHost // by role
	dirs   directions
	toward map[rowKey][]ResolvedFlow // every flow, by its row
}

// rowKey is a row over one transport.
type rowKey struct {
	service  string
	protocol Protocol
}

type viewHost struct {
	Host
	own   []Endpoint // as the source of connections
	binds int        // how many services with a number it has
}

// flowKey is the claim of a flow.
type flowKey struct {
	service  string
	protocol Protocol
	port     Port
	last     Port
}

func newView(s Site) *view {
	v := &view{site: s, claims: map[flowKey]Claim{}, plays: map[string][]*viewHost{}, dirs: newDirections(s), toward: map[rowKey][]ResolvedFlow{}}
	for _, cl := range s.Compiled.Claims {
		k := flowKey{cl.Service, cl.Protocol, cl.Port, cl.Last}
		if old, ok := v.claims[k]; !ok || old.Status != Works {
			v.claims[k] = cl
		}
	}
	for _, f := range s.Compiled.Flows {
		v.toward[rowKey{f.Service, f.Protocol}] = append(v.toward[rowKey{f.Service, f.Protocol}], f)
		cl := v.claims[flowKey{f.Service, f.Protocol, f.Port, f.Last}]
		if f.opens(cl) {
			v.flows = append(v.flows, f)
		}
	}
	v.hosts = make([]viewHost, len(s.Inventory.Hosts))
	for i, h := range s.Inventory.Hosts {
		v.hosts[i] = viewHost{Host: h, own: h.endpoints(h.dialling())}
		plays := s.Compiled.rolesOf(h.Roles)
		for _, role := range plays {
			v.plays[role] = append(v.plays[role], &v.hosts[i])
		}
	}
	return v
}

// opens reports whether a firewall must let the flow to a claim through. A neighbour's flow is its own business, but
// where a page names an application instead of a port, the rule would be lost without us.
func (f ResolvedFlow) opens(cl Claim) bool {
	if f.Status == Foreign {
		return f.Port == 0 && cl.Application != ""
	}
	return f.works() && cl.Status == Works && cl.Scope != SameHost && (f.Port != 0 || cl.Application != "")
}

// opening is the flow's opening without addresses.
func (v *view) opening(f ResolvedFlow) Opening {
	cl := v.claims[flowKey{f.Service, f.Protocol, f.Port, f.Last}]
	o := Opening{
		Flow: f.ID, Service: f.Service, Name: cl.Name, Function: cl.Function, Protocol: f.Protocol,
		First: f.Port, Last: max(f.Port, f.Last), Parity: f.Parity, From: f.From, To: f.To, Purpose: f.Purpose,
		Condition: join(v.site.Compiled.Conditions[cl.When], v.site.Compiled.Conditions[f.When]),
	}
	if f.Port == 0 {
		o.Application = cl.Application
	}
	return o
}

// somewhere reports whether any two hosts of the site dial the flow; where its hosts are not known, whether they would.
func (v *view) somewhere(f ResolvedFlow) bool {
	from, to := zonesOf(v.plays[f.From]), zonesOf(v.plays[f.To])
	return slices.ContainsFunc(from, func(a string) bool {
		return slices.ContainsFunc(to, func(b string) bool { return v.dirs.used(f, a, b) })
	})
}

// zonesOf returns the zones of hosts in their order; the unknown zone where there are no hosts.
func zonesOf(hosts []*viewHost) []string {
	var zones []string
	for _, h := range hosts {
		if !contains(zones, h.Zone) {
			zones = append(zones, h.Zone)
		}
	}
	if len(hosts) == 0 {
		return []string{""}
	}
	return zones
}

func (v *view) incoming(h *viewHost) []Opening {
	var all []Opening
	for _, f := range v.flows {
		if !slices.Contains(v.plays[f.To], h) {
			continue
		}
		var from []*viewHost
		for _, src := range v.plays[f.From] {
			if !src.shares(h.Host) && v.dirs.used(f, src.Zone, h.Zone) {
				from = append(from, src)
			}
		}
		if len(from) == 0 && (len(v.plays[f.From]) > 0 || !v.dirs.used(f, "", h.Zone)) {
			continue
		}
		o := v.opening(f)
		o.Sources = sources(from)
		all = append(all, v.bound(o, h))
	}
	return fewest(all)
}

// bound gives an opening the number and addresses that the destination binds.
func (v *view) bound(o Opening, h *viewHost) Opening {
	hs, ok := h.service(o.Service)
	if ok && hs.Port != 0 && o.First == o.Last {
		o.First, o.Last = hs.Port, hs.Port
	}
	o.Destinations = h.endpoints(h.orElse(h.bound(hs), h.reached(hs)))
	return o
}

func sources(hosts []*viewHost) []Endpoint {
	var all []Endpoint
	for _, h := range hosts {
		all = append(all, h.own...)
	}
	return all
}

func (v *view) outgoing(h *viewHost) []Opening {
	var all []Opening
	for _, f := range v.flows {
		if !slices.Contains(v.plays[f.From], h) {
			continue
		}
		var to []*viewHost
		for _, dst := range v.plays[f.To] {
			if !dst.shares(h.Host) && v.dirs.used(f, h.Zone, dst.Zone) {
				to = append(to, dst)
			}
		}
		if len(to) == 0 && (len(v.plays[f.To]) > 0 || !v.dirs.used(f, h.Zone, "")) {
			continue
		}
		o := v.opening(f)
		o.Sources = h.own
		all = append(all, v.reaching(o, to)...)
	}
	return fewest(all)
}

// reaching gives an opening its destinations: one opening for each number under which they are reached.
func (v *view) reaching(o Opening, to []*viewHost) []Opening {
	if len(to) == 0 {
		return []Opening{o}
	}
	var all []Opening
	at := map[Port]int{}
	for _, h := range to {
		b := v.bound(o, h)
		hs, _ := h.service(o.Service)
		for _, a := range h.reached(hs) {
			first := b.First
			if a.port != 0 && b.First == b.Last && (len(hs.Advertise) > 0 || v.alone(h)) {
				first = a.port
			}
			i, ok := at[first]
			if !ok {
				i = len(all)
				at[first] = i
				next := b
				next.Destinations = nil
				if first != b.First {
					next.First, next.Last = first, first
				}
				all = append(all, next)
			}
			end := Endpoint{Host: h.Name, Zone: h.Zone, Address: a.host}
			if !slices.Contains(all[i].Destinations, end) {
				all[i].Destinations = append(all[i].Destinations, end)
			}
		}
	}
	return all
}

// alone reports whether the host has one service that others reach: then an advertised HOST:PORT of the host is
// that service's.
func (v *view) alone(h *viewHost) bool {
	if h.binds == 0 {
		seen := map[string]bool{}
		for _, cl := range v.site.Compiled.Claims {
			if cl.Binds && cl.Status == Works && cl.Scope == External && cl.Port != 0 && slices.ContainsFunc(cl.Listeners, func(r string) bool {
				return slices.Contains(v.plays[r], h)
			}) {
				seen[cl.Service] = true
			}
		}
		h.binds = len(seen)
	}
	return h.binds == 1
}

// all returns the openings of the whole site: outwards with the numbers under which hosts are reached, else with
// those that they bind.
func (v *view) all(outwards bool) []Opening {
	var all []Opening
	for _, f := range v.flows {
		for _, g := range v.groups(f) {
			o := v.opening(f)
			o.Sources = sources(g.from)
			if outwards || len(g.to) == 0 {
				all = append(all, v.reaching(o, g.to)...)
				continue
			}
			all = append(all, v.binding(o, g.to)...)
		}
	}
	return fewest(all)
}

// binding gives an opening its destinations: one opening for each number that they bind.
func (v *view) binding(o Opening, to []*viewHost) []Opening {
	var all []Opening
	at := map[Port]int{}
	for _, h := range to {
		b := v.bound(o, h)
		i, ok := at[b.First]
		if !ok {
			at[b.First] = len(all)
			all = append(all, b)
			continue
		}
		all[i].Destinations = append(all[i].Destinations, b.Destinations...)
	}
	return all
}

// group is a set of hosts of which each may dial each of another set.
type group struct {
	from, to []*viewHost
	zones    []string // of to
}

// groups splits the ends of a flow by who dials whom.
func (v *view) groups(f ResolvedFlow) []group {
	from, to := v.plays[f.From], v.plays[f.To]
	if len(from) == 1 && len(to) == 1 && from[0].shares(to[0].Host) {
		return nil
	}
	var all []group
	for _, a := range zonesOf(from) {
		g := group{}
		for _, b := range zonesOf(to) {
			if v.dirs.used(f, a, b) {
				g.zones = append(g.zones, b)
			}
		}
		if len(g.zones) == 0 {
			continue
		}
		in := func(zone string) func(*viewHost) bool { return func(h *viewHost) bool { return h.Zone == zone } }
		i := slices.IndexFunc(all, func(o group) bool { return slices.Equal(o.zones, g.zones) })
		if i < 0 {
			for _, zone := range g.zones {
				g.to = append(g.to, filter(to, in(zone))...)
			}
			i = len(all)
			all = append(all, g)
		}
		all[i].from = append(all[i].from, filter(from, in(a))...)
	}
	return all
}

func filter(hosts []*viewHost, keep func(*viewHost) bool) []*viewHost {
	var kept []*viewHost
	for _, h := range hosts {
		if keep(h) {
			kept = append(kept, h)
		}
	}
	return kept
}

// fewest joins openings that differ in their purpose only, and ranges that follow one another.
func fewest(all []Opening) []Opening {
	var out []Opening
	rows := map[rowKey][]int{} // where the openings of a row stand: only they can be one
	for _, o := range all {
		key := rowKey{o.Service, o.Protocol}
		i := slices.IndexFunc(rows[key], func(i int) bool { return out[i].sameEnds(o) && out[i].meets(o) })
		if i < 0 {
			rows[key] = append(rows[key], len(out))
			out = append(out, o)
			continue
		}
		p := &out[rows[key][i]]
		p.First, p.Last = min(p.First, o.First), max(p.Last, o.Last)
		if p.Purpose != o.Purpose {
			p.Purpose = join(p.Purpose, o.Purpose)
		}
		switch {
		case p.Condition == "" || o.Condition == "":
			p.Condition = "" // one of them needs it always
		case p.Condition != o.Condition:
			p.Condition = join(p.Condition, o.Condition)
		}
	}
	return out
}

func (o Opening) sameEnds(p Opening) bool {
	return o.Service == p.Service && o.Protocol == p.Protocol && o.From == p.From && o.To == p.To && o.Application == p.Application &&
		o.Parity == p.Parity && slices.Equal(o.Sources, p.Sources) && slices.Equal(o.Destinations, p.Destinations)
}

// meets reports whether both openings together are one range: the same numbers, or numbers that follow one another.
func (o Opening) meets(p Opening) bool {
	if o.First == p.First && o.Last == p.Last {
		return true
	}
	return o.Parity == "" && o.First != 0 && p.First != 0 && int(o.First) <= int(p.Last)+1 && int(p.First) <= int(o.Last)+1
}
