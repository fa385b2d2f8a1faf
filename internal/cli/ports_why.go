package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

func (a *app) portsWhy() *cobra.Command {
	var plan *planFlags
	c := &cobra.Command{
		Use: "why ID|PORT[/PROTOCOL]", Short: "everything about a row or a number of the plan", Args: cobra.ExactArgs(1),
		Long: "Explain a row, asked for by its id or service name, or a number: where the number comes from (flag, environment, services file, plan), formula and values, conditions and " +
			"their switches, flows, doors, what the page says, who holds it by the plan and on this host, and which other instances claim it. A number that no row has: why not, and exit code 5.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			meant, err := plan.read()
			if err != nil {
				return err
			}
			e := ports.Why(meant.plan, meant.inventory, meant.instance, args[0])
			answer := whyAnswer{Explanation: e, Here: []hereSocket{}}
			if obs, err := probe.Observe(c.Context(), probe.Options{}); err == nil { // where nothing can be seen, nothing is said
				answer.Here = here(obs, numbersAsked(e))
			}
			if err := a.print(answer, func(w io.Writer) { explain(w, answer) }); err != nil {
				return err
			}
			if !e.Found() {
				return fault.New(fault.NotFound, fmt.Sprintf("the plan %s has no %s in instance %d", e.Plan.Plan, e.Query, e.Plan.Instance), "`reeve ports list` shows what it has")
			}
			if ports.HasErrors(e.Findings) {
				return &exitError{1}
			}
			return nil
		},
	}
	plan = a.planFlags(c)
	return c
}

// whyAnswer is what `ports why -o json` prints: what the plan knows, and what this host shows.
type whyAnswer struct {
	ports.Explanation
	Here []hereSocket `json:"here"`
}

// hereSocket is a socket of this host on one of the numbers.
type hereSocket struct {
	Protocol ports.Protocol `json:"protocol"`
	Address  string         `json:"address"`
	Listens  bool           `json:"listens"`
	PID      *int           `json:"pid"` // null: cannot be seen
	Program  *string        `json:"program"`
	Job      *string        `json:"job"` // NET/JOB of RUN, for a process that a run started
}

// numbersAsked are the numbers that a question is about: the one that was asked for, or those of the row.
func numbersAsked(e ports.Explanation) []ports.Range {
	number, _, _ := strings.Cut(e.Query, "/")
	if r, err := ports.ParseRange(number); err == nil && r != (ports.Range{}) {
		return []ports.Range{r}
	}
	var out []ports.Range
	for _, row := range e.Rows {
		for _, c := range row.Claims {
			if r, err := ports.ParseRange(c.Ports); err == nil && r != (ports.Range{}) {
				out = append(out, r)
			}
		}
	}
	return out
}

// here lists the sockets of this host on the numbers. A connection from a number is listed too: it blocks a listener.
func here(obs probe.Observation, numbers []ports.Range) []hereSocket {
	out := []hereSocket{}
	for _, s := range obs.Sockets {
		port := ports.Port(s.Local.Port())
		if !slices.ContainsFunc(numbers, func(r ports.Range) bool { return port >= r.First && port <= r.Last }) {
			continue
		}
		one := hereSocket{Protocol: s.Protocol, Address: s.Local.String(), Listens: s.Listens}
		if len(s.Owners) > 0 {
			owner := s.Owners[0]
			one.PID, one.Program = &owner.PID, &owner.Program
			if owner.Job != "" {
				one.Job = &owner.Job
			}
		}
		out = append(out, one)
	}
	return out
}

func (h hereSocket) String() string {
	state := "connected"
	if h.Listens {
		state = "listens"
	}
	who := "a program that only root can see"
	if h.PID != nil {
		who = fmt.Sprintf("%s (pid %d)", *h.Program, *h.PID)
	}
	if h.Job != nil {
		who += ", started by job " + *h.Job
	}
	return fmt.Sprintf("%s %s %s: %s", h.Protocol, h.Address, state, who)
}

// explain prints an explanation as blocks of name and value.
func explain(w io.Writer, e whyAnswer) {
	for _, r := range e.Rows {
		explainRow(w, r)
	}
	putAll(w, "not here", e.Absent, func(text string) string { return text })
	for n, i := range e.Instances {
		what := ""
		if n == 0 {
			what = "other instances"
		}
		put(w, what, fmt.Sprintf("%d: %s/%s of %s", i.Instance, i.Ports, i.Protocol, i.Service))
	}
	putAll(w, "on this host", e.Here, hereSocket.String)
	for _, d := range e.Findings {
		line(w, "finding", d.String())
	}
	fmt.Fprintf(w, "\n%s\n", e.Plan)
}

