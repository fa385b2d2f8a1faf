package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"

	"github.com/reeve-scheduler/reeve/ports"
)

// Try takes a port as Bind does, and lets it go at once. The answer is about this moment: whoever needs the port takes
// it with Net.Listen, Bind or a lease, and keeps it. The error is a *BindError.
func Try(ctx context.Context, protocol ports.Protocol, addr netip.Addr, port ports.Port) error {
	f, err := Bind(protocol, addr, port)
	if errors.Is(err, ErrNoBind) {
		return tryListen(ctx, protocol, addr, port)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// tryListen is Try where a bound socket cannot be made a file.
func tryListen(ctx context.Context, protocol ports.Protocol, addr netip.Addr, port ports.Port) error {
	host := ""
	if addr.IsValid() {
		host = addr.String()
	}
	host = net.JoinHostPort(host, strconv.Itoa(int(port)))
	var lc net.ListenConfig
	err := error(nil)
	if protocol == ports.UDP {
		var c net.PacketConn
		if c, err = lc.ListenPacket(ctx, "udp", host); err == nil {
			return c.Close()
		}
	} else {
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp", host); err == nil {
			return l.Close()
		}
	}
	kinds := map[cause]error{inUse: ErrInUse, denied: ErrDenied, notLocal: ErrNotLocal}
	return &BindError{Protocol: protocol, Address: addr, Port: port, Kind: kinds[classify(err)], Err: err}
}
