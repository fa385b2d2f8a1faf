package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

func (a *app) portsMatrix() *cobra.Command {
	var plan *planFlags
	var instances, used string
	var beside []string
	var roles bool
	c := &cobra.Command{
		Use: "matrix [--instances 0-9] | matrix --roles", Short: "every number of every instance, what each meets, and the next clean instance", Args: cobra.NoArgs,
		Long: "Print what each row claims in each instance, and what those numbers meet: numbers that other programs are known to use, instances that are in use, other plans on the same hosts. " +
			"It proposes the lowest instance that meets nothing. With --roles: who connects to whom, role by role.\n\n" + exitHelp,
		RunE: func(*cobra.Command, []string) error {
			if roles {
				if instances != "" || used != "" || len(beside) > 0 {
					return fault.New(fault.Invalid, "--roles is about one instance", "leave --instances, --used and --beside away")
				}
				return a.roleMatrix(plan)
			}
			meant, err := plan.read()
			if err != nil {
				return err
			}
			shown, err := instanceList("instances", instances, meant.plan)
			if err != nil {
				return err
			}
			inUse, err := instanceList("used", used, meant.plan)
			if err != nil {
				return err
			}
			others, err := a.besides(plan, beside)
			if err != nil {
				return err
			}
			_, found := ports.Compile(meant.plan, meant.inventory, meant.instance)
			m := ports.NewMatrix(meant.plan, meant.inventory, shown, inUse, others)
			if err := a.print(m, func(w io.Writer) { printMatrix(w, m) }); err != nil {
				return err
			}
			return a.usable(plan, found)
		},
	}
	plan = a.planFlags(c)
	fl := c.Flags()
	fl.StringVar(&instances, "instances", "", "instances to print: 0-9, or 0,2,5 (all)")
	fl.StringVar(&used, "used", "", "instances that are in use on the hosts, which a new one must not meet: 0, or 0-2")
	fl.StringArrayVar(&beside, "beside", nil, "another plan on the same hosts: a name, a file or a compiled plan; several times")
	fl.BoolVar(&roles, "roles", false, "role by role, who connects to whom")
	return c
}

// besides compiles the other plans, each for the instance that it has by itself.
func (a *app) besides(f *planFlags, names []string) ([]ports.Compiled, error) {
	var all []ports.Compiled
	for _, name := range names {
		other := &planFlags{command: f.command, named: name, planSource: planSource{getenv: f.getenv}, alone: true}
		compiled, err := a.compiledOrPlan(other, name)
		if err != nil {
			return nil, err
		}
		all = append(all, compiled)
	}
	return all, nil
}

// instanceList reads 0-9, 0..9 and 0,2,5; nothing for an empty text.
func instanceList(flag, text string, p ports.Plan) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	all := p.Instances()
	wrong := func() error {
		has := "none"
		if len(all) > 1 {
			has = fmt.Sprintf("%d to %d", all[0], all[len(all)-1])
		}
		return fault.New(fault.Invalid, fmt.Sprintf("--%s is %q", flag, text), fmt.Sprintf("write 0-9, or 0,2,5; the plan %s has the instances %s", p.Name, has))
	}
	var out []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, interval := strings.Cut(strings.Replace(part, "..", "-", 1), "-")
		if !interval {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil || !slices.Contains(all, from) {
			return nil, wrong()
		}
		to, err := strconv.Atoi(last)
		if err != nil || !slices.Contains(all, to) || to < from {
			return nil, wrong()
		}
		for i := from; i <= to; i++ {
			if !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
	}
	return out, nil
}

func printMatrix(w io.Writer, m ports.Matrix) {
	head := []any{"SERVICE", "PROTOCOL"}
	for _, c := range m.Instances {
		head = append(head, c.Instance)
	}
	line(w, head...)
	for _, r := range m.Rows {
		cells := []any{r.Service, string(r.Protocol)}
		for i, p := range r.Ports {
			if r.Fixed && i > 0 {
				p = "\""
			}
			cells = append(cells, p)
		}
		line(w, cells...)
	}
	sums := []any{"numbers", ""}
	collisions := []any{"collisions", ""}
	for _, c := range m.Instances {
		sums = append(sums, c.Numbers)
		collisions = append(collisions, c.Collisions)
	}
	line(w, sums...)
	line(w, collisions...)
	if len(m.Collisions) > 0 {
		fmt.Fprintln(w)
		line(w, "INSTANCE", "PORT", "SERVICE", "MEETS", "KIND")
		for _, c := range m.Collisions {
			instance := strconv.Itoa(c.Instance)
			if c.Fixed {
				instance = "all"
			}
			line(w, instance, c.Ports+"/"+string(c.Protocol), c.Service, c.With, c.Kind)
		}
	}
	fmt.Fprintf(w, "\nplan %s: %s\n", m.Plan, proposal(m))
}

func proposal(m ports.Matrix) string {
	switch {
	case m.Proposal != nil:
		return fmt.Sprintf("the next clean instance is %d", *m.Proposal)
	case m.Least != nil && m.Blocked():
		return "no instance is clean: rows that are the same in all of them meet another plan"
	case m.Least != nil:
		return fmt.Sprintf("no instance is clean; the fewest collisions has instance %d", *m.Least)
	}
	return "every instance is in use"
}

func (a *app) roleMatrix(f *planFlags) error {
	compiled, err := a.compileFlags(f)
	if err != nil {
		return err
	}
	cells := compiled.RoleMatrix()
	return a.print(cells, func(w io.Writer) {
		var from, to []string
		at := map[[2]string]ports.RoleCell{}
		for _, c := range cells {
			from, to = once(from, c.From), once(to, c.To)
			at[[2]string{c.From, c.To}] = c
		}
		head := []any{"FROM \\ TO"}
		for _, t := range to {
			head = append(head, t)
		}
		line(w, head...)
		for _, f := range from {
			cells := []any{f}
			for _, t := range to {
				cells = append(cells, numbersOf(at[[2]string{f, t}]))
			}
			line(w, cells...)
		}
		fmt.Fprintf(w, "\nplan %s, instance %d, hash %s\n", compiled.Plan, compiled.Instance, compiled.Hash)
	})
}

func once(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// numbersOf are the numbers of a cell, each once.
func numbersOf(c ports.RoleCell) string {
	var out []string
	for _, f := range c.Flows {
		number := f.Ports
		if number == "" {
			number = "(no number)"
		}
		out = once(out, number+"/"+string(f.Protocol))
	}
	return strings.Join(out, " ")
}
