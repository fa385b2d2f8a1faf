package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/relay"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// openRelays makes the gate through which relays bring nodes' connections, where the plan has relays.
func (s *Server) openRelays() {
	if len(s.env.Plan.Relays) > 0 {
		s.relays = relay.NewGate(s.env.Log)
	}
}

// serveRelayed takes what comes through the gate as if it had come to a port of this server: links, and of HTTPS what a
// node needs to join and to renew.
func (s *Server) serveRelayed(config *tls.Config, web http.Handler) {
	if s.relays == nil {
		return
	}
	joining := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != wire.PathJoin && r.URL.Path != wire.PathRenew {
			http.Error(w, "a relay carries joining, renewing and links; for all else use an address of the server", http.StatusNotFound)
			return
		}
		web.ServeHTTP(w, r)
	})
	row := ""
	for _, f := range s.env.Plan.Carrying("link") {
		if slices.Contains(s.env.Plan.Relays, f.To) {
			row = f.Service
		}
	}
	one := &link.Server{
		Listener: s.relays, Row: row, TLS: config, Web: joining, Options: s.linkOptions(),
		OnLink: func(ctx context.Context, l *link.Link) { s.fleet.Serve(ctx, l) },
	}
	s.servers = append(s.servers, one.Run)
}

// onLinks is what agents call on their links: the fleet, and the gate for those that relay.
func (s *Server) onLinks(f *fleet.Fleet) http.Handler {
	if s.relays == nil {
		return f.Handler()
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+relay.PathIn, s.relays)
	mux.Handle("/", f.Handler())
	return mux
}

// relayPaths are the rows by which relays carry a node's conversation.
func (s *Server) relayPaths(conversation string, n store.Node) []ports.RelayPath {
	return s.site().RelayPaths(conversation, s.zoneOf(n))
}

// relayRoutes adds to a node's view how relays carry its links, and where it is a relay itself.
func (s *Server) relayRoutes(v *wire.View, n store.Node, plan ports.Compiled) {
	for _, p := range s.relayPaths("enrol", n) {
		if !p.RelayDials {
			v.Enrol = append(v.Enrol, wire.Route{Row: p.Flow.Service, Addresses: s.site().At(p.Relay, p.Flow.Service)})
		}
	}
	for _, p := range s.relayPaths("link", n) {
		cl, _ := plan.Service(p.Flow.Service)
		switch turn := len(v.Dial) + len(v.Listen) + 1; {
		case !p.RelayDials:
			v.Dial = append(v.Dial, wire.Route{Row: p.Flow.Service, Turn: turn, Addresses: s.site().At(p.Relay, p.Flow.Service)})
		case !slices.ContainsFunc(v.Listen, func(r wire.Route) bool { return r.Row == p.Flow.Service }):
			v.Listen = append(v.Listen, wire.Route{Row: p.Flow.Service, Port: int(cl.Port), Turn: turn, Bind: s.site().Binds(n.Name, p.Flow.Service)})
		}
	}
	for _, f := range s.site().Relays(n.Name) {
		cl, _ := plan.Service(f.Service)
		v.Relay = append(v.Relay, wire.Route{Row: f.Service, Port: int(cl.Port)})
	}
}

// relayTargets is where relays dial a node for this server.
func (s *Server) relayTargets(n store.Node) []link.Target {
	var all []link.Target
	for _, p := range s.relayPaths("link", n) {
		if !p.RelayDials {
			continue
		}
		for _, address := range s.whereIs(n, p.Flow.Service) {
			all = append(all, link.Target{Row: p.Flow.Service, Address: address, Turn: p.Turn})
		}
	}
	return all
}

// dialOrRelay dials a target itself, or has a relay do it where the row is one that relays dial.
func (s *Server) dialOrRelay(n store.Node, dial func(context.Context, link.Target) (net.Conn, error)) func(context.Context, link.Target) (net.Conn, error) {
	return func(ctx context.Context, to link.Target) (net.Conn, error) {
		var names []string
		for _, p := range s.relayPaths("link", n) {
			if p.RelayDials && p.Flow.Service == to.Row {
				names = append(names, p.Relay)
			}
		}
		if len(names) == 0 {
			return dial(ctx, to)
		}
		l := s.relayLink(names)
		if l == nil {
			return nil, fault.Newf(fault.Unreachable, "dialling %s: none of its relays %v is linked", to, names)
		}
		return relay.Dial(ctx, l, to.Row, to.Address)
	}
}

// relayLink is the newest link of one of some relays, in their order; nil: none is linked.
func (s *Server) relayLink(names []string) *link.Link {
	var newest *link.Link
	for _, name := range names {
		for _, l := range s.links.All() {
			if l.Peer().Name == name && (newest == nil || l.Number() > newest.Number()) {
				newest = l
			}
		}
		if newest != nil {
			return newest
		}
	}
	return nil
}
