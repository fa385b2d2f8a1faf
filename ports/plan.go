// Package ports answers: which port does each part of the system use, who connects to it, and what for?
//
// A Plan is what a site wrote down. Compile turns it, with an Inventory and an instance number, into a Compiled
// plan: claims (a port that is held), flows (a connection that is made) and a hash over both. Everything else
// (listeners, tables, firewall rules, proofs) is made from the compiled plan and from nothing else.
//
// The package is pure: it reads no file, no clock and no network, and the same input gives the same bytes.
package ports

// Port is the number of a TCP or UDP port. Zero means that no number is assigned.
type Port uint16

// Protocol is the transport of a claim.
type Protocol string

// The transports that a plan covers. Unix sockets are listed and exempt.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Scope says from where a port may be reached.
type Scope string

// The scopes.
const (
	External Scope = "external"  // from other hosts, along the flows
	SameHost Scope = "same-host" // only from its own host; it must be closed to all others
	Remote   Scope = "remote"    // on a host that the system works on, and that is not a node
)

// Status says what stands behind a row of the plan.
type Status string

// The states of a row.
const (
	Works    Status = "works"    // the system uses it
	Reserved Status = "reserved" // held, so that nothing else takes it; nothing listens
	Foreign  Status = "foreign"  // a neighbour's; the system neither holds nor uses it
	Inactive Status = "inactive" // the alternate that is not selected
)

// Place is where in a document something was written. Lines and columns count from 1; 0 means unknown.
type Place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// Plan is a port plan as written, with everything that it extends already merged in.
type Plan struct {
	Name        string
	Extends     string // the plan it was merged over; empty for a plan that stands alone
	Description string
	Instance    string // the variable that an instance number sets; empty if the plan has no instances
	Vars        []Var
	Roles       []Role
	Conditions  []Condition
	Services    []Service
	Local       []LocalSocket
	At          Place
}

// Var is a number that port formulas may use.
type Var struct {
	Name     string
	Min, Max int
	Default  int
	At       Place
}

// RoleKind is the part of the system that a role of a plan stands for.
type RoleKind string

// The kinds of roles. The empty kind is a role that the system does not manage.
const (
	Server    RoleKind = "server"
	Agent     RoleKind = "agent"
	Desk      RoleKind = "desk"
	Client    RoleKind = "client"
	Unmanaged RoleKind = ""
)

// Role is an end of flows: a kind of host or program, bound to hosts by an inventory.
type Role struct {
	ID    string
	Is    RoleKind
	Title string // the word of the plan's own page; the id if the page has no other
	At    Place
}

// Condition is a footnote of the plan: when a row applies.
type Condition struct {
	ID   string
	Text string
	At   Place
}

// Addition says whether a line is added to a services file without being asked for.
type Addition string

// The ways into a services file. The empty way is a row of which the page says nothing.
const (
	Auto   Addition = "auto"
	Manual Addition = "manual"
)

// ServicesFile says for each family of systems how a service gets into the services file.
type ServicesFile struct {
	Windows Addition
	Unix    Addition
}

// Service is a named function of the plan with its port.
type Service struct {
	ID           string
	Function     string
	Name         string // as it stands in a services file
	Port         Formula
	Protocols    []Protocol
	TLS          bool
	Doors        []string
	RunsOn       []string // roles on which it listens, besides the destinations of its flows
	Binds        bool     // false for a target that another program serves
	Scope        Scope
	Status       Status
	ServicesFile ServicesFile
	When         string // a condition's id
	Origin       string // where the row comes from; "ours" if no page states it
	Was          string // the number it had before
	Note         string
	Flows        []Flow
	At           Place
}

// Flow is who connects to whom, and for what. Its direction is the direction of the connect.
type Flow struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Purpose string   `json:"purpose"`
	Carries []string `json:"carries,omitempty"` // which of the system's own conversations go over it
	When    string   `json:"when,omitempty"`    // a condition's id
	Origin  string   `json:"origin,omitempty"`
	Note    string   `json:"note,omitempty"`
	At      Place    `json:"-"`
}

// LocalSocket is a Unix socket: listed for completeness, exempt from the plan's rules.
type LocalSocket struct {
	ID      string `json:"id"`
	RunsOn  string `json:"runs_on"`
	Purpose string `json:"purpose"`
	At      Place  `json:"-"`
}

// Doors lists the parts of the system that a service can open, in the order of the contract.
func Doors() []string {
	return []string{
		"console", "api", "auth", "nets", "calendars", "events", "actions", "power", "alerts", "config", "logs",
		"directory", "peers", "link", "services", "metrics", "discovery",
	}
}

// Carriers lists the conversations that a flow can carry.
func Carriers() []string {
	return []string{"enrol", "link", "client", "peer", "callback", "directory", "discovery", "out", "ports"}
}
