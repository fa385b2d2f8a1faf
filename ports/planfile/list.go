package planfile

import (
	"github.com/goccy/go-yaml/ast"
)

const maxList = 1000 // entries of one list of words, ids or ranges

// listOf is a list of scalars, each once; a single one stands for a list of one.
func listOf[T ~string](k kind[T]) kind[[]T] {
	return kind[[]T]{
		form:   "list: " + k.form,
		schema: schema{"anyOf": []schema{k.schema, {"type": []string{"array", "null"}, "items": k.schema, "maxItems": maxList}}},
		read: func(r *reader, n ast.Node, what string, to *[]T) {
			nodes := r.oneOrMore(n, what)
			list, seen := make([]T, 0, len(nodes)), map[T]bool{}
			for _, item := range nodes {
				var one T
				switch k.read(r, item, what, &one); {
				case one == "":
				case seen[one]:
					r.add(r.place(item), "%s has %q twice", what, one)
				default:
					seen[one] = true
					list = append(list, one)
				}
			}
			*to = emptyAsNil(list)
		},
		write: func(list []T) *written {
			return writtenList(list, func(one *T) *written { return k.write(*one) })
		},
	}
}

// oneOrMore returns the entries of a list; a scalar stands for a list of one.
func (r *reader) oneOrMore(n ast.Node, what string) []ast.Node {
	if _, isScalar := n.(ast.ScalarNode); isScalar && n.Type() != ast.NullType {
		return []ast.Node{n}
	}
	nodes := r.items(n, what)
	if len(nodes) > maxList {
		r.add(r.place(nodes[maxList]), "%s has %d entries, at most %d are read", what, len(nodes), maxList)
		nodes = nodes[:maxList]
	}
	return nodes
}
