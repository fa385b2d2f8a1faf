package ports

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// span is the numbers of one claim of a row, before the transports.
type span struct {
	Range  // zero: no number is assigned
	parity Parity
	name   string
	tls    bool
	status Status
	by     OverrideBy
	key    string
	family string // that gave the number
	origin string // empty: the row's
	off    bool   // a condition switches the row off
	pair   bool   // the second numbers of a pool's pairs
	base   Range  // of a pair: the range of the first numbers
}

// problem is why a row has no numbers.
type problem struct {
	code         Code
	at           Place
	message, fix string
}

// resolve computes the numbers of a row for given values: one span a range, all alternates, and the pairs of a pool.
func (c *compiler) resolve(r *row, v values) ([]span, *problem) {
	one := span{name: r.Name, tls: r.TLS, status: r.Status}
	if !c.applies(r.When, v) {
		one.status, one.off = Inactive, true
	}
	port, sp := r.Port, Span{}
	if r.pool != nil {
		one.parity, sp = r.pool.Parity, r.pool.Span
	}
	offset, family := r.Offset, r.Family
	for _, k := range r.Cases {
		holds, err := k.When.Eval(v)
		if err != nil {
			return nil, &problem{BadGuard, k.At, r.what() + ": when " + quote(string(k.When)) + ": " + err.Error(), guardHelp}
		}
		if !holds {
			continue
		}
		if k.Name != "" {
			one.name = k.Name
		}
		if k.Port != "" {
			port, family = k.Port, ""
		}
		if !k.Span.zero() {
			sp = k.Span
		}
		if k.Parity != "" {
			one.parity = k.Parity
		}
		break
	}
	name, err := fillName(one.name, v)
	if err != nil {
		return nil, &problem{BadFormula, r.At, r.what() + ": name " + quote(one.name) + ": " + err.Error(), "name variables of the plan in braces"}
	}
	one.name = name
	if r.pool != nil && one.parity == "" {
		one.parity = r.pool.Pair.first()
	}
	if len(r.Alternates) > 0 {
		return c.alternates(r, one, v)
	}
	if r.pool != nil {
		return c.ranges(r, one, sp, v)
	}
	if family != "" {
		one.family = family
		return c.number(r, one, c.families[family].Formula, with(v, offset))
	}
	return c.number(r, one, port, v)
}

const guardHelp = "write terms such as usessl, !usessl, ACS_INSTANCE > 0 or openings.task_link, joined by &&"

// alternates lists all of them; the first whose guard holds is as active as the row is.
func (c *compiler) alternates(r *row, one span, v values) ([]span, *problem) {
	var all []span
	chosen := false
	for _, a := range r.Alternates {
		holds, err := a.When.Eval(v)
		if err != nil {
			return nil, &problem{BadGuard, a.At, r.what() + ": when " + quote(string(a.When)) + ": " + err.Error(), guardHelp}
		}
		s := one
		s.tls, s.origin = a.TLS, a.Origin
		if chosen || !holds {
			s.status = Inactive
		}
		chosen = chosen || holds
		var spans []span
		var bad *problem
		if r.pool != nil {
			spans, bad = c.ranges(r, s, a.Span, v)
		} else {
			spans, bad = c.number(r, s, a.Port, v)
		}
		if bad != nil {
			return nil, bad
		}
		all = append(all, spans...)
	}
	return all, nil
}

// number resolves a row of one number.
func (c *compiler) number(r *row, one span, f Formula, v values) ([]span, *problem) {
	if g, ok := c.given[r.ID]; ok && one.status != Inactive {
		one.First, one.by, one.key = g.Port, g.By, g.Key
		one.Last = one.First
		return []span{one}, nil
	}
	if f.Assigned() {
		n, bad := c.eval(r, f, v)
		if bad != nil {
			return nil, bad
		}
		one.Range = Range{n, n}
		return []span{one}, nil
	}
	if r.asleep() && one.status == Works {
		one.status = Inactive
	}
	return []span{one}, nil
}

