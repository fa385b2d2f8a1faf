package ports

import (
	"fmt"
	"math"
	"slices"
)

// zero reports whether the span has no numbers at all.
func (s Span) zero() bool {
	return len(s.Ranges) == 0 && s.From == 0 && s.Size == 0 && s.Family == ""
}

// ranges resolves a pool: one span for each range, and the second numbers of its pairs after each.
func (c *compiler) ranges(r *row, one span, sp Span, v values) ([]span, *problem) {
	rs, bad := c.rangesOf(r, one, sp, v)
	if bad != nil {
		return nil, bad
	}
	if len(rs) == 0 {
		if r.asleep() && one.status == Works {
			one.status = Inactive
		}
		return []span{one}, nil
	}
	var all []span
	one.family = sp.Family
	for _, rg := range rs {
		if one.parity.count(rg) == 0 {
			return nil, &problem{BadRange, r.At, fmt.Sprintf("%s: the range %s has no %s number", r.what(), rg, one.parity), "give it more numbers"}
		}
		s := one
		s.Range = rg
		all = append(all, s)
	}
	if r.pool.Pair.ID == "" {
		return all, nil
	}
	for _, rg := range rs {
		second := r.pool.Pair.of(rg, one.parity)
		if second == (Range{}) {
			return nil, &problem{BadRange, r.At, fmt.Sprintf("%s: the range %s has no room for a pair of ports %d apart", r.what(), rg, r.pool.Pair.Delta), "give it more numbers"}
		}
		s := one
		s.Range, s.base, s.parity, s.pair = second, rg, r.pool.Pair.second(one.parity), true
		all = append(all, s)
	}
	return all, nil
}

// rangesOf computes the ranges of a span.
func (c *compiler) rangesOf(r *row, one span, sp Span, v values) ([]Range, *problem) {
	switch {
	case sp.Family != "":
		return c.familyRanges(r, sp, v)
	case sp.From != 0:
		size := sp.Size
		if size == 0 {
			if err := r.pool.Capacity.Check(r.pool.Hold.Min); err != nil {
				return nil, &problem{BadRange, r.At, r.what() + " has the size auto, which its capacity does not give: " + err.Error(), "give it capacity, or a size"}
			}
			size = Size(r.pool.Capacity, r.pool.Hold.Min, one.parity, r.pool.pairs()).Width
		}
		first, last := int(sp.From), int(sp.From)+size-1
		if r.pool.Down {
			first, last = int(sp.From)-size+1, int(sp.From)
		}
		if size < 1 || first < 1 || last > math.MaxUint16 {
			return nil, &problem{BadRange, r.At, fmt.Sprintf("%s: %d numbers from %d are outside 1 to %d", r.what(), size, sp.From, math.MaxUint16), "begin at another number, or take fewer"}
		}
		return []Range{{Port(first), Port(last)}}, nil
	}
	for _, rg := range sp.Ranges {
		if rg.First < 1 || rg.First > rg.Last {
			return nil, &problem{BadRange, r.At, fmt.Sprintf("%s: the range %d-%d is reversed or begins with 0", r.what(), rg.First, rg.Last), "write FIRST-LAST, from 1 to 65535"}
		}
	}
	if !c.afford(sp) {
		return nil, &problem{TooLarge, r.At, r.what() + ": there are more ranges than can be computed", "join them"}
	}
	return apart(sp.Ranges), nil
}

// afford pays for comparing the ranges of a span with each other; it is false where there are too many.
func (c *compiler) afford(sp Span) bool {
	const few = 16 // that cost no more than a formula
	n := len(sp.Ranges) / few
	c.steps -= n * n
	return c.steps >= 0
}

// apart returns ranges in their order, each without the numbers of those before it: a number that stands twice counts
// once.
func apart(ranges []Range) []Range {
	var all []Range
	for _, rg := range ranges {
		left := []Range{rg}
		for _, have := range all {
			var rest []Range
			for _, l := range left {
				rest = append(rest, l.without(have)...)
			}
			left = rest
		}
		all = append(all, left...)
	}
	return all
}

// without returns what is left of a range.
func (r Range) without(other Range) []Range {
	if other.Last < r.First || other.First > r.Last {
		return []Range{r}
	}
	var left []Range
	if other.First > r.First {
		left = append(left, Range{r.First, other.First - 1})
	}
	if other.Last < r.Last {
		left = append(left, Range{other.Last + 1, r.Last})
	}
	return left
}

