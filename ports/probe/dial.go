package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// Dial says what to dial and how patiently.
type Dial struct {
	Flow     ports.ResolvedFlow
	Host     string        // a name or an address; with a port where that differs from the plan's (NAT)
	Patience time.Duration // for silence; 0: a little more than the 3 s that the neighbour table needs to miss a host
	Say      []byte        // UDP: the datagram
	Alone    sync.Locker   // held while the kernel's counters are looked at, which other dials move; nil: there are none
}

const (
	defaultPatience = 3500 * time.Millisecond
	tracePatience   = 700 * time.Millisecond // of one dial of a trace: routers answer at once or never
	maxHops         = 16                     // of a trace; it ends at the first silence in a row of three
	echoTries       = 20
)

// Conn is what a dial leaves to say something over: the connection of TCP, or what came back over UDP.
type Conn struct {
	net.Conn        // nil without a connection
	Heard    []byte // UDP
}

// Look dials once and sees what comes back. Where that was silence or a refusal without a sender, it looks closer: how
// far packets come, and whether they leave this host; of that further dials are made, which nobody sees but the routers.
// The answer over the connection is the caller's to ask for: Answer is Unasked. The error is about what may be dialled
// at all, and that the context ended.
func Look(ctx context.Context, sockets *socket.Net, d Dial) (SourceView, Conn, error) {
	v := SourceView{System: runtime.GOOS, Protocol: d.Flow.Protocol, Address: dialled(d)}
	if d.Patience == 0 {
		d.Patience = defaultPatience
	}
	v.Own, _ = addresses()
	soon, cancel := context.WithTimeout(ctx, d.Patience)
	all, err := resolve(soon, v.Address)
	cancel()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return v, Conn{}, cause
		}
		v.Outcome, v.Text = Unresolved, err.Error()
		return v, Conn{}, nil
	}
	v.Remote, v.Also = all[0], all[1:]
	l := looker{sockets, d, &v}
	got, together, err := l.first(ctx)
	if err != nil {
		return v, Conn{}, err
	}
	v.take(got)
	if together {
		v.Gateway = socket.Gateway(v.Remote.Addr())
		return v, Conn{}, nil
	}
	if err := l.closer(ctx, got); err != nil {
		return v, Conn{}, err
	}
	return v, Conn{Conn: got.Conn, Heard: got.Heard}, nil
}

// dialled is HOST:PORT of a dial: the port of the host goes before that of the plan.
func dialled(d Dial) string {
	if _, err := netip.ParseAddr(d.Host); err != nil {
		if host, port, err := net.SplitHostPort(d.Host); err == nil && port != "" {
			return net.JoinHostPort(host, port)
		}
	}
	return net.JoinHostPort(d.Host, strconv.Itoa(int(d.Flow.Port)))
}

// resolve returns what an address means, in the order in which the system would dial it; at least one.
func resolve(ctx context.Context, address string) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, errors.New(port + " is no port")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), uint16(n))}, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errors.New(host + " has no address")
	}
	all := make([]netip.AddrPort, len(found))
	for i, a := range found {
		all[i] = netip.AddrPortFrom(a.Unmap(), uint16(n))
	}
	return all, nil
}

// looker looks at one path.
type looker struct {
	sockets *socket.Net
	dial    Dial
	v       *SourceView
}

func (l looker) knock(ctx context.Context, hops int, patience time.Duration) (socket.Knocked, error) {
	return l.sockets.Knock(ctx, socket.Knock{
		Service: l.dial.Flow.Service, Protocol: l.dial.Flow.Protocol, Remote: l.v.Remote, Hops: hops, Patience: patience, Say: l.dial.Say,
	})
}

// take notes what came back.
func (v *SourceView) take(got socket.Knocked) {
	v.Local, v.Took, v.Queue, v.Errno = got.Local, got.Took, got.Queue, got.Errno
	v.Outcome = outcomeOf(got.Kind)
	if got.Err != nil {
		v.Text = got.Err.Error()
	}
	if got.ICMP != nil {
		v.ICMP = &ICMP{Type: got.ICMP.Type, Code: got.ICMP.Code, Address: got.ICMP.Address}
	}
}

