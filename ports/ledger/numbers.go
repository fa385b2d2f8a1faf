package ledger

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

const words = 1 << 16 / 64

// numbers is a set of ports, one bit each: a search goes 64 ports a step.
type numbers [words]uint64

func (n *numbers) add(p ports.Port)      { n[p/64] |= 1 << (p % 64) }
func (n *numbers) remove(p ports.Port)   { n[p/64] &^= 1 << (p % 64) }
func (n *numbers) has(p ports.Port) bool { return n[p/64]&(1<<(p%64)) != 0 }

// addRange adds an interval, both ends included.
func (n *numbers) addRange(r ports.Range) {
	for p := int(r.First); p <= int(r.Last); {
		if p%64 == 0 && p+63 <= int(r.Last) {
			n[p/64] = ^uint64(0)
			p += 64
			continue
		}
		n.add(ports.Port(p))
		p++
	}
}

func (n *numbers) union(m *numbers) {
	for i := range n {
		n[i] |= m[i]
	}
}

func (n *numbers) without(m *numbers) {
	for i := range n {
		n[i] &^= m[i]
	}
}

func (n *numbers) intersect(m *numbers) {
	for i := range n {
		n[i] &= m[i]
	}
}

func (n *numbers) count() int {
	c := 0
	for _, w := range n {
		c += bits.OnesCount64(w)
	}
	return c
}

// shifted returns the set moved by delta: {p + delta}. What would leave 1 to 65535 falls out.
func (n *numbers) shifted(delta int) numbers {
	var out numbers
	n.shiftInto(&out, delta)
	return out
}

func (n *numbers) shiftInto(out *numbers, delta int) {
	clear(out[:])
	step, by := delta/64, delta%64
	if by < 0 {
		step, by = step-1, by+64
	}
	for i, w := range n {
		if j := i + step; j >= 0 && j < words {
			out[j] |= w << by
		}
		if j := i + step + 1; by > 0 && j >= 0 && j < words {
			out[j] |= w >> (64 - by)
		}
	}
	out.remove(0)
}

// lowest returns the smallest number, 0 if there is none.
func (n *numbers) lowest() ports.Port {
	for i, w := range n {
		if w != 0 {
			return ports.Port(i*64 + bits.TrailingZeros64(w))
		}
	}
	return 0
}

// highest returns the largest number, 0 if there is none.
func (n *numbers) highest() ports.Port {
	for i := words - 1; i >= 0; i-- {
		if w := n[i]; w != 0 {
			return ports.Port(i*64 + 63 - bits.LeadingZeros64(w))
		}
	}
	return 0
}

// nth returns number k of the set, counted from 0; 0 if there are not so many.
func (n *numbers) nth(k int) ports.Port {
	for i, w := range n {
		c := bits.OnesCount64(w)
		if k >= c {
			k -= c
			continue
		}
		for ; k > 0; k-- {
			w &= w - 1
		}
		return ports.Port(i*64 + bits.TrailingZeros64(w))
	}
	return 0
}

// oldest returns the number whose last use is longest ago, 0 if the set is empty; down prefers the higher of equals.
func (n *numbers) oldest(used *uses, down bool) ports.Port {
	best, at := ports.Port(0), int64(0)
	for i, w := range n {
		for ; w != 0; w &= w - 1 {
			p := ports.Port(i*64 + bits.TrailingZeros64(w))
			when := int64(0)
			if used != nil {
				when = used[p]
			}
			if best == 0 || when < at || when == at && down {
				best, at = p, when
			}
		}
	}
	return best
}

// uses is when each port was last given back, in nanoseconds since 1970; 0: never.
type uses [1 << 16]int64

// parityMask returns the numbers of a parity; all but 0 for none.
func parityMask(p ports.Parity) numbers {
	word := ^uint64(0)
	switch p {
	case ports.Even:
		word = 0x5555555555555555
	case ports.Odd:
		word = 0xaaaaaaaaaaaaaaaa
	}
	var n numbers
	for i := range n {
		n[i] = word
	}
	n.remove(0)
	return n
}

// of returns the numbers that a pool can give, and those that its pairs can have. Where pair is asked for, numbers
// whose second does not exist are left out.
func of(p ports.ResolvedPool, pair bool) numbers {
	var n numbers
	for _, r := range p.Ranges {
		n.addRange(r)
	}
	mask := parityMask(p.Parity)
	n.intersect(&mask)
	if pair {
		second := n.shifted(p.Pair.Delta)
		mask := parityMask(p.Pair.Parity)
		second.intersect(&mask)
		n = second.shifted(-p.Pair.Delta)
	}
	return n
}

// written prints the numbers of a pool as intervals: "4000-4999 even".
func written(p ports.ResolvedPool) string {
	parts := make([]string, 0, len(p.Ranges))
	for i, r := range p.Ranges {
		if i == 8 {
			parts = append(parts, "and "+strconv.Itoa(len(p.Ranges)-i)+" more")
			break
		}
		parts = append(parts, r.String())
	}
	s := strings.Join(parts, ", ")
	if p.Parity != "" {
		s += " " + string(p.Parity)
	}
	return s
}
