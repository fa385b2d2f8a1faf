// Package end answers: what does one host do, and see, of a flow that is proved?
//
// It is one of the two ends: it takes rows of its own copy of the plan for a while, dials rows of it, and tells what it
// saw. A server says which; the plan says whether. So whoever may tell a node to prove a flow cannot have it look at
// anything else.
package end

import (
	"context"
	"crypto/tls"
	"io"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/twoends"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// Config is what an end is made with.
type Config struct {
	Role ports.RoleKind // of this node
	// Dialling is for a dial that proves a flow to a node's own listener (identity.Endpoint.ProofConfig), and Listening for a
	// row that is opened to measure silences (identity.Endpoint.Provable).
	Dialling, Listening func() *tls.Config
	Own                 probe.Own // how Reeve's own listeners on this host are known
	Observe             func(context.Context) (probe.Observation, error)
	Rand                io.Reader
	Now                 func() time.Time
}

// Plan is what an end may do.
type Plan struct {
	Host     string // this node's name
	Compiled ports.Compiled
	Bind     []string // addresses on which this node listens; none: all
	// Knows reports whether this node knows HOST:PORT as that of a service, where the number is not the plan's: a host's own,
	// or one that NAT gives it. nil: it knows none.
	Knows func(service, address string) bool
	// Own returns the number that this host has for a service; 0: the plan's. nil: the plan's.
	Own func(service string) ports.Port
}

// End is one node's part in proofs. Its methods may be called at once.
type End struct {
	cfg Config

	mu       sync.Mutex
	plan     Plan
	sessions map[string]*session
}

// maxSessions bounds what servers may have open here at one time.
const maxSessions = 8

// New makes an end that may do nothing until Use.
func New(cfg Config) *End { return &End{cfg: cfg, sessions: map[string]*session{}} }

// Use says what the end may do from now on. What is open stays open until its session ends.
func (e *End) Use(p Plan) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plan = p
}

// planned returns the plan by which the end works, if it is the one that a server means.
func (e *End) planned(hash string) (Plan, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.plan.Compiled.Hash == "":
		return Plan{}, fault.New(fault.Conflict, "this node has no port plan yet", "wait until it is linked")
	case e.plan.Compiled.Hash != hash:
		return Plan{}, fault.New(fault.Conflict, "this node works by another port plan", "`reeve node show` names the rows that differ")
	}
	return e.plan, nil
}

// session is what one verification has open here.
type session struct {
	end    *End
	cancel context.CancelFunc
	ctx    context.Context //nolint:containedctx // of what is open: it outlives the request, and ends with the session
	done   sync.WaitGroup

	mu        sync.Mutex
	listeners []*twoends.Listener
	rows      map[wire.ProveRow]wire.ProveHeld // that were asked for: a request may come twice
	came      map[string]came                  // by nonce
}

// session returns an open session; open makes it where it is missing.
func (e *End) session(id string, open bool, within time.Duration) (*session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s, ok := e.sessions[id]; ok {
		return s, nil
	}
	switch {
	case !open:
		return nil, fault.New(fault.NotFound, "this proof is over: nothing is open for it here", "ask again")
	case id == "" || within <= 0 || within > wire.MaxProveFor:
		return nil, fault.Newf(fault.Invalid, "a proof needs a name and a time of at most %v", wire.MaxProveFor)
	case len(e.sessions) >= maxSessions:
		return nil, fault.New(fault.Busy, "this node is busy with other proofs", "wait until they are over")
	}
	ctx, cancel := context.WithTimeout(context.Background(), within) // nothing stays open because a server has gone
	s := &session{end: e, ctx: ctx, cancel: cancel, rows: map[wire.ProveRow]wire.ProveHeld{}, came: map[string]came{}}
	e.sessions[id] = s
	context.AfterFunc(ctx, func() { e.over(id) })
	return s, nil
}

// over lets go of all that a session has open, and waits for it.
func (e *End) over(id string) {
	e.mu.Lock()
	s, ok := e.sessions[id]
	delete(e.sessions, id)
	e.mu.Unlock()
	if ok {
		s.cancel()
		s.done.Wait()
	}
}

// Close lets go of what a session has open. It is no error where nothing is.
func (e *End) Close(_ context.Context, in wire.ProveClose) error {
	e.over(in.Session)
	return nil
}

// Stop ends all sessions.
func (e *End) Stop() {
	e.mu.Lock()
	var all []string
	for id := range e.sessions {
		all = append(all, id)
	}
	e.mu.Unlock()
	for _, id := range all {
		e.over(id)
	}
}

// sockets opens rows of a plan that has them and nothing else.
func (p Plan) sockets(claims []ports.Claim) *socket.Net {
	return socket.New(ports.Compiled{Plan: p.Compiled.Plan, Hash: p.Compiled.Hash, Instance: p.Compiled.Instance, Claims: claims})
}
