package discovery

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/responder"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// Config is what a Post is given of the world.
type Config struct {
	Sockets *socket.Net
	Roles   []string // that this node plays: of the plan, or a kind
	// Bind returns the addresses on which a row is bound, none: all. nil: all.
	Bind  func(ports.Claim) []string
	About func() About // what this node tells; nil: it tells nothing
	Rand  io.Reader    // cryptographic
	Now   func() time.Time
	Log   *slog.Logger
}

// Post is a node's end of discovery: it answers who asks, where the plan lets it, and hears the answers to what it asks.
type Post struct {
	cfg     Config
	row     string            // at which others are asked; empty: the plan lets this node ask nobody
	heard   []*socket.Packets // what comes in; it is asked from there, so that answers come to a number of the plan
	streams []net.Listener

	mu      sync.Mutex
	waiting map[nonce]func(netip.AddrPort, About)
}

// Open opens the rows of the plan that have the door discovery, where the plan gives them numbers and the node a part in
// them; else it returns nil. A row that another node of this host has is left to that one, with a warning.
func Open(ctx context.Context, cfg Config) (*Post, error) {
	p := &Post{cfg: cfg, waiting: map[nonce]func(netip.AddrPort, About){}}
	for _, cl := range p.rows() {
		if err := p.open(ctx, cl); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	if p.row == "" && len(p.heard)+len(p.streams) == 0 {
		return nil, nil //nolint:nilnil // there is no discovery, and that is no mistake
	}
	return p, nil
}

// rows are those of discovery that are in use.
func (p *Post) rows() []ports.Claim {
	plan := p.cfg.Sockets.Plan()
	return slices.DeleteFunc(slices.Clone(plan.Claims), func(cl ports.Claim) bool {
		return cl.Status != ports.Works || cl.Port == 0 || directory.Speaks(plan, cl) != directory.Discovery
	})
}

// open opens a row where this node listens, and notes it where this node asks.
func (p *Post) open(ctx context.Context, cl ports.Claim) error {
	plan := p.cfg.Sockets.Plan()
	asks := func(f ports.ResolvedFlow) bool {
		return f.Service == cl.Service && f.Status == ports.Works && slices.ContainsFunc(p.cfg.Roles, func(r string) bool { return r == f.From || r == string(plan.Kinds[f.From]) })
	}
	if p.row == "" && slices.ContainsFunc(plan.Flows, asks) {
		p.row = cl.Service
	}
	if !slices.ContainsFunc(p.cfg.Roles, func(r string) bool { return plan.MayListen(r, cl.Service) }) {
		return nil
	}
	err := p.listen(ctx, cl)
	if fault.Is(err, fault.Conflict) {
		p.cfg.Log.Warn("somebody on this host has a port of discovery: it is left to who has it", slog.String("row", cl.Service), slog.Any("error", err))
		return nil
	}
	return err
}

func (p *Post) listen(ctx context.Context, cl ports.Claim) error {
	for _, bind := range p.binds(cl) {
		if cl.Protocol == ports.UDP {
			all, err := p.cfg.Sockets.ListenPackets(ctx, cl.Service, bind)
			if err != nil {
				return err
			}
			p.heard = append(p.heard, all...)
			continue
		}
		l, err := p.cfg.Sockets.Listen(ctx, cl.Service, bind)
		if err != nil {
			return err
		}
		p.streams = append(p.streams, l)
	}
	return nil
}

// asks reports whether the plan lets this node ask others.
func (p *Post) asks() bool { return p.row != "" }

// has reports whether others are asked by a protocol.
func (p *Post) has(protocol ports.Protocol) bool {
	return slices.ContainsFunc(p.rows(), func(cl ports.Claim) bool { return cl.Service == p.row && cl.Protocol == protocol })
}

// binds are the addresses on which a row is bound. A UDP socket of one address hears no broadcast: that goes to an address
// of its own.
func (p *Post) binds(cl ports.Claim) []string {
	var all []string
	if p.cfg.Bind != nil {
		all = slices.Clone(p.cfg.Bind(cl))
	}
	if len(all) == 0 {
		return []string{""}
	}
	if cl.Protocol == ports.UDP {
		for _, n := range networks() {
			if slices.Contains(all, n.own.String()) {
				all = append(all, n.all.String())
			}
		}
	}
	return all
}

// manyAnswers is how many packets a second are looked at: all nodes of a network answer a broadcast at once.
const manyAnswers = 20_000

// Run answers and hears until ctx ends.
func (p *Post) Run(ctx context.Context) error {
	r := &responder.Responder{
		Name: "discovery", Answer: p.Answer, Streams: p.streams, Framing: responder.Lengths{}, Now: p.cfg.Now, Log: p.cfg.Log,
		Limits: responder.Limits{Total: manyAnswers, Requests: 1},
	}
	for _, u := range p.heard {
		r.Packets = append(r.Packets, u)
	}
	if len(r.Packets)+len(r.Streams) == 0 {
		<-ctx.Done()
		return nil
	}
	return r.Run(ctx)
}

// Close closes the sockets; it may be called again, and after Run.
func (p *Post) Close() error {
	var errs []error
	for _, u := range p.heard {
		errs = append(errs, u.Close())
	}
	for _, l := range p.streams {
		errs = append(errs, l.Close())
	}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, net.ErrClosed) })...)
}

// Answer answers one message: a question, where this node tells something; an answer is given to who asked, and not
// answered again.
func (p *Post) Answer(message []byte, a responder.Asked) []byte {
	if n, about, ok := readAnswer(message); ok {
		p.mu.Lock()
		hear := p.waiting[n]
		p.mu.Unlock()
		if hear != nil {
			hear(a.From, about)
		}
		return nil
	}
	n, ok := readRequest(message)
	if !ok || p.cfg.About == nil {
		return nil
	}
	p.mu.Lock()
	_, own := p.waiting[n]
	p.mu.Unlock()
	if own {
		return nil // a broadcast comes back to who sent it
	}
	if b := answer(n, p.cfg.About()); len(b) <= min(a.Room, len(message)) {
		return b
	}
	return nil
}
