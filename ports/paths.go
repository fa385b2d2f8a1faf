package ports

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// checkInventory names what the inventory says that the plan does not know, and what cannot be.
func (c *compiler) checkInventory() {
	services := map[string]*row{}
	for _, r := range c.plan.planRows() {
		services[r.ID] = &r
	}
	for _, h := range c.inv.Hosts {
		for _, r := range h.Roles {
			if _, ok := c.roles[r]; !ok && !isKind(r) {
				c.report(UnknownRole, Error, h.At, "host "+h.Name+" has the role "+quote(r)+", which the plan does not have",
					c.meant(r, maps.Keys(c.roles), "use one of "+c.roleNames()))
			}
		}
		if h.Zone != "" && !c.zones[h.Zone] {
			c.report(UnknownZone, Error, h.At, "host "+h.Name+" is in zone "+quote(h.Zone)+", which the inventory does not declare",
				c.meant(h.Zone, maps.Keys(c.zones), "add it under zones"))
		}
		c.checkAddresses("host "+h.Name, h.Bind, h.At)
		c.checkNetworks("host "+h.Name, h.Networks, h.At)
		c.checkOwn(h, services)
	}
	for _, z := range c.inv.Zones {
		c.checkNetworks("zone "+z.Name, z.Networks, z.At)
	}
	for _, b := range c.inv.Middleboxes {
		for _, z := range b.Between {
			if !c.zones[z] {
				c.report(UnknownZone, Error, b.At, "middlebox "+b.Name+" names the zone "+quote(z)+", which the inventory does not declare", c.meant(z, maps.Keys(c.zones), "add it under zones"))
			}
		}
	}
}

// checkOwn reports what a host says of single services.
func (c *compiler) checkOwn(h Host, services map[string]*row) {
	seen := map[string]bool{}
	for _, hs := range h.Services {
		r, ok := services[hs.Service]
		switch {
		case !ok:
			c.report(UnknownService, Error, hs.At, "host "+h.Name+" has something of the service "+quote(hs.Service)+", which the plan does not have", "name a service by its id")
		case r.pool != nil && hs.Port != 0:
			c.report(NotOverridable, Error, hs.At, fmt.Sprintf("host %s gives the port %d to pool %s, which is a range", h.Name, hs.Port, hs.Service), "change the pool's range in the plan (extends)")
		case seen[hs.Service]:
			c.report(Duplicate, Error, hs.At, "host "+h.Name+" names the service "+quote(hs.Service)+" twice", "merge the two")
		}
		seen[hs.Service] = true
		c.checkAddresses("service "+hs.Service+" of host "+h.Name, hs.Bind, hs.At)
	}
}

// checkAddresses reports what is no address, and addresses that would meet each other: the second could not be bound.
func (c *compiler) checkAddresses(what string, bind []string, at Place) {
	var all []netip.Addr
	for _, b := range bind {
		a, err := netip.ParseAddr(b)
		if err != nil {
			c.report(BadAddress, Error, at, what+" binds "+quote(b)+", which is no IP address", "write an address of the host, or leave bind away for all of them")
			continue
		}
		for _, other := range all {
			if Meet(a, other, true) {
				c.report(BadAddress, Warning, at, what+" binds "+other.String()+" and "+a.String()+", of which one has the other in it", "leave one of them away")
			}
		}
		all = append(all, a)
	}
}

func (c *compiler) checkNetworks(what string, networks []string, at Place) {
	for _, n := range networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			c.report(BadAddress, Error, at, what+" has the network "+quote(n)+", which is not ADDRESS/BITS", "write it as 10.1.0.0/16")
		} else if p != p.Masked() {
			c.report(BadAddress, Warning, at, what+" has the network "+quote(n)+", whose address has bits beyond its mask", "write it as "+p.Masked().String())
		}
	}
}

// checkPaths looks at what lies between hosts: who dials, how others reach them, and what firewalls remember.
func (c *compiler) checkPaths(out Compiled) {
	kinds := c.zoneKinds()
	links := c.links(out)
	bad := false
	for _, d := range c.inv.Dials {
		bad = c.checkDial(d, kinds, links) || bad
	}
	if v := newView(Site{Compiled: out, Inventory: c.inv}); !bad && len(v.hosts) > 0 {
		c.checkReached(v)
		c.checkMirrors(out)
		c.checkHolds(v, out)
	}
}

// checkDial looks whether the plan has a link row in use in the direction that the site asks for.
func (c *compiler) checkDial(d Dial, kinds map[string]map[RoleKind]bool, links map[[2]RoleKind]bool) (bad bool) {
	for _, z := range []string{d.From, d.To} {
		if !c.zones[z] {
			bad = true
			c.report(UnknownZone, Error, d.At, "dials names the zone "+quote(z)+", which the inventory does not declare", c.meant(z, maps.Keys(c.zones), "add it under zones"))
		}
	}
	from, to := kinds[d.From], kinds[d.To]
	for _, pair := range [][2]RoleKind{{Server, Agent}, {Agent, Server}} {
		if from[pair[0]] && to[pair[1]] && !from[pair[1]] && !links[pair] {
			bad = true
			c.report(NoSuchDial, Error, d.At,
				"zone "+quote(d.From)+" shall dial zone "+quote(d.To)+", but the plan has no link row from "+string(pair[0])+" to "+string(pair[1]),
				"turn the direction round, or add such a flow with carries: [link] to the plan")
		}
	}
	return bad
}

