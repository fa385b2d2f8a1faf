package planfile

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/ports"
)

const maxText = 1000 // bytes of one text

// text is a text of one line.
func text[T ~string]() kind[T] {
	return kind[T]{
		form: "text", schema: schema{"type": "string", "maxLength": maxText},
		read: func(r *reader, n ast.Node, what string, to *T) {
			s, ok := scalar(n)
			if !ok {
				r.add(r.place(n), "%s must be text", what)
				return
			}
			keep(r, to, s, n, what)
		},
		write: func(s T) *written { return quotedOrNothing(string(s)) },
	}
}

// textOrNumber is a text that may look like a whole number: it is kept as it stands in the file.
func textOrNumber() kind[string] {
	k := text[string]()
	k.form, k.schema = "number or text", schema{"type": []string{"string", "integer"}, "maxLength": maxText}
	k.read = func(r *reader, n ast.Node, what string, to *string) {
		if s, ok := r.numberOrText(n, what); ok {
			keep(r, to, s, n, what)
		}
	}
	return k
}

func quotedOrNothing(s string) *written {
	if s == "" {
		return nil
	}
	return bare(quoted(s))
}

// numberOrText returns a scalar as it stands in the file.
func (r *reader) numberOrText(n ast.Node, what string) (string, bool) {
	if num, isNumber := n.(*ast.IntegerNode); isNumber {
		return num.Token.Value, true
	}
	s, ok := scalar(n)
	if !ok {
		r.add(r.place(n), "%s must be a number or text", what)
	}
	return s, ok
}

func keep[T ~string](r *reader, to *T, s string, n ast.Node, what string) {
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
	*to = T(s)
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

// id is an identifier: small letters, digits and hyphens.
func id[T ~string]() kind[T] {
	return kind[T]{
		form: "id", schema: schema{"type": []string{"string", "integer"}, "pattern": idForm.String(), "minimum": 0},
		read: func(r *reader, n ast.Node, what string, to *T) {
			if s, ok := r.numberOrText(n, what); ok && r.isID(s, r.place(n), what) {
				*to = T(s)
			}
		},
		write: func(s T) *written { return quotedOrNothing(string(s)) },
	}
}

func (r *reader) isID(s string, at ports.Place, what string) bool {
	if idForm.MatchString(s) {
		return true
	}
	r.add(at, "%s %q must be 1 to 63 small letters, digits and hyphens", what, clip(s))
	return false
}

// word is one of a closed set.
func word[T ~string](words ...T) kind[T] {
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	return kind[T]{
		form: strings.Join(names, ", "), schema: schema{"enum": names},
		read: func(r *reader, n ast.Node, what string, to *T) {
			s, ok := scalar(n)
			if ok && slices.Contains(words, T(s)) {
				*to = T(s)
				return
			}
			r.add(r.place(n), "%s must be one of %s%s", what, strings.Join(names, ", "), didYouMean(s, names))
		},
		write: func(s T) *written { return quotedOrNothing(string(s)) },
	}
}

// mark is a truth that a file says by a word: verify: unproven.
func mark(yes, no string) kind[bool] {
	k := word(yes, no)
	return kind[bool]{
		form: k.form, schema: k.schema,
		read: func(r *reader, n ast.Node, what string, to *bool) {
			s := no
			if *to {
				s = yes
			}
			k.read(r, n, what, &s)
			*to = s == yes
		},
		write: func(b bool) *written {
			if !b {
				return nil
			}
			return bare(yes)
		},
	}
}

// flag is true or false; what is written down leaves out the default.
func flag(def bool) kind[bool] {
	return kind[bool]{
		form: "true, false", schema: schema{"type": "boolean"},
		read: func(r *reader, n ast.Node, what string, to *bool) {
			b, ok := n.(*ast.BoolNode)
			if !ok {
				r.add(r.place(n), "%s must be true or false", what)
				return
			}
			*to = b.Value
		},
		write: func(b bool) *written {
			if b == def {
				return nil
			}
			return bare(strconv.FormatBool(b))
		},
	}
}

// number is a whole decimal number from least to most. Other notations are refused: a port list is read by people.
func number[T ~int | ~uint16 | ~uint32](least, most int) kind[T] {
	return kind[T]{
		form: "number", schema: schema{"type": "integer", "minimum": least, "maximum": most},
		read: func(r *reader, n ast.Node, what string, to *T) {
			num, ok := n.(*ast.IntegerNode)
			if !ok || !decimal(num.Token.Value) {
				r.add(r.place(n), "%s must be a whole decimal number", what)
				return
			}
			v, err := strconv.Atoi(num.Token.Value)
			if err != nil || v < least || v > most {
				r.add(r.place(n), "%s is %s, it must be %d to %d", what, clip(num.Token.Value), least, most)
				return
			}
			*to = T(v)
		},
		write: func(v T) *written {
			if v == 0 {
				return nil
			}
			return bare(strconv.Itoa(int(v)))
		},
	}
}

// orZero writes a number down also where it is 0.
func orZero[T ~int](k kind[T]) kind[T] {
	k.write = func(v T) *written { return bare(strconv.Itoa(int(v))) }
	return k
}

// decimal reports whether s is a number that all readers take alike: digits, with no 0 before them.
func decimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && strings.Trim(s, "0123456789") == "" && (s[0] != '0' || s == "0")
}

const anyNumber = math.MaxInt32 // the largest number of a field that says nothing else
