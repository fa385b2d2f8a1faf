package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Dial connects to a service at HOST or HOST:PORT. Without a port the plan's is used; with one, that: an advertised
// address may carry another number, because of NAT. A name is tried in both families. The error is Unreachable if
// nobody answered, and Invalid for an address that is none.
//
// A connection that comes back to itself is closed: a dial to a dead port of the system's own range can get that very
// port as its source, and then talks to its own echo.
func (n *Net) Dial(ctx context.Context, service, address string) (net.Conn, error) {
	if n.byProxy(service, address) {
		return n.dialBy(ctx, n.proxy, service, address)
	}
	return n.dial(ctx, service, address)
}

func (n *Net) dial(ctx context.Context, service, address string) (net.Conn, error) {
	if err := n.mayDial(service); err != nil {
		return nil, err
	}
	target, err := n.target(service, address)
	if err != nil {
		return nil, err
	}
	c, err := n.dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, dialError(service, target, err)
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected connection %T", c), c.Close())
	}
	local, remote := addrPort(t.LocalAddr()), addrPort(t.RemoteAddr())
	if local == remote {
		// A reset, not an ordinary close: TIME_WAIT would block the port's real listener for a minute.
		_ = t.SetLinger(0)
		return nil, errors.Join(fault.New(fault.Unreachable, "dialling "+service+" at "+target+": the connection came back to itself, so nothing listens there",
			"start the service at that address, or correct the address"), t.Close())
	}
	n.used(service, Dialled, 1)
	return &conn{TCPConn: t, net: n, entry: n.track(Socket{Service: service, Use: Dialled, Local: local, Remote: remote})}, nil
}

// mayDial says whether the plan has the service, and a flow to it from this role.
func (n *Net) mayDial(service string) error {
	if _, err := n.claim(service); err != nil {
		return err
	}
	if n.role != "" && !n.plan.MayDial(n.role, service) {
		return fault.New(fault.Forbidden, "the plan "+n.plan.Plan+" has no flow from the role "+n.role+" to "+service,
			"add the flow to the plan")
	}
	return nil
}

// target returns the HOST:PORT to dial.
func (n *Net) target(service, address string) (string, error) {
	host, port, ok := splitAddress(address)
	if !ok {
		return "", fault.New(fault.Invalid, strconv.Quote(address)+" is not HOST or HOST:PORT", "write an IPv6 address with a port as [ADDRESS]:PORT")
	}
	if port != "" {
		return net.JoinHostPort(host, port), nil
	}
	p, ok := n.Port(service)
	if !ok {
		return "", fault.New(fault.Invalid, "the plan "+n.plan.Plan+" gives "+service+" no port", "write the address as HOST:PORT")
	}
	return net.JoinHostPort(host, strconv.Itoa(int(p))), nil
}

// dialError turns what the system says into one sentence that says what to do.
func dialError(service, target string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("dialling %s at %s: %w", service, target, err)
	}
	fix := "check the address, and that the plan's port is open on the way"
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &name):
		fix = "the name cannot be resolved: check its spelling and this host's name resolution, or give an IP address"
	case classify(err) == refused:
		fix = "nothing listens there, or a firewall refuses: check that the service runs there and that the port is the plan's"
	case errors.As(err, &timeout) && timeout.Timeout():
		fix = "nobody answered: check the address, and that no firewall on the way drops this port"
	case classify(err) == noRoute:
		fix = "there is no way to that host: check the address, its network and the firewalls on the way"
	}
	return &fault.Error{Kind: fault.Unreachable, Msg: "dialling " + service + " at " + target, Err: err, Fix: fix}
}

// conn takes itself out of the Net's table when it is closed.
type conn struct {
	*net.TCPConn
	net   *Net
	entry *entry
}

// Close ends the connection.
func (c *conn) Close() error {
	c.net.forget(c.entry)
	return c.TCPConn.Close()
}
