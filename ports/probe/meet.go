package probe

import "net/netip"

// touch says how far two sockets of one port are in each other's way.
type touch int

const (
	apart  touch = iota
	partly       // one has all addresses of a family, the other one of them
	wholly       // both have the same address, or all of a family
)

// reach is the addresses of one family that a socket has.
type reach struct {
	all bool
	one netip.Addr // valid: only this one
}

func (r reach) any() bool { return r.all || r.one.IsValid() }

// reaches returns the IPv4 and the IPv6 addresses that a socket has (F57, F64): 0.0.0.0 is all of IPv4; :: is all of
// IPv6, and all of IPv4 too unless the socket leaves it alone. The zero address is all of both.
func reaches(addr netip.Addr, v6only bool) (four, six reach) {
	switch addr = addr.Unmap().WithZone(""); {
	case !addr.IsValid():
		return reach{all: true}, reach{all: true}
	case addr == netip.IPv4Unspecified():
		return reach{all: true}, reach{}
	case addr == netip.IPv6Unspecified():
		return reach{all: !v6only}, reach{all: true}
	case addr.Is4():
		return reach{one: addr}, reach{}
	}
	return reach{}, reach{one: addr}
}

func (r reach) touches(o reach) touch {
	switch {
	case !r.any() || !o.any():
		return apart
	case r.all && o.all, r.one.IsValid() && r.one == o.one:
		return wholly
	case r.all || o.all:
		return partly
	}
	return apart
}

// meets says how far a socket is in the way of a row.
func (r Row) meets(s Socket) touch {
	four, six := reaches(s.Local.Addr(), s.V6Only)
	wanted := r.Addresses
	if len(wanted) == 0 {
		wanted = []netip.Addr{{}}
	}
	most := apart
	for _, a := range wanted {
		// A row that names :: alone is bound by Reeve without IPv4.
		w4, w6 := reaches(a, true)
		most = max(most, w4.touches(four), w6.touches(six))
	}
	return most
}
