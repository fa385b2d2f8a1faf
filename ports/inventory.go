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
	Ephemeral Range    // its range for outgoing connections, where it is not its system's own; zero: that one
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

// isKind reports whether an inventory may name the kind instead of a plan role: it then stands for all roles of it.
func isKind(role string) bool {
	k := RoleKind(role)
	return k == Server || k == Agent || k == Desk || k == Client
}