// familyRanges computes the numbers at the offsets, and joins those that follow one another.
func (c *compiler) familyRanges(r *row, sp Span, v values) ([]Range, *problem) {
	lo, hi := sp.Offsets[0], sp.Offsets[1]
	if lo > hi || lo < 0 || hi > math.MaxUint16 {
		return nil, &problem{BadRange, r.At, fmt.Sprintf("%s: the offsets %d-%d are reversed or outside 0 to %d", r.what(), lo, hi, math.MaxUint16), "write FIRST-LAST"}
	}
	if c.steps -= hi - lo; c.steps < 0 {
		return nil, &problem{TooLarge, r.At, r.what() + ": the plan has more offsets and instances than can be computed", "take fewer"}
	}
	w := with(v, 0)
	numbers := make([]Port, 0, hi-lo+1)
	for offset := lo; offset <= hi; offset++ {
		w["offset"] = offset
		n, bad := c.eval(r, c.families[sp.Family].Formula, w)
		if bad != nil {
			return nil, bad
		}
		numbers = append(numbers, n)
	}
	return joined(numbers), nil
}

// joined makes the fewest ranges of numbers.
func joined(numbers []Port) []Range {
	slices.Sort(numbers)
	var all []Range
	for _, n := range numbers {
		if last := len(all) - 1; last >= 0 && n <= all[last].Last+1 && all[last].Last < math.MaxUint16 {
			all[last].Last = max(all[last].Last, n)
			continue
		}
		all = append(all, Range{n, n})
	}
	return all
}

// fits reports whether a number has the parity.
func (p Parity) fits(n Port) bool {
	return p == "" || (p == Even) == (n%2 == 0)
}

// within returns the smallest range with all numbers of rg that have the parity; the zero Range if there are none.
func (p Parity) within(rg Range) Range {
	first, last := int(rg.First), int(rg.Last)
	if !p.fits(rg.First) {
		first++
	}
	if !p.fits(rg.Last) {
		last--
	}
	if first > last {
		return Range{}
	}
	return Range{Port(first), Port(last)}
}

// count is how many numbers of a range have the parity.
func (p Parity) count(rg Range) int {
	rg = p.within(rg)
	switch {
	case rg == Range{}:
		return 0
	case p == "":
		return int(rg.Last) - int(rg.First) + 1
	}
	return (int(rg.Last)-int(rg.First))/2 + 1
}

// of returns the range of the second numbers for first numbers of a parity; the zero Range where none is left.
func (p Pair) of(rg Range, parity Parity) Range {
	rg = parity.within(rg)
	first, last, step := int(rg.First)+p.Delta, int(rg.Last)+p.Delta, 1
	if parity != "" {
		step = 2
	}
	for first < 1 {
		first += step
	}
	for last > math.MaxUint16 {
		last -= step
	}
	if first > last || rg == (Range{}) {
		return Range{}
	}
	return Range{Port(first), Port(last)}
}

// first is the parity of first numbers whose second ones have the pair's.
func (p Pair) first() Parity {
	if p.Parity == "" || p.Delta%2 == 0 {
		return p.Parity
	}
	return p.Parity.other()
}

// second is the parity of second numbers whose first ones have the given.
func (p Pair) second(first Parity) Parity {
	if first == "" || p.Delta%2 == 0 {
		return first
	}
	return first.other()
}

func (p Parity) other() Parity {
	if p == Even {
		return Odd
	}
	return Even
}

// pairs reports whether every lease of the pool takes two numbers of its range.
func (p *Pool) pairs() bool { return p.Pair.ID != "" && !p.Pair.Optional }

// resolved is the pool with the numbers of its active spans.
func (p *Pool) resolved(spans []span) ResolvedPool {
	out := ResolvedPool{
		ID: p.ID, Protocol: slices.Clone(p.Protocols), Down: p.Down, Pair: p.Pair, Pick: p.Pick, Sticky: p.Sticky, Hold: p.Hold,
		Lease: p.Lease, Capacity: p.Capacity, Fallback: p.Fallback, Loopback: p.Scope == SameHost, Status: Inactive,
	}
	out.Hold.Reasons = slices.Clone(p.Hold.Reasons)
	if out.Pick == "" {
		out.Pick = Ascending
	}
	r := row{Service: p.Service}
	out.RunsOn = r.listeners()
	for _, s := range spans {
		if s.pair || s.status == Inactive && out.Status != Inactive {
			continue
		}
		if s.status != Inactive && out.Status == Inactive {
			out.Ranges, out.Size = nil, 0
		}
		out.Status, out.Parity, out.Name = s.status, s.parity, s.name
		if s.Range != (Range{}) {
			out.Ranges = append(out.Ranges, s.Range)
			out.Size += s.parity.count(s.Range)
		}
	}
	return out
}
