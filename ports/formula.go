package ports

import (
	"fmt"
	"strings"
)

// Formula is how a plan writes a port: a number, or a sum over the plan's variables such as "7373 + instance" or
// "3000 + ACS_INSTANCE*100 + offset". It knows + - * and brackets. The empty formula is no port at all.
type Formula string

// Unassigned is the port of a service for which no source gives a number: nothing is opened for it.
const Unassigned Formula = "unassigned"

const (
	maxFormula = 200       // longer than any page's formula; it bounds the work on bad input
	maxDepth   = 16        // brackets within brackets
	maxValue   = 1_000_000 // no value on the way to a port is larger: sums and products cannot overflow
)

// Assigned reports whether the formula gives a number.
func (f Formula) Assigned() bool { return f != "" && f != Unassigned }

// Eval computes the formula. The error names the character at which it went wrong. The result may lie outside the
// range of ports.
func (f Formula) Eval(vars map[string]int) (int, error) {
	n, _, err := f.eval(func(name string) (int, bool) {
		v, ok := vars[name]
		return v, ok
	})
	return n, err
}

// Check reports whether the formula is well formed and uses only the given variables.
func (f Formula) Check(known func(name string) bool) error {
	if !f.Assigned() {
		return nil
	}
	_, _, err := f.eval(func(name string) (int, bool) { return 0, known(name) })
	return err
}

// Uses reports whether the formula depends on the variable.
func (f Formula) Uses(name string) bool {
	if !f.Assigned() {
		return false
	}
	_, used, _ := f.eval(func(string) (int, bool) { return 0, true })
	return contains(used, name)
}

func (f Formula) eval(lookup func(string) (int, bool)) (n int, used []string, err error) {
	if len(f) > maxFormula {
		return 0, nil, fmt.Errorf("formula of %d characters is longer than %d", len(f), maxFormula)
	}
	p := &formulaReader{text: string(f), lookup: lookup}
	n = p.sum(0)
	if p.skip(); p.err == nil && p.pos < len(p.text) {
		p.fail("unexpected %q", p.text[p.pos:])
	}
	return n, p.used, p.err
}

// FormulaError says what is wrong with a formula, and at which character, counted from 1.
type FormulaError struct {
	Character int
	Message   string
}

// Error names the character and what is wrong there.
func (e *FormulaError) Error() string { return fmt.Sprintf("character %d: %s", e.Character, e.Message) }

// formulaReader reads a formula from left to right. After the first error it only returns zeros.
type formulaReader struct {
	text   string
	pos    int
	lookup func(string) (int, bool)
	used   []string
	err    error
}

func (p *formulaReader) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &FormulaError{Character: p.pos + 1, Message: fmt.Sprintf(format, args...)}
	}
	p.pos = len(p.text)
}

func (p *formulaReader) skip() {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
}

// next returns the next character that is not a space, 0 at the end.
func (p *formulaReader) next() byte {
	p.skip()
	if p.pos >= len(p.text) {
		return 0
	}
	return p.text[p.pos]
}

func (p *formulaReader) bounded(n int) int {
	if n > maxValue || n < -maxValue {
		p.fail("the value %d is beyond %d", n, maxValue)
		return 0
	}
	return n
}

func (p *formulaReader) sum(depth int) int {
	n := p.product(depth)
	for {
		switch p.next() {
		case '+':
			p.pos++
			n = p.bounded(n + p.product(depth))
		case '-':
			p.pos++
			n = p.bounded(n - p.product(depth))
		default:
			return n
		}
	}
}

func (p *formulaReader) product(depth int) int {
	n := p.factor(depth)
	for p.next() == '*' {
		p.pos++
		n = p.bounded(n * p.factor(depth))
	}
	return n
}

func (p *formulaReader) factor(depth int) int {
	switch b := p.next(); {
	case b == '(':
		if depth >= maxDepth {
			p.fail("brackets are nested deeper than %d", maxDepth)
			return 0
		}
		p.pos++
		n := p.sum(depth + 1)
		if p.next() != ')' {
			p.fail("a bracket is not closed")
			return 0
		}
		p.pos++
		return n
	case isDigit(b):
		return p.number()
	case isLetter(b):
		return p.name()
	case b == 0:
		p.fail("a number or a variable is missing")
	default:
		p.fail("unexpected %q", p.text[p.pos:])
	}
	return 0
}

// number reads decimal digits. A leading zero is refused: it is octal to some readers and decimal to others.
func (p *formulaReader) number() int {
	start, n := p.pos, 0
	for p.pos < len(p.text) && isDigit(p.text[p.pos]) {
		n = n*10 + int(p.text[p.pos]-'0')
		if n > maxValue {
			return p.bounded(n)
		}
		p.pos++
	}
	if p.pos-start > 1 && p.text[start] == '0' {
		p.pos = start
		p.fail("the number begins with 0")
		return 0
	}
	return n
}

func (p *formulaReader) name() int {
	start := p.pos
	for p.pos < len(p.text) && (isLetter(p.text[p.pos]) || isDigit(p.text[p.pos])) {
		p.pos++
	}
	name := p.text[start:p.pos]
	n, ok := p.lookup(name)
	if !ok {
		p.pos = start
		p.fail("the plan has no variable %q", name)
		return 0
	}
	if !contains(p.used, name) {
		p.used = append(p.used, name)
	}
	return n
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLetter(b byte) bool { return b == '_' || b|0x20 >= 'a' && b|0x20 <= 'z' }

// validName reports whether s is a service name of RFC 6335: 1 to 15 letters, digits and single hyphens inside,
// with at least one letter.
func validName(s string) bool {
	if s == "" || len(s) > 15 || s[0] == '-' || s[len(s)-1] == '-' || strings.Contains(s, "--") {
		return false
	}
	letter := false
	for i := range len(s) {
		switch {
		case isLetter(s[i]) && s[i] != '_':
			letter = true
		case !isDigit(s[i]) && s[i] != '-':
			return false
		}
	}
	return letter
}
