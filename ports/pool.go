package ports

import "time"

// Span is how a plan writes the numbers of a pool. Exactly one form is used; the zero Span has no numbers, because the
// page gives none and the site must.
type Span struct {
	Ranges  []Range // literal numbers, in the order in which they are given
	From    Port    // the number at which allocation begins, with Size numbers below it (Pool.Down) or above
	Size    int     // 0 with From: computed from the capacity, and pinned in the compiled plan
	Family  string  // numbers of a family, at Offsets
	Offsets [2]int  // both included
}

// Pick is how a pool chooses among its free numbers.
type Pick string

// The ways to choose. The empty one is Ascending, or descending where the pool goes down.
const (
	Ascending Pick = "ascending" // the lowest free number (the highest, where the pool goes down)
	LRU       Pick = "lru"       // the one that has been free for the longest time
	Random    Pick = "random"
)

// Pool is a range to lease from. Its embedded Service holds what it has in common with any row: id, names, transports,
// doors, roles, flows. Service.Port, Family, Offset and Alternates[].Port are not used.
type Pool struct {
	Service
	Span     Span
	Down     bool // allocation goes downwards from the highest number
	Parity   Parity
	Pair     Pair
	Pick     Pick
	Sticky   Sticky
	Hold     Hold
	Lease    LeaseRule
	Capacity Capacity
	Fallback string // "rendezvous": one port for all where the pool is full or forbidden
}

// Pair is a second number that belongs to each lease that asks for it: a debugger's. Both are granted or neither.
type Pair struct {
	ID       string `json:"id"`    // empty: the pool has no pairs
	Delta    int    `json:"delta"` // second = first + Delta
	Parity   Parity `json:"parity,omitempty"`
	Optional bool   `json:"optional,omitempty"` // only leases that ask for it have one
	Open     bool   `json:"open,omitempty"`     // other hosts may reach it
	Hint     string `json:"hint,omitempty"`     // the protocol on it: jdwp
	Printed  Range  `json:"printed,omitzero"`   // as the page prints the second numbers, or their offsets in the family; zero: it does not
	Origin   string `json:"origin,omitempty"`
	Note     string `json:"note,omitempty"`
}

// Sticky keeps a name's number: same name, same number, or an error that names the holder.
type Sticky struct {
	Key        string `json:"key"`                   // what names the lease: "{instance}/{name}@{host}"; empty: not sticky
	OnBusy     string `json:"on_busy,omitempty"`     // "fail" (the default) or "next"
	HostChange string `json:"host_change,omitempty"` // "deny" (the default) or "allow"
}

// Hold keeps a released number away from the next lease, for named reasons.
type Hold struct {
	Min     time.Duration
	Reasons []string // of conntrack, late-callback, operator, time-wait
}

// LeaseRule says what a lease of the pool is.
type LeaseRule struct {
	Owner    string        // what owns it: "task attempt", "container", "command"
	TTL      time.Duration // 0: as long as its owner lives
	Renew    string        // "heartbeat", or empty
	Fence    bool
	Nonce    int    // bits of the one-time token; 0: none
	Liveness string // "process": released when the owner's process is gone
}

// Capacity is what a pool must carry. See Size.
type Capacity struct {
	Parallel int           // leases at one time
	Rate     float64       // leases a second
	Duration time.Duration // of a lease
	Blocking float64       // the part of requests that may find the pool full: 0.001
}

// ResolvedPool is a pool of a compiled plan: its numbers for one instance, and its rules.
type ResolvedPool struct {
	ID       string     `json:"id"`
	Name     string     `json:"name,omitempty"`
	Protocol []Protocol `json:"protocol"`
	Ranges   []Range    `json:"ranges"` // empty: the site must give them
	Down     bool       `json:"down,omitempty"`
	Parity   Parity     `json:"parity,omitempty"`
	Pair     Pair       `json:"pair,omitzero"`
	Pick     Pick       `json:"pick"`
	Sticky   Sticky     `json:"sticky,omitzero"`
	Hold     Hold       `json:"hold,omitzero"`
	Lease    LeaseRule  `json:"lease,omitzero"`
	Capacity Capacity   `json:"capacity,omitzero"`
	Fallback string     `json:"fallback,omitempty"`
	Status   Status     `json:"status"`
	RunsOn   []string   `json:"runs_on,omitempty"` // the roles that lease from it
	Loopback bool       `json:"loopback,omitempty"`
	Size     int        `json:"size"` // usable first numbers, parity considered
}
