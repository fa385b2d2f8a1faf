package directory

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// universal returns a universal address (RFC 5665, 5.2.3): the address, and the port as two more numbers.
func universal(a netip.AddrPort) string {
	p := a.Port()
	return fmt.Sprintf("%s.%d.%d", a.Addr().Unmap().WithZone(""), p>>8, p&0xff)
}

// fromUniversal reads a universal address.
func fromUniversal(s string) (netip.AddrPort, bool) {
	rest, low, ok := cutLast(s)
	if !ok {
		return netip.AddrPort{}, false
	}
	host, high, ok := cutLast(rest)
	if !ok {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddr(host)
	return netip.AddrPortFrom(a, uint16(high)<<8|uint16(low)), err == nil && a.Zone() == ""
}

// cutLast cuts the number behind the last dot off.
func cutLast(s string) (rest string, last uint8, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 8)
	return s[:i], uint8(n), err == nil //nolint:gosec // of 8 bits
}

// Families of addresses as Linux has them in a sockaddr, which is what a transport's own address is there.
const (
	afInet, afInet6       = 2, 10
	sizeofInet, sizeofIn6 = 16, 28
)

// transport returns an address as a sockaddr.
func transport(a netip.AddrPort) []byte {
	addr := a.Addr().Unmap()
	if addr.Is4() {
		b := binary.NativeEndian.AppendUint16(nil, afInet)
		b = binary.BigEndian.AppendUint16(b, a.Port())
		b = append(b, addr.AsSlice()...)
		return append(b, make([]byte, sizeofInet-len(b))...)
	}
	b := binary.NativeEndian.AppendUint16(nil, afInet6)
	b = binary.BigEndian.AppendUint16(b, a.Port())
	b = append(b, 0, 0, 0, 0)
	b = append(b, addr.AsSlice()...)
	return append(b, make([]byte, sizeofIn6-len(b))...)
}

// fromTransport reads a sockaddr.
func fromTransport(b []byte) (netip.AddrPort, bool) {
	if len(b) < 4 {
		return netip.AddrPort{}, false
	}
	family, port := binary.NativeEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	switch {
	case family == afInet && len(b) >= sizeofInet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port), true
	case family == afInet6 && len(b) >= sizeofIn6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), port), true
	}
	return netip.AddrPort{}, false
}
