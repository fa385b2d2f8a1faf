package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// Listen opens the port of a service on one address of this host, or on all addresses of both families if bind is
// empty. The error is Conflict for a port that somebody has (it names the program where it can), Forbidden where the
// system does not let us, and Invalid for an address that is not this host's.
func (n *Net) Listen(ctx context.Context, service, bind string) (net.Listener, error) {
	cl, err := n.claim(service)
	if err != nil {
		return nil, err
	}
	if n.role != "" && !n.plan.MayListen(n.role, service) {
		return nil, fault.New(fault.Forbidden, "the plan "+n.plan.Plan+" does not let the role "+n.role+" listen for "+service,
			"add a flow to this role, or runs_on, to the plan")
	}
	addr, err := bindAddress(bind)
	if err != nil {
		return nil, err
	}
	port := n.reserve(cl)
	l, err := n.listen(ctx, addr, port)
	if err != nil {
		return nil, listenError(service, addr, port, err)
	}
	got := addrPort(l.Addr())
	if cl.Port == 0 {
		n.mu.Lock()
		n.real[service] = ports.Port(got.Port())
		n.mu.Unlock()
	}
	n.used(service, Listens, 0)
	return &listener{TCPListener: l, net: n, service: service, entry: n.track(Socket{Service: service, Use: Listens, Local: got})}, nil
}

// reserve returns the number to bind: the plan's, or the one that an earlier listener of the service was given.
func (n *Net) reserve(cl ports.Claim) ports.Port {
	p, _ := n.Port(cl.Service)
	return p
}

// listen binds and listens. Go sets SO_REUSEADDR where that means "despite TIME_WAIT", and close-on-exec always.
func (n *Net) listen(ctx context.Context, addr netip.Addr, port ports.Port) (*net.TCPListener, error) {
	host := ""
	if addr.IsValid() {
		host = addr.String()
	}
	lc := net.ListenConfig{}
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
	if err != nil {
		return nil, err
	}
	t, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected listener %T", l), l.Close())
	}
	return t, nil
}

// bindAddress reads an address to listen on. Names are refused: they may mean another host tomorrow.
func bindAddress(bind string) (netip.Addr, error) {
	if bind == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(bare(bind))
	if err != nil {
		return netip.Addr{}, fault.New(fault.Invalid, "bind address "+strconv.Quote(bind)+" is not an IP address",
			"give an address of this host without a port, or leave it away to listen on all")
	}
	return a.Unmap(), nil
}

// Taken says that a port cannot be bound because somebody has it.
type Taken struct {
	Port    ports.Port
	Holders []Holder // empty if they cannot be seen
	Unseen  string   // why not all holders could be seen; empty if all could
	Err     error    // what the system said
}

// Unwrap returns what the system said.
func (t *Taken) Unwrap() error { return t.Err }

// Error names the holders.
func (t *Taken) Error() string {
	s := fmt.Sprintf("port %d is taken", t.Port)
	for i, h := range t.Holders {
		if i == 3 {
			return s + fmt.Sprintf(" and %d more", len(t.Holders)-i)
		}
		s += map[bool]string{true: " by ", false: " and by "}[i == 0] + h.String()
	}
	if len(t.Holders) == 0 {
		s += ", owner unknown"
		if t.Unseen != "" {
			s += " (" + t.Unseen + ")"
		}
	}
	return s
}

// listenError turns what the system says into one sentence that says what to do.
func listenError(service string, addr netip.Addr, port ports.Port, err error) error {
	doing := "listening for " + service + " on " + where(addr, port)
	switch classify(err) {
	case inUse:
		holders, unseen := holdersOf(addr, port)
		return &fault.Error{
			Kind: fault.Conflict, Msg: doing, Err: &Taken{Port: port, Holders: holders, Unseen: unseen, Err: err},
			Fix: "end that program, choose another --instance, or give " + service + " another port in a plan of your own",
		}
	case denied:
		return &fault.Error{
			Kind: fault.Forbidden, Msg: doing, Err: err,
			Fix: "the system lets only privileged programs bind this port: choose a higher one, or allow this one (CAP_NET_BIND_SERVICE, or its SELinux label)",
		}
	case notLocal:
		return &fault.Error{
			Kind: fault.Invalid, Msg: doing, Err: err,
			Fix: "this address is not one of this host: bind an address that the host has, and advertise the other one",
		}
	case refused, noRoute, other: // a listener is not told the first two
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func where(addr netip.Addr, port ports.Port) string {
	if !addr.IsValid() {
		return "port " + strconv.Itoa(int(port))
	}
	return netip.AddrPortFrom(addr, uint16(port)).String()
}

// listener takes itself out of the Net's table when it is closed.
type listener struct {
	*net.TCPListener
	net     *Net
	service string
	entry   *entry
}

// Accept waits for the next connection, and counts it.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err == nil {
		l.net.used(l.service, Listens, 1)
	}
	return c, err
}

// Close stops listening.
func (l *listener) Close() error {
	l.net.forget(l.entry)
	return l.TCPListener.Close()
}
