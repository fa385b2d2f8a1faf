//go:build !linux

package socket

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// controlRoom is nothing: what the system says of a packet is not read here.
const controlRoom = 0

// tellWhere does nothing: an answer leaves from the address that the system chooses.
func tellWhere(*net.UDPConn, netip.Addr) error { return nil }

func cameTo([]byte) netip.Addr { return netip.Addr{} }

func comeFrom(netip.Addr) []byte { return nil }

// withoutFamily reports whether the host has no addresses of that family.
func withoutFamily(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}
