package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// Knock is a dial that is looked at: what comes back matters, not what can be said over it.
type Knock struct {
	Service  string // of the plan
	Protocol ports.Protocol
	Remote   netip.AddrPort // its port may be another than the plan's, because of NAT
	Hops     int            // after how many hops the packets die; 0: the system's number
	Patience time.Duration  // how long silence is waited for
	Say      []byte         // UDP: the datagram
}

// Knocked is what came back.
type Knocked struct {
	Local netip.AddrPort
	Conn  net.Conn // TCP: open, the caller closes it; nil without a connection
	Heard []byte   // UDP: the datagram that came back
	Err   error    // what the system said; nil: it is open, or answered
	Errno string   // its name: "ECONNREFUSED"; empty: it has none
	Kind  KnockKind
	Took  time.Duration

	Queue bool  // ICMP errors could be seen
	ICMP  *ICMP // the error that ended it

	Resent int // how often the system sent the first packet again
	Unsent int // how often sending again failed on this host in the meantime, ours or another's; -1: not known
	Echoes int // packets over loopback in the meantime, ours or another's; -1: not known
}

// ICMP is an error message that came back.
type ICMP struct {
	Type, Code int
	Address    netip.Addr // who sent it
}

// KnockKind is what became of a knock.
type KnockKind uint8

// The kinds.
const (
	KnockOther KnockKind = iota // an error that says nothing of the path
	KnockOpen
	KnockRefused
	KnockNoHost
	KnockNoNet
	KnockSilence
	KnockDenied // this host does not let it out
	KnockItself // the connection's two ends are one
)

const (
	maxDatagram = 4 << 10 // bytes: more than any answer to a knock has
	datagrams   = 3       // how often one is sent
)

// ErrNoHops says that this system cannot limit the hops of a dial.
var ErrNoHops = errors.New("limiting the hops of a dial is only built for Linux")

// Knock dials once and looks at what comes back. The error is about what may be dialled at all; what the system said to
// the dial is in the answer.
func (n *Net) Knock(ctx context.Context, k Knock) (Knocked, error) {
	if _, err := n.claimOf(k.Service, k.Protocol); err != nil {
		return Knocked{}, err
	}
	if n.role != "" && !n.plan.MayDial(n.role, k.Service) {
		return Knocked{}, fault.New(fault.Forbidden, "the plan "+n.plan.Plan+" has no flow from the role "+n.role+" to "+k.Service, "add the flow to the plan")
	}
	if !k.Remote.IsValid() || k.Remote.Port() == 0 {
		return Knocked{}, fault.Newf(fault.Internal, "a knock at %s needs an address and a port", k.Service)
	}
	if k.Patience <= 0 {
		k.Patience = n.dialer.Timeout
	}
	start := time.Now()
	got, err := n.knock(ctx, k)
	got.Took = time.Since(start)
	if err != nil {
		return Knocked{}, err
	}
	if got.Conn != nil && got.Local == k.Remote {
		if t, ok := got.Conn.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // a reset: TIME_WAIT would block the port's real listener for a minute
		}
		_ = got.Conn.Close()
		got.Conn, got.Kind = nil, KnockItself
	}
	if t, ok := got.Conn.(*net.TCPConn); ok {
		got.Conn = &conn{TCPConn: t, net: n, entry: n.track(Socket{Service: k.Service, Use: Dialled, Local: got.Local, Remote: k.Remote})}
	}
	return got, nil
}

// claimOf returns the claim of a service for one transport.
func (n *Net) claimOf(service string, protocol ports.Protocol) (ports.Claim, error) {
	for _, cl := range n.plan.Claims {
		if cl.Service == service && cl.Protocol == protocol {
			return cl, nil
		}
	}
	return ports.Claim{}, fault.Newf(fault.NotFound, "the plan %s has no service %q over %s", n.plan.Plan, service, protocol)
}

// failed notes what the system said.
func (k *Knocked) failed(err error) {
	k.Err, k.Errno, k.Kind = err, errnoName(err), KnockOther
	var timeout net.Error
	switch {
	case isDenied(err):
		k.Kind = KnockDenied
	case isNoNet(err):
		k.Kind = KnockNoNet
	case errors.As(err, &timeout) && timeout.Timeout():
		k.Kind = KnockSilence
	case classify(err) == refused:
		k.Kind = KnockRefused
	case classify(err) == noRoute:
		k.Kind = KnockNoHost
	}
}
