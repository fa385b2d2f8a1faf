package ports

// Inventory says which host plays which role, in which zone and under which addresses. One plan serves many
// inventories; nothing of an inventory enters the plan's hash.
type Inventory struct {
	Name  string
	Zones []string
	Dials []Dial
	Hosts []Host
	At    Place
}

// Dial says that hosts of one zone dial the links to hosts of another. Where no Dial is given, the agent's zone
// dials.
type Dial struct {
	From, To string
	At       Place
}

// Host is one machine of a site.
type Host struct {
	Name      string
	Roles     []string
	Zone      string
	Bind      []string // addresses to listen on; none means all
	Advertise []string // HOST or HOST:PORT under which others reach it
	At        Place
}

// checkInventory names what the inventory says that the plan does not know.
func (c *compiler) checkInventory(inv Inventory) {
	for _, h := range inv.Hosts {
		for _, r := range h.Roles {
			if _, ok := c.roles[r]; !ok && !c.kinds[RoleKind(r)] {
				c.report(UnknownRole, Error, h.At, "host "+h.Name+" has the role "+quote(r)+", which the plan does not have",
					"use one of "+c.roleNames())
			}
		}
		if h.Zone != "" && !contains(inv.Zones, h.Zone) {
			c.report(UnknownZone, Error, h.At, "host "+h.Name+" is in zone "+quote(h.Zone)+", which the inventory does not declare",
				"add it under zones")
		}
	}
	for _, d := range inv.Dials {
		c.checkDial(inv, d)
	}
}

// checkDial looks whether the plan has a link row in the direction that the site asks for.
func (c *compiler) checkDial(inv Inventory, d Dial) {
	for _, z := range []string{d.From, d.To} {
		if !contains(inv.Zones, z) {
			c.report(UnknownZone, Error, d.At, "dials names the zone "+quote(z)+", which the inventory does not declare",
				"add it under zones")
		}
	}
	from, to := c.kindsIn(inv, d.From), c.kindsIn(inv, d.To)
	for _, pair := range [][2]RoleKind{{Server, Agent}, {Agent, Server}} {
		if from[pair[0]] && to[pair[1]] && !from[pair[1]] && !c.links[pair] {
			c.report(NoSuchDial, Error, d.At,
				"zone "+quote(d.From)+" shall dial zone "+quote(d.To)+", but the plan has no link row from "+string(pair[0])+" to "+string(pair[1]),
				"turn the direction round, or add such a flow with carries: [link] to the plan")
		}
	}
	for _, h := range inv.Hosts {
		if h.Zone == d.To && len(h.Advertise) == 0 {
			c.report(NoAdvertise, Warning, h.At, "host "+h.Name+" is dialled and has no advertised address: its name will be resolved",
				"give it advertise: [HOST]")
		}
	}
}

// kindsIn returns which kinds of roles the hosts of a zone play.
func (c *compiler) kindsIn(inv Inventory, zone string) map[RoleKind]bool {
	kinds := map[RoleKind]bool{}
	for _, h := range inv.Hosts {
		if h.Zone != zone {
			continue
		}
		for _, r := range h.Roles {
			if role, ok := c.roles[r]; ok {
				kinds[role.Is] = true
			} else {
				kinds[RoleKind(r)] = true
			}
		}
	}
	return kinds
}
