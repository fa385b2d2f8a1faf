package ports

import (
	"slices"
	"strconv"
	"strings"
)

// Explanation is everything that a plan knows of a row or of a number.
type Explanation struct {
	Query     string       `json:"query"`
	Plan      Version      `json:"plan"`
	Rows      []RowReason  `json:"rows"`
	Absent    []string     `json:"absent"`    // why a number belongs to no row of this instance
	Instances []Elsewhere  `json:"instances"` // other instances that claim the number, or a number of the row
	Findings  []Diagnostic `json:"findings"`  // about these rows
}

// RowReason explains one row of the plan.
type RowReason struct {
	ID         string            `json:"id"`
	Kind       string            `json:"kind"` // service or pool
	Function   string            `json:"function"`
	Name       string            `json:"name"`
	Claims     []ClaimReason     `json:"claims"`
	Sources    []Source          `json:"sources"` // of the number, in the order in which they are asked
	Formula    string            `json:"formula"` // as the plan writes the number; empty for a range
	Values     map[string]int    `json:"values"`  // of the variables that its numbers depend on
	Choices    []Choice          `json:"choices"` // its cases and alternates
	Conditions []ConditionReason `json:"conditions"`
	Flows      []FlowReason      `json:"flows"`
	Roles      []string          `json:"roles"` // on which something listens
	Hosts      []string          `json:"hosts"` // of the inventory, that play one of these roles
	Doors      []string          `json:"doors"`
	Origin     string            `json:"origin"`
	Statements []Statement       `json:"statements"` // what the page says beside the row itself
	Was        string            `json:"was"`
	Window     Range             `json:"window"` // the page's reservation that the number lies in
	Note       string            `json:"note"`
	Pool       *ResolvedPool     `json:"pool"`
}

// ClaimReason is what a row claims over one transport.
type ClaimReason struct {
	Ports    string   `json:"ports"` // empty: no number is assigned
	Protocol Protocol `json:"protocol"`
	Parity   Parity   `json:"parity,omitempty"`
	Status   Status   `json:"status"`
	Scope    Scope    `json:"scope"`
	TLS      bool     `json:"tls"`
	Holds    string   `json:"holds"` // who holds the number by the plan
}

// Source is one of the places from which a number may come.
type Source struct {
	By    string `json:"by"`  // flag, environment, services-file or plan
	Key   string `json:"key"` // the name that it stands under there
	Value string `json:"value"`
	Taken bool   `json:"taken"` // this one decided
	Text  string `json:"text"`
}

// Choice is a case or an alternate of a row.
type Choice struct {
	When  Guard  `json:"when"`
	Ports string `json:"ports"`
	Holds bool   `json:"holds"` // its guard holds
	Taken bool   `json:"taken"` // it is the first that holds
}

// ConditionReason is a footnote and what the site says to it.
type ConditionReason struct {
	ID    string         `json:"id"`
	Text  string         `json:"text"`
	Of    string         `json:"of"` // row, or the flow's id
	When  Guard          `json:"when"`
	Holds bool           `json:"holds"` // a condition without a guard always holds: it is a text for people
	State map[string]int `json:"state"` // of the switches and variables that the guard names
}

