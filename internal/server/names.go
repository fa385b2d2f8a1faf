package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/discovery"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/responder"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// names tells what is where: to the API, and to strangers on the plan's rows for DNS and ONC RPC.
type names struct {
	post    *discovery.Post // nil: the plan has no discovery
	closers []func() error
	leased  []*leasedRow
	ledger  *ledger.Ledger // of the leased rows; nil: there are none

	mu   sync.Mutex
	book *directory.Book
	made time.Time
}

// bookAge is how old the book may be that strangers are told from: what they ask costs one reading of the store in this
// time, however often they ask.
const bookAge = 2 * time.Second

// openNames opens the plan's rows on which DNS and ONC RPC are spoken.
func (s *Server) openNames(ctx context.Context) error {
	plan := s.ownPlan()
	for i, cl := range plan.Claims {
		first := !slices.ContainsFunc(plan.Claims[:i], func(before ports.Claim) bool { return before.Service == cl.Service && before.Status == ports.Works })
		if !first || cl.Status != ports.Works || !cl.Binds || cl.Port == 0 || !s.listens(cl.Service) {
			continue
		}
		var err error
		switch directory.Speaks(plan, cl) {
		case directory.DNS:
			tell := &directory.Names{Book: func() *directory.Book { return s.currentBook(context.WithoutCancel(ctx)) }}
			err = s.answer(ctx, cl, &responder.Responder{Answer: tell.Answer, Framing: responder.Lengths{}})
		case directory.RPC:
			err = s.openMapper(ctx, cl)
		case directory.HTTP, directory.Discovery:
		}
		if err != nil {
			return err
		}
	}
	return s.openDiscovery(ctx)
}

// openDiscovery answers who looks for nodes, and lets people look, where the plan has it.
func (s *Server) openDiscovery(ctx context.Context) error {
	post, err := discovery.Open(ctx, discovery.Config{
		Sockets: s.sockets, Roles: s.roles(), Bind: s.boundTo, Rand: s.env.Rand, Now: s.env.Now, Log: s.env.Log,
		About: func() discovery.About {
			return discovery.About{
				Name: s.own.id.Name, Role: string(ports.Server), Version: s.env.Version, Domain: s.authority.Domain(), Fingerprint: s.authority.Fingerprint(), Joined: true,
			}
		},
	})
	if err != nil || post == nil {
		return err
	}
	s.names.post = post
	s.names.closers = append(s.names.closers, post.Close)
	s.servers = append(s.servers, post.Run)
	return nil
}

// roles are those that this server plays in the inventory; where that does not have it, any that is a server's.
func (s *Server) roles() []string {
	if h, ok := s.host(); ok {
		return s.site().Roles(h.Name)
	}
	return []string{string(ports.Server)}
}

// listens reports whether the plan lets this server listen for a service.
func (s *Server) listens(service string) bool {
	return slices.ContainsFunc(s.roles(), func(role string) bool { return s.env.Plan.MayListen(role, service) })
}

// discover looks for nodes.
func (s *Server) discover(ctx context.Context, subnets []netip.Prefix) ([]discovery.Found, error) {
	return s.names.post.Ask(ctx, subnets)
}

// answer opens a row's sockets, of each protocol that it has, and has a responder answer on them.
func (s *Server) answer(ctx context.Context, row ports.Claim, r *responder.Responder) error {
	if row.TLS {
		return fault.New(fault.Invalid, "the row "+row.Service+" of the port plan "+s.env.Plan.Plan+" says tls: true, and what is spoken there knows no TLS", "write tls: false: what it tells is no secret, and it takes nothing")
	}
	r.Name, r.Now, r.Log = row.Service, s.env.Now, s.env.Log
	closeAll := func() error {
		var errs []error
		for _, p := range r.Packets {
			errs = append(errs, closed(p.Close()))
		}
		for _, l := range r.Streams {
			errs = append(errs, closed(l.Close()))
		}
		return errors.Join(errs...)
	}
	for _, bind := range s.binds(row) {
		for _, cl := range s.ownPlan().Claims {
			if cl.Service != row.Service || cl.Status != ports.Works {
				continue
			}
			if err := s.openFor(ctx, r, cl, bind); err != nil {
				return errors.Join(err, closeAll())
			}
		}
	}
	s.names.closers = append(s.names.closers, closeAll)
	s.servers = append(s.servers, r.Run)
	return nil
}

