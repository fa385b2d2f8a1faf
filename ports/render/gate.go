package render

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// ErrEmpty is a text in which nothing would stand: a firewall that nobody tells anything is not one that lets nothing in.
var ErrEmpty = errors.New("there is nothing to render")

// ErrUnsupported is a plan that a target has no words for as a whole.
var ErrUnsupported = errors.New("the target cannot say what the plan says")

// maxMistakes bounds how many mistakes of one kind an error names.
const maxMistakes = 20

// gate is what a firewall must know of one host, or of one role where there is no inventory.
type gate struct {
	in           Input
	what         string          // "host hq1"
	name         string          // of tables, chains and groups: letters, digits and underscores; see identifier
	ins          []ports.Opening // what may come in; every one has a number and addresses
	outs         []ports.Opening // what it may connect to
	closed       []ports.Claim   // what other hosts must not reach
	held         []ports.Claim   // what it listens on, or holds so that nothing else does
	numbered     []ports.Opening // without a number yet: nothing listens, and nothing is opened
	omitted      Omitted
	applications [2][]ports.Opening // in and out, without a number, for targets that know programs
	hosts        map[string]ports.Host
}

// Omitted is the error beside a rendered text that leaves something out: what the target has no words for. The text is
// right as far as it goes, and names what is missing in comments.
type Omitted struct {
	Target string
	Flows  []string // each with its reason
}

func (o *Omitted) Error() string {
	return fmt.Sprintf("%s has no words for %s", o.Target, strings.Join(o.Flows, "; "))
}

// err returns nothing where nothing is missing.
func (o *Omitted) err(target string) error {
	if len(o.Flows) == 0 {
		return nil
	}
	o.Target = target
	return o
}

// newGate collects what concerns the input's host or role.
func newGate(in Input) (gate, error) {
	c := in.Site.Compiled
	g := gate{in: in, name: identifier(c)}
	if in.Host == "" && in.Role == "" {
		return g, errors.New("rules are made for one host of the inventory, or for one role: name it")
	}
	if in.Host != "" && in.Role != "" {
		return g, errors.New("a host and a role are both named: rules are made for one of them")
	}
	if err := in.known(); err != nil {
		return g, err
	}
	ins, outs := in.Site.Openings(in.Host)
	plays := in.Site.Roles(in.Host)
	g.what = "host " + oneLine(in.Host)
	if in.Role != "" {
		ins, outs = in.Site.RoleOpenings(in.Role)
		plays = []string{in.Role}
		g.what, g.name = "role "+oneLine(in.Role), g.name+"_"+word(in.Role)
	}
	g.held = in.held()
	g.closed = slices.DeleteFunc(slices.Clone(g.held), func(cl ports.Claim) bool { return cl.Scope != ports.SameHost })
	g.ins = g.usable(ins)
	if g.applications[0] = g.withoutPort(ins); g.restricted() {
		g.outs, g.applications[1] = g.usable(outs), g.withoutPort(outs)
	} else {
		missing := g.omitted // what goes out without a number goes out with everything else
		g.outs = g.usable(outs)
		g.omitted = missing
	}
	g.numbered = in.withoutNumber(plays)
	return g, nil
}

// known refuses a host that the inventory does not have, and a role that the plan does not have.
func (in Input) known() error {
	if _, ok := in.Site.Host(in.Host); in.Host != "" && !ok {
		return fmt.Errorf("host %q: %w in the inventory", in.Host, ErrUnknown)
	}
	for id, kind := range in.Site.Compiled.Kinds {
		if in.Role == "" || in.Role == id || in.Role == string(kind) {
			return nil
		}
	}
	if in.Role == "" {
		return nil
	}
	return fmt.Errorf("role %q: %w in the plan %s", in.Role, ErrUnknown, in.Site.Compiled.Plan)
}

func (in Input) held() []ports.Claim { return in.ofRole(in.Site.Held(in.Host)) }

// ofRole keeps the claims of the input's role; a kind stands for all roles of it.
func (in Input) ofRole(claims []ports.Claim) []ports.Claim {
	if in.Role == "" {
		return claims
	}
	return slices.DeleteFunc(slices.Clone(claims), func(cl ports.Claim) bool {
		return len(cl.Listeners) > 0 && !slices.ContainsFunc(cl.Listeners, in.plays)
	})
}

func (in Input) plays(role string) bool {
	return role == in.Role || in.Role != "" && string(in.Site.Compiled.Kinds[role]) == in.Role
}

