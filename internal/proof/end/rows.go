package end

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// key names a row and one of its numbers.
func key(r wire.ProveRow) string { return r.Service + ":" + strconv.Itoa(r.Number) }

// row returns the claim that a row is of, with that one number and a name that no other has. The error is Forbidden for
// what the plan does not have.
func (p Plan) row(r wire.ProveRow) (ports.Claim, error) {
	for _, cl := range p.Compiled.Claims {
		if cl.Service != r.Service || string(cl.Protocol) != r.Protocol || cl.Port == 0 || cl.Status != ports.Works && (!r.Closed || cl.Status != ports.Reserved) {
			continue
		}
		if !p.has(cl, r) {
			continue
		}
		cl.Service, cl.Port, cl.Last, cl.Binds, cl.Pool, cl.Scope, cl.Status = key(r), ports.Port(r.Number), 0, true, false, ports.External, ports.Works
		return cl, nil
	}
	return ports.Claim{}, fault.New(fault.Forbidden, fmt.Sprintf("this node's copy of the plan %s has no number %d/%s of %s", p.Compiled.Plan, r.Number, r.Protocol, r.Service),
		"a node proves rows of its own plan and nothing else")
}

// has reports whether a number is one of a claim's; of what must be closed, also the ones next to it.
func (p Plan) has(cl ports.Claim, r wire.ProveRow) bool {
	n := r.Number
	if n < 1 || n > 65535 {
		return false
	}
	first, last := int(cl.Range().First), int(cl.Range().Last)
	if p.Own != nil && !cl.Pool {
		if own := int(p.Own(cl.Service)); own != 0 {
			first, last = own, own
		}
	}
	if r.Closed {
		return n >= first-1 && n <= last+1
	}
	even := n%2 == 0
	return n >= first && n <= last && (cl.Parity == "" || (cl.Parity == ports.Even) == even)
}

// mayListen returns the claim of a row that this node's role listens on.
func (e *End) mayListen(p Plan, r wire.ProveRow) (ports.Claim, error) {
	cl, err := p.row(r)
	if err != nil {
		return cl, err
	}
	if !slices.ContainsFunc(cl.Listeners, func(role string) bool { return p.Compiled.Kinds[role] == e.cfg.Role }) && len(cl.Listeners) > 0 {
		return cl, fault.Newf(fault.Forbidden, "the plan does not let a node of the role %s listen for %s", e.cfg.Role, r.Service)
	}
	return cl, nil
}

// mayDial returns the claim of a row that this node's role dials, for one dial.
func (e *End) mayDial(p Plan, t wire.ProveTry) (ports.Claim, error) {
	cl, err := p.dialled(t)
	if err != nil {
		return cl, err
	}
	if !t.Closed && !p.Compiled.MayDial(string(e.cfg.Role), t.Service) {
		return cl, fault.Newf(fault.Forbidden, "the plan has no flow from a node of the role %s to %s", e.cfg.Role, t.Service)
	}
	return cl, nil
}

// dialled returns the claim of a dial: the number that is dialled must be one of the row's, or one that this node knows
// at that address.
func (p Plan) dialled(t wire.ProveTry) (ports.Claim, error) {
	_, port, err := net.SplitHostPort(t.Address)
	if err != nil {
		return ports.Claim{}, fault.Newf(fault.Invalid, "%q is not HOST:PORT", t.Address)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return ports.Claim{}, fault.Newf(fault.Invalid, "%q is not HOST:PORT", t.Address)
	}
	knows := p.Knows != nil && p.Knows(t.Service, t.Address)
	if knows {
		for _, cl := range p.Compiled.Claims {
			if cl.Service == t.Service && string(cl.Protocol) == t.Protocol && cl.Status == ports.Works {
				cl.Service, cl.Port, cl.Last = key(t.ProveRow), ports.Port(number), 0
				return cl, nil
			}
		}
	}
	asked := t.ProveRow
	asked.Number = number
	other := p
	other.Own = nil // the far end's number is not this host's
	cl, err := other.row(asked)
	cl.Service = key(t.ProveRow)
	return cl, err
}