func (s *Server) openFor(ctx context.Context, r *responder.Responder, cl ports.Claim, bind string) error {
	if cl.Protocol == ports.UDP {
		all, err := s.sockets.ListenPackets(ctx, cl.Service, bind)
		for _, p := range all {
			r.Packets = append(r.Packets, p)
		}
		return err
	}
	l, err := s.sockets.Listen(ctx, cl.Service, bind)
	if err == nil {
		r.Streams = append(r.Streams, l)
	}
	return err
}

// closed is an error of closing, but for what was closed already.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// binds are the addresses on which a row is bound, as entrances are; "" stands for all.
func (s *Server) binds(cl ports.Claim) []string {
	return s.bindsIn(s.now(), cl)
}

// boundTo are the addresses on which a row is bound; none: all.
func (s *Server) boundTo(cl ports.Claim) []string {
	return slices.DeleteFunc(slices.Clone(s.binds(cl)), func(b string) bool { return b == "" })
}

// currentBook is the book, at most bookAge old; where the store cannot be read, it is the last one.
func (s *Server) currentBook(ctx context.Context) *directory.Book {
	n := &s.names
	n.mu.Lock()
	defer n.mu.Unlock()
	now := s.env.Now()
	if n.book != nil && now.Sub(n.made).Abs() < bookAge {
		return n.book
	}
	nodes, err := s.store.ListNodes(ctx)
	if err != nil {
		s.env.Log.Warn("reading nodes for the directory", slog.Any("error", err))
		if n.book == nil {
			return directory.Compose(s.env.Plan, s.authority.Domain(), 0, nil)
		}
		return n.book
	}
	serial := uint32(now.Unix()) //nolint:gosec // serials of DNS go round
	book := directory.Compose(s.env.Plan, s.authority.Domain(), serial, s.known(nodes))
	if n.made = now; n.book == nil || !reflect.DeepEqual(book.Nodes, n.book.Nodes) {
		n.book = book
	}
	return n.book
}

// known is what this server knows of the domain's nodes.
func (s *Server) known(nodes []store.Node) []directory.Known {
	all := make([]directory.Known, 0, len(nodes))
	for _, n := range nodes {
		k := directory.Known{Name: n.Name, Role: n.Plays()}
		switch {
		case n.ID == s.own.id.ID:
			k.Addresses, k.Where = s.ownHosts(), s.ownPlaces
		case k.Role == ports.Server, len(s.paths(n)) > 0:
			k.Where = func(row string) []string { return s.whereIs(n, row) }
			k.Addresses = s.hostsOf(n)
		default:
			k.Addresses = s.hostsOf(n)
		}
		all = append(all, k)
	}
	return all
}

// hostsOf is where a node is, without ports: as the inventory says, else as it was enrolled, else where it came from.
func (s *Server) hostsOf(n store.Node) []string {
	var all []string
	if h, ok := s.site().Host(n.Name); ok {
		all = append(all, h.Advertise...)
	}
	if len(all) == 0 {
		all = append(all, n.Addresses...)
	}
	if len(all) == 0 && n.Found != "" {
		all = []string{n.Found}
	}
	for i, a := range all {
		if host, _, err := net.SplitHostPort(a); err == nil {
			all[i] = host
		}
		all[i] = strings.Trim(all[i], "[]")
	}
	return all
}

// ownPlaces is where others reach this server on a row.
func (s *Server) ownPlaces(row string) []string {
	return append(s.advertised(s.now(), row), s.unnamed()...)
}

// ownHosts are this server's names and addresses.
func (s *Server) ownHosts() []string {
	var all []string
	for _, a := range s.addresses {
		if host, _, err := net.SplitHostPort(a); err == nil {
			all = append(all, host)
		}
	}
	return append(all, s.unnamed()...)
}

// unnamed are the addresses of this host, where nobody has said which of them are this server's.
func (s *Server) unnamed() []string {
	if _, known := s.host(); known || len(s.cfg.Advertise) > 0 || len(s.cfg.Bind) > 0 {
		return nil
	}
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var all []string
	for _, a := range found {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() {
			all = append(all, p.Addr().Unmap().String())
		}
	}
	return all
}

// closeNames closes what openNames opened, and gives leased rows back. The entrances are closed before.
func (s *Server) closeNames() error {
	errs := []error{s.releaseRows()}
	for _, done := range s.names.closers {
		errs = append(errs, done())
	}
	return errors.Join(errs...)
}
