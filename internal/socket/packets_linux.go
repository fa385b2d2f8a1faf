package socket

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// controlRoom is enough for what the system says of one packet.
const controlRoom = 64

// tellWhere asks the system to say of each packet to which address of this host it came.
func tellWhere(c *net.UDPConn, addr netip.Addr) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if addr.Is4() {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		} else {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	return errors.Join(err, failed)
}

// cameTo reads it. Of a broadcast it is the address of the interface at which it came in.
func cameTo(oob []byte) netip.Addr {
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range all {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4([4]byte(m.Data[4:8])) // Spec_dst
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrFrom16([16]byte(m.Data[:16]))
		}
	}
	return netip.Addr{}
}

// comeFrom tells the system from which address a packet leaves.
func comeFrom(a netip.Addr) []byte {
	switch {
	case a.Is4():
		info := unix.Inet4Pktinfo{Spec_dst: a.As4()}
		return unix.PktInfo4(&info)
	case a.Is6() && !a.Is4In6() && !a.IsLinkLocalUnicast(): // a link-local address needs its interface, which the system knows
		info := unix.Inet6Pktinfo{Addr: a.As16()}
		return unix.PktInfo6(&info)
	}
	return nil
}

// withoutFamily reports whether the host has no addresses of that family.
func withoutFamily(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EPROTONOSUPPORT)
}
