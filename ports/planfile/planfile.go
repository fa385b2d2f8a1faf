// Package planfile answers: what does this plan file say, and how is a plan written down?
//
// A plan is a YAML document whose first key is plan. It may extend another plan: lists merge by id, and the fields
// that are given replace those of the base. All mistakes of a file are returned at once, each with its place.
package planfile

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/ports"
)

// Base finds the plan that another one extends, by name.
type Base func(name string) (ports.Plan, error)

// Parse reads the plan of a file. Documents of other kinds may stand beside it. The error is a Mistakes.
func Parse(file string, data []byte, base Base) (ports.Plan, error) {
	data = oneBreak(data)
	r := &reader{newNotes(file, data)}
	doc := r.only(documents(r.notes, data), "plan")
	if doc == nil {
		return ports.Plan{}, r.err()
	}
	p := r.plan(doc, base)
	if err := r.err(); err != nil {
		return ports.Plan{}, err
	}
	return p, nil
}

// only returns the one document of a kind, and notes if there is none, or more than one.
func (r *reader) only(docs []*ast.DocumentNode, kind string) ast.Node {
	if len(r.found) > 0 {
		return nil
	}
	var found ast.Node
	for _, doc := range docs {
		first, at := firstKey(doc.Body), r.place(doc.Body)
		switch {
		case first == "":
			r.add(at, "a document must be a mapping whose first key names its kind (plan, inventory)")
		case first != "plan" && first != "inventory":
			r.add(at, "the first key of a document names its kind: %q is neither plan nor inventory", first)
		case first == kind && found != nil:
			r.add(at, "the file has a second %s", kind)
		case first == kind:
			found = doc.Body
		}
	}
	if found == nil && len(r.found) == 0 {
		r.add(ports.Place{Line: 1, Column: 1}, "the file has no %s: its first key must be %s: NAME", kind, kind)
	}
	return found
}

func firstKey(n ast.Node) string {
	var key ast.Node
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			key = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		key = m.Key
	}
	if s, ok := key.(*ast.StringNode); ok {
		return s.Value
	}
	return ""
}

// plan reads the document over the plan that it extends.
func (r *reader) plan(doc ast.Node, base Base) ports.Plan {
	p := ports.Plan{}
	for _, e := range r.entries(doc, "the plan") {
		if e.key != "extends" {
			continue
		}
		var name string
		if r.id(&name, "extends")(e.value); name == "" {
			continue
		}
		b, err := base(name)
		if err != nil {
			r.add(r.place(e.value), "the plan cannot extend %q: %v", name, err)
			continue
		}
		p = clone(b)
		p.Extends = name
	}
	p.At = r.place(doc)
	r.fields(doc, "the plan", []field{
		{"plan", r.id(&p.Name, "plan")},
		{"extends", func(ast.Node) {}}, // read above, because everything else is read over it
		{"description", r.text(&p.Description, "description")},
		{"instance", r.text(&p.Instance, "instance")},
		{"vars", func(n ast.Node) { r.vars(n, &p.Vars) }},
		{"roles", func(n ast.Node) { r.roles(n, &p.Roles) }},
		{"conditions", func(n ast.Node) { r.conditions(n, &p.Conditions) }},
		{"services", func(n ast.Node) { r.services(n, &p.Services) }},
		{"local", func(n ast.Node) { r.local(n, &p.Local) }},
	})
	if p.Instance != "" && !slices.ContainsFunc(p.Vars, func(v ports.Var) bool { return v.Name == p.Instance }) {
		r.add(p.At, "instance names the variable %q, which is not declared under vars", p.Instance)
	}
	return p
}

// clone copies a base so deeply that reading over it changes nothing of the base.
func clone(p ports.Plan) ports.Plan {
	p.Vars, p.Roles, p.Conditions, p.Local = slices.Clone(p.Vars), slices.Clone(p.Roles), slices.Clone(p.Conditions), slices.Clone(p.Local)
	p.Services = slices.Clone(p.Services)
	for i := range p.Services {
		p.Services[i].Flows = slices.Clone(p.Services[i].Flows)
	}
	return p
}

