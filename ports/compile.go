package ports

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxInstances bounds the work of checking every instance of a plan.
const maxInstances = 1000

// Compile resolves a plan for one instance. It never stops at the first finding: each bad entry is reported and left
// out, and all others are compiled. Overlaps are looked for over all instances at once. The compiled plan is usable
// only if no finding is an Error. The same input gives the same bytes.
func Compile(p Plan, inv Inventory, instance int) (Compiled, []Diagnostic) {
	c := newCompiler(p)
	c.checkIDs()
	vars := c.variables(instance)
	c.checkServices()
	c.checkInventory(inv)
	c.checkOverlaps(inv)

	out := Compiled{Plan: p.Name, Instance: instance, Local: slices.Clone(p.Local), Roles: map[string]string{}, Conditions: map[string]string{}}
	for _, r := range p.Roles {
		if r.Title != "" {
			out.Roles[r.ID] = r.Title
		}
	}
	for _, cond := range p.Conditions {
		out.Conditions[cond.ID] = cond.Text
	}
	for _, s := range c.good {
		claims := c.claims(s, vars)
		out.Claims = append(out.Claims, claims...)
		for _, cl := range claims {
			for n, f := range s.Flows {
				f.Carries = slices.Clone(f.Carries)
				id := fmt.Sprintf("%s.%d/%s", s.ID, n+1, cl.Protocol)
				out.Flows = append(out.Flows, ResolvedFlow{ID: id, Status: cl.Status, Service: s.ID, Protocol: cl.Protocol, Port: cl.Port, TLS: cl.TLS, Flow: f})
			}
		}
	}
	out.Hash = out.hash()
	return out, sorted(c.found)
}

// compiler holds one compilation: the plan's tables, what was found so far, and the services worth compiling.
type compiler struct {
	plan  Plan
	roles map[string]Role
	conds map[string]bool
	vars  map[string]bool
	kinds map[RoleKind]bool    // the kinds that an inventory may name instead of a plan role
	links map[[2]RoleKind]bool // the directions of the plan's link rows
	good  []Service            // services without an error of their own
	found []Diagnostic
}

func newCompiler(p Plan) *compiler {
	c := &compiler{
		plan: p, roles: map[string]Role{}, conds: map[string]bool{}, vars: map[string]bool{},
		kinds: map[RoleKind]bool{Server: true, Agent: true, Desk: true, Client: true},
		links: map[[2]RoleKind]bool{},
	}
	for _, r := range p.Roles {
		c.roles[r.ID] = r
	}
	for _, cond := range p.Conditions {
		c.conds[cond.ID] = true
	}
	for _, v := range p.Vars {
		c.vars[v.Name] = true
	}
	for _, s := range p.Services {
		for _, f := range s.Flows {
			if contains(f.Carries, "link") {
				c.links[[2]RoleKind{c.roles[f.From].Is, c.roles[f.To].Is}] = true
			}
		}
	}
	return c
}

// checkIDs reports ids that stand twice in one list.
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
	for _, s := range c.plan.Services {
		once("service", s.ID, s.At)
	}
	for _, l := range c.plan.Local {
		once("local socket", l.ID, l.At)
		if _, ok := c.roles[l.RunsOn]; !ok {
			c.unknownRole("local socket "+l.ID, l.RunsOn, l.At)
		}
	}
}

// variables returns the value of each variable for one instance.
func (c *compiler) variables(instance int) map[string]int {
	vars := map[string]int{}
	declared := false
	for _, v := range c.plan.Vars {
		vars[v.Name] = v.Default
		if v.Name != c.plan.Instance {
			continue
		}
		declared = true
		vars[v.Name] = instance
		if !v.bounded() {
			c.report(BadInstance, Error, v.At, fmt.Sprintf("the range %d to %d has no instance, or more than %d", v.Min, v.Max, maxInstances),
				"give min and max that make a smaller range")
			continue
		}
		if instance < v.Min || instance > v.Max {
			c.report(BadInstance, Error, v.At, fmt.Sprintf("instance %d is outside %d to %d", instance, v.Min, v.Max),
				"choose an instance of the plan "+quote(c.plan.Name)+" within its range")
		}
	}
	if !declared && instance != 0 {
		c.report(BadInstance, Error, c.plan.At, fmt.Sprintf("the plan %s has no instances, but instance %d was asked for", quote(c.plan.Name), instance),
			"leave the instance away")
	}
	return vars
}

// bounded reports whether the variable has a range that can be walked through.
func (v Var) bounded() bool {
	return v.Min >= -maxValue && v.Max <= maxValue && v.Min <= v.Max && v.Max-v.Min < maxInstances
}

// instanceValues returns all values of the instance variable, nothing if its range is bad; a plan without one has the
// single instance 0.
func (c *compiler) instanceValues() []int {
	for _, v := range c.plan.Vars {
		if v.Name != c.plan.Instance {
			continue
		}
		if !v.bounded() {
			return nil
		}
		all := make([]int, 0, v.Max-v.Min+1)
		for i := v.Min; i <= v.Max; i++ {
			all = append(all, i)
		}
		return all
	}
	return []int{0}
}

