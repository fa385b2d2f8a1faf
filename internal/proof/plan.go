package proof

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// Trial is one path to be tried.
type Trial struct {
	Flow     string // ports.ResolvedFlow.ID; of a path that must be closed: SERVICE/PROTOCOL
	Service  string
	Protocol ports.Protocol
	From, To string       // hosts; a role's title where it has none
	Roles    [2]string    // of From and To; empty where the path must be closed
	Address  string       // HOST:PORT that is dialled; empty: nothing can be
	Number   ports.Port   // that the far end has
	Expect   probe.Expect //
	Binds    bool         // Reeve listens there, or would
	Purpose  string       // of the flow; why it must be closed
	Untried  string       // why nobody can try it; empty: somebody can
}

// Plan returns the paths of a site that are asked for, in the order of the plan. The error is NotFound where the site
// knows no such host, role or flow.
func Plan(s Site, ask Ask) ([]Trial, error) {
	if err := ask.check(s); err != nil {
		return nil, err
	}
	crossings := s.Crossings()
	var all []Trial
	if ask.Negative {
		all = closed(s, crossings, ask)
	} else {
		all = open(s, crossings, ask)
	}
	return slices.DeleteFunc(all, func(t Trial) bool { return !ask.wants(t) }), nil
}

// check refuses what would select nothing because of a slip of the pen.
func (a Ask) check(s Site) error {
	for flag, name := range map[string]string{"from": a.From, "to": a.To} {
		_, host := s.Host(name)
		_, role := s.Compiled.Kinds[name]
		if name != "" && !host && !role {
			return fault.New(fault.NotFound, fmt.Sprintf("%s: there is no host %s, and the plan %s has no such role", flag, strconv.Quote(name), s.Compiled.Plan),
				"hosts are named as in the inventory, or as `reeve node list` does")
		}
	}
	if a.Flow != "" && !slices.ContainsFunc(s.Compiled.Claims, func(cl ports.Claim) bool { return cl.Service == a.Flow }) &&
		!slices.ContainsFunc(s.Compiled.Flows, func(f ports.ResolvedFlow) bool { return f.ID == a.Flow }) {
		return fault.New(fault.NotFound, fmt.Sprintf("the plan %s has neither a flow nor a row %s", s.Compiled.Plan, strconv.Quote(a.Flow)), "`reeve ports list` shows its rows")
	}
	return nil
}

func (a Ask) wants(t Trial) bool {
	return (a.From == "" || a.From == t.From || a.From == t.Roles[0]) && (a.To == "" || a.To == t.To || a.To == t.Roles[1]) &&
		(a.Flow == "" || a.Flow == t.Flow || a.Flow == t.Service)
}

// open returns what the flows of the plan want.
func open(s Site, crossings []ports.Crossing, ask Ask) []Trial {
	binds := map[string]bool{}
	for _, cl := range s.Compiled.Claims {
		binds[cl.Service+"/"+string(cl.Protocol)] = cl.Binds
	}
	var all []Trial
	seen := map[[3]string]bool{}
	for _, c := range crossings {
		key := [3]string{c.Flow.ID, c.From, c.To}
		if c.To != "" && seen[key] && !ask.All {
			continue // the first address under which it is reached
		}
		seen[key] = true
		t := Trial{
			Flow: c.Flow.ID, Service: c.Flow.Service, Protocol: c.Flow.Protocol, From: c.From, To: c.To, Roles: [2]string{c.Flow.From, c.Flow.To},
			Expect: probe.Open, Binds: binds[c.Flow.Service+"/"+string(c.Flow.Protocol)], Purpose: c.Flow.Purpose, Number: c.Bound,
		}
		t.Untried = s.untried(c)
		t.From, t.To = cmp.Or(t.From, s.title(c.Flow.From)), cmp.Or(t.To, s.title(c.Flow.To))
		if t.Untried != "" {
			t.Address = c.Address(0)
			all = append(all, t)
			continue
		}
		for _, n := range numbers(c, ask.All) {
			one := t
			one.Address, one.Number = c.Address(n), c.Bound+n
			all = append(all, one)
		}
	}
	return all
}