// FlowReason is a flow of the row.
type FlowReason struct {
	ID      string   `json:"id"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Purpose string   `json:"purpose"`
	Carries []string `json:"carries"`
	Status  Status   `json:"status"`
	Origin  string   `json:"origin"`
}

// Elsewhere is a claim of another instance of the plan.
type Elsewhere struct {
	Instance int      `json:"instance"`
	Service  string   `json:"service"`
	Protocol Protocol `json:"protocol"`
	Ports    string   `json:"ports"`
}

// Found reports whether the plan has what was asked for, in this instance or in another.
func (e Explanation) Found() bool { return len(e.Rows) > 0 || len(e.Instances) > 0 }

// Why explains a row, asked for by its id or by its service name (in any case), or a number: 9352, or 1952/udp.
func Why(p Plan, inv Inventory, instance int, query string) Explanation {
	compiled, found := Compile(p, inv, instance)
	w := &reasoner{c: newCompiler(p, inv), compiled: compiled, found: found, instance: instance}
	w.c.setValues()
	w.c.readOverrides()
	w.c.checkRows(instance)
	w.values = w.c.at(instance)
	e := Explanation{Query: query, Plan: compiled.version(), Rows: []RowReason{}, Absent: []string{}, Instances: []Elsewhere{}, Findings: []Diagnostic{}}
	if n, protocol, ok := portQuery(query); ok {
		w.number(&e, n, protocol)
		return e
	}
	for _, r := range w.c.plan.planRows() {
		if r.ID == query || r.pool != nil && pairID(*r.pool) == query {
			w.add(&e, r)
		}
	}
	if len(e.Rows) > 0 {
		return e
	}
	for _, r := range w.c.plan.planRows() {
		if w.named(r, query) {
			w.add(&e, r)
		}
	}
	switch {
	case len(e.Rows) > 0:
	case query != "" && query[0] >= '0' && query[0] <= '9':
		e.Absent = append(e.Absent, query+" is no port, and no row of the plan "+p.Name+" has it as id or service name: a port is a number from 1 to 65535, with /tcp or /udp")
	default:
		e.Absent = append(e.Absent, "the plan "+p.Name+" has no row with this id or service name")
	}
	return e
}

// portQuery reads 9352 and 1952/udp.
func portQuery(query string) (Port, Protocol, bool) {
	number, protocol, _ := strings.Cut(query, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	p := Protocol(strings.ToLower(protocol))
	if err != nil || n == 0 || p != "" && p != TCP && p != UDP {
		return 0, "", false
	}
	return Port(n), p, true
}

// reasoner answers one question about a plan.
type reasoner struct {
	c        *compiler
	compiled Compiled
	found    []Diagnostic
	instance int
	values   values
}

// named reports whether a row has the service name, in this instance or as the plan writes it.
func (w *reasoner) named(r row, name string) bool {
	return r.Name != "" && strings.EqualFold(r.Name, name) ||
		slices.ContainsFunc(w.compiled.Claims, func(cl Claim) bool { return cl.Service == r.ID && strings.EqualFold(cl.Name, name) && name != "" })
}

// owns reports whether a claim is one of the row.
func (r *row) owns(cl Claim) bool { return cl.Service == r.ID || cl.Pair == r.ID && r.pool != nil }

// add explains a row.
func (w *reasoner) add(e *Explanation, r row) {
	if slices.ContainsFunc(e.Rows, func(x RowReason) bool { return x.ID == r.ID }) {
		return
	}
	reason := RowReason{
		ID: r.ID, Kind: "service", Function: r.Function, Name: r.Name, Formula: string(w.formula(r)), Values: w.dependsOn(r),
		Claims: []ClaimReason{}, Choices: w.choices(r), Conditions: w.conditions(r), Flows: []FlowReason{},
		Roles: r.listeners(), Hosts: w.hosts(r), Doors: orEmpty(r.Doors), Origin: r.Origin, Statements: w.statements(r), Was: r.Was, Window: r.Window, Note: r.Note,
	}
	for _, cl := range w.compiled.Claims {
		if r.owns(cl) {
			reason.Name = cl.Name
			reason.Claims = append(reason.Claims, ClaimReason{
				Ports: cl.Range().String(), Protocol: cl.Protocol, Parity: cl.Parity, Status: cl.Status, Scope: cl.Scope, TLS: cl.TLS, Holds: w.holder(cl),
			})
		}
	}
	for _, f := range w.compiled.Flows {
		if f.Service == r.ID || r.pool != nil && f.Service == pairID(*r.pool) {
			reason.Flows = append(reason.Flows, FlowReason{
				ID: f.ID, From: w.compiled.titles([]string{f.From}), To: w.compiled.titles([]string{f.To}), Purpose: f.Purpose, Carries: orEmpty(f.Carries), Status: f.Status, Origin: f.Origin,
			})
		}
	}
	if r.pool != nil {
		reason.Kind = "pool"
		for _, p := range w.compiled.Pools {
			if p.ID == r.ID {
				reason.Pool = &p
			}
		}
	} else {
		reason.Sources = w.sources(r)
	}
	e.Rows = append(e.Rows, reason)
	if _, _, ok := portQuery(e.Query); !ok {
		w.elsewhere(e, func(cl Claim) bool { return r.owns(cl) })
	}
	for _, d := range w.found {
		about := d.Place == r.At && d.Place != (Place{}) || mentions(d.Message, r.what())
		if about && !slices.Contains(e.Findings, d) { // one may be about two rows that are explained
			e.Findings = append(e.Findings, d)
		}
	}
}

// mentions reports whether a message names a row: a collision stands at one of its two rows only.
func mentions(message, what string) bool {
	_, rest, ok := strings.Cut(message, what)
	for ; ok; _, rest, ok = strings.Cut(rest, what) {
		if rest == "" || strings.ContainsAny(rest[:1], " ,:;") {
			return true
		}
	}
	return false
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// formula is how the plan writes the number of a service.
func (w *reasoner) formula(r row) Formula {
	if r.pool != nil {
		return ""
	}
	if r.Family != "" {
		return w.c.families[r.Family].Formula
	}
	return r.Port
}

// dependsOn returns the values of what the row's formulas and guards name.
func (w *reasoner) dependsOn(r row) map[string]int {
	out := map[string]int{}
	for name, n := range w.values {
		uses := w.formula(r).Uses(name) || strings.Contains(r.Name, "{"+name+"}")
		for _, k := range r.Cases {
			uses = uses || k.Port.Uses(name) || contains(k.When.Names(), name) || w.c.families[k.Span.Family].Formula.Uses(name)
		}
		for _, a := range r.Alternates {
			uses = uses || a.Port.Uses(name) || contains(a.When.Names(), name)
		}
		if r.pool != nil {
			uses = uses || w.c.families[r.pool.Span.Family].Formula.Uses(name)
		}
		if uses {
			out[name] = n
		}
	}
	if r.Family != "" {
		out["offset"] = r.Offset
	}
	return out
}

// holder says who holds a claim's numbers.
func (w *reasoner) holder(cl Claim) string {
	switch {
	case cl.Port == 0 && cl.Application != "":
		return "no number: a firewall lets the application " + quote(cl.Application) + " through"
	case cl.Port == 0 && cl.RPC.Kind != "":
		return "no number: the port mapper gives one (" + cl.RPC.Kind + ")"
	case cl.Port == 0:
		return "no source gives a number: nothing is opened"
	case cl.Status == Inactive:
		return "nobody: the row is not in use"
	case cl.Status == Foreign:
		return "another program on the same hosts: the system neither holds nor uses it"
	case !cl.Binds:
		return "another program serves it; the system only connects to it"
	case cl.Status == Reserved:
		return "reserved" + onRoles(w, cl) + ", so that nothing else takes it; nothing listens"
	case cl.Pool:
		return "leases" + onRoles(w, cl)
	}
	return "a listener" + onRoles(w, cl)
}

func onRoles(w *reasoner, cl Claim) string {
	if len(cl.Listeners) == 0 {
		return ""
	}
	return " on " + w.compiled.titles(cl.Listeners)
}

// hosts lists the hosts of the inventory on which the row stands.
func (w *reasoner) hosts(r row) []string {
	out := []string{}
	for _, h := range w.c.inv.Hosts {
		if slices.ContainsFunc(h.Roles, func(role string) bool {
			return contains(r.listeners(), role) || slices.ContainsFunc(r.listeners(), func(x string) bool { return isKind(role) && w.c.roles[x].Is == RoleKind(role) })
		}) {
			out = append(out, h.Name)
		}
	}
	return out
}

// statements are the plan's notes of the row's origin, and of its flows'.
func (w *reasoner) statements(r row) []Statement {
	out := []Statement{}
	all := r.Origin
	for _, f := range r.Flows {
		all += " " + f.Origin
	}
	origins := strings.FieldsFunc(all, func(c rune) bool { return c == ',' || c == ' ' || c == ';' })
	for _, n := range w.c.plan.Notes {
		if contains(origins, n.Origin) {
			out = append(out, n)
		}
	}
	return out
}
