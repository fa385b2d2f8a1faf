//go:build !linux

package socket

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// knock is a plain dial: these systems do not say who refused.
func (n *Net) knock(ctx context.Context, k Knock) (Knocked, error) {
	if k.Hops > 0 {
		return Knocked{}, ErrNoHops
	}
	got := Knocked{Unsent: -1, Echoes: -1}
	dialer := net.Dialer{Timeout: k.Patience, Control: dialControl}
	c, err := dialer.DialContext(ctx, string(k.Protocol), k.Remote.String())
	if err == nil && k.Protocol == ports.UDP {
		got.Local = localEnd(c)
		got.Heard, err = converse(ctx, c, k)
		_ = c.Close()
		c = nil
	}
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return Knocked{}, cause
	}
	if err != nil {
		got.failed(err)
		return got, nil
	}
	if c != nil {
		got.Local, got.Conn = localEnd(c), c
	}
	got.Kind = KnockOpen
	return got, nil
}

func localEnd(c net.Conn) netip.AddrPort {
	a, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// maxDatagram is more than any answer to a knock has.
const maxDatagram = 4 << 10

// converse sends a datagram and waits for the one that comes back.
func converse(ctx context.Context, c net.Conn, k Knock) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })
	defer stop()
	if err := c.SetDeadline(time.Now().Add(k.Patience)); err != nil {
		return nil, err
	}
	if _, err := c.Write(k.Say); err != nil {
		return nil, err
	}
	b := make([]byte, maxDatagram)
	n, err := c.Read(b)
	return b[:n], err
}

// Gateway is only known on Linux.
func Gateway(netip.Addr) netip.Addr { return netip.Addr{} }
