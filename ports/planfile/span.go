package planfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

const (
	maxPort   = 1<<16 - 1
	rangeForm = `^(0|[1-9][0-9]{0,4})(-(0|[1-9][0-9]{0,4}))?$`
)

func rangeSchema(least int) schema {
	return schema{"anyOf": []schema{
		{"type": "integer", "minimum": least, "maximum": maxPort},
		{"type": "string", "pattern": rangeForm},
	}}
}

// interval reads FIRST-LAST, or one number, with both ends from least to 65535.
func interval(s string, least int) (first, last int, wrong string) {
	s = strings.TrimSpace(s)
	a, b, two := strings.Cut(s, "-")
	if !two {
		b = a
	}
	if strings.Contains(b, "-") {
		return 0, 0, "has more than one hyphen; write FIRST-LAST, and several ranges as a list: [4000-4999, 5100]"
	}
	for _, end := range []string{a, b} {
		if strings.TrimSpace(end) != end || !decimal(end) {
			return 0, 0, badEnd(end)
		}
		if v, err := strconv.Atoi(end); err != nil || v < least || v > maxPort {
			return 0, 0, fmt.Sprintf("has the number %s, which is not from %d to %d", end, least, maxPort)
		}
	}
	first, _ = strconv.Atoi(a) // both were just read
	last, _ = strconv.Atoi(b)
	if first > last {
		return 0, 0, fmt.Sprintf("is reversed; write %d-%d", last, first)
	}
	return first, last, ""
}

// badEnd says why a text is no end of a range.
func badEnd(end string) string {
	switch {
	case strings.TrimSpace(end) != end:
		return "has blanks around its hyphen; write FIRST-LAST, such as 4000-4999"
	case ports.Nearest(end, []string{unassigned}) != "":
		return "is no range; did you mean unassigned?"
	case end == "":
		return "lacks a number; write FIRST-LAST, such as 4000-4999"
	case strings.Trim(end, "0123456789") == "":
		return fmt.Sprintf("has the number %s, which begins with 0: some read it as octal; write it without", clip(end))
	case strings.ContainsAny(end, `|\/,;:.`):
		return "is not FIRST-LAST; write several ranges as a list: [4000-4999, 5100]"
	}
	return fmt.Sprintf("has %q where decimal digits must stand", clip(end))
}

// interval1 is one interval of ports.
func interval1() kind[ports.Range] {
	return kind[ports.Range]{
		form: "range", schema: rangeSchema(1),
		read:  func(r *reader, n *node, what string, to *ports.Range) { r.portRange(n, what, to) },
		write: func(x ports.Range) *written { return writtenRange(int(x.First), int(x.Last)) },
	}
}

func writtenRange(first, last int) *written {
	switch {
	case last == 0:
		return nil
	case first == last:
		return bare(strconv.Itoa(first))
	}
	return bare(strconv.Itoa(first) + "-" + strconv.Itoa(last))
}

func (r *reader) portRange(n *node, what string, to *ports.Range) {
	if first, last, ok := r.interval(n, what, 1); ok {
		*to = ports.Range{First: ports.Port(first), Last: ports.Port(last)}
	}
}

func (r *reader) interval(n *node, what string, least int) (first, last int, ok bool) {
	s, ok := r.numberOrText(n, what)
	if !ok {
		return 0, 0, false
	}
	first, last, wrong := interval(s, least)
	if wrong != "" {
		r.add(n.at, "%s %q %s", what, clip(s), wrong)
		return 0, 0, false
	}
	return first, last, true
}

// ranges are intervals that do not meet, in the order in which they are given.
func ranges() kind[[]ports.Range] {
	one := interval1()
	return kind[[]ports.Range]{
		form: "list of ranges", schema: schema{"anyOf": []schema{one.schema, {"type": "array", "items": one.schema, "maxItems": maxList, "minItems": 1}}},
		read: func(r *reader, n *node, what string, to *[]ports.Range) {
			var list []ports.Range
			nodes := r.oneOrMore(n, what)
			if len(nodes) == 0 {
				r.add(n.at, "%s is empty; write unassigned where the site must give the numbers", what)
			}
			for _, item := range nodes {
				var x ports.Range
				if r.portRange(item, what, &x); x.Last == 0 {
					continue
				}
				if i := slices.IndexFunc(list, func(y ports.Range) bool { return x.First <= y.Last && y.First <= x.Last }); i >= 0 {
					r.add(item.at, "%s has numbers of %d-%d twice", what, list[i].First, list[i].Last)
					continue
				}
				list = append(list, x)
			}
			*to = list
		},
		write: func(list []ports.Range) *written {
			return writtenList(list, func(x *ports.Range) *written { return writtenRange(int(x.First), int(x.Last)) })
		},
	}
}