// checkServices sorts out the services that cannot be compiled, and names what is odd about the others.
func (c *compiler) checkServices() {
	lower := map[string]string{}
	instances := c.instanceValues()
	for _, s := range c.plan.Services {
		bad := len(c.found)
		c.checkReferences(s)
		if len(s.Protocols) == 0 {
			c.report(NoProtocol, Error, s.At, "service "+s.ID+" has no protocol", "give it protocol: [tcp], or [tcp, udp]")
		}
		c.checkPort(s, instances)
		if !slices.ContainsFunc(c.found[bad:], func(d Diagnostic) bool { return d.Severity == Error }) {
			c.good = append(c.good, s)
		}
		c.checkName(s, lower)
	}
}

func (c *compiler) checkName(s Service, lower map[string]string) {
	if s.Name == "" {
		return
	}
	if !validName(s.Name) {
		c.report(BadServiceName, Warning, s.At, "the service name "+quote(s.Name)+" is not one of RFC 6335",
			"DNS SRV records need 1 to 15 letters, digits and single hyphens, with a letter")
	}
	key := strings.ToLower(s.Name)
	if other, ok := lower[key]; ok && other != s.Name {
		c.report(SameServiceName, Warning, s.At, "the service names "+quote(other)+" and "+quote(s.Name)+" differ in case only",
			"service names are compared without case (RFC 6335): rename one")
	}
	lower[key] = s.Name
}

func (c *compiler) checkReferences(s Service) {
	for _, r := range s.RunsOn {
		if _, ok := c.roles[r]; !ok {
			c.unknownRole("service "+s.ID, r, s.At)
		}
	}
	for _, f := range s.Flows {
		for _, r := range []string{f.From, f.To} {
			if _, ok := c.roles[r]; !ok {
				c.unknownRole("a flow of service "+s.ID, r, f.At)
			}
		}
		if f.When != "" && !c.conds[f.When] {
			c.report(UnknownCondition, Error, f.At, "a flow of service "+s.ID+" names the condition "+quote(f.When)+", which the plan does not have",
				"declare it under conditions")
		}
	}
	if s.When != "" && !c.conds[s.When] {
		c.report(UnknownCondition, Error, s.At, "service "+s.ID+" names the condition "+quote(s.When)+", which the plan does not have",
			"declare it under conditions")
	}
}

func (c *compiler) unknownRole(what, role string, at Place) {
	c.report(UnknownRole, Error, at, what+" names the role "+quote(role)+", which the plan does not have", "use one of "+c.roleNames())
}

func (c *compiler) roleNames() string {
	names := make([]string, 0, len(c.plan.Roles))
	for _, r := range c.plan.Roles {
		names = append(names, r.ID)
	}
	return strings.Join(names, ", ")
}

// checkPort computes the port for every instance, so that a plan that is good today is not bad for the next one.
func (c *compiler) checkPort(s Service, instances []int) {
	if !s.Port.Assigned() {
		return
	}
	if err := s.Port.Check(func(name string) bool { return c.vars[name] }); err != nil {
		c.report(BadFormula, Error, s.At, "service "+s.ID+": port "+quote(string(s.Port))+": "+err.Error(),
			"write a number, or a sum over the plan's variables")
		return
	}
	vars := c.defaults()
	for _, i := range instances {
		vars[c.plan.Instance] = i
		n, err := s.Port.Eval(vars)
		if err != nil || n < 1 || n > math.MaxUint16 {
			c.report(BadPort, Error, s.At, fmt.Sprintf("service %s: port %d in instance %d is outside 1 to %d", s.ID, n, i, math.MaxUint16),
				"choose a number in this range")
			return
		}
	}
}

func (c *compiler) defaults() map[string]int {
	vars := map[string]int{}
	for _, v := range c.plan.Vars {
		vars[v.Name] = v.Default
	}
	return vars
}

// claims returns what a good service claims for given variables, one claim a transport.
func (c *compiler) claims(s Service, vars map[string]int) []Claim {
	var port Port
	if s.Port.Assigned() {
		if n, err := s.Port.Eval(vars); err == nil && n >= 1 && n <= math.MaxUint16 {
			port = Port(n)
		}
	}
	listeners := slices.Clone(s.RunsOn)
	for _, f := range s.Flows {
		if !contains(listeners, f.To) {
			listeners = append(listeners, f.To)
		}
	}
	claims := make([]Claim, 0, len(s.Protocols))
	for _, proto := range s.Protocols {
		claims = append(claims, Claim{
			Service: s.ID, Function: s.Function, Name: s.Name, Protocol: proto, Port: port, TLS: s.TLS,
			Doors: slices.Clone(s.Doors), Listeners: slices.Clone(listeners), Binds: s.Binds, Scope: s.Scope, Status: s.Status,
			ServicesFile: s.ServicesFile, When: s.When, Origin: s.Origin, Was: s.Was, Note: s.Note, Place: s.At,
		})
	}
	return claims
}
