package socket

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"github.com/reeve-scheduler/reeve/ports"
)

// Try takes a port of this host as a listener would, on one address or on all of both families if addr is the zero
// address, and lets it go at once. It binds and listens, because some conflicts show only there (F24), and never
// shares a UDP port (F25). The errors are those of Net.Listen. The answer is about this moment: whoever needs the port
// takes it with Net.Listen or a lease, and keeps it.
func Try(ctx context.Context, service string, protocol ports.Protocol, addr netip.Addr, port ports.Port) error {
	host := ""
	if addr.IsValid() {
		host = addr.String()
	}
	host = net.JoinHostPort(host, strconv.Itoa(int(port)))
	lc := net.ListenConfig{}
	var err error
	if protocol == ports.UDP {
		var c net.PacketConn
		if c, err = lc.ListenPacket(ctx, "udp", host); err == nil {
			err = c.Close()
		}
	} else {
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp", host); err == nil {
			err = l.Close()
		}
	}
	if err != nil {
		return listenError(service, addr, port, err)
	}
	return nil
}
