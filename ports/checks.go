package ports

import (
	"maps"
	"slices"
	"strings"
)

// checkRows sorts out the rows that cannot be compiled. The others are resolved for every instance, so that a plan
// that is good today is not bad for the next one.
func (c *compiler) checkRows(instance int) {
	c.instances = c.plan.Instances()
	if len(c.instances) == 0 {
		c.instances = []int{instance} // the range of instances is bad, and reported
	}
	all := make([]values, len(c.instances))
	for i, n := range c.instances {
		all[i] = c.at(n)
	}
	for _, r := range c.plan.planRows() {
		before := len(c.found)
		c.checkReferences(&r)
		if len(r.Protocols) == 0 {
			c.report(NoProtocol, Error, r.At, r.what()+" has no protocol", "give it protocol: [tcp], or [tcp, udp]")
		}
		if r.pool != nil {
			c.checkPool(&r)
		}
		if !HasErrors(c.found[before:]) && c.resolveAll(&r, all) {
			c.rows = append(c.rows, r)
		}
	}
}

// ofPage reports whether a vendor's page states the row or one of its flows.
func (r *row) ofPage() bool {
	stated := func(origin string) bool { return origin != "" && origin != ours }
	return stated(r.Origin) || slices.ContainsFunc(r.Flows, func(f Flow) bool { return stated(f.Origin) })
}

// resolveAll computes the row's numbers in every instance; it is false where one of them has none.
func (c *compiler) resolveAll(r *row, all []values) bool {
	for i, v := range all {
		if i > 0 && !c.depends(r) {
			break
		}
		c.steps -= stepsARow
		spans, bad := c.resolve(r, v)
		if c.steps < 0 && bad == nil {
			bad = &problem{TooLarge, r.At, r.what() + ": the plan has more formulas and instances than can be computed", "take fewer"}
		}
		if bad != nil {
			if bad.code != TooLarge || !c.exhausted {
				c.report(bad.code, Error, bad.at, bad.message, bad.fix)
			}
			c.exhausted = c.exhausted || bad.code == TooLarge // all rows behind it have the same finding
			return false
		}
		r.numbers = append(r.numbers, spans)
		r.varies = r.varies || !slices.Equal(spans, r.numbers[0])
	}
	if !r.varies {
		r.numbers = r.numbers[:1]
	}
	return true
}

// depends reports whether the row names the instance variable anywhere.
func (c *compiler) depends(r *row) bool {
	i := c.plan.Instance
	if i == "" {
		return false
	}
	uses := func(g Guard) bool { return contains(g.Names(), i) }
	fam := func(id string) bool { return id != "" && c.families[id].Formula.Uses(i) }
	if r.Port.Uses(i) || fam(r.Family) || uses(c.conds[r.When].When) || strings.Contains(r.Name, "{"+i+"}") {
		return true
	}
	if r.pool != nil && fam(r.pool.Span.Family) {
		return true
	}
	return slices.ContainsFunc(r.Cases, func(k Case) bool {
		return uses(k.When) || k.Port.Uses(i) || fam(k.Span.Family) || strings.Contains(k.Name, "{"+i+"}")
	}) || slices.ContainsFunc(r.Alternates, func(a Alternate) bool {
		return uses(a.When) || a.Port.Uses(i) || fam(a.Span.Family)
	})
}

// checkReferences reports what the row names and the plan does not have.
func (c *compiler) checkReferences(r *row) {
	for _, id := range r.RunsOn {
		if _, ok := c.roles[id]; !ok {
			c.unknownRole(r.what(), id, r.At)
		}
	}
	for _, f := range r.Flows {
		for _, id := range []string{f.From, f.To} {
			if _, ok := c.roles[id]; !ok {
				c.unknownRole("a flow of "+r.what(), id, f.At)
			}
		}
		c.checkCondition("a flow of "+r.what(), f.When, f.At)
	}
	c.checkCondition(r.what(), r.When, r.At)
	for _, k := range r.Cases {
		c.checkGuard(r.what(), k.When, k.At)
		c.checkFormula(r, k.Port, k.At)
	}
	for _, a := range r.Alternates {
		c.checkGuard(r.what(), a.When, a.At)
		c.checkFormula(r, a.Port, a.At)
	}
	c.checkFormula(r, r.Port, r.At)
	c.checkFamily(r, r.Family)
	for _, s := range r.spans() {
		c.checkFamily(r, s.Family)
	}
}

// spans returns all ways in which a pool may have its numbers; none for a service.
func (r *row) spans() []Span {
	if r.pool == nil {
		return nil
	}
	all := []Span{r.pool.Span}
	for _, k := range r.Cases {
		all = append(all, k.Span)
	}
	for _, a := range r.Alternates {
		all = append(all, a.Span)
	}
	return all
}

func (c *compiler) checkCondition(what, id string, at Place) {
	if _, ok := c.conds[id]; id != "" && !ok {
		c.report(UnknownCondition, Error, at, what+" names the condition "+quote(id)+", which the plan does not have", c.meant(id, maps.Keys(c.conds), "declare it under conditions"))
	}
}

func (c *compiler) checkGuard(what string, g Guard, at Place) {
	err := g.Check(func(name string) bool { _, ok := c.values[name]; return ok })
	if err != nil {
		c.report(BadGuard, Error, at, what+": when "+quote(string(g))+": "+err.Error(), guardHelp)
	}
}

func (c *compiler) checkFormula(r *row, f Formula, at Place) {
	err := f.Check(func(name string) bool { _, ok := c.values[name]; return ok && !strings.HasPrefix(name, switchPrefix) })
	if err != nil {
		c.report(BadFormula, Error, at, r.what()+": port "+quote(string(f))+": "+err.Error(), "write a number, or a sum over the plan's variables")
	}
}

func (c *compiler) checkFamily(r *row, id string) {
	if _, ok := c.families[id]; id != "" && !ok {
		c.report(UnknownFamily, Error, r.At, r.what()+" names the family "+quote(id)+", which the plan does not have", c.meant(id, maps.Keys(c.families), "declare it under families"))
	}
}

func (c *compiler) unknownRole(what, role string, at Place) {
	c.report(UnknownRole, Error, at, what+" names the role "+quote(role)+", which the plan does not have", c.meant(role, maps.Keys(c.roles), "use one of "+c.roleNames()))
}

func (c *compiler) roleNames() string {
	names := make([]string, 0, len(c.plan.Roles))
	for _, r := range c.plan.Roles {
		names = append(names, r.ID)
	}
	return list(names)
}

// checkPool reports rules of a pool that no lease can keep.
func (c *compiler) checkPool(r *row) {
	for _, s := range r.spans() {
		if c.afford(s) && !slices.Equal(apart(s.Ranges), s.Ranges) {
			c.report(BadRange, Note, r.At, r.what()+": its ranges have numbers in common, which count once", "write each number in one range")
			break
		}
	}
	p := r.pool.Pair
	if p.ID == "" {
		return
	}
	if p.Delta == 0 {
		c.report(BadRange, Error, r.At, r.what()+": both ports of a pair are the same", "give the pair a delta, such as 1")
	}
	if r.pool.Parity != "" && p.Parity != "" && p.first() != r.pool.Parity {
		c.report(BadRange, Error, r.At, r.what()+": a pair "+quote(p.ID)+" with the numbers "+string(p.Parity)+" does not go with first numbers that are "+string(r.pool.Parity),
			"change the delta, or one of the parities")
	}
}
