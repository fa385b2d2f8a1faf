package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/callback"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// callbackPool is the pool of the plan on which agents call back; false where the plan has none.
func callbackPool(plan ports.Compiled) (string, bool) {
	for _, f := range plan.Dials("callback", ports.Agent, ports.Server) {
		for _, p := range plan.Pools {
			if p.ID == f.Service && p.Status != ports.Inactive {
				return p.ID, true
			}
		}
	}
	return "", false
}

// openCallbacks opens the ledger and the desk where the plan has agents call back.
func (s *Server) openCallbacks(ctx context.Context) error {
	pool, ok := callbackPool(s.env.Plan)
	if !ok {
		return nil
	}
	request, err := ledger.For(s.env.Plan, pool)
	if err != nil {
		return err
	}
	request.Boxes = s.env.Ports.Inventory.Middleboxes
	if len(s.cfg.Bind) > 0 {
		if request.Address, err = netip.ParseAddr(s.cfg.Bind[0]); err != nil {
			return fmt.Errorf("reading the address to bind: %w", err)
		}
	}
	if s.env.Ports.Ledger == "" {
		return fault.New(fault.Invalid, "the port plan "+s.env.Plan.Plan+" has agents call back, and no ledger of leases is named", "give --ledger")
	}
	if s.book, err = ledger.Open(s.env.Ports.Ledger, ledger.Options{}); err != nil {
		return err
	}
	s.callbacks, err = callback.Open(ctx, callback.Config{
		Book: s.book, Request: request, Addresses: s.callbackAddresses, Allowed: s.registry.Allowed,
		TLS: func(allowed func(identity.Identity, *x509.Certificate) error) *tls.Config {
			return identity.Endpoint{
				Own: s.own.current, Domain: s.authority.Domain(), Expect: []identity.Role{identity.RoleAgent}, Allowed: allowed, Now: s.env.Now,
			}.CallbackConfig()
		},
		Adopt:   func(f *os.File) (callback.Listener, error) { return socket.Adopt(f) },
		Office:  func() callback.Office { return s.fleet },
		Ordered: func(a wire.Attempt) bool { return s.engine.Ordered(a.Run, a.Job, a.N) },
		Freed: func() {
			s.engine.Kick()
			s.hub.Publish(api.Change{Kind: "node"})
		},
		Times: callback.Times{Heartbeat: s.cfg.Link.Heartbeat, Timeout: s.cfg.Link.Timeout},
		Log:   s.env.Log,
	})
	return err
}

// callbackAddresses is where agents find a port of this server: the hosts that it advertises. Address translation may not
// change the number of a callback port.
func (s *Server) callbackAddresses(port ports.Port) []string {
	hosts := make([]string, 0, len(s.addresses))
	for _, a := range s.addresses {
		if host, _, err := net.SplitHostPort(a); err == nil {
			hosts = append(hosts, net.JoinHostPort(host, strconv.Itoa(int(port))))
		}
	}
	return unique(hosts)
}

// callbackOf is the port on which an attempt's words are awaited; nil where it has none.
func (s *Server) callbackOf(a wire.Attempt) *api.Callback {
	if s.callbacks == nil {
		return nil
	}
	c, ok := s.callbacks.Show(a)
	if !ok {
		return nil
	}
	return &api.Callback{Port: int(c.Port), State: string(c.State), Since: c.Since.UTC(), Shared: c.Shared}
}

// openAnswers is how commands are called back; nil where the plan has no row for it.
func (s *Server) openAnswers() func(to api.CallBack, tell func(ctx context.Context, say func(run any) error) error) error {
	if len(domain.CallbackFlows(s.env.Plan)) == 0 {
		return nil
	}
	s.answers = &callback.Answers{
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			row, err := domain.CallbackRow(s.env.Plan, address)
			if err != nil {
				return nil, err
			}
			return s.sockets.Dial(ctx, row, address)
		},
		TLS: func(fingerprint string) *tls.Config {
			return identity.Endpoint{Own: s.own.current, Domain: s.authority.Domain(), Now: s.env.Now}.ToolConfig(fingerprint)
		},
		Beat: s.cfg.Link.Heartbeat, Log: s.env.Log,
	}
	return func(to api.CallBack, tell func(ctx context.Context, say func(run any) error) error) error {
		return s.answers.Call(callback.Target{Address: to.Address, Token: to.Token, Fingerprint: to.Fingerprint}, tell)
	}
}
