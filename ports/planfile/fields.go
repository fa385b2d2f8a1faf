package planfile

import (
	"regexp"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/ports"
)

// reader turns nodes into values and notes what does not fit. A field that does not fit keeps the value it had.
type reader struct {
	*notes
	base    string   // the plan that is extended; empty: none
	baseIDs []string // its services and pools
}

// entry is one key of a mapping with its value.
type entry struct {
	key   string
	at    ports.Place
	value ast.Node
}

// The forms of names.
var (
	idForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	varForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
)

func (r *reader) place(n ast.Node) ports.Place {
	if n == nil {
		return ports.Place{File: r.file}
	}
	// The parser gives a block mapping the token of its first colon; a reader looks for the key before it.
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return place(r.file, m.Values[0].Key.GetToken())
	}
	return place(r.file, n.GetToken())
}

// entries returns the keys of a mapping in their order, each once. An empty value counts as an empty mapping.
func (r *reader) entries(n ast.Node, what string) []entry {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case nil, *ast.NullNode:
		return nil
	default:
		r.add(r.place(n), "%s must be a mapping (KEY: value)", what)
		return nil
	}
	seen := map[string]bool{}
	all := make([]entry, 0, len(values))
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			r.add(place(r.file, v.Key.GetToken()), "a key of %s must be text", what)
			continue
		}
		at := place(r.file, key.Token)
		if seen[key.Value] {
			r.add(at, "%s has the key %q twice", what, clip(key.Value))
			continue
		}
		seen[key.Value] = true
		all = append(all, entry{key: key.Value, at: at, value: v.Value})
	}
	return all
}

// isMapping reports whether a node can be read as a mapping.
func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode, *ast.NullNode, nil:
		return true
	}
	return false
}

// items returns the entries of a sequence.
func (r *reader) items(n ast.Node, what string) []ast.Node {
	switch s := n.(type) {
	case *ast.SequenceNode:
		return s.Values
	case nil, *ast.NullNode:
		return nil
	}
	r.add(r.place(n), "%s must be a list ([a, b])", what)
	return nil
}

// idOf returns the id of an entry of a list, which says whether it is new or changes one of the base, and where it
// stands. The id is empty where there is none that can be used.
func (r *reader) idOf(n ast.Node) (id string, at ports.Place) {
	at = r.place(n)
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	}
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok || key.Value != "id" {
			continue
		}
		s, _ := scalar(v.Value)
		if num, isNumber := v.Value.(*ast.IntegerNode); isNumber {
			s = num.Token.Value
		}
		if idForm.MatchString(s) {
			id = s
		}
		return id, place(r.file, key.Token)
	}
	return "", at
}

// unknownField notes a key that a mapping does not have.
func (r *reader) unknownField(e entry, what string, known []string) {
	if near := nearest(e.key, known); near != "" {
		r.add(e.at, "%s has no field %q; did you mean %s?", what, clip(e.key), near)
		return
	}
	r.add(e.at, "%s has no field %q; its fields are %s", what, clip(e.key), join(known))
}

func emptyAsNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