// withoutNumber returns the flows to roles for which the site must still give a number.
func (in Input) withoutNumber(plays []string) []ports.Opening {
	var out []ports.Opening
	c := in.Site.Compiled
	for _, f := range c.Flows {
		if f.Port != 0 || f.Status != ports.Works || !slices.Contains(plays, f.To) && !in.plays(f.To) {
			continue
		}
		if cl, ok := c.Service(f.Service); ok && cl.Application == "" {
			out = append(out, ports.Opening{Flow: f.ID, Service: f.Service, Protocol: f.Protocol, From: f.From, To: f.To, Purpose: f.Purpose})
		}
	}
	return out
}

// usable sets aside what has no number, and keeps the rest, with addresses instead of names where the inventory has
// them.
func (g *gate) usable(list []ports.Opening) []ports.Opening {
	var out []ports.Opening
	known := map[endList][]ports.Endpoint{}
	g.index()
	for _, o := range list {
		switch {
		case o.First != 0:
			o.Last = max(o.First, o.Last)
			o.Sources, o.Destinations = g.concrete(o.Sources, known), g.concrete(o.Destinations, known)
			out = append(out, o)
		case o.Application != "":
			g.omitted.Flows = append(g.omitted.Flows, fmt.Sprintf("%s: the application %q", o.Flow, o.Application))
		}
	}
	return out
}

// withoutPort returns the openings that have an application instead of a number.
func (g *gate) withoutPort(list []ports.Opening) []ports.Opening {
	var out []ports.Opening
	known := map[endList][]ports.Endpoint{}
	for _, o := range list {
		if o.First == 0 && o.Application != "" {
			o.Sources, o.Destinations = g.concrete(o.Sources, known), g.concrete(o.Destinations, known)
			out = append(out, o)
		}
	}
	return out
}

func (g *gate) index() {
	g.hosts = map[string]ports.Host{}
	for _, h := range g.in.Site.Inventory.Hosts {
		g.hosts[h.Name] = h
	}
}

// concrete replaces a name by which a host is known by the addresses that the host binds, or its networks. What has
// none stays a name.
func (g *gate) concrete(ends []ports.Endpoint, known map[endList][]ports.Endpoint) []ports.Endpoint {
	if len(ends) == 0 {
		return nil
	}
	key := endList{&ends[0], len(ends)}
	if out, ok := known[key]; ok {
		return out
	}
	var out []ports.Endpoint
	for _, e := range ends {
		found := false
		if _, err := network(e.Address); err != nil {
			h := g.hosts[e.Host]
			for _, a := range append(slices.Clone(h.Bind), h.Networks...) {
				if p, err := network(a); err == nil && p.Bits() > 0 && !p.Addr().IsUnspecified() && !p.Addr().IsLoopback() {
					out, found = append(out, ports.Endpoint{Host: e.Host, Zone: e.Zone, Address: p.String()}), true
				}
			}
		}
		if !found {
			out = append(out, e)
		}
	}
	known[key] = out
	return out
}

// empty is the error where the plan opens nothing, for targets that only add.
func (g gate) empty(target string) error {
	return fmt.Errorf("%w: %s: the plan lets nothing in to %s", ErrEmpty, target, g.what)
}

// onlyIncoming refuses a plan that restricts outgoing connections, for targets whose way to do so is not additive.
func (g gate) onlyIncoming(target string) error {
	if !g.restricted() {
		return nil
	}
	return fmt.Errorf("%w: %s: the plan restricts outgoing connections (policies: egress), and only incoming rules are rendered here: use nftables or iptables", ErrUnsupported, target)
}

// addresses refuses ends that are names. All are told at once.
func addresses(target string, list []ports.Opening, ends side) error {
	var bad []error
	seen := map[ports.Endpoint]bool{}
	for _, o := range list {
		for _, e := range ends(o) {
			if seen[e] {
				continue
			}
			seen[e] = true
			if _, err := network(e.Address); err != nil && len(bad) < maxMistakes {
				bad = append(bad, fmt.Errorf("host %q: %w, and %s takes no names: give the host an address under bind or networks in the inventory", e.Host, err, target))
			}
		}
	}
	return errors.Join(bad...)
}

// restricted reports whether the plan's policy closes outgoing connections too.
func (g gate) restricted() bool { return g.in.Site.Compiled.Egress == "restricted" }

// outgoing returns the openings for which outgoing rules are made.
func (g gate) outgoing() []ports.Opening {
	if g.restricted() {
		return g.outs
	}
	return nil
}
