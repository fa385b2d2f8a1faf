package render

import (
	"errors"
	"fmt"
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

// What a person asked for and the site or the program does not have.
var (
	ErrUnknown = errors.New("not found")
	ErrLocale  = errors.New("unknown language")
)

// open returns the words of the input's language, and its plan restricted to the host, the role and the service that
// it names.
func (in Input) open() (words, ports.Compiled, error) {
	w, err := wordsOf(in.Locale)
	if err != nil {
		return w, ports.Compiled{}, err
	}
	c := in.Site.Compiled
	if in.Host != "" && in.Role != "" {
		return w, c, errors.New("a host and a role are both named: choose one of them")
	}
	if err := in.known(); err != nil {
		return w, c, err
	}
	ids := in.services()
	if in.Service != "" && len(ids) == 0 {
		return w, c, fmt.Errorf("service %q: %w in the plan %s", in.Service, ErrUnknown, c.Plan)
	}
	c = restricted(c, in.roles(), ids)
	if h, ok := in.Site.Host(in.Host); ok {
		c = ownNumbers(c, h)
	}
	return w, c, nil
}

// plays reports whether a host has a role of the plan. Its inventory may name the role's kind instead.
func plays(c ports.Compiled, h ports.Host, role string) bool {
	kind := c.Kinds[role]
	return slices.Contains(h.Roles, role) || kind != ports.Unmanaged && slices.Contains(h.Roles, string(kind))
}

// ownNumbers gives the services that stand on a host with another number their rows: those towards the host with its
// own number, and those from it to others with the plan's.
func ownNumbers(c ports.Compiled, h ports.Host) ports.Compiled {
	own := map[string]ports.Port{}
	for _, s := range h.Services {
		if s.Port != 0 {
			own[s.Service] = s.Port
		}
	}
	if len(own) == 0 {
		return c
	}
	changed := func(service string, first, last ports.Port, status ports.Status) bool {
		return own[service] != 0 && own[service] != first && last == 0 && status != ports.Inactive
	}
	out := c
	out.Claims, out.Flows = nil, nil
	dials := map[string]bool{}
	for _, f := range c.Flows {
		here := changed(f.Service, f.Port, f.Last, f.Status) && plays(c, h, f.To)
		if !here || plays(c, h, f.From) {
			out.Flows = append(out.Flows, f)
			dials[f.Service] = true
		}
		if here {
			f.Port = own[f.Service]
			out.Flows = append(out.Flows, f)
		}
	}
	for _, cl := range c.Claims {
		here := changed(cl.Service, cl.Port, cl.Last, cl.Status) && !cl.Pool && slices.ContainsFunc(cl.Listeners, func(role string) bool { return plays(c, h, role) })
		if here {
			other := cl
			other.Port = own[cl.Service]
			out.Claims = append(out.Claims, other)
		}
		if !here || dials[cl.Service] {
			out.Claims = append(out.Claims, cl)
		}
	}
	return out
}

// services are the ids of the service that the input names, with those of its second numbers; nil means all.
func (in Input) services() []string {
	var ids []string
	for _, cl := range in.Site.Compiled.Claims {
		if in.Service != "" && (cl.Service == in.Service || cl.Pair == in.Service) && !slices.Contains(ids, cl.Service) {
			ids = append(ids, cl.Service)
		}
	}
	return ids
}

// roles are those of the host or role that the input names; nil means all.
func (in Input) roles() []string {
	if in.Host != "" {
		return append([]string{}, in.Site.Roles(in.Host)...)
	}
	if in.Role == "" {
		return nil
	}
	roles := []string{in.Role}
	for id, kind := range in.Site.Compiled.Kinds {
		if string(kind) == in.Role {
			roles = append(roles, id)
		}
	}
	return roles
}

// restricted is the plan with the rows that have to do with roles (nil: all) and with services (nil: all).
func restricted(c ports.Compiled, roles, services []string) ports.Compiled {
	if roles == nil && services == nil {
		return c
	}
	meant := func(id string) bool { return services == nil || slices.Contains(services, id) }
	among := func(ids ...string) bool {
		return roles == nil || slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(roles, id) })
	}
	out := c
	out.Claims, out.Flows, out.Pools, out.Local = nil, nil, nil, nil
	dialled := map[string]bool{}
	for _, f := range c.Flows {
		if meant(f.Service) && among(f.From, f.To) {
			out.Flows = append(out.Flows, f)
			dialled[f.Service] = true
		}
	}
	for _, cl := range c.Claims {
		if meant(cl.Service) && (dialled[cl.Service] || among(cl.Listeners...)) {
			out.Claims = append(out.Claims, cl)
		}
	}
	for _, p := range c.Pools {
		if meant(p.ID) && (dialled[p.ID] || among(p.RunsOn...)) {
			out.Pools = append(out.Pools, p)
		}
	}
	for _, l := range c.Local {
		if services == nil && among(l.RunsOn) {
			out.Local = append(out.Local, l)
		}
	}
	return out
}

// openings are what a site needs to be let through, for the host, role and service that the input names. Numbers and
// addresses are those that a connection is made to.
func (in Input) openings(site ports.Site) []ports.Opening {
	var all []ports.Opening
	switch {
	case in.Host != "":
		ins, outs := site.Openings(in.Host)
		all = append(ins, outs...)
	case in.Role != "":
		ins, outs := site.RoleOpenings(in.Role)
		all = append(ins, outs...)
	default:
		_, all = site.Openings("")
	}
	ids := in.services()
	var out []ports.Opening
	for _, o := range all {
		twice := slices.ContainsFunc(out, func(p ports.Opening) bool {
			return p.Flow == o.Flow && p.First == o.First && p.Last == o.Last && slices.Equal(p.Sources, o.Sources) && slices.Equal(p.Destinations, o.Destinations)
		})
		if !twice && (ids == nil || slices.Contains(ids, o.Service)) {
			out = append(out, o)
		}
	}
	return out
}