func outcomeOf(k socket.KnockKind) Dialled {
	return map[socket.KnockKind]Dialled{
		socket.KnockOpen: Connected, socket.KnockRefused: Refused, socket.KnockNoHost: HostUnreachable, socket.KnockNoNet: NetUnreachable,
		socket.KnockSilence: Silence, socket.KnockDenied: NotPermitted, socket.KnockItself: Itself, socket.KnockOther: OtherError,
	}[k]
}

// closer looks at what one dial leaves open.
func (l looker) closer(ctx context.Context, first socket.Knocked) error {
	switch v := l.v; {
	case v.Outcome == HostUnreachable || v.Outcome == NetUnreachable:
		v.Gateway = socket.Gateway(v.Remote.Addr())
		return l.missed(ctx)
	case v.Outcome == Silence:
		v.Gateway = socket.Gateway(v.Remote.Addr())
		v.Egress = egressOf(first)
		if err := l.egress(ctx, first); err != nil || v.Egress == EgressBlocked {
			return err
		}
		return l.trace(ctx)
	case v.Outcome == Refused && v.ICMP == nil && v.Protocol == ports.TCP:
		return l.refused(ctx, first)
	}
	return nil
}

// missed dials again where the delay leaves it open whether a host is not there: a box that rejects may have had to wait
// until it could send an ICMP error, and a neighbour table that was already asking is sooner done.
func (l looker) missed(ctx context.Context) error {
	const (
		dials   = 2
		between = 1100 * time.Millisecond
	)
	if i := l.v.ICMP; l.v.Took < atOnce || i == nil || slices.Contains(l.v.Own, i.Address) {
		return nil // this host's own errors are not counted
	}
	for range dials {
		select {
		case <-time.After(between):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		again, err := l.knock(ctx, 0, defaultPatience)
		if err != nil {
			return err
		}
		if again.Conn != nil {
			_ = again.Conn.Close()
		}
		if l.v.Again = again.Took; l.v.Again < atOnce || l.v.Again >= missed {
			break
		}
	}
	return nil
}

// egressOf reads from the kernel's counters whether a silent TCP dial left this host. A counter that others move too
// can only say that it did.
func egressOf(k socket.Knocked) Egress {
	if k.Resent > 0 && k.Unsent == 0 {
		return EgressLeft
	}
	return EgressUnknown
}

// refused asks whether a reset without a sender was made on this host. A rule of it sends the reset over loopback: a dial
// during which nothing passed there was reset elsewhere. Others use loopback too, so it is dialled again, with one hop to
// live where the target is farther, until one dial was alone.
func (l looker) refused(ctx context.Context, first socket.Knocked) error {
	v := l.v
	v.Gateway = socket.Gateway(v.Remote.Addr())
	got, hops := first, 0
	if v.Gateway.IsValid() {
		hops = 1
	}
	for range echoTries {
		if got.Echoes == 0 {
			v.Egress = EgressLeft
			return nil
		}
		if got.Echoes < 0 || got.Kind != socket.KnockRefused || got.ICMP != nil {
			break
		}
		var err error
		if got, err = l.knock(ctx, hops, tracePatience); err != nil {
			return unlessNoHops(err)
		}
		if got.Conn != nil {
			_ = got.Conn.Close()
		}
	}
	switch {
	case got.ICMP != nil || got.Kind != socket.KnockRefused:
		v.Egress = EgressLeft // the first router answered what did not pass it
	case got.Echoes > 0:
		v.Egress = EgressBlocked
	}
	return nil
}

// unlessNoHops forgives a system that cannot trace.
func unlessNoHops(err error) error {
	if errors.Is(err, socket.ErrNoHops) {
		return nil
	}
	return err
}