// put writes a name and a value; where the value is empty, nothing. An empty name goes on below the one before.
func put(w io.Writer, name, value string) {
	if value != "" {
		fmt.Fprintf(w, "%s\t%s\n", name, printable(value))
	}
}

// putAll writes a list of values below one name.
func putAll[T any](w io.Writer, name string, list []T, text func(T) string) {
	for i, v := range list {
		if i > 0 {
			name = ""
		}
		put(w, name, text(v))
	}
}

func explainRow(w io.Writer, r ports.RowReason) {
	put(w, r.Kind, r.ID)
	put(w, "name", r.Name)
	put(w, "function", r.Function)
	putAll(w, "claims", r.Claims, func(c ports.ClaimReason) string {
		number := c.Ports
		if number == "" {
			number = "no number"
		}
		if c.Parity != "" {
			number += " (" + string(c.Parity) + ")"
		}
		tls := ""
		if c.TLS {
			tls = ", TLS"
		}
		return fmt.Sprintf("%s/%s, %s, %s%s: %s", number, c.Protocol, c.Scope, c.Status, tls, c.Holds)
	})
	putAll(w, "number from", r.Sources, func(s ports.Source) string {
		mark := "  "
		if s.Taken {
			mark = "> "
		}
		return mark + strings.Join(slices.DeleteFunc([]string{s.By, s.Key, s.Value, "(" + s.Text + ")"}, func(s string) bool { return s == "" }), " ")
	})
	put(w, "formula", r.Formula)
	putAll(w, "values", slices.Sorted(maps.Keys(r.Values)), func(name string) string { return fmt.Sprintf("%s = %d", name, r.Values[name]) })
	putAll(w, "choices", r.Choices, func(c ports.Choice) string {
		return fmt.Sprintf("when %s: %s (%s)", c.When, c.Ports, choice(c))
	})
	putAll(w, "conditions", r.Conditions, func(c ports.ConditionReason) string {
		text := fmt.Sprintf("%s (of %s): %s", c.ID, c.Of, c.Text)
		if c.When == "" {
			return text
		}
		var state []string
		for _, name := range slices.Sorted(maps.Keys(c.State)) {
			state = append(state, fmt.Sprintf("%s = %d", name, c.State[name]))
		}
		verdict := "does not hold"
		if c.Holds {
			verdict = "holds"
		}
		return fmt.Sprintf("%s; when %s %s: %s", text, c.When, verdict, strings.Join(state, ", "))
	})
	putAll(w, "flows", r.Flows, func(f ports.FlowReason) string {
		text := fmt.Sprintf("%s: %s to %s, %s (%s)", f.ID, f.From, f.To, f.Purpose, f.Status)
		if len(f.Carries) > 0 {
			text += ", carries " + strings.Join(f.Carries, ", ")
		}
		if f.Origin != "" {
			text += ", " + f.Origin
		}
		return text
	})
	put(w, "hosts", strings.Join(r.Hosts, ", "))
	put(w, "doors", strings.Join(r.Doors, ", "))
	put(w, "origin", r.Origin)
	putAll(w, "the page says", r.Statements, func(s ports.Statement) string {
		if s.Reading == "" {
			return s.Text
		}
		return s.Text + " (read as: " + s.Reading + ")"
	})
	put(w, "was", r.Was)
	put(w, "window", r.Window.String())
	put(w, "note", r.Note)
	if r.Pool != nil {
		explainPool(w, *r.Pool)
	}
}

func choice(c ports.Choice) string {
	switch {
	case c.Taken:
		return "taken"
	case c.Holds:
		return "holds, but one before it does too"
	}
	return "does not hold"
}

func explainPool(w io.Writer, p ports.ResolvedPool) {
	put(w, "leases", fmt.Sprintf("%d at one time, picked %s", p.Size, picked(p)))
	if p.Hold.Min > 0 {
		put(w, "hold", short(p.Hold.Min)+" because of "+orNone(p.Hold.Reasons))
	}
	if p.Sticky.Key != "" {
		put(w, "sticky", fmt.Sprintf("by %s; busy: %s, another host: %s", p.Sticky.Key, p.Sticky.OnBusy, p.Sticky.HostChange))
	}
	if p.Pair.ID != "" {
		put(w, "pair", fmt.Sprintf("%s, %+d", p.Pair.ID, p.Pair.Delta))
	}
	put(w, "when full", p.Fallback)
}

func picked(p ports.ResolvedPool) string {
	switch {
	case p.Pick != "" && p.Pick != ports.Ascending:
		return string(p.Pick)
	case p.Down:
		return "descending"
	}
	return string(ports.Ascending)
}
