package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// reconnects are the ports on which agents come back after a failure, where the plan has a pool for it: each agent has one
// of its own, which it keeps, and is told of over its link.
type reconnects struct {
	server  *Server
	pool    string // empty: the plan has none
	request ledger.Request
	book    *ledger.Ledger

	mu   sync.Mutex
	ctx  context.Context //nolint:containedctx // of Run: ports that are opened later live as long; nil before it
	open map[string]*reconnect
	all  sync.WaitGroup
}

// reconnect is the port of one agent.
type reconnect struct {
	lease ledger.Lease
	stop  context.CancelFunc
}

// reconnectPool is the pool from whose ports agents dial links; false where the plan has none with a range.
func reconnectPool(plan ports.Compiled) (string, bool) {
	for _, f := range plan.Dials("link", ports.Agent, ports.Server) {
		for _, p := range plan.Pools {
			if p.ID == f.Service && p.Status == ports.Works && len(p.Ranges) > 0 {
				return p.ID, true
			}
		}
	}
	return "", false
}

// openReconnects opens the ledger where the plan has agents come back on ports of a pool.
func (s *Server) openReconnects() error {
	r := &s.reconnects
	r.server = s
	pool, ok := reconnectPool(s.env.Plan)
	if !ok {
		return nil
	}
	var err error
	if r.request, err = ledger.For(s.env.Plan, pool); err != nil {
		return err
	}
	if len(s.cfg.Bind) > 0 {
		if r.request.Address, err = netip.ParseAddr(s.cfg.Bind[0]); err != nil {
			return fmt.Errorf("reading the address to bind: %w", err)
		}
	}
	if s.env.Ports.Ledger == "" {
		return fault.New(fault.Invalid, "in the port plan "+s.env.Plan.Plan+" agents come back on leased ports, and no ledger of leases is named", "give --ledger")
	}
	if r.book, err = ledger.Open(s.env.Ports.Ledger, ledger.Options{}); err != nil {
		return err
	}
	r.pool = pool
	return nil
}

// Run keeps a port open for each agent until ctx ends.
func (r *reconnects) Run(ctx context.Context) error {
	if r.pool == "" {
		return nil
	}
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	if err := r.refresh(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	r.all.Wait()
	r.book.Close()
	return nil
}

// refresh leases ports for agents that are new, and gives those of removed ones back.
func (r *reconnects) refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pool == "" || r.ctx == nil || r.ctx.Err() != nil {
		return nil
	}
	nodes, err := r.server.store.ListNodes(ctx)
	if err != nil {
		return fmt.Errorf("reading the nodes: %w", err)
	}
	gone := maps.Clone(r.open)
	for _, n := range nodes {
		delete(gone, n.ID)
		if n.Plays() != ports.Agent || r.open[n.ID] != nil {
			continue
		}
		if err := r.begin(ctx, n); err != nil { // the agent has its other rows
			r.server.env.Log.Warn("an agent has no port on which to come back", slog.String("agent", n.Name), slog.Any("error", err))
		}
	}
	for id, one := range gone {
		one.stop()
		delete(r.open, id)
	}
	return nil
}

// begin leases the port of an agent and listens there. The caller holds the lock.
func (r *reconnects) begin(ctx context.Context, n store.Node) error {
	request := r.request
	request.Name, request.Owner = n.Name, ledger.Self("agent", n.Name)
	grant, err := r.book.Lease(ctx, request)
	if err != nil {
		return err
	}
	var listeners []net.Listener
	for _, one := range grant.Sockets {
		l, err := socket.Adopt(one.File)
		if err != nil {
			return errors.Join(err, closeListeners(listeners))
		}
		listeners = append(listeners, l)
	}
	ctx, stop := context.WithCancel(r.ctx)
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() { r.serve(ctx, l, n) })
	}
	r.all.Go(func() {
		serving.Wait()
		if err := r.book.Release(context.WithoutCancel(ctx), grant.Lease.ID, grant.Lease.Fence, "the server has ended, or the agent is gone"); err != nil {
			r.server.env.Log.Warn("giving back the port on which an agent came back", slog.String("agent", n.Name), slog.Any("error", err))
		}
	})
	if r.open == nil {
		r.open = map[string]*reconnect{}
	}
	r.open[n.ID] = &reconnect{lease: grant.Lease, stop: stop}
	return nil
}

// serve takes the links of one agent, and of nobody else.
func (r *reconnects) serve(ctx context.Context, l net.Listener, n store.Node) {
	s := r.server
	endpoint := identity.Endpoint{
		Own: s.own.current, Domain: s.authority.Domain(), Expect: []identity.Role{identity.RoleAgent}, Now: s.env.Now,
		Allowed: func(id identity.Identity, cert *x509.Certificate) error {
			if id.ID != n.ID {
				return fault.New(fault.Forbidden, "this port is for the agent "+n.Name, "")
			}
			return s.registry.Allowed(id, cert)
		},
	}
	one := &link.Server{Listener: l, Row: r.pool, TLS: endpoint.ServerConfig(), OnLink: s.fleet.Serve, Options: s.linkOptions()}
	if err := one.Run(ctx); err != nil {
		s.env.Log.Error("an agent can no longer come back on its port", slog.String("agent", n.Name), slog.Any("error", err))
	}
}

// port is the port on which an agent comes back; 0: it has none.
func (r *reconnects) port(id string) ports.Port {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.open[id]; one != nil {
		return one.lease.Port
	}
	return 0
}

func closeListeners(all []net.Listener) error {
	var errs []error
	for _, l := range all {
		errs = append(errs, closed(l.Close()))
	}
	return errors.Join(errs...)
}

// atPort is where the hosts of some addresses are found under another number.
func atPort(addresses []string, port ports.Port) []string {
	var all []string
	for _, a := range addresses {
		if host, _, err := net.SplitHostPort(a); err == nil {
			if at := net.JoinHostPort(host, fmt.Sprint(port)); !slices.Contains(all, at) {
				all = append(all, at)
			}
		}
	}
	return all
}
