//go:build !linux

package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"

	"github.com/reeve-scheduler/reeve/ports"
)

// bind uses the standard library, which knows each system's own rules. On Windows a bound socket cannot be made a file.
func bind(protocol ports.Protocol, addr netip.Addr, port ports.Port) (*os.File, error) {
	if runtime.GOOS == "windows" {
		return nil, ErrNoBind
	}
	host, family := "", ""
	if addr.IsValid() {
		host, family = addr.String(), map[bool]string{true: "4", false: "6"}[addr.Is4()]
	}
	host = net.JoinHostPort(host, strconv.Itoa(int(port)))
	var lc net.ListenConfig
	if protocol == ports.UDP {
		c, err := lc.ListenPacket(context.Background(), "udp"+family, host)
		if err != nil {
			return nil, err
		}
		u, ok := c.(*net.UDPConn)
		if !ok {
			return nil, errors.Join(errors.New("not a UDP socket"), c.Close())
		}
		f, err := u.File()
		return f, errors.Join(err, u.Close())
	}
	l, err := lc.Listen(context.Background(), "tcp"+family, host)
	if err != nil {
		return nil, err
	}
	t, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(errors.New("not a TCP listener"), l.Close())
	}
	f, err := t.File()
	return f, errors.Join(err, t.Close())
}

// Holders cannot say who has a port.
func Holders(ports.Protocol, netip.Addr, ports.Port) ([]Holder, string) {
	return holdersOf(netip.Addr{}, 0)
}
