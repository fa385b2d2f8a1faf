package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
)

// knock needs no privileges: the error queue belongs to whoever opened the socket.
func (n *Net) knock(ctx context.Context, k Knock) (Knocked, error) {
	fd, err := knocker(k)
	if err != nil {
		return Knocked{}, err
	}
	_, to, err := sockaddr(k.Remote.Addr(), ports.Port(k.Remote.Port()))
	if err != nil {
		return Knocked{}, errors.Join(err, unix.Close(fd))
	}
	got := Knocked{Queue: true}
	before := count()
	err = unix.Connect(fd, to)
	f := os.NewFile(uintptr(fd), "knock") // from here on the runtime waits for it
	defer f.Close()                       // a connection is a duplicate
	stop := context.AfterFunc(ctx, func() { _ = f.SetDeadline(time.Now()) })
	defer stop()
	_ = f.SetDeadline(time.Now().Add(k.Patience))
	switch {
	case k.Protocol == ports.UDP && err == nil:
		got.Heard, err = converse(ctx, f, k)
	case errors.Is(err, unix.EINPROGRESS):
		err = established(f)
	}
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return Knocked{}, cause
	}
	onSocket(f, func(fd int) {
		got.Local = ownEnd(fd)
		got.ICMP = lastICMP(fd)
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil && k.Protocol == ports.TCP {
			got.Resent = int(info.Total_retrans)
		}
	})
	got.Unsent, got.Echoes = count().since(before)
	if err != nil {
		got.failed(err)
		return got, nil
	}
	got.Kind = KnockOpen
	if k.Protocol == ports.TCP {
		got.Conn, err = net.FileConn(f)
	}
	return got, err
}

// knocker opens the socket of a knock: it takes ICMP errors, and its packets may have few hops to live.
func knocker(k Knock) (int, error) {
	kind, family := unix.SOCK_STREAM, unix.AF_INET6
	level, errorsToo, hops := unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_UNICAST_HOPS
	if k.Remote.Addr().Is4() {
		family, level, errorsToo, hops = unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_TTL
	}
	if k.Protocol == ports.UDP {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = unix.SetsockoptInt(fd, level, errorsToo, 1)
	if k.Protocol == ports.TCP { // as dialControl says
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	}
	if k.Hops > 0 {
		err = errors.Join(err, unix.SetsockoptInt(fd, level, hops, k.Hops))
	}
	if err != nil {
		return -1, errors.Join(os.NewSyscallError("setsockopt", err), unix.Close(fd))
	}
	return fd, nil
}

// established waits until the connection is there, or is not.
func established(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	code := 0
	err = errors.Join(raw.Write(func(fd uintptr) bool {
		polls := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if n, err := unix.Poll(polls, 0); err != nil || n == 0 {
			return false
		}
		code, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		return true
	}))
	if err == nil && code != 0 {
		return os.NewSyscallError("connect", unix.Errno(code))
	}
	return err
}

// converse sends a datagram and waits for the one that comes back. Datagrams get lost: it is sent three times.
func converse(ctx context.Context, f *os.File, k Knock) ([]byte, error) {
	b := make([]byte, maxDatagram)
	for sent := time.Duration(1); ; sent++ {
		if _, err := f.Write(k.Say); err != nil {
			return nil, err
		}
		_ = f.SetReadDeadline(time.Now().Add(k.Patience / datagrams))
		n, err := f.Read(b)
		if n > 0 || err == nil {
			return b[:n], nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || sent == datagrams || ctx.Err() != nil {
			return nil, err
		}
	}
}

func onSocket(f *os.File, do func(fd int)) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) })
	}
}

func ownEnd(fd int) netip.AddrPort {
	own, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return fromSockaddr(own)
}

func fromSockaddr(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// lastICMP takes the last message from the error queue: struct sock_extended_err, and the address of who sent it.
func lastICMP(fd int) *ICMP {
	const (
		fixed                           = 16
		originICMP, originICMP6         = 2, 3
		atOrigin, atType, atCode        = 4, 5, 6
		atAddress4, atAddress6, inSock6 = fixed + 4, fixed + 8, 16
	)
	var last *ICMP
	data, control := make([]byte, 512), make([]byte, 512)
	for {
		_, n, _, _, err := unix.Recvmsg(fd, data, control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return last
		}
		all, err := unix.ParseSocketControlMessage(control[:n])
		if err != nil {
			return last
		}
		for _, m := range all {
			if len(m.Data) < fixed {
				continue
			}
			i := &ICMP{Type: int(m.Data[atType]), Code: int(m.Data[atCode])}
			switch origin := m.Data[atOrigin]; {
			case origin == originICMP && len(m.Data) >= atAddress4+4:
				i.Address = netip.AddrFrom4([4]byte(m.Data[atAddress4:]))
			case origin == originICMP6 && len(m.Data) >= atAddress6+inSock6:
				i.Address = netip.AddrFrom16([16]byte(m.Data[atAddress6:])).Unmap()
			default:
				continue // the kernel's own word: the error says it already
			}
			last = i
		}
	}
}

// Gateway returns by which router packets to an address leave this host; the zero address where they need none, or
// where it is not known.
func Gateway(to netip.Addr) netip.Addr {
	const header, attrDst, attrGateway = 12, 1, 5
	to = to.Unmap()
	family := byte(unix.AF_INET)
	if to.Is6() {
		family = unix.AF_INET6
	}
	raw := to.WithZone("").AsSlice()
	request := make([]byte, header, header+4+len(raw))
	request[0], request[1] = family, byte(to.BitLen())
	request = binary.NativeEndian.AppendUint16(request, uint16(4+len(raw)))
	request = binary.NativeEndian.AppendUint16(request, attrDst)
	request = append(request, raw...)
	var gateway netip.Addr
	_ = ask(unix.NETLINK_ROUTE, unix.RTM_GETROUTE, 0, request, func(m []byte) {
		for rest := m[min(len(m), header):]; len(rest) >= 4; {
			size := int(binary.NativeEndian.Uint16(rest))
			if size < 4 || size > len(rest) {
				return
			}
			if binary.NativeEndian.Uint16(rest[2:]) == attrGateway {
				gateway, _ = netip.AddrFromSlice(rest[4:size])
			}
			rest = rest[min(len(rest), (size+3)&^3):]
		}
	})
	return gateway
}
