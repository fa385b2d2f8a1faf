package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/responder"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// Found is a node that answered. All of it is what it says of itself, but From.
type Found struct {
	About
	From netip.Addr // where the answer came from
	Over string     // broadcast or tcp
}

// Address is where the node is dialled, HOST:PORT; empty where it dials.
func (f Found) Address() string {
	if f.Port == 0 {
		return ""
	}
	return netip.AddrPortFrom(f.From, uint16(f.Port)).String() //nolint:gosec // readAnswer has looked at it
}

// What one search may cost.
const (
	MaxAddresses = 4096             // of all subnets together
	maxFound     = 4096             // answers that are listed
	atOnce       = 128              // dials under way
	dialPatience = time.Second      // for one address
	hearing      = 2 * time.Second  // for answers to a broadcast
	again        = hearing / 4      // a packet may be lost: the question is asked twice
	Longest      = 45 * time.Second // of a whole search: 4096 addresses that nobody has
)

// Ask asks by broadcast, where the plan has that, and each address of the subnets over TCP, and returns who answered, by
// name and address. The error is Conflict where the plan lets this node ask nobody, and Invalid where the subnets have more
// than MaxAddresses.
func (p *Post) Ask(ctx context.Context, subnets []netip.Prefix) ([]Found, error) {
	if p == nil || !p.asks() {
		return nil, fault.New(fault.Conflict, "the port plan gives discovery no number, or no flow from this node", "give the row with the door discovery a port, on all nodes")
	}
	targets, err := addresses(subnets)
	if err != nil {
		return nil, err
	}
	if len(targets) > 0 && !p.has(ports.TCP) {
		return nil, fault.New(fault.Conflict, "the port plan has discovery by broadcast only", "give its row protocol: [tcp, udp], or leave the subnets out")
	}
	var n nonce
	if _, err := io.ReadFull(p.cfg.Rand, n[:]); err != nil {
		return nil, fmt.Errorf("reading chance: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, Longest)
	defer cancel()
	s := &search{post: p, nonce: n, found: map[string]Found{}}
	var all sync.WaitGroup
	if p.has(ports.UDP) {
		all.Go(func() { s.broadcast(ctx) })
	}
	all.Go(func() { s.dialAll(ctx, targets) })
	all.Wait()
	list := slices.Collect(maps.Values(s.found))
	slices.SortFunc(list, func(a, b Found) int { return cmp.Or(cmp.Compare(a.Name, b.Name), a.From.Compare(b.From)) })
	return list, nil
}

// search is one question, and who answered it.
type search struct {
	post  *Post
	nonce nonce

	mu    sync.Mutex
	found map[string]Found
}

// add keeps an answer; a node that answers in two ways, or at two addresses of one network, is listed once for each address.
func (s *search) add(f Found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := f.Name + " " + f.From.String() + " " + strconv.Itoa(f.Port)
	if _, known := s.found[id]; !known && len(s.found) < maxFound {
		s.found[id] = f
	}
}

// broadcast asks every network of this host, twice, and hears for a while.
func (s *search) broadcast(ctx context.Context) {
	p := s.post
	p.mu.Lock()
	p.waiting[s.nonce] = func(from netip.AddrPort, a About) { s.add(Found{About: a, From: from.Addr(), Over: "broadcast"}) }
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.waiting, s.nonce)
		p.mu.Unlock()
	}()
	from, done := p.speakers(ctx)
	defer done()
	for _, pause := range []time.Duration{again, hearing - again} {
		for _, n := range networks() {
			if u := speaker(from, n); u != nil {
				// Where a network cannot be reached now, nobody answers from it.
				_ = u.Send(request(s.nonce), netip.AddrPortFrom(n.all, uint16(p.number())), n.own)
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// number is the UDP port at which others are asked.
func (p *Post) number() ports.Port {
	for _, cl := range p.rows() {
		if cl.Service == p.row && cl.Protocol == ports.UDP {
			return cl.Port
		}
	}
	return 0
}

// speakers are the sockets from which networks are asked: those at which answers come in by the plan. Where it has none,
// it is one of this question's own, on a number that the system chooses, which is gone with the question.
func (p *Post) speakers(ctx context.Context) (all []*socket.Packets, done func()) {
	if len(p.heard) > 0 {
		return p.heard, func() {}
	}
	one, err := p.cfg.Sockets.AskPackets(ctx, p.row)
	if err != nil {
		p.cfg.Log.Warn("asking by broadcast", slog.Any("error", err))
		return nil, func() {}
	}
	r := responder.Responder{Name: p.row, Answer: p.Answer, Packets: []responder.Packets{one}, Now: p.cfg.Now, Log: p.cfg.Log, Limits: responder.Limits{Total: manyAnswers}}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.Run(ctx) // what breaks it is told by the silence
	}()
	return []*socket.Packets{one}, func() { cancel(); <-ended }
}

// speaker is the socket from which a network is asked; nil: none is bound to an address of it.
func speaker(from []*socket.Packets, n network) *socket.Packets {
	for _, u := range from {
		if local := u.Local().Addr(); local == n.own || local == netip.IPv4Unspecified() {
			return u
		}
	}
	return nil
}

// dialAll asks addresses over TCP, some at once.
func (s *search) dialAll(ctx context.Context, targets []netip.Addr) {
	next := make(chan netip.Addr)
	var all sync.WaitGroup
	for range min(atOnce, len(targets)) {
		all.Go(func() {
			for a := range next {
				if about, err := s.dial(ctx, a); err == nil {
					s.add(Found{About: about, From: a, Over: "tcp"})
				}
			}
		})
	}
	for _, a := range targets {
		if ctx.Err() != nil {
			break
		}
		next <- a
	}
	close(next)
	all.Wait()
}

func (s *search) dial(ctx context.Context, to netip.Addr) (About, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	conn, err := s.post.cfg.Sockets.Dial(ctx, s.post.row, to.String())
	if err != nil {
		return About{}, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(dialPatience)); err != nil {
		return About{}, err
	}
	if _, err := conn.Write(responder.Lengths{}.Frame(nil, request(s.nonce))); err != nil {
		return About{}, err
	}
	b, err := responder.Lengths{}.Read(conn)
	if err != nil {
		return About{}, err
	}
	n, about, ok := readAnswer(b)
	if !ok || n != s.nonce {
		return About{}, errors.New("not an answer to what was asked")
	}
	return about, nil
}

// addresses returns those of all subnets, each once; of an IPv4 network without its first and its last, which are no
// host's.
func addresses(subnets []netip.Prefix) ([]netip.Addr, error) {
	var all []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, p := range subnets {
		p = p.Masked()
		if p.Addr().BitLen()-p.Bits() > 12 {
			return nil, tooMany(p.String() + " has")
		}
		for a := p.Addr(); a.IsValid() && p.Contains(a); a = a.Next() {
			edge := a == p.Addr() || a == last(p)
			if a.Is4() && p.Bits() < 31 && edge || seen[a] {
				continue
			}
			seen[a] = true
			all = append(all, a)
		}
	}
	if len(all) > MaxAddresses {
		return nil, tooMany("the subnets have")
	}
	return all, nil
}

func tooMany(what string) error {
	return fault.New(fault.Invalid, fmt.Sprintf("%s more than %d addresses", what, MaxAddresses), "search smaller subnets, one after the other")
}

// network is one of this host's, with the address that everybody in it hears.
type network struct{ own, all netip.Addr }

// networks are those of this host that have a broadcast address.
func networks() []network {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var all []network
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagBroadcast == 0 {
			continue
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is4() && p.Bits() < 31 {
				all = append(all, network{p.Addr(), last(p)})
			}
		}
	}
	return all
}

// last is the last address of a network; of IPv4 its broadcast address.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
