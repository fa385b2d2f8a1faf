package ports

import (
	"slices"
	"strconv"
	"strings"
)

// Row is one line of the port table: a flow over one transport, or a service without flows. Its JSON names are the
// columns of the comma separated form.
type Row struct {
	ID              string `json:"id"`
	Function        string `json:"function"`
	Service         string `json:"service"`
	Port            string `json:"port"` // a number, or empty where none is assigned
	Protocol        string `json:"protocol"`
	Scope           string `json:"scope"`
	Source          string `json:"source"`      // a role's title
	Destination     string `json:"destination"` // a role's title
	Purpose         string `json:"purpose"`
	ServicesWindows string `json:"services_windows"` // Y, N or nothing
	ServicesUnix    string `json:"services_unix"`
	Condition       string `json:"condition"`
	Door            string `json:"door"` // the doors, separated by spaces
	Status          string `json:"status"`
	Origin          string `json:"origin"`
	Was             string `json:"was"`
	Note            string `json:"note"`
}

// Columns returns the headings of the port table, in the order of Row.Fields.
func Columns() []string {
	return []string{
		"id", "function", "service", "port", "protocol", "scope", "source", "destination", "purpose",
		"services_windows", "services_unix", "condition", "door", "status", "origin", "was", "note",
	}
}

// Fields returns the row's values in the order of Columns.
func (r Row) Fields() []string {
	return []string{
		r.ID, r.Function, r.Service, r.Port, r.Protocol, r.Scope, r.Source, r.Destination, r.Purpose,
		r.ServicesWindows, r.ServicesUnix, r.Condition, r.Door, r.Status, r.Origin, r.Was, r.Note,
	}
}

const notStated = "not stated" // what stands where a page names no end

const ours = "ours" // the origin of what no page states

// numbers tells the claims of one service and transport apart: its alternates and ranges.
type numbers struct {
	service     string
	protocol    Protocol
	first, last Port
	tls         bool
}

// Rows returns the port table in the plan's order.
func (c Compiled) Rows() []Row {
	claims, flows := map[numbers]int{}, map[numbers][]ResolvedFlow{}
	for _, cl := range c.Claims {
		claims[numbers{cl.Service, cl.Protocol, cl.Port, cl.Last, cl.TLS}]++
	}
	for _, f := range c.Flows {
		n := numbers{f.Service, f.Protocol, f.Port, f.Last, f.TLS}
		flows[n] = append(flows[n], f)
	}
	rows := make([]Row, 0, max(len(c.Claims), len(c.Flows)))
	for _, cl := range c.Claims {
		row, n := c.row(cl), numbers{cl.Service, cl.Protocol, cl.Port, cl.Last, cl.TLS}
		if len(flows[n]) == 0 {
			rows = append(rows, row)
			continue
		}
		// Claims that nothing tells apart have their flows one after the other, each as many as the others.
		each := len(flows[n]) / claims[n]
		if cl.statedAlone(flows[n][:each]) {
			rows = append(rows, row)
			cl.Note, cl.Was = "", "" // said once
			row = c.row(cl)
		}
		for _, f := range flows[n][:each] {
			rows = append(rows, c.flowRow(row, f))
		}
		flows[n] = flows[n][each:]
		claims[n]--
	}
	return rows
}

// statedAlone reports whether a page has the claim and none of its flows: then the claim has a row of its own, which
// names no ends, before the rows of the flows that are ours.
func (cl Claim) statedAlone(flows []ResolvedFlow) bool {
	return cl.ofPage() && !slices.ContainsFunc(flows, func(f ResolvedFlow) bool { return f.Origin != ours })
}

// ofPage reports whether a vendor's page states the claim.
func (cl Claim) ofPage() bool { return cl.Origin != "" && cl.Origin != ours }

// row is what all rows of a claim have in common.
func (c Compiled) row(cl Claim) Row {
	row := Row{
		ID: cl.Service, Function: cl.Function, Service: cl.Name, Port: cl.cell(), Protocol: string(cl.Protocol), Scope: string(cl.Scope),
		Source: notStated, Destination: notStated,
		ServicesWindows: cl.ServicesFile.Windows.letter(), ServicesUnix: cl.ServicesFile.Unix.letter(),
		Condition: c.Conditions[cl.When], Door: strings.Join(cl.Doors, " "), Status: string(cl.Status),
		Origin: cl.Origin, Was: cl.Was, Note: cl.Note,
	}
	if cl.Parity != "" && cl.Port != 0 {
		row.Note = join(string(cl.Parity)+" numbers", row.Note)
	}
	if cl.Down && cl.Port != 0 {
		row.Note = join(row.Note, "from "+strconv.Itoa(int(cl.Last))+" downwards")
	}
	if len(cl.Listeners) > 0 && !cl.ofPage() { // a page's row has the ends that its flows state, and no others
		row.Destination = c.titles(cl.Listeners)
		if cl.Scope == SameHost {
			row.Source = row.Destination
		}
	}
	return row
}

// cell writes what the claim holds: "7373", "20000-20100", "app:NAME", or nothing.
func (cl Claim) cell() string {
	switch {
	case cl.Port != 0:
		return cl.Range().String()
	case cl.Application != "":
		return "app:" + cl.Application
	}
	return ""
}

func (c Compiled) flowRow(row Row, f ResolvedFlow) Row {
	row.Status = string(f.Status)
	row.Source, row.Destination, row.Purpose = c.titles([]string{f.From}), c.titles([]string{f.To}), f.Purpose
	if f.When != "" {
		row.Condition = join(row.Condition, c.Conditions[f.When])
	}
	if f.Origin != "" {
		row.Origin = f.Origin
	}
	row.Note = join(row.Note, f.Note)
	return row
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// titles names roles in the page's words.
func (c Compiled) titles(ids []string) string {
	names := slices.Clone(ids)
	for i, id := range ids {
		if title := c.Roles[id]; title != "" {
			names[i] = title
		}
	}
	return strings.Join(names, ", ")
}

func (a Addition) letter() string {
	switch a {
	case Auto:
		return "Y"
	case Manual:
		return "N"
	}
	return ""
}
