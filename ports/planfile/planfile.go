// Package planfile answers: what does this plan file say, and how is a plan written down?
//
// A plan is a YAML document whose first key is plan. It may extend another plan: lists merge by id, and the fields
// that are given replace those of the base. All mistakes of a file are returned at once, each with its place.
package planfile

import (
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

// Base finds the plan that another one extends, by name.
type Base func(name string) (ports.Plan, error)

// Parse reads the plan of a file. Documents of other kinds may stand beside it. The error is a Mistakes.
func Parse(file string, data []byte, base Base) (ports.Plan, error) {
	data = oneBreak(data)
	r := &reader{notes: newNotes(file, data)}
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
func (r *reader) only(docs []*node, kind string) *node {
	if len(r.found) > 0 {
		return nil
	}
	var found *node
	for _, doc := range docs {
		first, at := firstKey(doc), doc.at
		switch {
		case first == "":
			r.add(at, "a document must be a mapping whose first key names its kind (plan, inventory)")
		case first != "plan" && first != "inventory":
			r.add(at, "the first key of a document names its kind: %q is neither plan nor inventory", first)
		case first == kind && found != nil:
			r.add(at, "the file has a second %s", kind)
		case first == kind:
			found = doc
		}
	}
	if found == nil && len(r.found) == 0 {
		r.add(ports.Place{Line: 1, Column: 1}, "the file has no %s: its first key must be %s: NAME", kind, kind)
	}
	return found
}

func firstKey(n *node) string {
	if n.shape != mapShape || len(n.keys) == 0 || n.keys[0].shape != textShape {
		return ""
	}
	return n.keys[0].text
}

// plan reads the document over the plan that it extends.
func (r *reader) plan(doc *node, base Base) ports.Plan {
	p := r.extended(doc, base)
	planTable().read(r, doc, doc.at, &p)
	checkInstance(r, doc, &p)
	return p
}

// extended returns a copy of the plan that a document extends, the zero Plan if it extends none.
func (r *reader) extended(doc *node, base Base) ports.Plan {
	e, ok := entryOf(doc, "extends")
	if !ok {
		return ports.Plan{}
	}
	var name string
	if id[string]().read(r, e.value, "extends", &name); name == "" {
		return ports.Plan{}
	}
	b, err := base(name)
	if err != nil {
		r.add(e.value.at, "the plan cannot extend %q: %v", name, err)
		return ports.Plan{}
	}
	p := clone(b)
	p.Extends = name
	r.base = name
	for _, s := range p.Services {
		r.baseIDs = append(r.baseIDs, s.ID)
	}
	for _, x := range p.Pools {
		r.baseIDs = append(r.baseIDs, x.ID)
	}
	return p
}

// clone copies the lists of a base, into whose entries the reader writes. Everything below is replaced as a whole.
func clone(p ports.Plan) ports.Plan {
	p.Vars, p.Roles, p.Conditions, p.Local = slices.Clone(p.Vars), slices.Clone(p.Roles), slices.Clone(p.Conditions), slices.Clone(p.Local)
	p.Families, p.Services, p.Pools, p.Notes = slices.Clone(p.Families), slices.Clone(p.Services), slices.Clone(p.Pools), slices.Clone(p.Notes)
	return p
}
