package ports

import (
	"fmt"
	"slices"
)

// maxInstances bounds the work of checking every instance of a plan.
const maxInstances = 1000

// Compile resolves a plan for one instance on a site. It never stops at the first finding: each bad entry is reported
// and left out, and all others are compiled. Overlaps are looked for over all instances at once. The compiled plan is
// usable only if no finding is an Error. The same input gives the same bytes.
//
// The instance goes before a value that the inventory has for the same variable.
func Compile(p Plan, inv Inventory, instance int) (Compiled, []Diagnostic) {
	c := newCompiler(p, inv)
	c.checkIDs()
	c.setValues()
	c.checkInstance(instance)
	c.readOverrides()
	c.checkInventory()
	c.checkRows(instance)
	out := c.compiled(instance)
	c.checkPaths(out)
	c.checkOverlaps(out)
	c.checkHabits(out)
	return out, sorted(c.found)
}

// compiler holds one compilation: the plan's tables, what was found so far, and the rows worth compiling.
type compiler struct {
	plan      Plan
	inv       Inventory
	roles     map[string]Role
	families  map[string]Family
	conds     map[string]Condition
	values    values           // of variables and switches, the instance aside
	given     map[string]Given // what overrides a row's number, by its id
	kinds     map[string]RoleKind
	relays    []string
	zones     map[string]bool
	players   map[string][]*Host // the hosts that play a role
	exhausted bool               // the steps are used up, and it is reported
	instances []int              // all that the plan may have
	steps     int                // of work that is left for formulas and ranges
	rows      []row              // without an error of their own
	found     []Diagnostic
}

// maxSteps bounds the formulas and offsets that one compilation computes: some seconds of work on the worst plan.
const (
	maxSteps  = 2_000_000
	stepsARow = 4 // in one instance: a row's numbers are kept
)

// row is a service or a pool of the plan.
type row struct {
	Service
	pool    *Pool // nil for a service
	numbers [][]span
	varies  bool // the numbers are not those of every instance
}

// what names the row in a message.
func (r *row) what() string {
	if r.pool != nil {
		return "pool " + r.ID
	}
	return "service " + r.ID
}

func newCompiler(p Plan, inv Inventory) *compiler {
	c := &compiler{
		plan: p, inv: inv, roles: map[string]Role{}, families: map[string]Family{}, conds: map[string]Condition{},
		kinds: map[string]RoleKind{}, values: values{}, given: map[string]Given{}, zones: map[string]bool{},
		players: map[string][]*Host{}, steps: maxSteps,
	}
	for _, r := range p.Roles {
		c.roles[r.ID], c.kinds[r.ID] = r, r.Is
		if r.Relay {
			c.relays = append(c.relays, r.ID)
		}
	}
	for _, f := range p.Families {
		c.families[f.ID] = f
	}
	for _, cond := range p.Conditions {
		c.conds[cond.ID] = cond
	}
	for _, z := range inv.Zones {
		c.zones[z.Name] = true
	}
	for i := range inv.Hosts {
		for _, role := range rolesOf(inv.Hosts[i].Roles, c.kinds, c.relays) {
			c.players[role] = append(c.players[role], &inv.Hosts[i])
		}
	}
	return c
}

// planRows returns the plan's services and then its pools.
func (p Plan) planRows() []row {
	rows := make([]row, 0, len(p.Services)+len(p.Pools))
	for _, s := range p.Services {
		rows = append(rows, row{Service: s})
	}
	for i := range p.Pools {
		pool := p.Pools[i]
		rows = append(rows, row{Service: pool.Service, pool: &pool})
	}
	for i := range rows {
		// The zero values are those of the written form.
		if rows[i].Status == "" {
			rows[i].Status = Works
		}
		if rows[i].Scope == "" {
			rows[i].Scope = External
		}
	}
	return rows
}

// checkIDs reports ids that stand twice in one list. Services and pools share one.
func (c *compiler) checkIDs() {
	seen := map[string]bool{}
	once := func(what, id string, at Place) {
		if seen[what+" "+id] {
			c.report(Duplicate, Error, at, "the "+what+" "+quote(id)+" is declared twice", "rename one of the two, or merge them")
		}
		seen[what+" "+id] = true
	}
	for _, v := range c.plan.Vars {
		once("variable", v.Name, v.At)
	}
	for _, r := range c.plan.Roles {
		once("role", r.ID, r.At)
	}
	for _, cond := range c.plan.Conditions {
		once("condition", cond.ID, cond.At)
	}
	for _, f := range c.plan.Families {
		once("family", f.ID, f.At)
	}
	for _, r := range c.plan.planRows() {
		once("service", r.ID, r.At)
		if r.pool != nil && r.pool.Pair.ID != "" {
			once("service", pairID(*r.pool), r.At)
		}
	}
	for _, l := range c.plan.Local {
		once("local socket", l.ID, l.At)
		if _, ok := c.roles[l.RunsOn]; !ok {
			c.unknownRole("local socket "+l.ID, l.RunsOn, l.At)
		}
	}
	for _, h := range c.inv.Hosts {
		once("host", h.Name, h.At)
	}
	for _, z := range c.inv.Zones {
		once("zone", z.Name, z.At)
	}
}

// compiled builds the answer from the good rows.
func (c *compiler) compiled(instance int) Compiled {
	out := Compiled{
		Plan: c.plan.Name, Instance: instance, Local: slices.Clone(c.plan.Local),
		Roles: map[string]string{}, Kinds: map[string]RoleKind{}, Conditions: map[string]string{},
		Owner: c.plan.Owner, Notes: slices.Clone(c.plan.Notes), Egress: c.plan.Policies.Egress,
		Relays: slices.Sorted(slices.Values(c.relays)),
	}
	for _, r := range c.plan.Roles {
		if r.Title != "" {
			out.Roles[r.ID] = r.Title
		}
		out.Kinds[r.ID] = r.Is
	}
	for _, cond := range c.plan.Conditions {
		out.Conditions[cond.ID] = cond.Text
	}
	vars := c.at(instance)
	c.steps = maxSteps // the rows have been computed before, for more instances
	for i := range c.rows {
		r := &c.rows[i]
		spans, bad := c.resolve(r, vars)
		if bad != nil {
			continue // of an instance outside the plan's range, which is reported
		}
		out.add(r, spans, c.inactive(r, vars))
		if r.pool != nil {
			out.Pools = append(out.Pools, r.pool.resolved(spans))
		}
	}
	out.Hash = out.hash()
	return out
}

// inactive tells for each flow of a row whether its own condition does not hold.
func (c *compiler) inactive(r *row, vars values) []bool {
	off := make([]bool, len(r.Flows))
	for i, f := range r.Flows {
		off[i] = !c.applies(f.When, vars)
	}
	return off
}

// add puts the claims and flows of one row into the plan.
func (c *Compiled) add(r *row, spans []span, inactive []bool) {
	for _, s := range spans {
		for _, proto := range r.Protocols {
			cl := r.claim(s, proto)
			c.Claims = append(c.Claims, cl)
			if s.pair && !r.pool.Pair.Open {
				continue
			}
			for n, f := range r.Flows {
				status := cl.Status
				if inactive[n] {
					status = Inactive
				}
				f.Carries = slices.Clone(f.Carries)
				c.Flows = append(c.Flows, ResolvedFlow{
					ID: fmt.Sprintf("%s.%d/%s", cl.Service, n+1, proto), Service: cl.Service, Status: status,
					Protocol: proto, Port: cl.Port, Last: cl.Last, Parity: cl.Parity, TLS: cl.TLS, Flow: f,
				})
			}
		}
	}
}
