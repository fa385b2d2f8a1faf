package twoends

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// ListenOptions say what the listening end does.
type ListenOptions struct {
	Host    string // its name, for the report
	Sockets *socket.Net
	Rows    []ports.Claim // of the Sockets' plan, with this host's own numbers
	Bind    []string      // addresses of this host; none: all
	Look    bool          // take no port: only look at who has it and what comes
	Code    Code
	Own     probe.Own // how Reeve's own listeners are known, this process beside
	Keep    int       // attempts of one port that are kept: the last ones; 0: 256

	Rand    io.Reader
	Now     func() time.Time
	Observe func(context.Context) (probe.Observation, error)
	Tell    func(End, Arrival) // of each attempt that came to the probe; nil: nobody is told
}

const (
	maxArrivals = 256 // of one port that are kept where nobody says how many
	maxAtOnce   = 64  // connections of one port
	sessionTime = 10 * time.Second
)

// Listener is the listening end.
type Listener struct {
	o       ListenOptions
	tls     *tls.Config
	from    time.Time
	streams []stream
	packets []datagrams
	unwatch func()

	mu   sync.Mutex
	ends []End
	wire string
}

// stream is an open TCP listener of an end, datagrams an open UDP socket.
type (
	stream struct {
		net.Listener
		end int
	}
	datagrams struct {
		*socket.Packets
		end int
	}
)

// Listen takes the ports. One that somebody else has is no error: who has it is what the report says. Run or Close must
// follow.
func Listen(ctx context.Context, o ListenOptions) (*Listener, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), o.Rand)
	if err != nil {
		return nil, fmt.Errorf("making the key of a probe: %w", err)
	}
	cert, err := identity.SelfSigned(key, o.Now())
	if err != nil {
		return nil, fmt.Errorf("making the certificate of a probe: %w", err)
	}
	l := &Listener{o: o, from: o.Now(), unwatch: func() {}, tls: &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true}}
	for i, row := range o.Rows {
		e := End{Service: row.Service, Protocol: row.Protocol, Port: row.Port, Arrivals: []Arrival{}}
		if !o.Look {
			err := l.take(ctx, i, row)
			e.Open = err == nil
			if err != nil {
				e.Error = err.Error()
			}
		}
		l.ends = append(l.ends, e)
	}
	l.watch(ctx)
	return l, nil
}

// take opens the sockets of one row: all of them, or none.
func (l *Listener) take(ctx context.Context, end int, row ports.Claim) error {
	bind := l.o.Bind
	if len(bind) == 0 {
		bind = []string{""}
	}
	streams, packets := len(l.streams), len(l.packets)
	for _, a := range bind {
		if err := l.takeOne(ctx, end, row, a); err != nil {
			for _, s := range l.streams[streams:] {
				_ = s.Close()
			}
			for _, p := range l.packets[packets:] {
				_ = p.Close()
			}
			l.streams, l.packets = l.streams[:streams], l.packets[:packets]
			return err
		}
	}
	return nil
}

func (l *Listener) takeOne(ctx context.Context, end int, row ports.Claim, bind string) error {
	if row.Protocol == ports.TCP {
		s, err := l.o.Sockets.Listen(ctx, row.Service, bind)
		if err != nil {
			return err
		}
		l.streams = append(l.streams, stream{s, end})
		return nil
	}
	all, err := l.o.Sockets.ListenPackets(ctx, row.Service, bind)
	for _, p := range all {
		l.packets = append(l.packets, datagrams{p, end})
	}
	return err
}

// watch looks at the wire from now on: before anybody is told that there is something to dial.
func (l *Listener) watch(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	wait, err := socket.Watch(ctx, l.arrived)
	if err != nil {
		cancel()
		l.wire = err.Error()
		return
	}
	l.unwatch = func() { cancel(); wait() }
}

// Close lets the ports go, and stops looking.
func (l *Listener) Close() {
	l.unwatch()
	for _, s := range l.streams {
		_ = s.Close()
	}
	for _, p := range l.packets {
		_ = p.Close()
	}
}

