package server

import (
	"context"
	"net"
	"os"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// planned is a port plan on this site with the sockets that are opened by it. A server works by one; while its ports are
// changed the next one stands beside it.
type planned struct {
	site    ports.Site
	host    ports.Host // this server in the inventory; zero: it is not in it
	sockets *socket.Net
	main    string // the row at which a server is found
}

// now is the plan by which this server works.
func (s *Server) now() planned {
	h, _ := s.host()
	return planned{s.site(), h, s.sockets, s.main}
}

// plans are the next plan, where the ports are being changed, and that by which this server works.
func (s *Server) plans() []planned {
	if c := s.change.Load(); c != nil {
		return []planned{c.next, s.now()}
	}
	return []planned{s.now()}
}

// listen opens the rows that a plan gives to this server. What is for its own host only is bound to loopback.
func (s *Server) listen(ctx context.Context, p planned) ([]entrance, error) {
	var all []entrance
	for _, cl := range entrances(p.site.For(p.host.Name), p.main) {
		if slices.ContainsFunc(s.entrances, func(e entrance) bool { return e.claim.Service == cl.Service && e.claim.Port == cl.Port }) {
			continue // it stands already
		}
		binds := s.bindsIn(p, cl)
		if err := s.mayBePlain(cl, binds); err != nil {
			return all, err
		}
		e := entrance{claim: cl}
		for _, bind := range binds {
			l, err := s.listenRow(ctx, p.sockets, cl, bind)
			if err != nil {
				return append(all, e), err
			}
			e.listeners = append(e.listeners, l)
		}
		all = append(all, e)
	}
	return all, nil
}

// bindsIn are the addresses on which this server listens for a row of a plan. What the inventory opens to no other host is
// for this host only, unless somebody has said where to listen.
func (s *Server) bindsIn(p planned, cl ports.Claim) []string {
	host, binds := p.host.Name, s.cfg.Bind
	if len(binds) == 0 {
		binds = p.site.Binds(host, cl.Service)
	}
	switch {
	case cl.Scope == ports.SameHost:
		return []string{"127.0.0.1"}
	case len(binds) > 0:
		return binds
	case host != "" && !opened(p.site, host, cl):
		return []string{"127.0.0.1"}
	}
	return []string{""}
}

// opened reports whether other hosts may dial a row of a host.
func opened(site ports.Site, host string, cl ports.Claim) bool {
	in, _ := site.Openings(host)
	return slices.ContainsFunc(in, func(o ports.Opening) bool { return o.Service == cl.Service && o.Protocol == cl.Protocol })
}

// advertised is where agents and people find a row of this server: HOST:PORT.
func (s *Server) advertised(p planned, row string) []string {
	hosts := s.cfg.Advertise
	if len(hosts) == 0 {
		if all := p.site.At(p.host.Name, row); len(all) > 0 {
			return all
		}
		hosts = s.cfg.Bind
	}
	if len(hosts) == 0 {
		if name, err := os.Hostname(); err == nil {
			hosts = []string{name}
		} else {
			hosts = []string{"localhost"}
		}
	}
	all := make([]string, len(hosts))
	for i, h := range hosts {
		if host, _, err := net.SplitHostPort(h); err == nil && row != p.main {
			h = host // the number that is advertised is that of the main row
		}
		all[i] = p.sockets.Address(row, h)
	}
	return all
}

// way is a way by which a node's link can come up, in the order of dialling: by the next plan before this one.
type way struct {
	path      ports.Path
	turn      int
	port      ports.Port // on which the one that is dialled listens
	addresses []string
	next      bool // of the next plan
}

// ways are those of a node. What the next plan has like this one is there once.
func (s *Server) ways(n store.Node) []way {
	var all []way
	plans := s.plans()
	for i, p := range plans {
		next := len(plans) > 1 && i == 0
		for _, path := range s.pathsIn(p, "link", n) {
			w := way{path: path, turn: len(plans)*(path.Turn-1) + i + 1, next: next}
			host := n.Name
			if !path.ServerDials {
				host = p.host.Name
			}
			cl, _ := p.site.For(host).Service(path.Flow.Service)
			switch w.port = cl.Port; {
			case cl.Pool && !path.ServerDials && i == len(plans)-1: // its number is leased, for this node
				if w.port = s.reconnects.port(n.ID); w.port == 0 {
					continue
				}
			case cl.Pool || cl.Port == 0:
				continue
			}
			if cl.Pool {
				w.addresses = atPort(s.advertised(p, p.main), w.port)
			} else if path.ServerDials {
				w.addresses = s.whereIn(p, n, path.Flow.Service)
			} else {
				w.addresses = s.advertised(p, path.Flow.Service)
			}
			if !slices.ContainsFunc(all, w.same) {
				all = append(all, w)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b way) int { return a.turn - b.turn })
	return all
}

func (w way) same(o way) bool {
	return w.path.Flow.Service == o.path.Flow.Service && w.path.ServerDials == o.path.ServerDials && w.port == o.port && slices.Equal(w.addresses, o.addresses)
}

// targets is where this server dials a node, in the order of dialling.
func (s *Server) targets(n store.Node) []link.Target {
	var all []link.Target
	for _, w := range s.ways(n) {
		if !w.path.ServerDials {
			continue
		}
		for _, address := range w.addresses {
			all = append(all, link.Target{Row: w.path.Flow.Service, Address: address, Turn: w.turn})
		}
	}
	return append(all, s.relayTargets(n)...)
}

// paths are the rows by which this server dials a node's link.
func (s *Server) paths(n store.Node) []way {
	return slices.DeleteFunc(s.ways(n), func(w way) bool { return !w.path.ServerDials })
}

// dialTo opens a connection to a node.
func (s *Server) dialTo(ctx context.Context, to link.Target) (net.Conn, error) {
	for _, p := range s.plans() {
		if p.site.Compiled.MayDial(string(ports.Server), to.Row) {
			return p.sockets.Dial(ctx, to.Row, to.Address)
		}
	}
	return s.sockets.Dial(ctx, to.Row, to.Address)
}

// whereIs is where a node is found by a row of the plan in use.
func (s *Server) whereIs(n store.Node, row string) []string { return s.whereIn(s.now(), n, row) }

// whereIn is where a node is dialled by a row: as the inventory says, else as a person said when it was enrolled, else
// where it came from by itself.
func (s *Server) whereIn(p planned, n store.Node, row string) []string {
	if all := p.site.At(n.Name, row); len(all) > 0 {
		return all
	}
	hosts := n.Addresses
	if len(hosts) == 0 && n.Found != "" {
		hosts = []string{n.Found}
	}
	all := make([]string, len(hosts))
	for i, h := range hosts {
		if host, _, err := net.SplitHostPort(h); err == nil && row != s.enrolRow(p, n) {
			h = host // its number is that of the row at which it was enrolled
		}
		all[i] = p.sockets.Address(row, h)
	}
	return all
}

// enrolRow is the row by which this server enrols a node; empty: the node joins by its own dial.
func (s *Server) enrolRow(p planned, n store.Node) string {
	for _, path := range s.pathsIn(p, "enrol", n) {
		if path.ServerDials {
			return path.Flow.Service
		}
	}
	return ""
}

// linkedTurn is the place of the row over which a node is linked in the order of dialling, and whether it is linked.
func (s *Server) linkedTurn(n store.Node) (turn int, up bool) {
	st := s.fleet.Status(n.ID)
	if st.Dialled {
		return st.Turn, st.Linked
	}
	for _, w := range s.ways(n) {
		if !w.path.ServerDials && w.path.Flow.Service == st.Row && (st.Port == 0 || int(w.port) == st.Port) {
			return w.turn, st.Linked
		}
	}
	return st.Turn, st.Linked
}

// routes are the ways of a node as its view has them.
func (s *Server) routes(n store.Node) (dial, listen []wire.Route) {
	dial, listen = []wire.Route{}, []wire.Route{}
	for _, w := range s.ways(n) {
		r := wire.Route{Row: w.path.Flow.Service, Port: int(w.port), Turn: w.turn}
		if w.path.ServerDials {
			r.Bind = s.plans()[0].site.Binds(n.Name, r.Row)
			listen = append(listen, r)
		} else {
			r.Addresses = w.addresses
			dial = append(dial, r)
		}
	}
	return dial, listen
}

// zone is this server's own: that of the inventory's host of its name, else of the only one that plays a server.
func (s *Server) zone() string {
	h, _ := s.host()
	return h.Zone
}

// dialledZone stands for the zone of a node that the inventory does not have, and that a server's dial has enrolled.
const dialledZone = "(enrolled by a server's dial)"

// pathsIn are the rows by which this server and a node have a conversation. Where nobody knows a node's zone, but a
// server's dial has enrolled it, that is how it is reached, and it dials only where the plan has no row for that.
func (s *Server) pathsIn(p planned, conversation string, n store.Node) []ports.Path {
	site, own := p.site, p.host
	h, _ := site.Host(n.Name)
	zone := h.Zone
	if zone == "" && len(n.Addresses) > 0 {
		zone = dialledZone
		site.Inventory.Dials = append(slices.Clip(site.Inventory.Dials), ports.Dial{From: own.Zone, To: zone})
	}
	paths := site.Paths(conversation, own.Zone, zone, n.Plays())
	if n.Plays() == ports.Desk { // it dials nobody
		paths = slices.DeleteFunc(paths, func(p ports.Path) bool { return !p.ServerDials })
	}
	return paths
}

// hostIn is this server in the inventory of a site.
func (s *Server) hostIn(site ports.Site) (ports.Host, bool) {
	if h, ok := site.Host(s.name()); ok {
		return h, true
	}
	var found []ports.Host
	for _, h := range site.Inventory.Hosts {
		if slices.ContainsFunc(h.Roles, func(role string) bool {
			return role == string(ports.Server) || site.Compiled.Kinds[role] == ports.Server
		}) {
			found = append(found, h)
		}
	}
	if len(found) != 1 {
		return ports.Host{}, false
	}
	return found[0], true
}
