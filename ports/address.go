package ports

import (
	"net/netip"
	"strings"
)

// advertised is one address under which others reach a host.
type advertised struct {
	host string
	port Port // 0: the number that the service has
}

// splitAdvertised reads HOST or HOST:PORT.
func splitAdvertised(s string) advertised {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return advertised{strings.Trim(s, "[]"), 0}
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return advertised{ap.Addr().String(), Port(ap.Port())}
	}
	host, port, ok := strings.Cut(s, ":")
	if !ok {
		return advertised{s, 0}
	}
	r, err := ParseRange(port)
	if err != nil || r.First != r.Last {
		return advertised{s, 0}
	}
	return advertised{host, r.First}
}

// reached returns under which addresses others reach a service on the host: the advertised ones, else those that it
// binds, else its networks, else its name. The zero HostService is the host as a whole.
func (h Host) reached(hs HostService) []advertised {
	names := h.Advertise
	if len(hs.Advertise) > 0 {
		names = hs.Advertise
	}
	var all []advertised
	for _, n := range names {
		all = append(all, splitAdvertised(n))
	}
	return h.orElse(all, h.bound(hs))
}

// bound returns the addresses that a service binds on the host; none where it binds all of them.
func (h Host) bound(hs HostService) []advertised {
	binds := h.Bind
	if len(hs.Bind) > 0 {
		binds = hs.Bind
	}
	var all []advertised
	for _, b := range binds {
		if a, err := netip.ParseAddr(b); err == nil && !a.IsUnspecified() && !a.IsLoopback() {
			all = append(all, advertised{b, 0})
		}
	}
	return all
}

// dialling returns the addresses from which the host connects: its networks where it stands for many, else what it
// advertises or binds as a number, because a name would have to be resolved, else the advertised name.
func (h Host) dialling() []advertised {
	if len(h.Networks) > 0 {
		return h.orElse()
	}
	var numbers, names []advertised
	for _, n := range h.Advertise {
		a := splitAdvertised(n)
		if _, err := netip.ParseAddr(a.host); err == nil {
			numbers = append(numbers, a)
		} else {
			names = append(names, a)
		}
	}
	return h.orElse(numbers, h.bound(HostService{}), names)
}

// orElse returns the first list that has addresses; the host's networks, and at last its name, where none has.
func (h Host) orElse(lists ...[]advertised) []advertised {
	for _, all := range lists {
		if len(all) > 0 {
			return all
		}
	}
	all := make([]advertised, 0, len(h.Networks))
	for _, n := range h.Networks {
		all = append(all, advertised{n, 0})
	}
	if len(all) == 0 {
		return []advertised{{h.Name, 0}}
	}
	return all
}

// endpoints makes ends of addresses, each once.
func (h Host) endpoints(all []advertised) []Endpoint {
	ends := make([]Endpoint, 0, len(all))
	seen := map[string]bool{}
	for _, a := range all {
		if !seen[a.host] {
			seen[a.host] = true
			ends = append(ends, Endpoint{Host: h.Name, Zone: h.Zone, Address: a.host})
		}
	}
	return ends
}
