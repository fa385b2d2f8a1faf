package ports

import "time"

// Inventory says which host plays which role, in which zone and under which addresses. One plan serves many
// inventories; nothing of its hosts, zones and addresses enters the plan's hash, its switches and values do.
type Inventory struct {
	Name        string
	Openings    map[string]bool // the plan's switches, by name; those not given have their default
	Vars        map[string]int  // values of the plan's variables; a Bool is 0 or 1
	Overrides   []Given         // numbers that the site's services file, a flag or the environment gives
	Zones       []Zone
	Dials       []Dial
	Middleboxes []Middlebox
	Hosts       []Host
	At          Place
}

// Given is a number that overrides a row's, where the row lets it.
type Given struct {
	Service string
	Port    Port
	By      OverrideBy
	Key     string // the name, flag or variable that gave it
	At      Place
}

// Zone is a part of the network.
type Zone struct {
	Name     string
	Networks []string // in CIDR notation
	At       Place
}

// Middlebox is a firewall or NAT between zones, with the times that leases and links must respect.
type Middlebox struct {
	Name      string
	Between   []string      // zones
	Conntrack time.Duration // how long it remembers an ended connection; 0: not known
	Idle      time.Duration // how long it lets a connection be silent; 0: not known
	At        Place
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
	Machine   string   // hosts of one machine share its ports; empty: the name
	Netns     string   // network namespace; empty: the machine's own
	OS        string   // linux, windows, darwin; empty: linux
	Bind      []string // addresses to listen on; none means all
	Advertise []string // HOST or HOST:PORT under which others reach it
	Networks  []string // a host that stands for many: their networks in CIDR notation
	Services  []HostService
	At        Place
}

// HostService is what differs for one service on one host.
type HostService struct {
	Service   string
	Port      Port // 0: the plan's
	Bind      []string
	Advertise []string
	At        Place
}

// checkInventory names what the inventory says that the plan does not know.
func (c *compiler) checkInventory() {
	inv := c.inv
	for _, h := range inv.Hosts {
		for _, r := range h.Roles {
			if _, ok := c.roles[r]; !ok && !isKind(r) {
				c.report(UnknownRole, Error, h.At, "host "+h.Name+" has the role "+quote(r)+", which the plan does not have",
					"use one of "+c.roleNames())
			}
		}
		if h.Zone != "" && !c.zones[h.Zone] {
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
		if !c.zones[z] {
			c.report(UnknownZone, Error, d.At, "dials names the zone "+quote(z)+", which the inventory does not declare",
				"add it under zones")
		}
	}
	from, to := c.kindsIn(inv, d.From), c.kindsIn(inv, d.To)
	for _, pair := range [][2]RoleKind{{Server, Agent}, {Agent, Server}} {
		if from[pair[0]] && to[pair[1]] && !from[pair[1]] && !c.links()[pair] {
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

// links returns the directions of the plan's link rows.
func (c *compiler) links() map[[2]RoleKind]bool {
	links := map[[2]RoleKind]bool{}
	for _, r := range c.plan.planRows() {
		for _, f := range r.Flows {
			if contains(f.Carries, "link") {
				links[[2]RoleKind{c.roles[f.From].Is, c.roles[f.To].Is}] = true
			}
		}
	}
	return links
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

// isKind reports whether an inventory may name the kind instead of a plan role: it then stands for all roles of it.
func isKind(role string) bool {
	return contains([]string{string(Server), string(Agent), string(Desk), string(Client)}, role)
}
