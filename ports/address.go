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

// reached returns under which addresses others reach a service on the host; nil is the host as a whole.
func (h Host) reached(hs *HostService) []advertised {
	names, binds := h.Advertise, h.Bind
	if hs != nil && len(hs.Advertise) > 0 {
		names = hs.Advertise
	}
	if hs != nil && len(hs.Bind) > 0 {
		binds = hs.Bind
	}
	var all []advertised
	for _, n := range names {
		all = append(all, splitAdvertised(n))
	}
	if len(all) > 0 {
		return all
	}
	for _, b := range binds {
		if a, err := netip.ParseAddr(b); err == nil && !a.IsUnspecified() && !a.IsLoopback() {
			all = append(all, advertised{b, 0})
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, n := range h.Networks {
		all = append(all, advertised{n, 0})
	}
	if len(all) > 0 {
		return all
	}
	return []advertised{{h.Name, 0}}
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
