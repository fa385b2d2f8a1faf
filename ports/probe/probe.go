// Package probe answers: what does a host show, what does a path do, and do they agree with the plan?
//
// Observe looks: who listens where, from which range the system takes outgoing ports, what it keeps back, which names
// its services file has. Check compares what was seen with the plan and decides; it touches nothing, so that every
// answer can be asked again from the same observation. Neither needs a server, a data folder or root: what could not
// be seen is said, with the reason.
//
// A path is asked from its two ends. The dialling end has a SourceView, the listening end a DestinationView, and Classify
// makes a Proof of them, with a verdict, a reason and the evidence. It is pure, and it is never greener than what was
// seen: one end alone gives an assumption that is written down, and a silent UDP port proves nothing.
package probe

import (
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/dialect"
)

// Observation is what a host showed at one moment.
type Observation struct {
	At        time.Time
	System    string // linux, windows, darwin …
	Host      string // its own name
	Boot      string // changes at each start of the system; empty: not known
	Namespace string // network namespace: "net:[4026531840]"; empty: not known

	User       uint32     // who looked
	Privileged bool       // the one who looked may bind every port
	Low        ports.Port // the first number that everybody may bind; 0: all

	Seen       bool // the sockets could be seen; if not, Sockets says nothing
	Sockets    []Socket
	Users      map[uint32]string // names of users
	Addresses  []netip.Addr      // of this host; empty: not known
	AnyAddress bool              // the system lets programs bind addresses that it does not have
	Ephemeral  []ports.Range     // from which the system takes ports for outgoing connections; empty: not known
	Reserved   []ports.Range     // which of them it leaves out
	Settings   []Setting         // what the system's files say of the two, for the next start
	Services   dialect.ServicesFile
	ServicesAt string // the services file; empty: not read
	Excluded   []Exclusion
	Labels     []Label
	Attempts   []Attempt // what was really bound, where that was asked
	Unseen     []Unseen
}

// Socket is a TCP or UDP socket of the host that has a port.
type Socket struct {
	Protocol ports.Protocol
	Listens  bool // others can reach it: a TCP listener, or a UDP socket that is not connected
	Local    netip.AddrPort
	Remote   netip.AddrPort // the other end of a connection; zero: none
	V6Only   bool           // of an IPv6 socket on all addresses: it leaves IPv4 alone
	UID      uint32
	Inode    uint64
	Waiting  int       // of a TCP listener: connections that nobody has accepted yet
	Limit    *int      // of a TCP listener: when more than this wait, the next are dropped; nil: not known
	Owners   []Process // empty: they cannot be seen
}

// Process is a process that has a socket open.
type Process struct {
	PID           int
	Parent        int
	ParentProgram string
	Program       string   // its name
	Path          string   // of its program; empty: cannot be seen
	Command       []string // its arguments; empty: cannot be seen
	Job           string   // NET/JOB of RUN, for a process that a run started
}

// Setting is what a file of the system says about the ephemeral range or the reserved list.
type Setting struct {
	File   string
	Line   int
	Name   string // "ip_local_port_range" or "ip_local_reserved_ports"
	Ranges []ports.Range
	Wrong  string // why the system would not take it; empty: it would
}

// Exclusion is an interval that Windows keeps from programs.
type Exclusion struct {
	ports.Range
	Protocol     ports.Protocol
	Administered bool // by netsh, for somebody's use; the others belong to the system, and change with each start
}

// Label is a name that SELinux gives to ports.
type Label struct {
	Type     string
	Protocol ports.Protocol
	Ranges   []ports.Range
}

// Attempt is what became of really binding a port.
type Attempt struct {
	Service  string
	Protocol ports.Protocol
	Address  netip.Addr // the zero address: all
	Port     ports.Port
	Outcome  Outcome
	Text     string  // what the system said
	Holder   *Socket // who has it, if that could be seen
}

// Outcome is what the system said to an attempt.
type Outcome string

// The outcomes of an attempt.
const (
	Bound    Outcome = "bound"
	InUse    Outcome = "in use"
	Denied   Outcome = "denied"
	NotLocal Outcome = "not local"
	Failed   Outcome = "failed" // for another reason
)

// Unseen is something that the observation lacks.
type Unseen struct {
	What string `json:"what"`
	Why  string `json:"why"`
}
