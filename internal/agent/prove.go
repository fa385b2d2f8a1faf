package agent

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Prover is this host's part in proofs. It does nothing that its own copy of the port plan does not have.
type Prover interface {
	Open(ctx context.Context, in wire.ProveOpen) (wire.ProveOpened, error)
	Dial(ctx context.Context, in wire.ProveDial) (wire.ProveDialled, error)
	Saw(ctx context.Context, in wire.ProveSaw) (wire.ProveSeen, error)
	Idle(ctx context.Context, in wire.ProveIdle) (wire.ProveIdled, error)
	Close(ctx context.Context, in wire.ProveClose) error
	// Prove answers a node that proves a flow to a listener of this agent.
	Prove(ctx context.Context, c *tls.Conn)
}

// ProofTLS is how an agent meets another node in a proof: what it dials with, and what it answers with.
type ProofTLS struct{ Dialling, Listening func() *tls.Config }

// serveProofs adds the routes of a proof to what servers call on a link.
func (a *agent) serveProofs(mux *http.ServeMux) {
	p := a.prover
	if p == nil {
		return
	}
	mux.HandleFunc("POST "+wire.PathProveOpen, proving(p.Open))
	mux.HandleFunc("POST "+wire.PathProveDial, proving(p.Dial))
	mux.HandleFunc("POST "+wire.PathProveSaw, proving(p.Saw))
	mux.HandleFunc("POST "+wire.PathProveIdle, proving(p.Idle))
	mux.HandleFunc("POST "+wire.PathProveClose, proving(func(ctx context.Context, in wire.ProveClose) (struct{}, error) {
		return struct{}{}, p.Close(ctx, in)
	}))
}

// proving decodes a bounded JSON body, calls do, and encodes the answer.
func proving[In, Out any](do func(context.Context, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, wire.MaxMessage)).Decode(&in); err != nil {
			http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			refuseProof(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // who asked has gone: what is open closes by itself
	}
}

func refuseProof(w http.ResponseWriter, err error) {
	status := map[fault.Kind]int{
		fault.Invalid: http.StatusUnprocessableEntity, fault.Conflict: http.StatusConflict, fault.NotFound: http.StatusNotFound, fault.Busy: http.StatusServiceUnavailable,
	}[fault.KindOf(err)]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	http.Error(w, err.Error(), status)
}

// proofTLS is for proofs: nodes of both roles may be at the other end.
func (a *agent) proofTLS() ProofTLS {
	both := func() identity.Endpoint {
		e := a.endpoint()
		e.Expect = []identity.Role{identity.RoleServer, identity.RoleAgent}
		return e
	}
	return ProofTLS{
		Dialling:  func() *tls.Config { return both().ProofConfig() },
		Listening: func() *tls.Config { return both().Provable(both().WebOnlyConfig()) },
	}
}

// provable lets a listener of this agent take proofs beside what it takes already.
func (a *agent) provable(config *tls.Config) *tls.Config {
	if a.prover == nil {
		return config
	}
	e := a.endpoint()
	e.Expect = []identity.Role{identity.RoleServer, identity.RoleAgent}
	return e.Provable(config)
}

// prove answers a node that proves a flow to a listener of this agent; nil where it has no part in proofs.
func (a *agent) prove() func(context.Context, *tls.Conn) {
	if a.prover == nil {
		return nil
	}
	return a.prover.Prove
}
