package planfile

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/ports"
)

// formula is a port: a number, a sum over variables, or unassigned. Which variables it may use is known only when the
// whole plan is; here its form is checked.
func formula() kind[ports.Formula] {
	return kind[ports.Formula]{
		form: "number, formula or unassigned", schema: schema{"type": []string{"integer", "string"}, "minimum": 0, "maximum": 1_000_000},
		read: func(r *reader, n *node, what string, to *ports.Formula) {
			s, ok := r.numberOrText(n, what)
			if !ok {
				return
			}
			f := ports.Formula(strings.TrimSpace(s))
			if f == "" {
				r.add(n.at, "%s must be a number, a formula such as 9000 + instance, or unassigned", what)
				return
			}
			if err := ports.Formula(s).Check(anyName); err != nil {
				at, wrong := n.at, err.Error()
				if where := (*ports.FormulaError)(nil); errors.As(err, &where) {
					at, wrong = n.inside(where.Character-1), where.Message
				}
				r.add(at, "%s %q: %s", what, clip(s), wrong)
				return
			}
			*to = f
		},
		write: func(f ports.Formula) *written {
			if decimal(string(f)) {
				return bare(string(f)) // a number stands bare
			}
			return quotedOrNothing(string(f))
		},
	}
}

// guard is a test over variables and switches.
func guard() kind[ports.Guard] {
	k := text[ports.Guard]()
	k.form = "guard"
	k.read = func(r *reader, n *node, what string, to *ports.Guard) {
		s, ok := scalar(n)
		if !ok {
			r.add(n.at, "%s must be a test such as usessl, !usessl, ACS_INSTANCE > 0 or openings.task_link", what)
			return
		}
		if index, err := badTerm(s); err != nil {
			r.add(n.inside(index), "%s %q: %v", what, clip(s), err)
			return
		}
		if err := ports.Guard(s).Check(anyName); err != nil {
			r.add(n.at, "%s %q: %v", what, clip(s), err)
			return
		}
		*to = ports.Guard(strings.TrimSpace(s))
	}
	return k
}

// inside is the place of a byte of a scalar, of the scalar where its bytes have no places of their own.
func (n *node) inside(index int) ports.Place {
	at := n.at
	if n.lead >= 0 && index >= 0 && index <= len(n.text) {
		at.Column += n.lead + utf8.RuneCountInString(n.text[:index])
	}
	return at
}

// badTerm returns where the first term that is wrong begins, and what is wrong with it.
func badTerm(g string) (index int, err error) {
	for _, term := range strings.Split(g, "&&") {
		lead := len(term) - len(strings.TrimLeft(term, " "))
		if strings.TrimSpace(term) == "" {
			return index + lead, errors.New("a test is missing")
		}
		if err := ports.Guard(term).Check(anyName); err != nil {
			return index + lead, err
		}
		index += len(term) + len("&&")
	}
	return 0, nil
}

func anyName(string) bool { return true }

// template is a text that may name variables in braces: "jobsch_win{subsystem}".
func template() kind[string] {
	k := text[string]()
	read := k.read
	k.form = "text with variables in braces"
	k.read = func(r *reader, n *node, what string, to *string) {
		before := len(r.found)
		var s string
		if read(r, n, what, &s); len(r.found) > before {
			return
		}
		if index, wrong := checkBraces(s); wrong != "" {
			r.add(n.inside(index), "%s %q: %s", what, clip(s), wrong)
			return
		}
		*to = s
	}
	return k
}

// checkBraces says what is wrong with the braces of a text, and at which character, counted from 0.
func checkBraces(s string) (index int, wrong string) {
	for rest, at := s, 0; ; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			return 0, ""
		}
		name, after, closed := strings.Cut(rest[i+1:], "}")
		switch {
		case rest[i] == '}':
			return at + i, "a brace is closed that was not opened"
		case !closed:
			return at + i, "a brace is not closed"
		case !varForm.MatchString(name):
			return at + i + 1, "the name " + quotedAlways(clip(name)) + " in braces must be letters, digits and underscores"
		}
		at += len(rest) - len(after)
		rest = after
	}
}
