package ports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// String writes the range as "20000-20100", one number as "7199", and the zero Range as nothing.
func (r Range) String() string {
	switch {
	case r == Range{}:
		return ""
	case r.First == r.Last:
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// ParseRange reads what String writes. Both ends are from 1 to 65535, in order and without leading zeros.
func ParseRange(s string) (Range, error) {
	if s == "" {
		return Range{}, nil
	}
	first, last, two := strings.Cut(s, "-")
	if !two {
		last = first
	}
	var r Range
	for _, end := range []struct {
		text string
		to   *Port
	}{{first, &r.First}, {last, &r.Last}} {
		n, err := strconv.ParseUint(end.text, 10, 16)
		if err != nil || n < 1 || n > math.MaxUint16 || strconv.FormatUint(n, 10) != end.text {
			return Range{}, fmt.Errorf("range %q: %q is no number from 1 to 65535", s, end.text)
		}
		*end.to = Port(n)
	}
	if r.First > r.Last {
		return Range{}, fmt.Errorf("range %q is reversed", s)
	}
	return r, nil
}

// MarshalText writes the range for JSON and YAML.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (r *Range) UnmarshalText(text []byte) error {
	got, err := ParseRange(string(text))
	if err == nil {
		*r = got
	}
	return err
}
