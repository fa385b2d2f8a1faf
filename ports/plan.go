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
	Version     int    // 0: not given
	Owner       string // who answers for the openings; change requests and rules name it
	Instance    string // the variable that an instance number sets; empty if the plan has no instances
	Policies    Policies
	Vars        []Var
	Roles       []Role
	Conditions  []Condition
	Families    []Family
	Services    []Service
	Pools       []Pool
	Local       []LocalSocket
	Notes       []Statement
	At          Place
}

// Policies are rules for all rows of a plan.
type Policies struct {
	Ephemeral Ephemeral // what is done with claims inside a host's range for outgoing connections; empty: Reserve
	Egress    string    // "unrestricted" (or empty): outgoing ports are the system's business; "restricted": outgoing rules are rendered too
}

// Ephemeral says what happens to a claim inside the range that the system gives to outgoing connections.
type Ephemeral string

// The ways to keep claims out of the ephemeral range.
const (
	Reserve  Ephemeral = "reserve" // the system is told to leave them out (ip_local_reserved_ports, excludedportrange)
	Forbid   Ephemeral = "error"   // such a claim is an error
	Tolerate Ephemeral = "warn"
)

// VarType is what a variable holds.
type VarType string

// The types of variables. A Bool is 0 or 1.
const (
	Int  VarType = "int"
	Bool VarType = "bool"
)

// Var is a value that port formulas and guards may use.
type Var struct {
	Name     string
	Type     VarType // empty: Int
	Min, Max int
	Default  int
	Env      string // the environment variable that the page names for it
	At       Place
}

// Statement is something that the plan's page says and that is no row: a rule, a remark, a step of a sequence.
type Statement struct {
	Origin  string `json:"origin"` // the statement's number, "JS-7"
	Text    string `json:"text"`
	Reading string `json:"reading,omitempty"` // how the plan takes it, where the page can be taken in two ways

	Contradicts []string `json:"contradicts,omitempty"` // other statements of the page that say something else

	At Place `json:"-"`
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
	Note  string
	// Relay: an agent that carries the links of other agents. Only hosts that name the role play it: an agent is none.
	Relay bool
	At    Place
}

// Guard is a test over variables and the inventory's switches, for one plan and site: "usessl", "!usessl",
// "ACS_INSTANCE > 0", "openings.task_link", or several of them joined by "&&". The empty guard always holds.
type Guard string

// Condition is a footnote of the plan: when a row applies. A condition with a guard is tested; one without is a text
// for people.
type Condition struct {
	ID      string
	Text    string
	When    Guard
	Default bool // of the switch that the guard names, where the inventory says nothing
	At      Place
}

// Range is an interval of ports, both ends included. The zero Range is no port at all.
type Range struct{ First, Last Port }

// Parity restricts an interval to even or to odd numbers.
type Parity string

// The parities. The empty one is every number.
const (
	Even Parity = "even"
	Odd  Parity = "odd"
)

// Family gives several rows their numbers by one formula, which may use the variable offset.
type Family struct {
	ID      string
	Formula Formula
	Window  Range // every number of the family lies in it, in every instance
	At      Place
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
	Windows Addition `json:"windows,omitempty"`
	Unix    Addition `json:"unix,omitempty"`
}

// Service is a named function of the plan with its port.
type Service struct {
	ID           string
	Function     string
	Name         string // as it stands in a services file
	SRVName      string // the name for DNS SRV records where Name is not one of RFC 6335
	Port         Formula
	Family       string // the family whose formula gives the port, with Offset
	Offset       int
	Cases        []Case      // the first case that holds replaces Port and Name
	Alternates   []Alternate // exactly one is active; the others are listed as inactive, and checked too
	Override     Override
	Protocols    []Protocol
	TLS          bool
	Doors        []string
	RunsOn       []string // roles on which it listens, besides the destinations of its flows
	Binds        bool     // false for a target that another program serves
	Scope        Scope
	Status       Status
	Application  string // what a firewall lets through where no number exists
	RPC          RPC
	Modes        []string // of discovery: unicast, broadcast
	Unproven     bool     // no proof of it can be had: it is reported, and never green
	Deprecated   bool
	PerHost      bool  // once for each computer, the same for all instances
	Window       Range // the page's reservation that the number lies in
	ServicesFile ServicesFile
	When         string // a condition's id
	Origin       string // where the row comes from; "ours" if no page states it
	Was          string // the number it had before
	Note         string
	Flows        []Flow
	At           Place
}

// Case is what a row is where a guard holds. Empty fields leave the row as it is.
type Case struct {
	When   Guard
	Name   string // may name variables in braces: "jobsch_win{subsystem}"
	Port   Formula
	Span   Span
	Parity Parity
	At     Place
}

// Alternate is one of several ways to offer a service, of which the guard chooses one.
type Alternate struct {
	When   Guard
	Port   Formula
	Span   Span // of a pool
	TLS    bool
	Origin string // of its rows; empty: the row's
	At     Place
}

// OverrideBy names what may give a row another number.
type OverrideBy string

// What may override a number, beside the plan's own document.
const (
	ByServicesFile OverrideBy = "services-file"
	ByFlag         OverrideBy = "flag"
	ByEnvironment  OverrideBy = "environment"
)

// Override says what may give a row another number: the name in a services file, a flag, or an environment variable.
type Override struct {
	By    OverrideBy
	Key   string
	Range Range // what it may be; zero: any port
}

// RPC describes a row whose number a port mapper gives.
type RPC struct {
	Kind      string   `json:"kind,omitempty"`      // "oncrpc" or "msrpc"; empty: none
	Role      string   `json:"role,omitempty"`      // "portmapper" for the mapper itself
	Program   uint32   `json:"program,omitempty"`   // the ONC RPC program number of a registrant
	Version   uint32   `json:"version,omitempty"`   // its version
	Registers []string `json:"registers,omitempty"` // services that register with this mapper
	Dynamic   string   `json:"dynamic,omitempty"`   // where the numbers come from: a range, or "os:dynamicport"
}

// Flow is who connects to whom, and for what. Its direction is the direction of the connect.
type Flow struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Purpose string   `json:"purpose"`
	Carries []string `json:"carries,omitempty"` // which of the system's own conversations go over it
	Rank    int      `json:"rank,omitempty"`    // its turn among the flows that carry the same, from 1; 0: behind those that have one, in the plan's order
	When    string   `json:"when,omitempty"`    // a condition's id
	Origin  string   `json:"origin,omitempty"`
	Mirror  bool     `json:"mirror,omitempty"` // both ends must name the same number
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
	return []string{"enrol", "link", "client", "peer", "callback", "directory", "discovery", "out", "ports", "proxy"}
}
