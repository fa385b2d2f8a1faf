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

// Packets is an open UDP socket of a service. Its methods may be called at once.
type Packets struct {
	conn  *net.UDPConn
	net   *Net
	entry *entry
}

// udp returns the UDP claim of a service.
func (n *Net) udp(service string) (ports.Claim, error) {
	for _, cl := range n.plan.Claims {
		if cl.Service == service && cl.Protocol == ports.UDP {
			return cl, nil
		}
	}
	return ports.Claim{}, fault.New(fault.Internal, "the plan "+n.plan.Plan+" has no UDP service "+strconv.Quote(service),
		"add it to the plan: no port is opened that the plan does not have")
}

// ListenPackets opens the UDP port of a service on one address of this host, or on all: one socket for each family, so
// that an answer leaves from the address that was asked. The errors are those of Listen.
func (n *Net) ListenPackets(ctx context.Context, service, bind string) ([]*Packets, error) {
	cl, err := n.udp(service)
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
	each := []netip.Addr{addr}
	if !addr.IsValid() {
		each = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	var all []*Packets
	for _, a := range each {
		p, err := n.packets(ctx, cl, a)
		if err != nil && !addr.IsValid() && a.Is6() && withoutFamily(err) {
			continue // a host without IPv6
		}
		if err != nil {
			for _, open := range all {
				_ = open.Close()
			}
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// AskPackets opens a UDP socket of IPv4 from which a service is asked, on a number that the system chooses.
func (n *Net) AskPackets(ctx context.Context, service string) (*Packets, error) {
	if _, err := n.udp(service); err != nil {
		return nil, err
	}
	if n.role != "" && !n.plan.MayDial(n.role, service) {
		return nil, fault.New(fault.Forbidden, "the plan "+n.plan.Plan+" has no flow from the role "+n.role+" to "+service, "add the flow to the plan")
	}
	return n.openUDP(ctx, service, netip.IPv4Unspecified(), 0, Dialled)
}

// udpPort is the number of a claim: the plan's, or the one that a test's socket of the service was given.
func (n *Net) udpPort(cl ports.Claim) ports.Port {
	if cl.Port != 0 {
		return cl.Port
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.real[cl.Service]
}

func (n *Net) packets(ctx context.Context, cl ports.Claim, addr netip.Addr) (*Packets, error) {
	p, err := n.openUDP(ctx, cl.Service, addr, n.udpPort(cl), Listens)
	if err != nil {
		return nil, err
	}
	if cl.Port == 0 {
		n.mu.Lock()
		n.real[cl.Service] = ports.Port(p.Local().Port())
		n.mu.Unlock()
	}
	return p, nil
}

// openUDP binds one UDP socket. Go lets each of them send to a broadcast address, and none share its number (F25).
func (n *Net) openUDP(ctx context.Context, service string, addr netip.Addr, port ports.Port, use Use) (*Packets, error) {
	network := "udp4"
	if addr.Is6() {
		network = "udp6"
	}
	lc := net.ListenConfig{}
	c, err := lc.ListenPacket(ctx, network, netip.AddrPortFrom(addr, uint16(port)).String())
	if err != nil {
		return nil, packetsError(service, addr, port, err)
	}
	u, ok := c.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected socket %T", c), c.Close())
	}
	if err := tellWhere(u, addr); err != nil {
		return nil, errors.Join(fmt.Errorf("listening for %s: %w", service, err), u.Close())
	}
	got := u.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:forcetypeassert // of a UDP socket
	local := netip.AddrPortFrom(got.Addr().Unmap(), got.Port())
	return &Packets{conn: u, net: n, entry: n.track(Socket{Service: service, Use: use, Local: local})}, nil
}

// packetsError turns what the system says into one sentence that says what to do.
func packetsError(service string, addr netip.Addr, port ports.Port, err error) error {
	if classify(err) != inUse {
		return listenError(service, addr, port, err)
	}
	holders, unseen := Holders(ports.UDP, addr, port)
	return &fault.Error{
		Kind: fault.Conflict, Msg: "listening for " + service + " on UDP " + where(addr, port), Err: &Taken{Port: port, Holders: holders, Unseen: unseen, Err: err},
		Fix: "end that program, or give " + service + " another port in a plan of your own",
	}
}

// Local is where the socket is bound.
func (p *Packets) Local() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() } //nolint:forcetypeassert // of a UDP socket

// Receive waits for a packet and returns its length, who sent it, and the address of this host at which it came in: the
// zero address where the system does not say. A packet that is longer than b is cut.
func (p *Packets) Receive(b []byte) (n int, from netip.AddrPort, at netip.Addr, err error) {
	var oob [controlRoom]byte
	n, oobn, _, from, err := p.conn.ReadMsgUDPAddrPort(b, oob[:])
	if err != nil {
		return 0, netip.AddrPort{}, netip.Addr{}, err
	}
	at = cameTo(oob[:oobn])
	if local := p.Local().Addr(); !at.IsValid() && !local.IsUnspecified() {
		at = local
	}
	return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), at, nil
}

// Send sends a packet, from one address of this host where it is valid, else from the one that the system chooses.
func (p *Packets) Send(b []byte, to netip.AddrPort, from netip.Addr) error {
	_, _, err := p.conn.WriteMsgUDPAddrPort(b, comeFrom(from), to)
	return err
}

// Close closes the socket, and ends Receive.
func (p *Packets) Close() error {
	p.net.forget(p.entry)
	return p.conn.Close()
}
