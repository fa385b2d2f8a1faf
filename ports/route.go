package ports

import (
	"slices"
	"strconv"
	"strings"
)

// Path is a row of the plan by which a server and a node talk with each other, and who of them dials it.
type Path struct {
	Flow        ResolvedFlow
	Turn        int // its place in the order of dialling, over both directions, from 1
	ServerDials bool
}

// Paths returns the rows by which a server and a node of a kind have a conversation, "link" or "enrol", in the order in
// which they are dialled: what the zones of both let them use. An empty zone is one that nobody knows. Pools are among
// them: their numbers are leased first.
func (s Site) Paths(conversation, server, node string, kind RoleKind) []Path {
	dirs := newDirections(s)
	var all []Path
	for _, f := range s.Compiled.Carrying(conversation) {
		from, to := s.Compiled.Kinds[f.From], s.Compiled.Kinds[f.To]
		p := Path{Flow: f, ServerDials: from == Server}
		switch {
		case from == Server && to == kind && dirs.used(f, server, node):
		case from == kind && to == Server && dirs.used(f, node, server):
		default:
			continue
		}
		p.Turn = len(all) + 1
		all = append(all, p)
	}
	return all
}

// At returns where others reach a service on a host of the inventory, HOST:PORT, in the inventory's order. It is empty
// for a host that the inventory does not have, and for a service without a number there.
func (s Site) At(host, service string) []string {
	h, ok := s.Host(host)
	cl, known := s.Compiled.Service(service)
	if !ok || !known {
		return nil
	}
	hs, own := h.service(service)
	number := h.own(cl).Port
	var all []string
	for _, a := range h.reached(hs) {
		port := number
		if a.port != 0 && (own && len(hs.Advertise) > 0 || s.alone(host)) {
			port = a.port
		}
		if port != 0 {
			all = append(all, hostPort(a.host, port))
		}
	}
	return all
}

// alone reports whether a host has one service that others reach.
func (s Site) alone(host string) bool {
	v := newView(s)
	i := slices.IndexFunc(v.hosts, func(h viewHost) bool { return h.Name == host })
	return i >= 0 && v.alone(&v.hosts[i])
}

func hostPort(host string, port Port) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// For returns the compiled plan as a host has it: with the numbers that are its own. A host that the inventory does not
// have has the plan's. The hash is the plan's in both cases.
func (s Site) For(host string) Compiled {
	h, ok := s.Host(host)
	if !ok || len(h.Services) == 0 {
		return s.Compiled
	}
	c := s.Compiled
	c.Claims = slices.Clone(c.Claims)
	for i := range c.Claims {
		c.Claims[i] = h.own(c.Claims[i])
	}
	return c
}

// Binds returns the addresses on which a host listens for a service, its loopback addresses too; none where it is on all
// of them.
func (s Site) Binds(host, service string) []string {
	h, _ := s.Host(host)
	if hs, _ := h.service(service); len(hs.Bind) > 0 {
		return slices.Clone(hs.Bind)
	}
	return slices.Clone(h.Bind)
}