// Run answers until the context ends.
func (l *Listener) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, s := range l.streams {
		all.Go(func() { l.accept(ctx, s) })
	}
	for _, p := range l.packets {
		all.Go(func() { l.receive(p) })
	}
	<-ctx.Done()
	l.Close()
	all.Wait()
	return nil
}

// Ends returns the rows as they are now, without looking at who else has them.
func (l *Listener) Ends() []End {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ends)
}

// arrived notes what was seen on the wire.
func (l *Listener) arrived(a socket.Arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.Lost > 0 {
		l.wire = "more packets came than could be looked at"
	}
	for i, e := range l.ends {
		if e.Protocol == a.Protocol && uint16(e.Port) == a.To.Port() && l.bound(a.To.Addr()) {
			l.see(i, a.From, a.To).Wire = true
		}
	}
}

// bound reports whether an address is one of those that are listened on: other programs of this machine may have others.
func (l *Listener) bound(a netip.Addr) bool {
	return len(l.o.Bind) == 0 || slices.ContainsFunc(l.o.Bind, func(b string) bool {
		own, err := netip.ParseAddr(b)
		return err != nil || own.IsUnspecified() || own.Unmap() == a.Unmap()
	})
}

// see returns what is known of an attempt; the lock is held.
func (l *Listener) see(end int, from, to netip.AddrPort) *Arrival {
	e := &l.ends[end]
	for i := range e.Arrivals {
		if e.Arrivals[i].From == from {
			return &e.Arrivals[i]
		}
	}
	if len(e.Arrivals) >= cmp.Or(l.o.Keep, maxArrivals) {
		e.Arrivals = slices.Delete(e.Arrivals, 0, 1)
		e.Forgotten++
	}
	e.Arrivals = append(e.Arrivals, Arrival{At: l.o.Now().UTC(), From: from, To: to})
	return &e.Arrivals[len(e.Arrivals)-1]
}

// note writes down what came to the probe, and returns all that is known of it.
func (l *Listener) note(end int, a Arrival) Arrival {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.see(end, a.From, a.To)
	kept.Accepted, kept.Proved, kept.TLS, kept.Nonce, kept.To = true, kept.Proved || a.Proved, a.TLS, a.Nonce, a.To
	return *kept
}

// tell says that an attempt is over.
func (l *Listener) tell(end int, a Arrival) {
	a = l.note(end, a)
	if l.o.Tell != nil {
		l.mu.Lock()
		e := l.ends[end]
		l.mu.Unlock()
		l.o.Tell(e, a)
	}
}

// Report says what was seen until now.
func (l *Listener) Report(ctx context.Context) (Report, error) {
	obs, err := l.o.Observe(ctx)
	if err != nil {
		return Report{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Report{Host: l.o.Host, PlanHash: l.o.Sockets.Plan().Hash, From: l.from.UTC(), Until: l.o.Now().UTC(), Wire: l.wire, Ends: slices.Clone(l.ends)}
	for i := range r.Ends {
		e := &r.Ends[i]
		e.Arrivals = slices.Clone(e.Arrivals)
		e.View = obs.Destination(e.Protocol, l.address(), e.Port, l.o.Own)
		e.View.At = r.Until
		e.View.Arrived, e.View.Accepted = e.sights(l.wire == "")
	}
	return r, nil
}

// sights say whether anything arrived at all.
func (e End) sights(watched bool) (arrived, accepted probe.Sight) {
	arrived, accepted = probe.NotWatched, probe.NotWatched
	if watched {
		arrived = probe.SawNothing
	}
	if e.Open {
		accepted = probe.SawNothing
	}
	for _, a := range e.Arrivals {
		if a.Wire {
			arrived = probe.Saw
		}
		if a.Accepted {
			accepted = probe.Saw
		}
	}
	return arrived, accepted
}

// address is the one that the ends are dialled at, where there is only one.
func (l *Listener) address() netip.Addr {
	if len(l.o.Bind) != 1 {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(l.o.Bind[0])
	return a
}

// closed reports whether an error only says that the end of the run closed the socket.
func closed(err error) bool { return errors.Is(err, net.ErrClosed) }
