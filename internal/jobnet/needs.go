package jobnet

import (
	"fmt"
	"math/bits"
	"slices"
)

// bitset is a set of positions.
type bitset []uint64

func newBitset(n int) bitset      { return make(bitset, (n+63)/64) }
func (b bitset) add(i int)        { b[i/64] |= 1 << (i % 64) }
func (b bitset) has(i int) bool   { return b != nil && b[i/64]&(1<<(i%64)) != 0 }
func (b bitset) union(o bitset)   { each(b, o, func(x, y uint64) uint64 { return x | y }) }
func (b bitset) meet(o bitset)    { each(b, o, func(x, y uint64) uint64 { return x & y }) }
func (b bitset) in(o bitset) bool { return b.first(o, func(x, y uint64) uint64 { return x &^ y }) < 0 }

// both returns a position that is in b and o, -1 if there is none.
func (b bitset) both(o bitset) int {
	return b.first(o, func(x, y uint64) uint64 { return x & y })
}

func (b bitset) first(o bitset, join func(x, y uint64) uint64) int {
	for w := range b {
		if x := join(b[w], o[w]); x != 0 {
			return w*64 + bits.TrailingZeros64(x)
		}
	}
	return -1
}

func each(b, o bitset, join func(x, y uint64) uint64) {
	for w := range b {
		b[w] = join(b[w], o[w])
	}
}

// demands says which ends of other jobs must have come before each job can start.
type demands struct {
	good, fail []bitset // for each job: those that must have ended well, and those that must have failed
	never      []int    // jobs that no ends can release, ascending; jobs that only wait for those are left out
	why        map[int]string
}

// needs follows the conditions back from each job. It says "never" only where the ends that a job needs exclude
// each other; a job that it lets pass may still be one that a cleverer proof would refuse.
//
//	success   needs every predecessor to end well, and whatever each of them needs
//	failure   needs one predecessor to fail: what all the possible ones need in common
//	always    needs nothing: a job that was skipped has ended too
func needs(n *Net, before [][]int) demands {
	count := len(n.Jobs)
	d := demands{good: make([]bitset, count), fail: make([]bitset, count), why: map[int]string{}}
	plain := true // nothing can exclude anything where no job waits for a failure
	for i := range n.Jobs {
		plain = plain && n.Jobs[i].When != WhenFailure
	}
	if plain {
		return d
	}
	order, _ := topological(before)
	var failing []int // jobs with when: failure, in order
	preds := make(map[int]bitset)
	impossible := make([]bool, count)
	for _, i := range order {
		d.good[i], d.fail[i] = newBitset(count), newBitset(count)
		switch n.Jobs[i].When {
		case WhenSuccess:
			for _, p := range before[i] {
				d.good[i].add(p)
				d.good[i].union(d.good[p])
				d.fail[i].union(d.fail[p])
				impossible[i] = impossible[i] || impossible[p]
			}
		case WhenFailure:
			preds[i] = newBitset(count)
			impossible[i] = !d.oneFails(i, before[i], impossible, preds[i]) && len(before[i]) > 0
			failing = append(failing, i)
		case WhenAlways:
		}
		if impossible[i] {
			continue // it only waits for a job that is reported already
		}
		if d.why[i] = d.contradiction(n, i, failing, preds); d.why[i] != "" {
			impossible[i] = true
			d.never = append(d.never, i)
		}
	}
	slices.Sort(d.never)
	return d
}

// oneFails adds what is needed for one of before to fail, and reports whether one can.
func (d *demands) oneFails(i int, before []int, impossible []bool, preds bitset) bool {
	first := true
	for _, p := range before {
		if impossible[p] {
			continue
		}
		preds.add(p)
		failed := slices.Clone(d.fail[p])
		failed.add(p)
		if first {
			d.good[i].union(d.good[p])
			d.fail[i].union(failed)
		} else {
			d.good[i].meet(d.good[p])
			d.fail[i].meet(failed)
		}
		first = false
	}
	return !first
}

// contradiction says in words why what job i needs cannot be; empty if no reason is found.
func (d *demands) contradiction(n *Net, i int, failing []int, preds map[int]bitset) string {
	if p := d.good[i].both(d.fail[i]); p >= 0 {
		return fmt.Sprintf("%s would have to end well, and to fail", n.Jobs[p].Name)
	}
	for _, f := range failing {
		if f != i && !d.good[i].has(f) && !d.fail[i].has(f) {
			continue // it need not have run
		}
		if preds[f].both(preds[f]) >= 0 && preds[f].in(d.good[i]) {
			return fmt.Sprintf("%s would have to run, for which a job that it comes after must fail, and all of those would have to end well", n.Jobs[f].Name)
		}
	}
	return ""
}
