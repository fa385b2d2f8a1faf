package ports

import (
	"fmt"
	"strconv"
	"strings"
)

// switchPrefix stands before the names of the inventory's switches in a guard.
const switchPrefix = "openings."

const maxGuard = 500 // longer than any page's footnote needs; it bounds the work on bad input

// term is one test of a guard: NAME, !NAME or NAME op INTEGER.
type term struct {
	name   string
	op     string // empty: the name alone
	not    bool
	number int
}

// Eval computes the guard. Variables stand under their names, switches as "openings.NAME", with 1 for a switch that is
// on. The error says which term went wrong. The empty guard holds.
func (g Guard) Eval(values map[string]int) (bool, error) {
	terms, err := g.terms()
	if err != nil {
		return false, err
	}
	holds := true
	for _, t := range terms {
		n, ok := values[t.name]
		if !ok {
			return false, t.unknown()
		}
		holds = holds && t.holds(n)
	}
	return holds, nil
}

// Check reports whether the guard is well formed and uses only known names.
func (g Guard) Check(known func(name string) bool) error {
	terms, err := g.terms()
	if err != nil {
		return err
	}
	for _, t := range terms {
		if !known(t.name) {
			return t.unknown()
		}
	}
	return nil
}

// Names returns what the guard depends on: variables by name, switches as "openings.NAME".
func (g Guard) Names() []string {
	terms, _ := g.terms()
	names := make([]string, 0, len(terms))
	for _, t := range terms {
		names = append(names, t.name)
	}
	return names
}

func (t term) unknown() error {
	if name, ok := strings.CutPrefix(t.name, switchPrefix); ok {
		return fmt.Errorf("the plan has no switch %q", name)
	}
	return fmt.Errorf("the plan has no variable %q", t.name)
}

func (t term) holds(n int) bool {
	switch t.op {
	case "==":
		return n == t.number
	case "!=":
		return n != t.number
	case "<":
		return n < t.number
	case "<=":
		return n <= t.number
	case ">":
		return n > t.number
	case ">=":
		return n >= t.number
	}
	return n != 0 != t.not
}

func (g Guard) terms() ([]term, error) {
	if len(g) > maxGuard {
		return nil, fmt.Errorf("guard of %d characters is longer than %d", len(g), maxGuard)
	}
	if strings.TrimSpace(string(g)) == "" {
		return nil, nil
	}
	parts := strings.Split(string(g), "&&")
	terms := make([]term, 0, len(parts))
	for _, part := range parts {
		t, err := readTerm(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return terms, nil
}

func readTerm(s string) (term, error) {
	var t term
	rest := s
	if after, ok := strings.CutPrefix(rest, "!"); ok {
		t.not, rest = true, strings.TrimLeft(after, " ")
	}
	end := nameEnd(rest)
	t.name, rest = rest[:end], strings.TrimSpace(rest[end:])
	if t.name == "" {
		return t, fmt.Errorf("%q: the name of a variable or a switch is missing", s)
	}
	if rest == "" {
		return t, nil
	}
	for _, op := range [...]string{"==", "!=", "<=", ">=", "<", ">"} {
		after, ok := strings.CutPrefix(rest, op)
		if !ok {
			continue
		}
		if t.not {
			return t, fmt.Errorf("%q: ! does not go with a comparison", s)
		}
		n, err := guardNumber(strings.TrimSpace(after))
		t.op, t.number = op, n
		if err != nil {
			return t, fmt.Errorf("%q: %w", s, err)
		}
		return t, nil
	}
	return t, fmt.Errorf("%q: after the name comes nothing, or one of == != < <= > >= and a number", s)
}

// nameEnd is where the name at the beginning of s ends: letters, digits and _, with "openings." before it for a switch.
func nameEnd(s string) int {
	start := 0
	if strings.HasPrefix(s, switchPrefix) {
		start = len(switchPrefix)
	}
	end := start
	for end < len(s) && (isLetter(s[end]) || end > start && isDigit(s[end])) {
		end++
	}
	if end == start {
		return 0
	}
	return end
}

// guardNumber reads an integer as a formula has it: no leading zero, no plus sign, and no larger than a formula's.
func guardNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s || n > maxValue || n < -maxValue {
		return 0, fmt.Errorf("%q is no number between %d and %d", s, -maxValue, maxValue)
	}
	return n, nil
}
