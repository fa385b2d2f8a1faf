package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/proof"
	"github.com/reeve-scheduler/reeve/internal/proof/end"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/twoends"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// openProofs makes this server's own part in proofs, and what asks the nodes for theirs.
func (s *Server) openProofs(ctx context.Context) error {
	both := func() identity.Endpoint { return s.proofEndpoint() }
	own := probe.Own{PIDs: []int{os.Getpid()}}
	if exe, err := os.Executable(); err == nil {
		own.Programs = []string{exe}
	}
	s.end = end.New(end.Config{
		Role: ports.Server, Own: own, Rand: s.env.Rand, Now: s.env.Now,
		Dialling:  func() *tls.Config { return both().ProofConfig() },
		Listening: func() *tls.Config { return both().Provable(both().WebOnlyConfig()) },
		Observe:   func(ctx context.Context) (probe.Observation, error) { return probe.Observe(ctx, probe.Options{}) },
	})
	s.verifier = domain.NewVerifier(&domain.Verifier{
		Prover: &proof.Prover{
			Site: s.proofSite, Now: s.env.Now,
			Code: func() (string, error) {
				code, err := twoends.MintCode(s.env.Rand)
				return code.Text(), err
			},
		},
		Store: s.store, Epoch: func() int64 { return s.engine.Epoch() }, Now: s.env.Now, Log: s.env.Log, PerHour: s.cfg.Proofs.PerHour,
		Changed: func(id string) { s.hub.Publish(api.Change{Kind: "proof", ID: id}) },
	})
	return s.verifier.Learn(ctx)
}

// measured is how long a connection between a node and this server was found to survive in silence; 0: for long.
func (s *Server) measured(node string) time.Duration {
	names := []string{s.own.id.Name} // and that of the inventory, where this server is its only one
	if h, ok := s.host(); ok {
		names = append(names, h.Name)
	}
	return s.verifier.Limit(node, names...)
}

// proofEndpoint is this server's end of a proof: any node may be the other one.
func (s *Server) proofEndpoint() identity.Endpoint {
	return identity.Endpoint{
		Own: s.own.current, Domain: s.authority.Domain(), Expect: []identity.Role{identity.RoleAgent, identity.RoleServer}, Allowed: s.registry.Allowed, Now: s.env.Now,
	}
}

// proofSite is where proofs are made: the inventory's hosts, and the nodes that it does not have.
func (s *Server) proofSite(ctx context.Context) (proof.Site, error) {
	nodes, err := s.store.ListNodes(ctx)
	if err != nil {
		return proof.Site{}, err
	}
	site := s.site()
	inv := site.Inventory
	inv.Hosts = slices.Clone(inv.Hosts)
	self, found := s.host()
	if !found {
		self = ports.Host{Name: s.own.id.Name, Roles: []string{string(ports.Server)}, Bind: s.cfg.Bind, Advertise: s.addresses}
		inv.Hosts = append(inv.Hosts, self)
	}
	at := map[string]string{self.Name: s.own.id.Name} // nodes by host
	for _, n := range nodes {
		if n.Role != string(ports.Agent) {
			continue
		}
		at[n.Name] = n.Name
		if _, known := site.Host(n.Name); !known {
			inv.Hosts = append(inv.Hosts, s.unlisted(n))
		}
	}
	site.Inventory = inv
	s.end.Use(end.Plan{
		Host: self.Name, Compiled: site.Compiled, Bind: s.proofBind(self.Name),
		Knows: func(service, address string) bool { // this server wrote the inventory
			return slices.ContainsFunc(inv.Hosts, func(h ports.Host) bool { return slices.Contains(site.At(h.Name, service), address) })
		},
		Own: func(service string) ports.Port { return ownNumber(self, service) },
	})
	return proof.Site{
		Site: site,
		Node: func(host string) string { return at[host] },
		End: func(host string) (proof.End, string) {
			switch {
			case host == self.Name:
				return s.end, ""
			case at[host] == "":
				return nil, "no node of Reeve runs on " + host
			case !s.fleet.Agents()[at[host]]:
				return nil, "the agent " + at[host] + " is not linked"
			}
			return linked{s, at[host]}, ""
		},
	}, nil
}

