package probe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// ParseReserved reads a list of ports as the kernel reads ip_local_reserved_ports (proc_do_large_bitmap): numbers and
// intervals between commas or newlines, in any order, twice or overlapping; a number may be octal (0…) or hexadecimal
// (0x…). Blanks, empty items and reversed intervals are errors, as they are there (F26, F66). The result is sorted,
// and neighbours are joined. Port 0 is dropped: the kernel takes it and it means nothing.
func ParseReserved(text string) ([]ports.Range, error) {
	var all []ports.Range
	rest := strings.TrimLeft(text, "\n")
	for rest != "" {
		first, after, err := kernelNumber(rest, "-,\n")
		if err != nil {
			return nil, err
		}
		last := first
		if strings.HasPrefix(after, "-") {
			if last, after, err = kernelNumber(after[1:], ",\n\x00"); err != nil {
				return nil, err
			}
		}
		if last < first {
			return nil, fmt.Errorf("the interval %d-%d is reversed", first, last)
		}
		if last > 0 {
			all = append(all, ports.Range{First: ports.Port(max(first, 1)), Last: ports.Port(last)})
		}
		if after != "" {
			after = after[1:]
		}
		rest = strings.TrimLeft(after, "\n")
	}
	return union(all), nil
}

// kernelNumber reads a number up to one of the ends, as the kernel does (proc_get_long).
func kernelNumber(s, ends string) (n int, rest string, err error) {
	const longest = 21 // the kernel's buffer for a number, less its end
	i := 0
	for i < len(s) && !strings.ContainsRune(ends, rune(s[i])) {
		i++
	}
	text := s[:i]
	switch {
	case text == "":
		return 0, "", errors.New("an item is empty")
	case text[0] < '0' || text[0] > '9':
		return 0, "", fmt.Errorf("%.20q is no number", text)
	case len(text) > longest:
		return 0, "", errors.New("a number is too long")
	}
	digits, base := text, 10
	switch {
	case len(text) > 2 && (text[:2] == "0x" || text[:2] == "0X"):
		digits, base = text[2:], 16
	case len(text) > 1 && text[0] == '0':
		digits, base = text[1:], 8
	}
	v, err := strconv.ParseUint(digits, base, 64)
	if err != nil || strings.ContainsAny(digits, "_+-") {
		return 0, "", fmt.Errorf("%.20q is no number", text)
	}
	if v > 65535 {
		return 0, "", fmt.Errorf("%d is above 65535", v)
	}
	return int(v), s[i:], nil
}

// ParseInterval reads ip_local_port_range: two numbers between blanks. FIRST-LAST is taken too.
func ParseInterval(text string) (ports.Range, error) {
	f := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '-' })
	if len(f) != 2 {
		return ports.Range{}, fmt.Errorf("%.40q is no range: want FIRST and LAST", text)
	}
	first, err1 := strconv.ParseUint(f[0], 10, 16)
	last, err2 := strconv.ParseUint(f[1], 10, 16)
	if err1 != nil || err2 != nil || first == 0 || last < first {
		return ports.Range{}, fmt.Errorf("%.40q is no range of ports", text)
	}
	return ports.Range{First: ports.Port(first), Last: ports.Port(last)}, nil
}

// FormatRanges writes ranges as the kernel takes and shows them: "2049,9297,59870-59999".
func FormatRanges(ranges []ports.Range) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = formatRange(r)
	}
	return strings.Join(parts, ",")
}

func formatRange(r ports.Range) string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return strconv.Itoa(int(r.First)) + "-" + strconv.Itoa(int(r.Last))
}

// union sorts ranges and joins those that touch.
func union(ranges []ports.Range) []ports.Range {
	all := slices.Clone(ranges)
	slices.SortFunc(all, func(a, b ports.Range) int { return cmp.Compare(a.First, b.First) })
	var out []ports.Range
	for _, r := range all {
		if n := len(out); n > 0 && int(r.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// intersect returns what two sorted lists have in common.
func intersect(a, b []ports.Range) []ports.Range {
	var out []ports.Range
	for _, x := range a {
		for _, y := range b {
			if first, last := max(x.First, y.First), min(x.Last, y.Last); first <= last {
				out = append(out, ports.Range{First: first, Last: last})
			}
		}
	}
	return union(out)
}

// without returns a less b; both are sorted.
func without(a, b []ports.Range) []ports.Range {
	var out []ports.Range
	for _, x := range a {
		next := int(x.First)
		for _, y := range b {
			if int(y.Last) < next || y.First > x.Last {
				continue
			}
			if int(y.First) > next {
				out = append(out, ports.Range{First: ports.Port(next), Last: y.First - 1})
			}
			next = int(y.Last) + 1
		}
		if next <= int(x.Last) {
			out = append(out, ports.Range{First: ports.Port(next), Last: x.Last})
		}
	}
	return out
}

func inside(p ports.Port, ranges []ports.Range) bool {
	return slices.ContainsFunc(ranges, func(r ports.Range) bool { return r.First <= p && p <= r.Last })
}
