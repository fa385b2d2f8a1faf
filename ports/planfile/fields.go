package planfile

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/ports"
)

// reader turns nodes into values and notes what does not fit. A field that does not fit keeps the value it had.
type reader struct {
	*notes
}

// field is one key that a mapping may have, and what to do with its value.
type field struct {
	name string
	read func(ast.Node)
}

// entry is one key of a mapping with its value.
type entry struct {
	key   string
	at    ports.Place
	value ast.Node
}

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
			r.add(at, "%s has the key %q twice", what, key.Value)
			continue
		}
		seen[key.Value] = true
		all = append(all, entry{key: key.Value, at: at, value: v.Value})
	}
	return all
}

// fields reads a mapping with known keys. It notes unknown ones, and returns which were there.
func (r *reader) fields(n ast.Node, what string, known []field) map[string]bool {
	given := map[string]bool{}
	for _, e := range r.entries(n, what) {
		i := slices.IndexFunc(known, func(f field) bool { return f.name == e.key })
		if i < 0 {
			names := make([]string, len(known))
			for j, f := range known {
				names[j] = f.name
			}
			r.add(e.at, "%s has no field %q; its fields are %s", what, e.key, strings.Join(names, ", "))
			continue
		}
		given[e.key] = true
		known[i].read(e.value)
	}
	return given
}

// isMapping reports whether a node can be read with fields.
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

// The forms of identifiers.
var (
	idForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	varForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
)

const maxText = 1000 // characters of one text

// text reads a text of one value.
func (r *reader) text(to *string, what string) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := scalar(n)
		if !ok {
			r.add(r.place(n), "%s must be text", what)
			return
		}
		r.keep(to, s, n, what)
	}
}

// textOrNumber reads a text that may look like a whole number, as it stands in the file.
func (r *reader) textOrNumber(to *string, what string) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := scalar(n)
		if num, isNumber := n.(*ast.IntegerNode); isNumber {
			s, ok = num.Token.Value, true
		}
		if !ok {
			r.add(r.place(n), "%s must be a number or text", what)
			return
		}
		r.keep(to, s, n, what)
	}
}

func (r *reader) keep(to *string, s string, n ast.Node, what string) {
	if len(s) > maxText {
		r.add(r.place(n), "%s is longer than %d bytes", what, maxText)
		return
	}
	if strings.ContainsFunc(s, func(c rune) bool {
		return c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff
	}) {
		r.add(r.place(n), "%s must be one line without control characters", what)
		return
	}
	*to = s
}

func scalar(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(s.Value.Value, "\n"), true
	}
	return "", false
}

// id reads an identifier: small letters, digits and hyphens.
func (r *reader) id(to *string, what string) func(ast.Node) {
	return func(n ast.Node) {
		var s string
		before := len(r.found)
		r.textOrNumber(&s, what)(n)
		if len(r.found) > before {
			return
		}
		if r.isID(s, r.place(n), what) {
			*to = s
		}
	}
}

func (r *reader) isID(s string, at ports.Place, what string) bool {
	if idForm.MatchString(s) {
		return true
	}
	r.add(at, "%s %q must be 1 to 63 small letters, digits and hyphens", what, s)
	return false
}

// oneOf reads a word of a closed set.
func oneOf[T ~string](r *reader, to *T, what string, words ...T) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := scalar(n)
		if ok && slices.Contains(words, T(s)) {
			*to = T(s)
			return
		}
		names := make([]string, len(words))
		for i, w := range words {
			names[i] = string(w)
		}
		r.add(r.place(n), "%s must be one of %s", what, strings.Join(names, ", "))
	}
}

// listOf reads a list of words of a closed set; a single word stands for a list of one.
func listOf[T ~string](r *reader, to *[]T, what string, words ...T) func(ast.Node) {
	return func(n ast.Node) {
		nodes := []ast.Node{n}
		if _, ok := scalar(n); !ok {
			nodes = r.items(n, what)
		}
		list := make([]T, 0, len(nodes))
		for _, item := range nodes {
			var word T
			oneOf(r, &word, what, words...)(item)
			if word != "" && slices.Contains(list, word) {
				r.add(r.place(item), "%s has %q twice", what, word)
			} else if word != "" {
				list = append(list, word)
			}
		}
		*to = emptyAsNil(list)
	}
}

// ids reads a list of identifiers; a single one stands for a list of one.
func (r *reader) ids(to *[]string, what string) func(ast.Node) {
	return func(n ast.Node) {
		nodes := []ast.Node{n}
		if _, ok := scalar(n); !ok {
			nodes = r.items(n, what)
		}
		list := make([]string, 0, len(nodes))
		for _, item := range nodes {
			var s string
			if r.id(&s, what)(item); s != "" && !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
		*to = emptyAsNil(list)
	}
}

// flag reads true or false.
func (r *reader) flag(to *bool, what string) func(ast.Node) {
	return func(n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			r.add(r.place(n), "%s must be true or false", what)
			return
		}
		*to = b.Value
	}
}

// number reads a whole decimal number. Other notations are refused: a port list is read by people.
func (r *reader) number(to *int, what string) func(ast.Node) {
	return func(n ast.Node) {
		num, ok := n.(*ast.IntegerNode)
		if ok {
			v, err := strconv.Atoi(num.Token.Value)
			if err == nil && v >= -math.MaxInt32 && v <= math.MaxInt32 {
				*to = v
				return
			}
		}
		r.add(r.place(n), "%s must be a whole decimal number", what)
	}
}

func emptyAsNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
