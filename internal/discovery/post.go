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
	Role    ports.RoleKind
	Bind    []string     // addresses to listen on; none: all
	About   func() About // what this node tells; nil: it tells nothing
	Rand    io.Reader    // cryptographic
	Now     func() time.Time
	Log     *slog.Logger
}

// Post is a node's end of discovery: it answers who asks, where the plan lets it, and hears the answers to what it asks.
type Post struct {
	cfg     Config
	row     string
	udp     []*socket.Packets // from which it asks too; none: the plan has no UDP for it
	streams []net.Listener

	mu      sync.Mutex
	waiting map[nonce]func(netip.AddrPort, About)
}

// Open opens the row of the plan that has the door discovery, where it gives it a number and the role a part in it; else it
// returns nil. Answers to a broadcast come in on the plan's own number; where another node of this host has it, on one that
// the system chooses.
func Open(ctx context.Context, cfg Config) (*Post, error) {
	plan := cfg.Sockets.Plan()
	p := &Post{cfg: cfg, waiting: map[nonce]func(netip.AddrPort, About){}}
	for _, cl := range plan.Claims {
		role := string(cfg.Role)
		if cl.Status != ports.Works || cl.Port == 0 || directory.Speaks(plan, cl) != directory.Discovery || p.row != "" && p.row != cl.Service {
			continue
		}
		listens := plan.MayListen(role, cl.Service)
		if !listens && !plan.MayDial(role, cl.Service) {
			continue
		}
		p.row = cl.Service
		var err error
		switch {
		case cl.Protocol == ports.UDP:
			err = p.openPackets(ctx, listens)
		case listens:
			err = p.openStreams(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	if p.row == "" {
		return nil, nil //nolint:nilnil // there is no discovery, and that is no mistake
	}
	return p, nil
}

func (p *Post) openPackets(ctx context.Context, listens bool) error {
	for _, bind := range p.binds() {
		all, err := p.cfg.Sockets.ListenPackets(ctx, p.row, bind)
		if fault.Is(err, fault.Conflict) && p.asks() {
			var one *socket.Packets
			if one, err = p.cfg.Sockets.AskPackets(ctx, p.row); err == nil {
				p.cfg.Log.Warn("discovery asks from another port, because somebody has the plan's: a firewall may keep answers away", slog.String("row", p.row), slog.Bool("listens", listens))
				p.udp = append(p.udp, one)
			}
			return err
		}
		if err != nil {
			return err
		}
		p.udp = append(p.udp, all...)
	}
	return nil
}

// asks reports whether the plan lets the role ask others.
func (p *Post) asks() bool {
	return slices.ContainsFunc(p.cfg.Sockets.Plan().Flows, func(f ports.ResolvedFlow) bool {
		return f.Service == p.row && p.cfg.Sockets.Plan().Kinds[f.From] == p.cfg.Role
	})
}

// binds are the addresses on which packets come in. One that is bound to an address hears no broadcast: that goes to an
// address of its own.
func (p *Post) binds() []string {
	if len(p.cfg.Bind) == 0 {
		return []string{""}
	}
	all := slices.Clone(p.cfg.Bind)
	for _, n := range networks() {
		if slices.Contains(p.cfg.Bind, n.own.String()) {
			all = append(all, n.all.String())
		}
	}
	return all
}

func (p *Post) openStreams(ctx context.Context) error {
	binds := p.cfg.Bind
	if len(binds) == 0 {
		binds = []string{""}
	}
	for _, bind := range binds {
		l, err := p.cfg.Sockets.Listen(ctx, p.row, bind)
		if err != nil {
			return err
		}
		p.streams = append(p.streams, l)
	}
	return nil
}

// manyAnswers is how many packets a second are looked at: all nodes of a network answer a broadcast at once.
const manyAnswers = 20_000

// Run answers and hears until ctx ends.
func (p *Post) Run(ctx context.Context) error {
	r := &responder.Responder{
		Name: p.row, Answer: p.Answer, Streams: p.streams, Framing: responder.Lengths{}, Now: p.cfg.Now, Log: p.cfg.Log,
		Limits: responder.Limits{Total: manyAnswers, Requests: 1},
	}
	for _, u := range p.udp {
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
	for _, u := range p.udp {
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
