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
	if in.Service != "" && !slices.ContainsFunc(c.Claims, func(cl ports.Claim) bool { return cl.Service == in.Service }) {
		return w, c, fmt.Errorf("service %q: %w in the plan %s", in.Service, ErrUnknown, c.Plan)
	}
	roles, err := in.roles()
	if err != nil {
		return w, c, err
	}
	return w, restricted(c, roles, in.Service), nil
}

// roles are those of the host or role that the input names; nil means all.
func (in Input) roles() ([]string, error) {
	c := in.Site.Compiled
	if in.Role != "" {
		if !slices.Contains(planRoles(c), in.Role) {
			return nil, fmt.Errorf("role %q: %w in the plan %s", in.Role, ErrUnknown, c.Plan)
		}
		return []string{in.Role}, nil
	}
	if in.Host == "" {
		return nil, nil
	}
	for _, h := range in.Site.Inventory.Hosts {
		if h.Name == in.Host {
			return hostRoles(c, h), nil
		}
	}
	return nil, fmt.Errorf("host %q: %w in the inventory", in.Host, ErrUnknown)
}

// hostRoles are the plan's roles that a host plays. An inventory may name a role's kind instead: server, agent, desk or
// client.
func hostRoles(c ports.Compiled, h ports.Host) []string {
	roles := slices.Clone(h.Roles)
	for _, role := range planRoles(c) {
		if kind := c.Kinds[role]; kind != ports.Unmanaged && slices.Contains(h.Roles, string(kind)) && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}

// planRoles are the roles that stand in the rows of a plan.
func planRoles(c ports.Compiled) []string {
	var roles []string
	add := func(ids ...string) {
		for _, id := range ids {
			if !slices.Contains(roles, id) {
				roles = append(roles, id)
			}
		}
	}
	for _, f := range c.Flows {
		add(f.From, f.To)
	}
	for _, cl := range c.Claims {
		add(cl.Listeners...)
	}
	return roles
}

// restricted is the plan with the rows that have to do with roles (nil: all) and with a service (empty: all).
func restricted(c ports.Compiled, roles []string, service string) ports.Compiled {
	if roles == nil && service == "" {
		return c
	}
	among := func(ids ...string) bool {
		return roles == nil || slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(roles, id) })
	}
	out := c
	out.Claims, out.Flows, out.Pools, out.Local = nil, nil, nil, nil
	dialled := map[string]bool{}
	for _, f := range c.Flows {
		if (service == "" || f.Service == service) && among(f.From, f.To) {
			out.Flows = append(out.Flows, f)
			dialled[f.Service] = true
		}
	}
	for _, cl := range c.Claims {
		if (service == "" || cl.Service == service) && (dialled[cl.Service] || among(cl.Listeners...)) {
			out.Claims = append(out.Claims, cl)
		}
	}
	for _, p := range c.Pools {
		if (service == "" || p.ID == service) && (dialled[p.ID] || among(p.RunsOn...)) {
			out.Pools = append(out.Pools, p)
		}
	}
	for _, l := range c.Local {
		if service == "" && among(l.RunsOn) {
			out.Local = append(out.Local, l)
		}
	}
	return out
}

// openings are what a site needs to be let through, restricted like the plan.
func (in Input) openings(site ports.Site) ([]ports.Opening, error) {
	roles, err := in.roles()
	if err != nil {
		return nil, err
	}
	var out []ports.Opening
	for _, f := range restricted(site.Compiled, roles, in.Service).Flows {
		if f.Status == ports.Works || f.Status == "" {
			out = append(out, ports.Opening{Flow: f.ID, Service: f.Service, Protocol: f.Protocol, First: f.Port, Last: f.Last, From: f.From, To: f.To, Purpose: f.Purpose})
		}
	}
	return out, nil
}
