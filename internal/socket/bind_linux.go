package socket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
)

// backlog is how many connections wait for the one who accepts; the system cuts it to what it allows (somaxconn).
const backlog = 4096

func bind(protocol ports.Protocol, addr netip.Addr, port ports.Port) (*os.File, error) {
	if addr.IsValid() {
		return bindOne(protocol, addr, port, addr.Is6())
	}
	f, err := bindOne(protocol, netip.IPv6Unspecified(), port, false)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		return bindOne(protocol, netip.IPv4Unspecified(), port, false) // a host without IPv6
	}
	return f, err
}

// bindOne binds one socket; only6 keeps one of IPv6 away from IPv4.
func bindOne(protocol ports.Protocol, addr netip.Addr, port ports.Port, only6 bool) (*os.File, error) {
	kind := unix.SOCK_STREAM
	if protocol == ports.UDP {
		kind = unix.SOCK_DGRAM
	}
	family, to, err := sockaddr(addr, port)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = func() error {
		if family == unix.AF_INET6 {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, map[bool]int{true: 1}[only6]); err != nil {
				return os.NewSyscallError("setsockopt", err)
			}
		}
		if protocol == ports.TCP {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return os.NewSyscallError("setsockopt", err)
			}
		}
		if err := unix.Bind(fd, to); err != nil {
			return os.NewSyscallError("bind", err)
		}
		if protocol == ports.TCP {
			return os.NewSyscallError("listen", unix.Listen(fd, backlog))
		}
		return nil
	}()
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), bindName(protocol, addr, port)), nil
}

func sockaddr(addr netip.Addr, port ports.Port) (int, unix.Sockaddr, error) {
	if addr.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Addr: addr.As4(), Port: int(port)}, nil
	}
	to := &unix.SockaddrInet6{Addr: addr.As16(), Port: int(port)}
	if zone := addr.Zone(); zone != "" {
		device, err := net.InterfaceByName(zone)
		if err != nil {
			return 0, nil, err
		}
		to.ZoneId = uint32(device.Index)
	}
	return unix.AF_INET6, to, nil
}

// Holders returns who has a port in a way that keeps others from taking it on an address, and why not all of them
// could be seen (empty if all could).
func Holders(protocol ports.Protocol, addr netip.Addr, port ports.Port) (holders []Holder, unseen string) {
	if protocol == ports.TCP {
		return holdersOf(addr, port)
	}
	all, err := table("/proc/self/net")
	if err != nil {
		return nil, err.Error()
	}
	inWay := map[uint64]Observed{}
	for _, o := range all {
		if o.Protocol == string(protocol) && o.Local.Port() == uint16(port) && meets(addr, o.Local.Addr()) {
			inWay[o.Inode] = o
		}
	}
	if len(inWay) == 0 {
		return nil, "it may just have been closed"
	}
	holders, complete := ownersOf(inWay)
	if !complete {
		unseen = "needs root"
	}
	return slices.Clip(holders), unseen
}