// asleep reports whether a row cannot work without a number: something must listen, and no port mapper says where.
func (r *row) asleep() bool {
	return r.Binds && r.RPC.Kind == "" && r.Application == ""
}

func (c *compiler) eval(r *row, f Formula, v values) (Port, *problem) {
	c.steps--
	n, err := f.Eval(v)
	if err != nil {
		return 0, &problem{BadFormula, r.At, r.what() + ": port " + quote(string(f)) + ": " + err.Error(), "write a number, or a sum over the plan's variables"}
	}
	if n < 1 || n > math.MaxUint16 {
		return 0, &problem{BadPort, r.At, fmt.Sprintf("%s: port %d%s is outside 1 to %d", r.what(), n, c.ofInstance(v), math.MaxUint16), "choose a number in this range"}
	}
	return Port(n), nil
}

// ofInstance says which instance a value belongs to.
func (c *compiler) ofInstance(v values) string {
	if n, ok := v[c.plan.Instance]; ok {
		return fmt.Sprintf(" in instance %d", n)
	}
	return ""
}

// with adds the offset of a family to the values.
func with(v values, offset int) values {
	w := make(values, len(v)+1)
	for k, n := range v {
		w[k] = n
	}
	w["offset"] = offset
	return w
}

// fillName puts values in the place of variables in braces.
func fillName(name string, v values) (string, error) {
	var b strings.Builder
	rest := name
	for {
		before, after, open := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return "", fmt.Errorf("a brace is not opened")
		}
		b.WriteString(before)
		if !open {
			return b.String(), nil
		}
		key, tail, closed := strings.Cut(after, "}")
		n, ok := v[key]
		switch {
		case !closed:
			return "", fmt.Errorf("a brace is not closed")
		case !ok:
			return "", fmt.Errorf("the plan has no variable %q", key)
		}
		fmt.Fprintf(&b, "%d", n)
		rest = tail
	}
}

// claim makes a claim of a row for one span and transport.
func (r *row) claim(s span, proto Protocol) Claim {
	cl := Claim{
		Service: r.ID, Function: r.Function, Name: s.name, Protocol: proto, Port: s.First, Parity: s.parity, Pool: r.pool != nil, TLS: s.tls,
		Doors: slices.Clone(r.Doors), Listeners: r.listeners(), Binds: r.Binds, Scope: r.Scope, Status: s.status,
		SRVName: r.SRVName, Application: r.Application, RPC: r.RPC, Family: r.Family, Offset: r.Offset, By: s.by, Key: s.key, Modes: slices.Clone(r.Modes),
		Unproven: r.Unproven, Deprecated: r.Deprecated, PerHost: r.PerHost,
		ServicesFile: r.ServicesFile, When: r.When, Origin: r.Origin, Was: r.Was, Note: r.Note, Place: r.At,
	}
	if s.origin != "" {
		cl.Origin = s.origin
	}
	cl.RPC.Registers = slices.Clone(r.RPC.Registers)
	if r.pool == nil {
		return cl
	}
	cl.Last = s.Last
	cl.Down = r.pool.Down
	if s.pair {
		p := r.pool.Pair
		cl.Service, cl.Pair, cl.Pool, cl.Down = pairID(*r.pool), r.ID, false, false
		cl.Doors, cl.Was, cl.Name, cl.Note = nil, "", "", p.Note
		if p.Origin != "" {
			cl.Origin = p.Origin
		}
		if !p.Open {
			cl.Scope = SameHost
		}
	}
	return cl
}

// listeners returns the roles on which the row listens: those it runs on, and the destinations of its flows.
func (r *row) listeners() []string {
	all := slices.Clone(r.RunsOn)
	for _, f := range r.Flows {
		if !contains(all, f.To) {
			all = append(all, f.To)
		}
	}
	return all
}

// pairID is the id of the claim that holds the second numbers of a pool.
func pairID(p Pool) string { return p.ID + "." + p.Pair.ID }
