package planfile

import (
	"strconv"

	"github.com/reeve-scheduler/reeve/ports"
)

const unassigned = string(ports.Unassigned)

// numbers are those of a pool, and whether allocation goes downwards.
type numbers struct {
	ports.Span
	down bool
}

// spanTable is the mapping form of a pool's numbers.
func spanTable(withDown bool) *table[numbers] {
	t := &table[numbers]{
		what: "a range",
		limits: schema{
			"not":               anyOf(requires("from", "family"), requires("from", "list"), requires("family", "list")),
			"dependentRequired": map[string][]string{"size": {"from"}, "family": {"offsets"}, "offsets": {"family"}},
		},
		fields: []field[numbers]{
			is("from", number[ports.Port](1, maxPort), func(x *numbers) *ports.Port { return &x.From }, "where allocation begins"),
			is("size", size(), func(x *numbers) *int { return &x.Size }, "how many numbers, with from; auto: computed from the capacity").or("auto"),
			is("family", id[string](), func(x *numbers) *string { return &x.Family }, "the family whose formula gives the numbers"),
			is("offsets", offsets(), func(x *numbers) *[2]int { return &x.Offsets }, "of the family, both included").
				unless(func(x *numbers) bool { return x.Family == "" }),
			is("list", ranges(), func(x *numbers) *[]ports.Range { return &x.Ranges }, "ranges, where down must be said too"),
		},
		check: func(r *reader, at ports.Place, x *numbers, given given) { checkSpan(r, at, x, given, withDown) },
	}
	if withDown {
		t.fields = append(t.fields, is("down", flag(false), func(x *numbers) *bool { return &x.down }, "allocation goes downwards").or("false"))
	}
	return t
}

// checkSpan looks at what the fields say together. Whether a case goes up or down, only its pool knows.
func checkSpan(r *reader, at ports.Place, x *numbers, given given, directed bool) {
	r.exclusive(given, "a range", "from", "family", "list")
	if given.has("size") && !given.has("from") {
		r.add(given.of("size").at, "size goes with from: {from: 59999, down: true, size: 130}")
	}
	if given.has("family") != given.has("offsets") {
		r.add(at, "family and offsets go together: {family: acs-services, offsets: 50-72}")
	}
	switch below, above := int(x.From), maxPort+1-int(x.From); {
	case x.From == 0 || !directed:
	case x.down && x.Size > below:
		r.add(given.of("size").at, "there are only %d numbers from %d downwards", below, x.From)
	case !x.down && x.Size > above:
		r.add(given.of("size").at, "there are only %d numbers from %d upwards", above, x.From)
	}
}

// exclusive notes every key but the first of several that say the same in different ways.
func (r *reader) exclusive(given given, what string, names ...string) {
	var first string
	for _, name := range names {
		switch {
		case !given.has(name):
		case first == "":
			first = name
		default:
			r.add(given.of(name).at, "%s has both %s and %s: give one of %s", what, first, name, join(names))
		}
	}
}

// poolNumbers is how a pool says its numbers. Of a case or an alternate, down is the pool's.
func poolNumbers(withDown, emptyIsSaid bool) kind[numbers] {
	t, list := spanTable(withDown), ranges()
	return kind[numbers]{
		form: "range, list of ranges, mapping or unassigned", inner: t.docs(),
		schema: schema{"anyOf": []schema{{"const": unassigned}, list.schema, t.schema()}},
		read: func(r *reader, n *node, what string, to *numbers) {
			if s, ok := scalar(n); ok && s == unassigned {
				*to = numbers{}
				return
			}
			var x numbers
			if n.shape == mapShape {
				t.read(r, n, n.at, &x)
			} else {
				list.read(r, n, what, &x.Ranges)
			}
			*to = x
		},
		write: func(x numbers) *written {
			switch {
			case x.From != 0 || x.Family != "" || x.down:
				return t.write(&x)
			case len(x.Ranges) == 1:
				return writtenRange(int(x.Ranges[0].First), int(x.Ranges[0].Last))
			case len(x.Ranges) > 1:
				return list.write(x.Ranges)
			case emptyIsSaid:
				return bare(unassigned)
			}
			return nil
		},
	}
}

// size is a count of ports, or auto.
func size() kind[int] {
	const auto = "auto"
	k := number[int](1, maxPort)
	read := k.read
	k.form, k.schema = "number or auto", schema{"anyOf": []schema{k.schema, {"const": auto}}}
	k.read = func(r *reader, n *node, what string, to *int) {
		if s, ok := scalar(n); ok && s == auto {
			*to = 0
			return
		}
		if n.shape != intShape {
			r.add(n.at, "%s must be a number of ports, or auto", what)
			return
		}
		read(r, n, what, to)
	}
	return k
}

// offsets are an interval of numbers that a family's formula takes.
func offsets() kind[[2]int] {
	return kind[[2]int]{
		form: "range", schema: rangeSchema(0),
		read: func(r *reader, n *node, what string, to *[2]int) {
			if first, last, ok := r.interval(n, what, 0); ok {
				*to = [2]int{first, last}
			}
		},
		write: func(x [2]int) *written {
			if x[0] == x[1] {
				return bare(strconv.Itoa(x[0]))
			}
			return bare(strconv.Itoa(x[0]) + "-" + strconv.Itoa(x[1]))
		},
	}
}