// untried says why a crossing cannot be tried at all.
func (s Site) untried(c ports.Crossing) string {
	switch {
	case c.From == "" && s.Compiled.Kinds[c.Flow.From] == ports.Unmanaged:
		return "third party: " + s.title(c.Flow.From) + " is no host of this site"
	case c.From == "":
		return "no agent: no host of this site is " + s.title(c.Flow.From)
	case !s.Ours(c.From):
		return "no agent: no node of Reeve runs on " + c.From
	case c.To == "" && s.Compiled.Kinds[c.Flow.To] == ports.Unmanaged:
		return "third party: where " + s.title(c.Flow.To) + " is, the inventory does not say"
	case c.To == "":
		return "no agent: no host of this site is " + s.title(c.Flow.To)
	case c.Address(0) == "":
		return "the plan gives it no number"
	case isNetwork(c.Host):
		return c.To + " stands for a network, in which nobody is meant"
	}
	if _, why := s.End(c.From); why != "" {
		return "no agent: " + why
	}
	return ""
}

func isNetwork(host string) bool {
	_, err := netip.ParsePrefix(host)
	return err == nil
}

func (s Site) title(role string) string { return cmp.Or(s.Compiled.Roles[role], role) }

// maxNumbers bounds how many of a range's numbers are tried.
const maxNumbers = 16

// numbers returns which numbers of a crossing are tried, counted from its first: both ends of a range, and some between
// them where all is asked for.
func numbers(c ports.Crossing, all bool) []ports.Port {
	var fits []ports.Port
	for n := 0; n <= int(c.Last-c.Port); n++ {
		if c.Covers(c.Flow.Protocol, c.Bound+ports.Port(n)) {
			fits = append(fits, ports.Port(n))
		}
	}
	many := 2
	if all {
		many = maxNumbers
	}
	if len(fits) <= many {
		return fits
	}
	some := make([]ports.Port, many)
	for i := range some {
		some[i] = fits[i*(len(fits)-1)/(many-1)]
	}
	return some
}

// closed returns what must be closed: from each node to each other one, what is its own or nobody's.
func closed(s Site, crossings []ports.Crossing, ask Ask) []Trial {
	byEnds := map[[2]string][]ports.Crossing{}
	for _, c := range crossings {
		byEnds[[2]string{c.From, c.To}] = append(byEnds[[2]string{c.From, c.To}], c)
	}
	var all []Trial
	for _, to := range s.Inventory.Hosts {
		if !s.Ours(to.Name) {
			continue // what another closes is its own business
		}
		shut, addresses := s.Shut(to.Name), s.Addresses(to.Name)
		if !ask.All {
			addresses = addresses[:min(1, len(addresses))]
		}
		for _, from := range s.Inventory.Hosts {
			if from.Name == to.Name || !s.Ours(from.Name) || s.Together(from.Name, to.Name) {
				continue
			}
			for _, x := range shut {
				if slices.ContainsFunc(byEnds[[2]string{from.Name, to.Name}], func(c ports.Crossing) bool { return c.Covers(x.Claim.Protocol, x.Number) }) {
					continue // a row of the plan lets this very host in
				}
				for _, a := range addresses {
					all = append(all, s.shutTrial(x, from.Name, to.Name, a.Address))
				}
			}
		}
	}
	return all
}

func (s Site) shutTrial(x ports.Shut, from, to, host string) Trial {
	t := Trial{
		Flow: x.Claim.Service + "/" + string(x.Claim.Protocol), Service: x.Claim.Service, Protocol: x.Claim.Protocol, From: from, To: to,
		Address: ports.Crossing{Host: host, Port: x.Number}.Address(0), Number: x.Number, Expect: probe.Closed, Binds: true,
	}
	switch x.Reason {
	case ports.ShutSameHost:
		t.Purpose = "it is for the host itself"
	case ports.ShutReserved:
		t.Purpose = "it is held, and nothing uses it"
	case ports.ShutNeighbour:
		t.Purpose = "it is next to " + x.Claim.Service + ", and no row has it"
	}
	if _, why := s.End(from); why != "" {
		t.Untried = "no agent: " + why
	} else if isNetwork(host) {
		t.Untried = to + " stands for a network, in which nobody is meant"
	}
	return t
}
