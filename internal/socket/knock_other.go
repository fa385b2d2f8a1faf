//go:build !linux

package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
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

// converse sends a datagram and waits for the one that comes back. Datagrams get lost: it is sent three times.
func converse(ctx context.Context, c net.Conn, k Knock) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	b := make([]byte, maxDatagram)
	for sent := time.Duration(1); ; sent++ {
		if _, err := c.Write(k.Say); err != nil {
			return nil, err
		}
		if err := c.SetReadDeadline(time.Now().Add(k.Patience / datagrams)); err != nil {
			return nil, err
		}
		n, err := c.Read(b)
		if err == nil {
			return b[:n], nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || sent == datagrams {
			return nil, err
		}
	}
}

// Gateway is only known on Linux.
func Gateway(netip.Addr) netip.Addr { return netip.Addr{} }
