package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

const mostActors = 5 // with more, each function has a panel of its own: long arrows across many lines are hard to follow

// renderSequence draws who connects to whom, in the plan's order.
func renderSequence(in Input) ([]byte, error) {
	w, c, err := in.open()
	if err != nil {
		return nil, err
	}
	c.Flows = pageFirst(c)
	p := sequencePanel("", in, c, c.Flows)
	panels := []panel{p}
	if len(p.columns) > mostActors {
		panels = nil
		for _, g := range byFunction(c) {
			panels = append(panels, sequencePanel(g.name, in, c, g.flows))
		}
	}
	if len(p.arrows) == 0 {
		panels = nil
	}
	title := fmt.Sprintf(w.drawing.sequence, c.Plan)
	foot := []string{w.drawing.legend}
	if names := silent(c); len(names) > 0 {
		foot = append(foot, fmt.Sprintf(w.drawing.undirected, strings.Join(names, ", ")))
	}
	return drawing(w, title, in.subtitle(w), panels, foot), nil
}

// pageFirst puts the flows that a vendor's page states before those that are ours, each in the plan's order: that of
// the page.
func pageFirst(c ports.Compiled) []ports.ResolvedFlow {
	ours := map[string]bool{}
	for _, cl := range c.Claims {
		ours[cl.Service] = cl.Origin == "ours"
	}
	late := func(f ports.ResolvedFlow) int {
		if f.Origin == "ours" || f.Origin == "" && ours[f.Service] {
			return 1
		}
		return 0
	}
	flows := slices.Clone(c.Flows)
	slices.SortStableFunc(flows, func(a, b ports.ResolvedFlow) int { return late(a) - late(b) })
	return flows
}

// subtitle says on one line what a drawing was made from.
func (in Input) subtitle(w words) string {
	var parts []string
	for _, m := range in.head(w) {
		if m[0] == w.hash {
			m[1] = shortHash(m[1])
		}
		parts = append(parts, m[0]+" "+m[1])
	}
	return strings.Join(parts, " · ")
}

// flowGroup is what one function of a plan does.
type flowGroup struct {
	name  string
	flows []ports.ResolvedFlow
}

// byFunction groups the flows by the functions of their services, in the plan's order.
func byFunction(c ports.Compiled) []flowGroup {
	function := map[string]string{}
	for _, cl := range c.Claims {
		if function[cl.Service] == "" {
			function[cl.Service] = or(cl.Function, cl.Service)
		}
	}
	var groups []flowGroup
	for _, f := range c.Flows {
		name := function[f.Service]
		i := slices.IndexFunc(groups, func(g flowGroup) bool { return g.name == name })
		if i < 0 {
			groups = append(groups, flowGroup{name: name})
			i = len(groups) - 1
		}
		groups[i].flows = append(groups[i].flows, f)
	}
	return groups
}

// sequencePanel draws flows between roles. Flows that differ in nothing but their transport are one arrow.
func sequencePanel(title string, in Input, c ports.Compiled, flows []ports.ResolvedFlow) panel {
	p := panel{title: title}
	var roles []string
	col := func(role string) int {
		i := slices.Index(roles, role)
		if i < 0 {
			i = len(roles)
			roles = append(roles, role)
			p.columns = append(p.columns, column{head: roleTitle(c, role), body: in.players(c, role)})
		}
		return i
	}
	for _, b := range wires(flows) {
		f := b.flows[0]
		a := arrow{from: col(f.From), to: col(f.To), status: f.Status, link: slices.Contains(f.Carries, "link"), head: b.head(c), text: f.Purpose}
		for _, f := range b.flows {
			a.flows = append(a.flows, f.ID)
		}
		p.arrows = append(p.arrows, a)
	}
	return p
}

func roleTitle(c ports.Compiled, role string) string { return or(c.Roles[role], role) }

const mostPlayers = 4

// players are the hosts that play a role, below its id where another role has the same title.
func (in Input) players(c ports.Compiled, role string) []string {
	var above, names []string
	for id := range c.Kinds {
		if id != role && roleTitle(c, id) == roleTitle(c, role) {
			above = []string{"(" + role + ")"}
		}
	}
	for _, h := range in.Site.Inventory.Hosts {
		if plays(c, h, role) {
			names = append(names, h.Name)
		}
	}
	if len(names) > mostPlayers {
		names = append(names[:mostPlayers-1], fmt.Sprintf("+%d", len(names)-mostPlayers+1))
	}
	return append(above, names...)
}

// wire is one flow over all its transports.
type wire struct{ flows []ports.ResolvedFlow }

// wires puts a service's flows together that differ in their transport only, in the plan's order.
func wires(flows []ports.ResolvedFlow) []wire {
	var out []wire
	at := map[string]int{}
	for _, f := range flows {
		name, _, _ := strings.Cut(f.ID, "/")
		key := fmt.Sprint(name, " ", f.Port, "-", f.Last, " ", f.Status)
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, wire{})
		}
		out[i].flows = append(out[i].flows, f)
	}
	return out
}

// head is the first line of an arrow: numbers and service.
func (b wire) head(c ports.Compiled) string {
	var transports []string
	for _, x := range b.flows {
		transports = append(transports, string(x.Protocol))
	}
	return socket(b.flows[0].Port, b.flows[0].Last, transports, c, b.flows[0].Service)
}

// socket prints the numbers of a service with its name: "9352/tcp jmnet".
func socket(first, last ports.Port, transports []string, c ports.Compiled, service string) string {
	transport := strings.Join(transports, "+")
	name, application := service, ""
	for _, cl := range c.Claims {
		if cl.Service == service {
			name, application = or(cl.Name, service), cl.Application
			break
		}
	}
	switch {
	case application != "":
		return application
	case first == 0:
		return "?/" + transport + " " + name
	}
	return interval(first, last) + "/" + transport + " " + name
}

// silent are the services of which no flow is known.
func silent(c ports.Compiled) []string {
	var names []string
	for _, cl := range c.Claims {
		if name := or(cl.Name, cl.Service); !slices.Contains(names, name) &&
			!slices.ContainsFunc(c.Flows, func(f ports.ResolvedFlow) bool { return f.Service == cl.Service }) {
			names = append(names, name)
		}
	}
	return names
}
