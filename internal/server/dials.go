package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
)

// diallers keep links up to the nodes that this server dials: those to which the plan and the zones give it a row.
type diallers struct {
	server *Server

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // of Run: dials that begin later live as long; nil before it
	running map[string]*dialling
	all     sync.WaitGroup
}

// dialling is the dialler of one node.
type dialling struct {
	node   store.Node
	dialer *link.Dialer
	stop   context.CancelFunc
}

// Run dials until ctx ends, and returns when no link that was dialled is left.
func (d *diallers) Run(ctx context.Context) error {
	d.mu.Lock()
	d.ctx = ctx
	d.mu.Unlock()
	if err := d.refresh(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.all.Wait()
			return nil
		case <-tick.C:
			looks, ctx := errgroup.WithContext(ctx)
			looks.SetLimit(looksOnce)
			for _, st := range d.states() {
				looks.Go(func() error { d.server.look(ctx, st); return nil })
			}
			_ = looks.Wait() // none of them fails
		}
	}
}

const (
	lookEvery = 5 * time.Second // it is seen whether dials are in vain, and why
	looksOnce = 8               // paths at once
)

func (d *diallers) states() []link.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []link.State
	for _, one := range d.running {
		all = append(all, one.dialer.State())
	}
	return all
}

// refresh begins to dial nodes that are new, and ends with those that are gone.
func (d *diallers) refresh(ctx context.Context) error {
	nodes, err := d.server.store.ListNodes(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == nil || d.ctx.Err() != nil {
		return nil
	}
	gone := maps.Clone(d.running)
	for _, n := range nodes {
		if n.Role != string(ports.Agent) {
			continue
		}
		delete(gone, n.ID)
		if one, ok := d.running[n.ID]; ok {
			one.node = n
			one.dialer.Wake()
		} else if len(d.server.paths(n))+len(d.server.relayTargets(n)) > 0 {
			d.begin(n)
		}
	}
	for id, one := range gone {
		one.stop()
		delete(d.running, id)
	}
	return nil
}

// begin starts the dialler of a node. The caller holds the lock.
func (d *diallers) begin(n store.Node) {
	ctx, stop := context.WithCancel(d.ctx)
	one := &dialling{node: n, stop: stop}
	s := d.server
	renew := &renewing{server: s, node: n}
	one.dialer = &link.Dialer{
		Targets: func() []link.Target { return s.targets(d.node(one)) },
		Dial:    s.dialOrRelay(n, renew.dial),
		Up: func() (int, bool) {
			return s.linkedTurn(d.node(one))
		},
		TLS:     renew.tls,
		Options: s.linkOptions(),
		Backoff: link.Backoff{Chance: rand.Float64},
	}
	if d.running == nil {
		d.running = map[string]*dialling{}
	}
	d.running[n.ID] = one
	d.all.Go(func() {
		if err := one.dialer.Run(ctx, s.fleet.Serve); err != nil {
			s.env.Log.Error("dialling a node", slog.String("node", n.Name), slog.Any("error", err))
		}
	})
}

// changed tells the dialler of a node that its link came or went.
func (d *diallers) changed(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if one, ok := d.running[id]; ok {
		one.dialer.Wake()
	}
}

// urge dials the next row of a node, though a link is up.
func (d *diallers) urge(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if one, ok := d.running[id]; ok {
		one.dialer.Urge()
	}
}

func (d *diallers) node(one *dialling) store.Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	return one.node
}

// state is what is known of the dials to a node; false where this server does not dial it.
func (d *diallers) state(id string) (link.State, bool) {
	d.mu.Lock()
	one, ok := d.running[id]
	d.mu.Unlock()
	if !ok {
		return link.State{}, false
	}
	return one.dialer.State(), true
}

// site is the plan on the hosts of the inventory.
func (s *Server) site() ports.Site {
	return ports.Site{Compiled: s.env.Plan, Inventory: s.env.Ports.Inventory}
}

// ownPlan is the plan with this server's own numbers.
func (s *Server) ownPlan() ports.Compiled {
	h, _ := s.host()
	return s.site().For(h.Name)
}

func (s *Server) zoneOf(n store.Node) string {
	h, _ := s.site().Host(n.Name)
	return h.Zone
}

// dialTLS is for one dial of a node: nobody else may answer there.
func (s *Server) dialTLS(n store.Node) *tls.Config {
	return identity.Endpoint{
		Own: s.own.current, Domain: s.authority.Domain(), Expect: []identity.Role{identity.RoleAgent}, Now: s.env.Now,
		Allowed: func(id identity.Identity, cert *x509.Certificate) error {
			if id.ID != n.ID {
				return fault.New(fault.Forbidden, "the node "+id.Name+" answers where "+n.Name+" was expected", "correct its address in the inventory, or remove the node and enrol it anew")
			}
			return s.registry.Allowed(id, cert)
		},
	}.ClientConfig()
}

// linkOptions are those of every link of this server, whoever dials.
func (s *Server) linkOptions() link.Options {
	return link.Options{
		Handler: s.onLinks(s.fleet), Pace: s.pace, Links: s.links, Log: s.env.Log, Allowed: s.registry.Allowed,
		Timing: link.Timing{Heartbeat: s.cfg.Link.Heartbeat, Timeout: s.cfg.Link.Timeout},
	}
}
