package ledger

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// slow is the obvious twin of numbers.
type slow map[int]bool

func (s slow) sorted() []int {
	var all []int
	for p := range s {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

func drawRanges(t *rapid.T) []ports.Range {
	edges := rapid.OneOf(rapid.IntRange(1, 65535), rapid.SampledFrom([]int{1, 2, 63, 64, 65, 127, 128, 1023, 1024, 65471, 65472, 65534, 65535}))
	all := make([]ports.Range, rapid.IntRange(1, 4).Draw(t, "ranges"))
	for i := range all {
		a, b := edges.Draw(t, "a"), edges.Draw(t, "b")
		all[i] = ports.Range{First: ports.Port(min(a, b)), Last: ports.Port(max(a, b))}
	}
	return all
}

// F58, F59, F60, F63: the numbers that a pool can give are just those of its ranges, both ends included, with the
// parity and the pair that it asks for; 0 and 65536 do not exist.
func TestPoolNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parity := rapid.SampledFrom([]ports.Parity{"", ports.Even, ports.Odd})
		p := ports.ResolvedPool{Ranges: drawRanges(t), Parity: parity.Draw(t, "parity")}
		pair := rapid.Bool().Draw(t, "pair")
		if pair {
			p.Pair = ports.Pair{ID: "x", Delta: rapid.SampledFrom([]int{1, -1, 2, 64, -64, 100, -1000, 65534}).Draw(t, "delta"), Parity: parity.Draw(t, "pair parity")}
		}
		fits := func(n int, want ports.Parity) bool {
			return n >= 1 && n <= 65535 && (want == "" || (n%2 == 0) == (want == ports.Even))
		}
		want := slow{}
		for _, r := range p.Ranges {
			for n := int(r.First); n <= int(r.Last); n++ {
				if fits(n, p.Parity) && (!pair || fits(n+p.Pair.Delta, p.Pair.Parity)) {
					want[n] = true
				}
			}
		}
		got := of(p, pair)
		sorted := want.sorted()
		if got.count() != len(sorted) {
			t.Fatalf("%d numbers, want %d", got.count(), len(sorted))
		}
		for n := range 1 << 16 {
			if got.has(ports.Port(n)) != want[n] {
				t.Fatalf("%d: %v, want %v", n, got.has(ports.Port(n)), want[n])
			}
		}
		if len(sorted) == 0 {
			if got.lowest() != 0 || got.highest() != 0 || got.nth(0) != 0 || got.oldest(nil, false) != 0 {
				t.Fatal("an empty set has a number")
			}
			return
		}
		if int(got.lowest()) != sorted[0] || int(got.highest()) != sorted[len(sorted)-1] {
			t.Fatalf("%d to %d, want %d to %d", got.lowest(), got.highest(), sorted[0], sorted[len(sorted)-1])
		}
		k := rapid.IntRange(0, len(sorted)-1).Draw(t, "k")
		if int(got.nth(k)) != sorted[k] || got.nth(len(sorted)) != 0 {
			t.Fatalf("number %d is %d, want %d", k, got.nth(k), sorted[k])
		}
	})
}

// The oldest number is that of a slow look at all of them.
func TestOldest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var n numbers
		var used uses
		all := rapid.SliceOfN(rapid.IntRange(1, 65535), 1, 40).Draw(t, "numbers")
		for _, p := range all {
			n.add(ports.Port(p))
			used[p] = rapid.Int64Range(0, 5).Draw(t, "used")
		}
		down := rapid.Bool().Draw(t, "down")
		slices.Sort(all)
		if down {
			slices.Reverse(all)
		}
		want := all[0]
		for _, p := range all {
			if used[p] < used[want] {
				want = p
			}
		}
		if got := int(n.oldest(&used, down)); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}

// F60: the random pick reaches every number of a range, the last one too, and none more often than the others: the
// chi-squared sum of a million picks stays below what it exceeds once in a billion runs.
func TestRandomReachesAll(t *testing.T) {
	t.Parallel()
	const picks, size = 1_000_000, 101
	p := ports.ResolvedPool{Ranges: []ports.Range{{First: 20000, Last: 20000 + size - 1}}, Pick: ports.Random}
	l := &Ledger{opts: Options{Random: rand.New(rand.NewPCG(1, 2)).IntN}}
	free := of(p, false)
	r := wish{Request: Request{Pool: p}, shape: &shape{}}
	var seen [size]int
	for range picks {
		seen[l.pick(nil, &r, place{}, &free)-20000]++
	}
	expected, sum := float64(picks)/size, 0.0
	for i, n := range seen {
		if n == 0 {
			t.Errorf("%d was never drawn", 20000+i)
		}
		sum += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	if limit := size - 1 + 6*math.Sqrt(2*(size-1)); sum > limit {
		t.Errorf("chi-squared %.1f, at most %.1f", sum, limit)
	}
}

// The refusal of a pool prints intervals, however many numbers they have (F48).
func TestWritten(t *testing.T) {
	t.Parallel()
	p := ports.ResolvedPool{Ranges: []ports.Range{{First: 4000, Last: 4999}, {First: 7199, Last: 7199}}, Parity: ports.Even}
	if got, want := written(p), "4000-4999, 7199 even"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Ranges = slices.Repeat(p.Ranges, 500)
	if got := written(p); len(got) > 150 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
