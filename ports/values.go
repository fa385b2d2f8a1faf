package ports

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// values are what formulas and guards see: variables under their names, switches as "openings.NAME".
type values map[string]int

// DefaultInstance is the instance that is meant where nobody names one: the inventory's value of the plan's instance
// variable, else the variable's default.
func DefaultInstance(p Plan, inv Inventory) int {
	if n, ok := inv.Vars[p.Instance]; ok && p.Instance != "" {
		return n
	}
	for _, v := range p.Vars {
		if v.Name == p.Instance {
			return v.Default
		}
	}
	return 0
}

// Switches returns the switches of the inventory that the plan's guards name, without "openings.", each with its
// default. A switch that several conditions name is on where one of them says so.
func (p Plan) Switches() map[string]bool {
	found := map[string]bool{}
	note := func(g Guard, on bool) {
		for _, n := range g.Names() {
			if name, ok := strings.CutPrefix(n, switchPrefix); ok {
				found[name] = found[name] || on
			}
		}
	}
	for _, cond := range p.Conditions {
		note(cond.When, cond.Default)
	}
	for _, r := range p.planRows() {
		for _, k := range r.Cases {
			note(k.When, false)
		}
		for _, a := range r.Alternates {
			note(a.When, false)
		}
	}
	return found
}

// setValues takes the defaults of the plan and what the site gives.
func (c *compiler) setValues() {
	for _, v := range c.plan.Vars {
		c.values[v.Name] = v.Default
		n, given := c.inv.Vars[v.Name]
		if !given || v.Name == c.plan.Instance {
			continue
		}
		if v.accepts(n) {
			c.values[v.Name] = n
			continue
		}
		c.report(BadValue, Error, c.inv.At, fmt.Sprintf("the variable %s is %d, which is outside %s", v.Name, n, v.interval()), "give it a value of this range")
	}
	switches := c.plan.Switches()
	for name, on := range switches {
		if given, ok := c.inv.Openings[name]; ok {
			on = given
		}
		c.values[switchPrefix+name] = truth(on)
	}
	for _, name := range slices.Sorted(maps.Keys(c.inv.Openings)) {
		if _, ok := switches[name]; !ok {
			c.report(UnknownVariable, Warning, c.inv.At, "the plan "+quote(c.plan.Name)+" has no switch "+quote(name)+" under openings",
				"its switches are: "+list(slices.Sorted(maps.Keys(switches))))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.inv.Vars)) {
		if _, ok := c.values[name]; !ok {
			c.report(UnknownVariable, Warning, c.inv.At, "the plan "+quote(c.plan.Name)+" has no variable "+quote(name), "its variables are: "+list(c.varNames()))
		}
	}
}

func truth(on bool) int {
	if on {
		return 1
	}
	return 0
}

// list writes names for a message.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (c *compiler) varNames() []string {
	names := make([]string, 0, len(c.plan.Vars))
	for _, v := range c.plan.Vars {
		names = append(names, v.Name)
	}
	return names
}

// at returns all values for one instance.
func (c *compiler) at(instance int) values {
	v := maps.Clone(c.values)
	if _, ok := v[c.plan.Instance]; ok {
		v[c.plan.Instance] = instance
	}
	return v
}

// accepts reports whether the variable may have a value. A variable without a range takes any.
func (v Var) accepts(n int) bool {
	if v.Type == Bool {
		return n == 0 || n == 1
	}
	return n >= -maxValue && n <= maxValue && (v.Min == 0 && v.Max == 0 || n >= v.Min && n <= v.Max)
}

func (v Var) interval() string {
	if v.Type == Bool {
		return "false and true"
	}
	if v.Min == 0 && v.Max == 0 {
		return fmt.Sprintf("%d to %d", -maxValue, maxValue)
	}
	return fmt.Sprintf("%d to %d", v.Min, v.Max)
}

// checkInstance reports an instance that the plan does not have.
func (c *compiler) checkInstance(instance int) {
	declared := false
	for _, v := range c.plan.Vars {
		if v.Name != c.plan.Instance {
			continue
		}
		declared = true
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
}

// bounded reports whether the variable has a range that can be walked through.
func (v Var) bounded() bool {
	return v.Min >= -maxValue && v.Max <= maxValue && v.Min <= v.Max && v.Max-v.Min < maxInstances
}

// Instances returns all values of the instance variable, nothing if its range is bad; a plan without one has the
// single instance 0.
func (p Plan) Instances() []int {
	for _, v := range p.Vars {
		if v.Name != p.Instance {
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

// applies reports whether a condition lets a row apply. A condition without a guard does, and so does one that is
// not known: that is reported elsewhere.
func (c *compiler) applies(condition string, v values) bool {
	holds, err := c.conds[condition].When.Eval(v)
	return holds || err != nil
}