// links returns the directions of the plan's link rows in use; rows with an error of their own count as if they were.
func (c *compiler) links(out Compiled) map[[2]RoleKind]bool {
	links, good := map[[2]RoleKind]bool{}, map[string]bool{}
	for i := range c.rows {
		good[c.rows[i].ID] = true
	}
	for _, f := range out.Carrying("link") {
		links[[2]RoleKind{c.kinds[f.From], c.kinds[f.To]}] = true
	}
	for _, r := range c.plan.planRows() {
		for _, f := range r.Flows {
			if !good[r.ID] && contains(f.Carries, "link") {
				links[[2]RoleKind{c.kinds[f.From], c.kinds[f.To]}] = true
			}
		}
	}
	return links
}

// zoneKinds returns which kinds of roles the hosts of each zone play.
func (c *compiler) zoneKinds() map[string]map[RoleKind]bool {
	all := map[string]map[RoleKind]bool{}
	for _, h := range c.inv.Hosts {
		if all[h.Zone] == nil {
			all[h.Zone] = map[RoleKind]bool{}
		}
		for _, r := range h.Roles {
			if role, ok := c.roles[r]; ok {
				all[h.Zone][role.Is] = true
			} else {
				all[h.Zone][RoleKind(r)] = true
			}
		}
	}
	return all
}

// checkReached reports hosts that others dial without being told an address: their names must be resolved.
func (c *compiler) checkReached(v *view) {
	const shown = 20
	more := 0
	known := map[[2]string]bool{}
	for i := range v.hosts {
		h := &v.hosts[i]
		if len(h.Advertise) > 0 || len(h.Networks) > 0 || !v.isDialled(h, known) {
			continue
		}
		if more++; more <= shown {
			c.report(NoAdvertise, Warning, h.At, "host "+h.Name+" is dialled and has no advertised address: its name will be resolved", "give it advertise: [HOST]")
		}
	}
	if more > shown {
		c.report(NoAdvertise, Warning, c.inv.At, fmt.Sprintf("%d more hosts are dialled and have no advertised address: their names will be resolved", more-shown), "give them advertise: [HOST]")
	}
}

// isDialled reports whether another host of the site has a conversation to begin with the host.
func (v *view) isDialled(h *viewHost, known map[[2]string]bool) bool {
	return slices.ContainsFunc(v.site.Compiled.rolesOf(h.Roles), func(role string) bool {
		key := [2]string{role, h.Zone}
		dialled, ok := known[key]
		if !ok {
			dialled = slices.ContainsFunc(v.flows, func(f ResolvedFlow) bool {
				return f.To == role && len(f.Carries) > 0 && slices.ContainsFunc(v.plays[f.From], func(from *viewHost) bool {
					return !from.shares(h.Host) && v.dirs.used(f, from.Zone, h.Zone)
				})
			})
			// A role with one host may have no other to dial it; with more, each has.
			if len(v.plays[role]) > 1 {
				known[key] = dialled
			}
		}
		return dialled
	})
}

// checkMirrors reports hosts with a number of their own for a row of which both ends must name the same.
func (c *compiler) checkMirrors(out Compiled) {
	mirrored := map[string]Port{}
	for _, f := range out.Flows {
		if f.Mirror && f.works() {
			mirrored[f.Service] = f.Port
		}
	}
	for _, h := range c.inv.Hosts {
		for _, hs := range h.Services {
			if port, ok := mirrored[hs.Service]; ok && hs.Port != 0 && hs.Port != port {
				c.report(MirrorDrift, Error, hs.At, fmt.Sprintf("host %s gives service %s the port %d, but both ends must name the same, and the plan says %d", h.Name, hs.Service, hs.Port, port),
					"change it in the plan (extends), for both ends")
			}
		}
	}
}

// checkHolds reports pools that give a number away while a firewall on the path still remembers its last connection.
func (c *compiler) checkHolds(v *view, out Compiled) {
	for _, p := range out.Pools {
		if !contains(p.Hold.Reasons, "conntrack") || p.Status != Works {
			continue
		}
		for _, b := range c.inv.Middleboxes {
			if p.Hold.Min < b.Conntrack && v.crosses(p.ID, b.Between) {
				c.report(HoldTooShort, Warning, c.placeOf(p.ID), fmt.Sprintf("pool %s holds a released number for %s, and %s remembers an ended connection for %s", p.ID, jsonTime(p.Hold.Min), b.Name, jsonTime(b.Conntrack)),
					"hold it for "+jsonTime(b.Conntrack).String())
			}
		}
	}
}

// crosses reports whether a pool's flows go from one of the zones to another.
func (v *view) crosses(pool string, zones []string) bool {
	return slices.ContainsFunc(v.flows, func(f ResolvedFlow) bool {
		return f.Service == pool && slices.ContainsFunc(zonesOf(v.plays[f.From]), func(a string) bool {
			return contains(zones, a) && slices.ContainsFunc(zonesOf(v.plays[f.To]), func(b string) bool { return a != b && contains(zones, b) })
		})
	})
}

func (c *compiler) placeOf(id string) Place {
	for i := range c.rows {
		if c.rows[i].ID == id {
			return c.rows[i].At
		}
	}
	return c.plan.At
}
