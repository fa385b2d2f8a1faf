package planfile

import (
	"regexp"

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
	value *node
}

// The forms of names.
var (
	idForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	varForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
)

const smallMapping = 32 // keys

// given are the keys that a mapping has, each once.
type given []entry

func (g given) has(name string) bool { return g.of(name).key != "" }

// of returns the entry of a key, the zero entry if it is not there.
func (g given) of(name string) entry {
	for _, e := range g {
		if e.key == name {
			return e
		}
	}
	return entry{}
}

// entries returns the keys of a mapping in their order, each once. An empty value counts as an empty mapping.
func (r *reader) entries(n *node, what string) given {
	if !isMapping(n) {
		r.add(n.at, "%s must be a mapping (KEY: value)", what)
		return nil
	}
	all := make(given, 0, len(n.keys))
	seen := map[string]bool{} // of a large mapping; a small one is looked through
	for i, key := range n.keys {
		switch {
		case key.shape != textShape:
			r.add(key.at, "a key of %s must be text", what)
		case len(n.keys) <= smallMapping && all.has(key.text), seen[key.text]:
			r.add(key.at, "%s has the key %q twice", what, clip(key.text))
		default:
			if len(n.keys) > smallMapping {
				seen[key.text] = true
			}
			all = append(all, entry{key: key.text, at: key.at, value: n.items[i]})
		}
	}
	return all
}

// isMapping reports whether a node can be read as a mapping.
func isMapping(n *node) bool { return n.shape == mapShape || n.shape == nullShape }

// entryOf returns one entry of a mapping without a word about the others.
func entryOf(n *node, key string) (entry, bool) {
	for i, k := range n.keys {
		if k.shape == textShape && k.text == key {
			return entry{key: key, at: k.at, value: n.items[i]}, true
		}
	}
	return entry{}, false
}

// elements returns the entries of a list. An empty value counts as an empty list.
func (r *reader) elements(n *node, what string) []*node {
	if n.shape != listShape && n.shape != nullShape {
		r.add(n.at, "%s must be a list ([a, b])", what)
		return nil
	}
	return n.items
}

// idOf returns the id of an entry of a list, which says whether it is new or changes one of the base, and where it
// stands. The id is empty where there is none that can be used.
func (r *reader) idOf(n *node) (id string, at ports.Place) {
	e, ok := entryOf(n, "id")
	if !ok {
		return "", n.at
	}
	if s := e.value; (s.shape == textShape || s.shape == intShape) && idForm.MatchString(s.text) {
		id = s.text
	}
	return id, e.at
}

// unknownField notes a key that a mapping does not have.
func (r *reader) unknownField(e entry, what string, known []string) {
	if r.full() {
		return
	}
	if near := ports.Nearest(e.key, known); near != "" {
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
