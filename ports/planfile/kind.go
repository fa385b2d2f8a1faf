package planfile

import (
	"maps"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// kind is one form of value: how it is read, how it is written down, and what a schema and the reference page say of
// it. The four stand together, so that none can forget what another knows.
type kind[V any] struct {
	form   string // in a few words, for people
	read   func(r *reader, n *node, what string, to *V)
	write  func(v V) *written // nil: left out, because reading nothing gives the same value
	schema schema
	inner  []fieldDoc // of a mapping: its own fields
}

// field is one key that a mapping may have.
type field[T any] struct {
	fieldDoc
	read  func(r *reader, n *node, to *T)
	write func(from *T) *written
}

// fieldDoc is what people and other programs are told about a field.
type fieldDoc struct {
	name, form, meaning string
	def                 string // the default, in words; empty: nothing
	required            bool   // in every document
	needed              bool   // unless what it is read over has it
	schema              schema
	inner               []fieldDoc
	lifted              bool // it is explained where it was lifted from
}

// is makes a field of a value of one kind, which get finds in its owner.
func is[T, V any](name string, k kind[V], get func(*T) *V, meaning string) field[T] {
	return field[T]{
		fieldDoc: fieldDoc{name: name, form: k.form, meaning: meaning, schema: k.schema, inner: k.inner},
		read:     func(r *reader, n *node, to *T) { k.read(r, n, name, get(to)) },
		write:    func(from *T) *written { return k.write(*get(from)) },
	}
}

// or names the default of a field.
func (f field[T]) or(def string) field[T] {
	f.def = def
	return f
}

// must makes a field one that may not be missing.
func (f field[T]) must() field[T] {
	f.required = true
	return f
}

// need makes a field one that must be there in the end: given, or in what the mapping is read over.
func (f field[T]) need() field[T] {
	f.needed = true
	return f
}

// unless leaves a field out of what is written down where its value is the one that reading nothing gives.
func (f field[T]) unless(same func(*T) bool) field[T] {
	write := f.write
	f.write = func(from *T) *written {
		if same(from) {
			return nil
		}
		return write(from)
	}
	return f
}

// lift makes a field of T one of U, which contains a T.
func lift[T, U any](f field[T], get func(*U) *T) field[U] {
	doc := f.fieldDoc
	doc.lifted = true
	return field[U]{
		fieldDoc: doc,
		read:     func(r *reader, n *node, to *U) { f.read(r, n, get(to)) },
		write:    func(from *U) *written { return f.write(get(from)) },
	}
}

// table is all that is known about one kind of mapping.
type table[T any] struct {
	what   string // "a service"
	fields []field[T]
	limits schema                                             // what a schema can say of the fields together
	place  func(*T) *ports.Place                              // where the mapping's own place is kept; nil: nowhere
	check  func(r *reader, at ports.Place, x *T, given given) // what the fields say together; nil: anything goes
}

// read reads a mapping over x, which stands at a place.
func (t *table[T]) read(r *reader, n *node, at ports.Place, x *T) {
	if t.place != nil {
		*t.place(x) = at
	}
	if !isMapping(n) {
		r.add(n.at, "%s must be a mapping (KEY: value)", t.what)
		return
	}
	before := len(r.found)
	given := r.entries(n, t.what)
	for _, e := range given {
		i := slices.IndexFunc(t.fields, func(f field[T]) bool { return f.name == e.key })
		if i < 0 {
			r.unknownField(e, t.what, t.names())
			continue
		}
		t.fields[i].read(r, e.value, x)
	}
	var missing []string
	for _, f := range t.fields {
		if !f.required && !f.needed || given.has(f.name) && len(r.found) > before { // what is wrong is not missing too
			continue
		}
		if f.required && !given.has(f.name) || f.write(x) == nil {
			missing = append(missing, withArticle(f.name))
		}
	}
	if len(missing) > 0 {
		r.add(at, "%s needs %s", t.what, strings.Join(missing, " and "))
	}
	if t.check != nil && len(missing) == 0 && len(r.found) == before {
		t.check(r, at, x, given)
	}
}

// withArticle makes "a service needs id" a sentence.
func withArticle(name string) string {
	if name == "id" {
		return "an id"
	}
	return name
}

func (t *table[T]) names() []string {
	names := make([]string, len(t.fields))
	for i, f := range t.fields {
		names[i] = f.name
	}
	return names
}

func (t *table[T]) docs() []fieldDoc {
	docs := make([]fieldDoc, len(t.fields))
	for i, f := range t.fields {
		docs[i] = f.fieldDoc
	}
	return docs
}

// write writes a mapping down, its fields in the order of the table.
func (t *table[T]) write(x *T) *written {
	w := &written{mapping: true}
	for _, f := range t.fields {
		if v := f.write(x); v != nil {
			w.add(f.name, v)
		}
	}
	return w
}

// object is a mapping of its own, read over what is there: the fields that are given replace.
func object[T any](t *table[T]) kind[T] {
	return kind[T]{
		form: "mapping", schema: t.schema(), inner: t.docs(),
		read:  func(r *reader, n *node, _ string, to *T) { t.read(r, n, n.at, to) },
		write: func(x T) *written { return t.write(&x).orNothing() },
	}
}

// listed is a list of mappings. As a whole it replaces the list that was there.
func listed[T any](t *table[T]) kind[[]T] {
	return kind[[]T]{
		form: "list", schema: schema{"type": []string{"array", "null"}, "items": t.schema()}, inner: t.docs(),
		read: func(r *reader, n *node, what string, to *[]T) {
			items := r.elements(n, what)
			list := make([]T, len(items))
			for i, item := range items {
				t.read(r, item, item.at, &list[i])
			}
			*to = emptyAsNil(list)
		},
		write: func(list []T) *written { return writtenList(list, t.write) },
	}
}

// byID is a list of mappings with an id each: one with a known id changes that one, all others are added.
func byID[T any](t *table[T], id func(*T) *string, fresh T) kind[[]T] {
	return kind[[]T]{
		form: "list, merged by id", schema: schema{"type": []string{"array", "null"}, "items": t.schema()}, inner: t.docs(),
		read: func(r *reader, n *node, what string, to *[]T) {
			merge := newMerge(to, id, fresh)
			for _, item := range r.elements(n, what) {
				name, at := r.idOf(item)
				x := fresh // an entry without a name of its own is read too, for its other mistakes
				to := &x
				if merge.seen[name] {
					r.add(at, "%s %q stands twice in this file", theOne(t.what), name)
				} else if name != "" {
					to = merge.entry(name)
				}
				t.read(r, item, at, to)
			}
		},
		write: func(list []T) *written { return writtenList(list, t.write) },
	}
}

// keyed is a mapping from names to mappings, merged by name. The name itself is no field of the inner mapping.
func keyed[T any](t *table[T], name func(*T) *string, fits func(r *reader, e entry) bool, fresh func(string) T) kind[[]T] {
	return kind[[]T]{
		form: "mapping by name", inner: t.docs(),
		schema: schema{"type": []string{"object", "null"}, "additionalProperties": t.schema()},
		read: func(r *reader, n *node, what string, to *[]T) {
			var zero T
			merge := newMerge(to, name, zero)
			for _, e := range r.entries(n, what) {
				merge.fresh = fresh(e.key)
				x := merge.fresh // an entry that is called wrong is read too, for its other mistakes
				*name(&x) = e.key
				to := &x
				if fits(r, e) {
					to = merge.entry(e.key)
				}
				t.read(r, e.value, e.at, to)
			}
		},
		write: func(list []T) *written {
			w := &written{mapping: true}
			for i := range list {
				w.add(*name(&list[i]), t.write(&list[i]))
			}
			return w.orNothing()
		},
	}
}

// merge finds the entries of a list by name, and adds those that are missing.
type merge[T any] struct {
	list  *[]T
	index map[string]int
	seen  map[string]bool // what this file has given already
	name  func(*T) *string
	fresh T
}

func newMerge[T any](list *[]T, name func(*T) *string, fresh T) *merge[T] {
	m := &merge[T]{list: list, index: map[string]int{}, seen: map[string]bool{}, name: name, fresh: fresh}
	for i := range *list {
		m.index[*name(&(*list)[i])] = i
	}
	return m
}

func (m *merge[T]) entry(name string) *T {
	m.seen[name] = true
	i, known := m.index[name]
	if !known {
		i = len(*m.list)
		m.index[name] = i
		*m.list = append(*m.list, m.fresh)
		*m.name(&(*m.list)[i]) = name
	}
	return &(*m.list)[i]
}

// theOne turns "a service" into "the service".
func theOne(what string) string {
	_, noun, _ := strings.Cut(what, " ")
	return "the " + noun
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