func (r *reader) vars(n ast.Node, to *[]ports.Var) {
	for _, e := range r.entries(n, "vars") {
		if !varForm.MatchString(e.key) {
			r.add(e.at, "the variable %q must be letters, digits and underscores", e.key)
			continue
		}
		v := upsert(to, func(v ports.Var) bool { return v.Name == e.key }, ports.Var{Name: e.key})
		v.At = e.at
		r.fields(e.value, "a variable", []field{
			{"min", r.number(&v.Min, "min")},
			{"max", r.number(&v.Max, "max")},
			{"default", r.number(&v.Default, "default")},
		})
		if v.Min > v.Max || v.Default < v.Min || v.Default > v.Max {
			r.add(e.at, "the variable %q needs min <= default <= max", e.key)
		}
	}
}

func (r *reader) roles(n ast.Node, to *[]ports.Role) {
	for _, e := range r.entries(n, "roles") {
		if !r.isID(e.key, e.at, "the role") {
			continue
		}
		fresh := ports.Role{ID: e.key}
		if kind := ports.RoleKind(e.key); slices.Contains(roleKinds(), kind) {
			fresh.Is = kind
		}
		known := len(*to)
		role := upsert(to, func(x ports.Role) bool { return x.ID == e.key }, fresh)
		isNew := len(*to) > known
		role.At = e.at
		managed := true
		given := r.fields(e.value, "a role", []field{
			{"is", oneOf(r, &role.Is, "is", roleKinds()...)},
			{"managed", r.flag(&managed, "managed")},
			{"title", r.text(&role.Title, "title")},
		})
		switch {
		case !managed && given["is"]:
			r.add(e.at, "the role %q cannot be both managed: false and is: %s", e.key, role.Is)
		case !managed:
			role.Is = ports.Unmanaged
		case role.Is == ports.Unmanaged && (isNew || given["managed"]):
			r.add(e.at, "the role %q must say what it is: is: server, agent, desk or client, or managed: false", e.key)
		}
	}
}

func roleKinds() []ports.RoleKind {
	return []ports.RoleKind{ports.Server, ports.Agent, ports.Desk, ports.Client}
}

func (r *reader) conditions(n ast.Node, to *[]ports.Condition) {
	for _, e := range r.entries(n, "conditions") {
		if !r.isID(e.key, e.at, "the condition") {
			continue
		}
		c := upsert(to, func(x ports.Condition) bool { return x.ID == e.key }, ports.Condition{ID: e.key})
		c.At = e.at
		if r.fields(e.value, "a condition", []field{{"text", r.text(&c.Text, "text")}}); c.Text == "" && isMapping(e.value) {
			r.add(e.at, "the condition %q needs a text", e.key)
		}
	}
}

func (r *reader) local(n ast.Node, to *[]ports.LocalSocket) {
	for _, item := range r.items(n, "local") {
		id, at := r.idOf(item, "a local socket")
		if id == "" {
			continue
		}
		l := upsert(to, func(x ports.LocalSocket) bool { return x.ID == id }, ports.LocalSocket{ID: id})
		l.At = at
		r.fields(item, "a local socket", []field{
			{"id", func(ast.Node) {}},
			{"runs_on", r.id(&l.RunsOn, "runs_on")},
			{"purpose", r.text(&l.Purpose, "purpose")},
		})
	}
}

// idOf returns the id of an entry of a list, which says whether it is new or changes one of the base.
func (r *reader) idOf(n ast.Node, what string) (id string, at ports.Place) {
	before := len(r.found)
	at = r.place(n)
	for _, e := range r.entries(n, what) {
		if at = e.at; e.key == "id" {
			r.id(&id, "id")(e.value)
			break
		}
	}
	if id == "" && len(r.found) == before {
		r.add(at, "%s needs an id", what)
	}
	return id, at
}

// upsert returns the entry of a list that matches, or adds fresh.
func upsert[T any](list *[]T, match func(T) bool, fresh T) *T {
	i := slices.IndexFunc(*list, match)
	if i < 0 {
		*list = append(*list, fresh)
		i = len(*list) - 1
	}
	return &(*list)[i]
}
