package probe

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

func span(first, last ports.Port) ports.Range { return ports.Range{First: first, Last: last} }

// F26: the list of reserved ports is read as the kernel reads it. TestReservedByKernel asks the kernel itself.
func TestParseReserved(t *testing.T) {
	t.Parallel()
	good := map[string][]ports.Range{
		"":                        nil,
		"\n":                      nil,
		"8080\n":                  {span(8080, 8080)},
		"8080,9148":               {span(8080, 8080), span(9148, 9148)},
		"2049,59870-59999\n":      {span(2049, 2049), span(59870, 59999)},
		"5-7,6-9,10,1":            {span(1, 1), span(5, 10)},
		"1,2,":                    {span(1, 2)},
		"0":                       nil,
		"0-3":                     {span(1, 3)},
		"010,0x10":                {span(8, 8), span(16, 16)},
		"65535":                   {span(65535, 65535)},
		"8080\n9090\n":            {span(8080, 8080), span(9090, 9090)},
		"7,7,7":                   {span(7, 7)},
		"60000-65535,50000-60000": {span(50000, 65535)},
	}
	for text, want := range good {
		got, err := ParseReserved(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	// F59, F66: blanks, empty items, reversed intervals, numbers that are no ports.
	for _, text := range []string{"1, 2", " 1", "1 2", ",", "1,,2", "9-5", "65536", "-1", "5--7", "x", "1-", "１", "08", "0x", "1-2-3", "1;2", "+5", strings.Repeat("1", 22)} {
		if got, err := ParseReserved(text); err == nil {
			t.Errorf("%q is taken as %v; the kernel refuses it", text, got)
		}
	}
}

// What is formatted reads back the same, and the operations on ranges are those on sets of numbers.
func TestRangesAreSets(t *testing.T) {
	t.Parallel()
	ranges := rapid.Custom(func(t *rapid.T) []ports.Range {
		var all []ports.Range
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			first := rapid.IntRange(1, 40).Draw(t, "first")
			all = append(all, span(ports.Port(first), ports.Port(rapid.IntRange(first, 45).Draw(t, "last"))))
		}
		return union(all)
	})
	set := func(all []ports.Range) (s [50]bool) {
		for p := range s {
			s[p] = inside(ports.Port(p), all)
		}
		return s
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := ranges.Draw(t, "a"), ranges.Draw(t, "b")
		both, less, sum := set(intersect(a, b)), set(without(a, b)), set(union(append(append([]ports.Range{}, a...), b...)))
		for p, in := range set(a) {
			other := set(b)[p]
			if both[p] != (in && other) || less[p] != (in && !other) || sum[p] != (in || other) {
				t.Fatalf("%d: in a %v, in b %v; intersect %v, without %v, union %v", p, in, other, both[p], less[p], sum[p])
			}
		}
		back, err := ParseReserved(FormatRanges(a))
		if err != nil || FormatRanges(back) != FormatRanges(a) {
			t.Fatalf("%v comes back as %v, %v", a, back, err)
		}
	})
}

func TestParseInterval(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ports.Range{"32768\t60999\n": span(32768, 60999), "9000-65500": span(9000, 65500), "1 65535": span(1, 65535)} {
		if got, err := ParseInterval(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "0 5", "9 5", "1 65536", "a b", "1 2 3"} {
		if got, err := ParseInterval(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func FuzzParseReserved(f *testing.F) {
	for _, s := range []string{"8080,9148,59870-59999\n", "0x10-020,,", "1-2-3", "\n\n7\n", "65535-65536"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseReserved(s)
		if err != nil {
			return
		}
		for i, r := range got {
			if r.First == 0 || r.Last < r.First || i > 0 && int(r.First) <= int(got[i-1].Last)+1 {
				t.Errorf("%q: %v", s, got)
			}
		}
		if back, err := ParseReserved(FormatRanges(got)); err != nil || !reflect.DeepEqual(back, got) {
			t.Errorf("%q: %v comes back as %v, %v", s, got, back, err)
		}
	})
}
