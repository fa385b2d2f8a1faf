package planfile

import (
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/ports"
)

// formula is a port: a number, a sum over variables, or unassigned. Which variables it may use is known only when the
// whole plan is; here its form is checked.
func formula() kind[ports.Formula] {
	return kind[ports.Formula]{
		form: "number, formula or unassigned", schema: schema{"type": []string{"integer", "string"}, "minimum": 0, "maximum": 1_000_000},
		read: func(r *reader, n ast.Node, what string, to *ports.Formula) {
			s, ok := r.numberOrText(n, what)
			if !ok {
				return
			}
			f := ports.Formula(strings.TrimSpace(s))
			if f == "" {
				r.add(r.place(n), "%s must be a number, a formula such as 9000 + instance, or unassigned", what)
				return
			}
			if err := f.Check(func(string) bool { return true }); err != nil {
				r.add(r.place(n), "%s %q: %v", what, clip(s), err)
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
	k.read = func(r *reader, n ast.Node, what string, to *ports.Guard) {
		s, ok := scalar(n)
		if !ok {
			r.add(r.place(n), "%s must be a test such as usessl, !usessl, ACS_INSTANCE > 0 or openings.task_link", what)
			return
		}
		s = strings.TrimSpace(s)
		if column, wrong := checkGuard(s); wrong != "" {
			r.add(r.inside(n, column), "%s %q: %s", what, clip(s), wrong)
			return
		}
		*to = ports.Guard(s)
	}
	return k
}

// inside is the place of the character with an index in a scalar that stands on one line without escapes.
func (r *reader) inside(n ast.Node, index int) ports.Place {
	at := r.place(n)
	tk := n.GetToken()
	if tk == nil || at.Line == 0 || strings.ContainsAny(tk.Origin, "\\") || strings.Contains(strings.TrimSpace(tk.Origin), "\n") {
		return at
	}
	if strings.HasPrefix(strings.TrimSpace(tk.Origin), `"`) || strings.HasPrefix(strings.TrimSpace(tk.Origin), "'") {
		index++
	}
	at.Column += index
	return at
}

// checkGuard says what is wrong with the form of a guard, and at which character, counted from 0.
func checkGuard(s string) (index int, wrong string) {
	for _, term := range strings.Split(s, "&&") {
		lead := len(term) - len(strings.TrimLeft(term, " "))
		if wrong = checkTerm(strings.TrimSpace(term)); wrong != "" {
			return index + lead, wrong
		}
		index += len(term) + len("&&")
	}
	return 0, ""
}

func checkTerm(term string) string {
	const form = "a test is NAME, !NAME or NAME OPERATOR NUMBER; several are joined by &&"
	if term == "" {
		return "a test is missing; " + form
	}
	i := strings.IndexAny(term, "=!<>")
	if i <= 0 {
		if name := strings.TrimSpace(strings.TrimPrefix(term, "!")); !guardName(name) {
			return "unexpected " + quotedAlways(clip(term)) + "; " + form
		}
		return ""
	}
	name, rest := strings.TrimSpace(term[:i]), term[i:]
	operator := rest[:len(rest)-len(strings.TrimLeft(rest, "=!<>"))]
	if !guardName(name) {
		return "unexpected " + quotedAlways(clip(name)) + "; " + form
	}
	switch operator {
	case "==", "!=", "<", "<=", ">", ">=":
	default:
		return "unknown operator " + quotedAlways(clip(operator)) + "; the operators are ==, !=, <, <=, >, >="
	}
	if value := strings.TrimSpace(rest[len(operator):]); !decimal(value) || len(value) > 9 {
		return quotedAlways(clip(value)) + " is no whole decimal number; " + form
	}
	return ""
}

func guardName(s string) bool { return varForm.MatchString(strings.TrimPrefix(s, "openings.")) }

func quotedAlways(s string) string { return `"` + s + `"` }

// template is a text that may name variables in braces: "jobsch_win{subsystem}".
func template() kind[string] {
	k := text[string]()
	read := k.read
	k.form = "text with variables in braces"
	k.read = func(r *reader, n ast.Node, what string, to *string) {
		before := len(r.found)
		var s string
		if read(r, n, what, &s); len(r.found) > before {
			return
		}
		if index, wrong := checkBraces(s); wrong != "" {
			r.add(r.inside(n, index), "%s %q: %s", what, clip(s), wrong)
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
