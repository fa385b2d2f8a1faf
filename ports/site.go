package ports

import (
	"slices"
	"strings"
)

// Opening is one permission that a site needs: who may connect to whom, on which numbers, for what. Firewall rules,
// change requests and proofs are made from openings and from nothing else.
type Opening struct {
	Flow         string     `json:"flow"` // ResolvedFlow.ID
	Service      string     `json:"service"`
	Name         string     `json:"name,omitempty"`
	Function     string     `json:"function,omitempty"`
	Protocol     Protocol   `json:"protocol"`
	First        Port       `json:"first"` // 0: an application, or a number that the site must give
	Last         Port       `json:"last"`
	Parity       Parity     `json:"parity,omitempty"`
	Application  string     `json:"application,omitempty"`
	From         string     `json:"from"`         // a role
	To           string     `json:"to"`           // a role
	Sources      []Endpoint `json:"sources"`      // empty: anywhere
	Destinations []Endpoint `json:"destinations"` // empty: not known yet
	Purpose      string     `json:"purpose"`
	Condition    string     `json:"condition,omitempty"`
}

// Endpoint is an address of an end: of a host, or of a network.
type Endpoint struct {
	Host    string `json:"host"` // the inventory's name
	Zone    string `json:"zone,omitempty"`
	Address string `json:"address"` // an IP address, a network in CIDR notation, or a host name that must be resolved
}

// Site is a compiled plan on the hosts of an inventory.
type Site struct {
	Compiled  Compiled
	Inventory Inventory
}

// Host returns a host of the inventory by its name.
func (s Site) Host(name string) (Host, bool) {
	for _, h := range s.Inventory.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return Host{}, false
}

// Roles returns the plan's roles that a host plays, sorted. Where its inventory names a kind (server, agent, desk or
// client), these are all roles of the plan of that kind.
func (s Site) Roles(host string) []string {
	h, ok := s.Host(host)
	if !ok {
		return nil
	}
	return s.Compiled.rolesOf(h.Roles)
}

// Addresses returns under which addresses others know a host: the advertised ones, else those that it binds, else its
// networks, else its name, which must then be resolved.
func (s Site) Addresses(host string) []Endpoint {
	h, ok := s.Host(host)
	if !ok {
		return nil
	}
	return h.endpoints(h.reached(HostService{}))
}

// Held returns the claims that a host keeps from all others, reserved rows among them: what must be left out of its
// range for outgoing connections. Numbers are this host's own. The empty host is every host of the plan.
func (s Site) Held(host string) []Claim {
	return s.claims(host, func(cl Claim) bool { return true })
}

// Closed returns the claims of a host that other hosts must not reach: those for the host itself. The empty host is
// every host of the plan.
func (s Site) Closed(host string) []Claim {
	return s.claims(host, func(cl Claim) bool { return cl.Scope == SameHost })
}

// claims returns the numbers that a host holds and that pass a test.
func (s Site) claims(host string, fits func(Claim) bool) []Claim {
	h, ok := s.Host(host)
	if !ok && host != "" {
		return nil
	}
	v, plays := newView(s), s.Compiled.rolesOf(h.Roles)
	var found []Claim
	for _, cl := range s.Compiled.Claims {
		if host != "" && !v.listens(cl, h, plays) {
			continue
		}
		if cl = h.own(cl); cl.holdsNumber() && fits(cl) {
			found = append(found, cl)
		}
	}
	return found
}

// listens reports whether the claim's service stands on a host: a role of the host runs it, or is dialled for it on
// this site. A row that names no role may stand anywhere.
func (v *view) listens(cl Claim, h Host, plays []string) bool {
	if len(cl.Listeners) == 0 {
		return true
	}
	for _, role := range cl.Listeners {
		if !contains(plays, role) {
			continue
		}
		dialled := false
		for _, f := range v.toward[rowKey{cl.Service, cl.Protocol}] {
			if f.To != role {
				continue
			}
			dialled = true
			if f.Status != Inactive && slices.ContainsFunc(zonesOf(v.plays[f.From]), func(zone string) bool { return v.dirs.used(f, zone, h.Zone) }) {
				return true
			}
		}
		if !dialled {
			return true
		}
	}
	return false
}

// holdsNumber reports whether the claim keeps a number from others: a target, a neighbour's row and what is inactive
// do not.
func (cl Claim) holdsNumber() bool {
	return cl.Binds && cl.Port != 0 && (cl.Status == Works || cl.Status == Reserved)
}

// own returns the claim with the number that it has on this host.
func (h Host) own(cl Claim) Claim {
	if hs, ok := h.service(cl.Service); ok && hs.Port != 0 && !cl.Pool {
		cl.Port, cl.Last = hs.Port, 0
	}
	return cl
}

// service returns what is this host's own for a service; second numbers of pairs have what their pool has.
func (h Host) service(id string) (HostService, bool) {
	pool, _, _ := strings.Cut(id, ".")
	for _, hs := range h.Services {
		if hs.Service == id || hs.Service == pool {
			return hs, true
		}
	}
	return HostService{}, false
}

// shares reports whether two hosts have their ports in common: the same machine and network namespace.
func (h Host) shares(other Host) bool { return h.stack() == other.stack() }

// stack names where the host's sockets live.
func (h Host) stack() [2]string {
	if h.Machine == "" {
		return [2]string{h.Name, h.Netns}
	}
	return [2]string{h.Machine, h.Netns}
}

// rolesOf returns the plan's roles for the names of an inventory, sorted.
func (c Compiled) rolesOf(names []string) []string { return rolesOf(names, c.Kinds, c.Relays) }

func rolesOf(names []string, kinds map[string]RoleKind, relays []string) []string {
	var all []string
	for _, name := range names {
		if !contains(all, name) {
			all = append(all, name)
		}
		if !isKind(name) {
			continue
		}
		for role, kind := range kinds {
			if string(kind) == name && !contains(all, role) && !contains(relays, role) {
				all = append(all, role)
			}
		}
	}
	slices.Sort(all)
	return all
}
