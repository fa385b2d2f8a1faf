package planfile

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

const maxText = 1000 // bytes of one text

// text is a text of one line.
func text[T ~string]() kind[T] {
	return kind[T]{
		form: "text", schema: schema{"type": "string", "maxLength": maxText},
		read: func(r *reader, n *node, what string, to *T) {
			s, ok := scalar(n)
			if !ok {
				r.add(n.at, "%s must be text", what)
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
	k.read = func(r *reader, n *node, what string, to *string) {
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
func (r *reader) numberOrText(n *node, what string) (string, bool) {
	if n.shape != textShape && n.shape != intShape {
		r.add(n.at, "%s must be a number or text", what)
		return "", false
	}
	return n.text, true
}

func keep[T ~string](r *reader, to *T, s string, n *node, what string) {
	if len(s) > maxText {
		r.add(n.at, "%s is longer than %d bytes", what, maxText)
		return
	}
	if strings.ContainsFunc(s, func(c rune) bool {
		return c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff
	}) {
		r.add(n.at, "%s must be one line without control characters", what)
		return
	}
	*to = T(s)
}

func scalar(n *node) (string, bool) { return n.text, n.shape == textShape }

// id is an identifier: small letters, digits and hyphens.
func id[T ~string]() kind[T] {
	return kind[T]{
		form: "id", schema: schema{"type": []string{"string", "integer"}, "pattern": idForm.String(), "minimum": 0},
		read: func(r *reader, n *node, what string, to *T) {
			if s, ok := r.numberOrText(n, what); ok && r.isID(s, n.at, what) {
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
		form: join(names), schema: schema{"enum": names},
		read: func(r *reader, n *node, what string, to *T) {
			s, ok := scalar(n)
			if ok && slices.Contains(words, T(s)) {
				*to = T(s)
				return
			}
			if !r.full() {
				r.add(n.at, "%s must be one of %s%s", what, join(names), didYouMean(s, names))
			}
		},
		write: func(s T) *written { return quotedOrNothing(string(s)) },
	}
}

// mark is a truth that a file says by a word: verify: unproven.
func mark(yes, no string) kind[bool] {
	k := word(yes, no)
	return kind[bool]{
		form: k.form, schema: k.schema,
		read: func(r *reader, n *node, what string, to *bool) {
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
		read: func(r *reader, n *node, what string, to *bool) {
			if n.shape != boolShape {
				r.add(n.at, "%s must be true or false", what)
				return
			}
			*to = n.text == "true"
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
		read: func(r *reader, n *node, what string, to *T) {
			if n.shape != intShape || !decimal(n.text) {
				r.add(n.at, "%s must be a whole decimal number", what)
				return
			}
			v, err := strconv.Atoi(n.text)
			if err != nil || v < least || v > most {
				r.add(n.at, "%s is %s, it must be %d to %d", what, clip(n.text), least, most)
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
