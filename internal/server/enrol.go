package server

import (
	"context"
	"net"

	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/ports"
)

// openEnroller makes what dials agents that have no good certificate: those that wait for their first, and those whose
// own has run out.
func (s *Server) openEnroller() *domain.Enroller {
	endpoint := identity.Endpoint{Own: s.own.current, Domain: s.authority.Domain(), Now: s.env.Now}
	return &domain.Enroller{Registry: s.registry, TLS: endpoint.KeyConfig, Dial: s.dialWaiting}
}

// dialWaiting connects to an agent that waits to be enrolled, by the first of the plan's rows that answers.
func (s *Server) dialWaiting(ctx context.Context, address string) (net.Conn, error) {
	var last error
	for _, f := range s.env.Plan.Dials("enrol", ports.Server, ports.Agent) {
		if f.Last > f.Port { // numbers that are leased first
			continue
		}
		conn, err := s.sockets.Dial(ctx, f.Service, address)
		if err == nil || fault.Is(err, fault.Invalid) {
			return conn, err
		}
		last = err
	}
	if last == nil {
		return nil, fault.New(fault.Conflict, "the port plan "+s.env.Plan.Plan+" has no row on which a server enrols an agent",
			"let the agent dial: `reeve token create agent NAME`")
	}
	return nil, last
}
