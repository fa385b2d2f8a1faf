package planfile

const maxList = 1000 // entries of one list of words, ids or ranges

// listOf is a list of scalars, each once; a single one stands for a list of one.
func listOf[T ~string](k kind[T]) kind[[]T] {
	return kind[[]T]{
		form:   "list: " + k.form,
		schema: schema{"anyOf": []schema{k.schema, {"type": []string{"array", "null"}, "items": k.schema, "maxItems": maxList}}},
		read: func(r *reader, n *node, what string, to *[]T) {
			nodes := r.oneOrMore(n, what)
			list, seen := make([]T, 0, len(nodes)), map[T]bool{}
			for _, item := range nodes {
				var one T
				switch k.read(r, item, what, &one); {
				case one == "":
				case seen[one]:
					r.add(item.at, "%s has %q twice", what, one)
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
func (r *reader) oneOrMore(n *node, what string) []*node {
	if n.shape != listShape && n.shape != mapShape && n.shape != nullShape {
		return []*node{n}
	}
	nodes := r.elements(n, what)
	if len(nodes) > maxList {
		r.add(nodes[maxList].at, "%s has %d entries, at most %d are read", what, len(nodes), maxList)
		nodes = nodes[:maxList]
	}
	return nodes
}
