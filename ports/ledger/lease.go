package ledger

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// State is where a lease stands. Every state but Free keeps the number from others.
type State string

// The states. Who enters and leaves each:
const (
	Planned   State = "planned"   // kept for a sticky name whose owner is gone or not there yet; left when the name leases again
	Reserved  State = "reserved"  // granted to an owner that has no process: held by time alone
	Bound     State = "bound"     // granted; its sockets are bound, and none of them is one to listen on (UDP)
	Listening State = "listening" // granted; its sockets are bound and listen
	Draining  State = "draining"  // its owner said that it is about to end (Drain); left by release
	Held      State = "held"      // released or expired; left when HoldUntil has come
	Free      State = "free"      // not in the ledger; only answers have this state
	Suspect   State = "suspect"   // its owner cannot be seen, or nothing listens though it lives, for three sweeps; left when seen again
	Blocked   State = "blocked"   // a program outside the ledger has the port; left when it is gone, looked at again at HoldUntil
	Leaked    State = "leaked"    // the owner is gone and something still has the port; left when that is gone
)

// live reports whether a lease in this state belongs to an owner.
func (s State) live() bool {
	switch s {
	case Reserved, Bound, Listening, Draining, Suspect:
		return true
	case Planned, Held, Free, Blocked, Leaked:
	}
	return false
}

// Owner is who a lease was granted to. With a PID it ends when that process does: a process is the one that began at
// Start in the boot Boot, so a number that is used again is not mistaken for it. Without a PID it ends by time alone.
type Owner struct {
	Kind    string `json:"kind"` // "attempt", "agent", "command", "operator"
	ID      string `json:"id,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Host    string `json:"host"`
	PID     int    `json:"pid,omitempty"`
	Start   uint64 `json:"start,omitempty"` // when the process began, in the system's ticks since boot
	Boot    string `json:"boot,omitempty"`  // the boot that PID and Start belong to
	Space   uint64 `json:"-"`               // the PID namespace that PID belongs to; 0: not known
}

// String names the owner for a person.
func (o Owner) String() string {
	s := o.Kind
	if o.ID != "" {
		s += " " + o.ID
	}
	if o.Attempt > 0 {
		s += "/" + strconv.Itoa(o.Attempt)
	}
	if o.PID > 0 {
		s += " (pid " + strconv.Itoa(o.PID) + ")"
	}
	return s
}

// Lease is one port, with its pair where it has one, granted to one owner. It is a value: changing a copy changes
// nothing. Times are UTC; a zero time has not come.
type Lease struct {
	ID       string           `json:"id"`
	Fence    uint64           `json:"fence"` // grows with every grant; who comes with an older one is refused
	Name     string           `json:"name"`
	Key      string           `json:"key,omitempty"` // what the number sticks to; empty: not sticky
	Plan     string           `json:"plan,omitempty"`
	Hash     string           `json:"hash,omitempty"` // of the plan at the time of the grant
	Pool     string           `json:"pool"`
	Protocol []ports.Protocol `json:"protocol"`
	Address  netip.Addr       `json:"address,omitzero"` // the zero address: all of both families
	Netns    uint64           `json:"netns,omitempty"`  // the network namespace; 0: not known, and so every one
	Port     ports.Port       `json:"port"`
	Pair     ports.Port       `json:"pair,omitempty"`      // 0: no pair
	PairName string           `json:"pair_name,omitempty"` // "debug"
	Owner    Owner            `json:"owner"`
	State    State            `json:"state"`
	Reason   string           `json:"reason,omitempty"` // why it is in that state, where that needs saying
	Granted  time.Time        `json:"granted,omitzero"`
	Renewed  time.Time        `json:"renewed,omitzero"`
	TTL      time.Duration    `json:"ttl,omitempty"` // from Renewed; 0: by its owner alone
	Released time.Time        `json:"released,omitzero"`

	HoldFor    time.Duration `json:"hold_for,omitempty"` // how long it is held once released
	HoldReason string        `json:"hold_reason,omitempty"`
	HoldUntil  time.Time     `json:"hold_until,omitzero"` // of Held and Blocked

	Stick  string `json:"-"` // Key without the host: what is looked for when the name leases again
	Nonce  string `json:"-"` // the one-time token of the pool's rule, in hexadecimal; empty: none
	Sweeps int    `json:"-"` // how often its owner, or its listener, was looked for in vain
}

// clone returns a copy that shares nothing.
func (l Lease) clone() Lease {
	l.Protocol = slices.Clone(l.Protocol)
	return l
}

// due returns when time alone changes the lease; the zero time is never.
func (l *Lease) due() time.Time {
	switch l.State {
	case Held, Blocked:
		return l.HoldUntil
	case Planned, Reserved, Bound, Listening, Draining, Suspect:
		if l.TTL > 0 {
			return l.Renewed.Add(l.TTL)
		}
	case Free, Leaked:
	}
	return time.Time{}
}

// numbers returns the ports that the lease takes.
func (l *Lease) numbers() []ports.Port {
	if l.Pair == 0 {
		return []ports.Port{l.Port}
	}
	return []ports.Port{l.Port, l.Pair}
}

// Socket is one socket of a grant.
type Socket struct {
	Protocol ports.Protocol
	Address  netip.Addr // the zero address: all of both families
	Port     ports.Port
	Pair     bool     // it is the pair's
	File     *os.File // bound, and for TCP listening; closed on exec
}

// Grant is a lease with its sockets. Whoever has it closes them, or hands them on, and releases the lease after that.
type Grant struct {
	Lease   Lease
	Sockets []Socket // main before pair, in the order of the pool's protocols

	ledger string // the folder that it stands in
}

// Close closes the sockets; the lease goes on.
func (g Grant) Close() {
	for _, s := range g.Sockets {
		_ = s.File.Close() // nothing was written to it
	}
}
