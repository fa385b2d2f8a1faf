// Package proof answers: do the openings of a site work, and is closed what must be?
//
// A proof is made by the two hosts that a flow is between, never by who asks for it. The coordinator plans which paths
// are to be tried, and then, in waves:
//
//	far end   ◀── open ──  listen on the row, or say who does
//	near end  ◀── dial ──  connect, in the flow's direction
//	far end   ◀── saw  ──  tell what came
//	          ports/probe.Classify ──▶ proof
//	far end   ◀── close ─  let go
//
// Ends that no node of Reeve stands at are listed and never green.
package proof

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// End is a host that takes part: a linked agent, or this server. Its methods may be called at once.
type End interface {
	Open(ctx context.Context, in wire.ProveOpen) (wire.ProveOpened, error)
	Dial(ctx context.Context, in wire.ProveDial) (wire.ProveDialled, error)
	Saw(ctx context.Context, in wire.ProveSaw) (wire.ProveSeen, error)
	Idle(ctx context.Context, in wire.ProveIdle) (wire.ProveIdled, error)
	Close(ctx context.Context, in wire.ProveClose) error
}

// Site is where proofs are made.
type Site struct {
	ports.Site
	// End returns the end at a host, or why there is none: one sentence.
	End func(host string) (End, string)
	// Node returns the name of the node of Reeve at a host, linked or not; empty: there is none.
	Node func(host string) string
}

// Ours reports whether a node of Reeve is at a host.
func (s Site) Ours(host string) bool { return s.Node(host) != "" }

// Ask says what is to be proved.
type Ask struct {
	From, To string        // hosts, or roles of the plan; empty: all
	Flow     string        // a flow's id, or a service's; empty: all
	All      bool          // more than the ends of each range, and every address under which a host is reached
	Negative bool          // what must be closed, in place of what must be open
	Idle     bool          // how long a silent connection survives, in place of both
	For      time.Duration // of Idle: the longest silence; 0: 60 s
}

// Report is what came of one verification.
type Report struct {
	Proofs  []probe.Proof
	Unknown int // of them unproven although nodes of Reeve are at both ends
	Idle    []Silence
}

// Bad counts the proofs that show something that must be put right: what is blocked, broken or exposed.
func (r Report) Bad() int {
	n := 0
	for _, p := range r.Proofs {
		if p.Verdict == probe.Blocked || p.Verdict == probe.Broken || p.Verdict == probe.Exposed {
			n++
		}
	}
	return n
}

// Prover makes proofs. Its fields are set before use and not changed after.
type Prover struct {
	Site func(ctx context.Context) (Site, error)
	Now  func() time.Time
	// Code draws the secret by which the ends of one session know each other.
	Code func() (string, error)
	// Patience for silence; 0: the instruments' own.
	Patience time.Duration
}

// The bounds of one verification.
const (
	wave      = 4096             // paths that are tried before what is open for them is closed
	chunk     = 64               // dials in one request
	atOnce    = 64               // ends that are called at one time
	openFor   = 10 * time.Minute // that a far end keeps rows open, should nobody close them
	closeTime = 10 * time.Second
)