// unlisted is an agent that the inventory does not have, as others may reach it.
func (s *Server) unlisted(n store.Node) ports.Host {
	h := ports.Host{Name: n.Name, Roles: []string{string(n.Plays())}, Advertise: n.Addresses}
	if len(h.Advertise) == 0 && n.Found != "" {
		h.Advertise = []string{n.Found}
	}
	return h
}

func ownNumber(h ports.Host, service string) ports.Port {
	for _, hs := range h.Services {
		if hs.Service == service {
			return hs.Port
		}
	}
	return 0
}

// proofBind is where this server takes rows for a proof: where it listens with its own.
func (s *Server) proofBind(host string) []string {
	if len(s.cfg.Bind) > 0 {
		return s.cfg.Bind
	}
	return s.site().Binds(host, s.main)
}

// linked is an agent as an end of proofs, over the link that it has.
type linked struct {
	server *Server
	name   string
}

func (l linked) call(ctx context.Context, path string, in, out any) error {
	return l.server.fleet.Call(ctx, l.name, path, in, out)
}

// Open implements proof.End.
func (l linked) Open(ctx context.Context, in wire.ProveOpen) (wire.ProveOpened, error) {
	var out wire.ProveOpened
	err := l.call(ctx, wire.PathProveOpen, in, &out)
	return out, err
}

// Dial implements proof.End.
func (l linked) Dial(ctx context.Context, in wire.ProveDial) (wire.ProveDialled, error) {
	var out wire.ProveDialled
	err := l.call(ctx, wire.PathProveDial, in, &out)
	return out, err
}

// Saw implements proof.End.
func (l linked) Saw(ctx context.Context, in wire.ProveSaw) (wire.ProveSeen, error) {
	var out wire.ProveSeen
	err := l.call(ctx, wire.PathProveSaw, in, &out)
	return out, err
}

// Idle implements proof.End.
func (l linked) Idle(ctx context.Context, in wire.ProveIdle) (wire.ProveIdled, error) {
	var out wire.ProveIdled
	err := l.call(ctx, wire.PathProveIdle, in, &out)
	return out, err
}

// Close implements proof.End.
func (l linked) Close(ctx context.Context, in wire.ProveClose) error {
	return l.call(ctx, wire.PathProveClose, in, &struct{}{})
}

const usesEvery = time.Minute

// countUses stores from time to time which rows this server used, so that openings that nobody needs are found.
func (s *Server) countUses(ctx context.Context) error {
	tick := time.NewTicker(usesEvery)
	defer tick.Stop()
	unused := s.mayUse()
	for {
		if err := s.storeUses(ctx, unused); err != nil && ctx.Err() == nil {
			s.env.Log.Warn("storing which rows are used", slog.Any("error", err))
		} else {
			unused = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// mayUse has every row that the plan lets a server use, with no use of it: from now on it is counted.
func (s *Server) mayUse() []store.Use {
	var all []store.Use
	add := func(service string, use socket.Use) {
		one := store.Use{Host: s.own.id.Name, Service: service, Kind: string(use), First: s.started}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	for _, f := range s.env.Plan.Flows {
		if s.env.Plan.Kinds[f.From] == ports.Server {
			add(f.Service, socket.Dialled)
		}
		if s.env.Plan.Kinds[f.To] == ports.Server {
			add(f.Service, socket.Listens)
		}
	}
	return all
}

func (s *Server) storeUses(ctx context.Context, unused []store.Use) error {
	b := store.Batch{Epoch: s.engine.Epoch(), Uses: unused}
	for _, u := range s.sockets.Uses() {
		if u.Count > 0 {
			b.Uses = append(b.Uses, store.Use{Host: s.own.id.Name, Service: u.Service, Kind: string(u.Use), Count: u.Count, First: s.started, Last: u.Last})
		}
	}
	if len(b.Uses) == 0 {
		return nil
	}
	_, err := s.store.Commit(ctx, b)
	return err
}
