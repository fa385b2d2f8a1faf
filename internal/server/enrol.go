package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
)

// openEnroller makes what dials agents that have no good certificate: those that wait for their first, and those whose
// own has run out.
func (s *Server) openEnroller() *domain.Enroller {
	endpoint := identity.Endpoint{Own: s.own.current, Domain: s.authority.Domain(), Now: s.env.Now}
	return &domain.Enroller{Registry: s.registry, TLS: endpoint.KeyConfig, Dial: s.dialWaiting}
}

// waitingLimit is how long a dial of an agent that waits may take: a person waits for it, and nobody answers later.
const waitingLimit = 5 * time.Second

// dialWaiting connects to an agent that waits to be enrolled, by the first of the plan's rows that answers.
func (s *Server) dialWaiting(ctx context.Context, kind ports.RoleKind, address string) (net.Conn, error) {
	var last error
	for _, f := range s.env.Plan.Dials("enrol", ports.Server, kind) {
		if f.Last > f.Port { // numbers that are leased first
			continue
		}
		dialling, cancel := context.WithTimeout(ctx, waitingLimit)
		conn, err := s.sockets.Dial(dialling, f.Service, address)
		cancel()
		if err == nil || fault.Is(err, fault.Invalid) {
			return conn, err
		}
		last = err
	}
	if last == nil {
		return nil, s.cannotEnrol(kind)
	}
	return nil, last
}

// cannotEnrol says that the plan has no row on which a server dials such an agent to enrol it.
func (s *Server) cannotEnrol(kind ports.RoleKind) error {
	what, fix := "an agent", "let the agent dial: `reeve token create agent NAME`"
	if kind == ports.Desk {
		what, fix = "a desk agent", "enrol it as an agent, without --desk, or give the plan a flow from a server to a role that is: desk, with carries: [enrol, link]"
	} else if len(s.env.Plan.Dials("enrol", ports.Server, ports.Desk)) > 0 {
		fix += "; one that was started with --desk is enrolled with --desk"
	}
	return fault.New(fault.Conflict, "the port plan "+s.env.Plan.Plan+" has no row on which a server enrols "+what, fix)
}

// renewing dials one node. Where a dial finds that the node's certificate has run out, the next one brings it a new one
// first: nobody but a server may be able to reach it.
type renewing struct {
	server *Server
	node   store.Node
	due    atomic.Bool
}

func (r *renewing) dial(ctx context.Context, to link.Target) (net.Conn, error) {
	open := func(ctx context.Context) (net.Conn, error) { return r.server.dialTo(ctx, to) }
	if r.due.Swap(false) {
		if err := r.server.enroller.Recover(ctx, r.node, open); err != nil {
			return nil, err
		}
		r.server.env.Log.Info("a certificate that had run out was renewed by the node's bound key", slog.String("node", r.node.Name), slog.String("address", to.Address))
	}
	return open(ctx)
}

func (r *renewing) tls() *tls.Config {
	config := r.server.dialTLS(r.node)
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		err := verify(state)
		if identity.Expired(err) {
			r.due.Store(true)
		}
		return err
	}
	return config
}
