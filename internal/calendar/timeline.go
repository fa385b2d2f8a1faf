package calendar

import (
	"cmp"
	"slices"
	"sort"
)

// A timeline is a zone under one pair of rules for gaps and overlaps. It cuts time into pieces, and says of each from which wall
// times the instants in it come:
//
//	            ╱        plain     wall = instant + offset: the wall times that exist there and that Fold chooses
//	   shift  ╱╱         shift     wall times of a gap, by the offset before it (GapShift)
//	gap ├┄┄┄┄╱╱          first     all wall times of a gap come at one instant (GapNextValid)
//	wall    ╱            taken     wall times that are no occurrences, because of Gap or Fold
//	  ╲   ╱ │
//	    ╲╱  └ instants ──▶
//
// A wall time has as many instants as there are segments in which it is shown: none in a gap, two or more in an overlap. That is
// looked at over all segments near it and not in pairs, so that it holds where transitions follow each other closely.
type timeline struct {
	zone   *zone
	pieces []piece // by start
	taken  []piece
}

type pieceKind uint8

const (
	piecePlain pieceKind = iota
	pieceShift
	pieceFirst
)

// piece is the instants from start to before end, which show the wall times from lo to before hi. Only in a piece of pieceFirst
// these are more than there are instants. Reach is the greatest end of this piece and all before it.
type piece struct {
	start, end int64
	lo, hi     int64
	reach      int64
	kind       pieceKind
	reason     Reason // of taken ones
}

type stretch struct{ lo, hi int64 }

// without returns what is left of some stretches when another is taken out.
func without(from []stretch, out stretch) []stretch {
	var rest []stretch
	for _, s := range from {
		if out.hi <= s.lo || out.lo >= s.hi {
			rest = append(rest, s)
			continue
		}
		if s.lo < out.lo {
			rest = append(rest, stretch{s.lo, out.lo})
		}
		if out.hi < s.hi {
			rest = append(rest, stretch{out.hi, s.hi})
		}
	}
	return rest
}

func newTimeline(z *zone, gap Gap, fold Fold) *timeline {
	t := &timeline{zone: z}
	for i := range z.segments {
		t.addSegment(i, fold)
		if i > 0 && z.segments[i].offset > z.segments[i-1].offset {
			t.addGap(i, gap)
		}
	}
	byStart := func(a, b piece) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.kind, b.kind)) }
	slices.SortStableFunc(t.pieces, byStart)
	slices.SortStableFunc(t.taken, byStart)
	for _, list := range [][]piece{t.pieces, t.taken} {
		for i := range list {
			list[i].reach = list[i].end
			if i > 0 {
				list[i].reach = max(list[i].end, list[i-1].reach)
			}
		}
	}
	t.pieces, t.taken = slices.Clip(t.pieces), slices.Clip(t.taken)
	return t
}

// walls returns the wall times that a segment shows.
func (z *zone) walls(i int) stretch {
	s := z.segments[i]
	return stretch{s.start + s.offset, z.end(i) + s.offset}
}

func (t *timeline) addSegment(i int, fold Fold) {
	z, whole := t.zone, t.zone.walls(i)
	offset := z.segments[i].offset
	kept := []stretch{whole}
	if fold == FoldFirst {
		for j := i - 1; j >= 0 && z.end(j) > z.segments[i].start-near; j-- {
			kept = without(kept, z.walls(j))
		}
	}
	if fold == FoldLast {
		for j := i + 1; j < len(z.segments) && z.segments[j].start < z.end(i)+near; j++ {
			kept = without(kept, z.walls(j))
		}
	}
	lost := []stretch{whole}
	for _, s := range kept {
		t.pieces = append(t.pieces, piece{start: s.lo - offset, end: s.hi - offset, lo: s.lo, hi: s.hi})
		lost = without(lost, s)
	}
	for _, s := range lost {
		t.taken = append(t.taken, piece{start: s.lo - offset, end: s.hi - offset, lo: s.lo, hi: s.hi, reason: ReasonOverlap})
	}
}

// addGap adds the wall times that are jumped over where segment i begins, and that no segment shows.
func (t *timeline) addGap(i int, gap Gap) {
	z, at := t.zone, t.zone.segments[i].start
	before := z.segments[i-1].offset
	missing := []stretch{{at + before, at + z.segments[i].offset}}
	first := i
	for first > 0 && z.segments[first].start > at-near {
		first--
	}
	for j := first; j < len(z.segments) && z.segments[j].start < at+near; j++ {
		missing = without(missing, z.walls(j))
		if j > 0 && j < i && z.segments[j].offset > z.segments[j-1].offset { // an earlier gap has them
			missing = without(missing, stretch{z.segments[j].start + z.segments[j-1].offset, z.segments[j].start + z.segments[j].offset})
		}
	}
	for _, s := range missing {
		switch gap {
		case GapShift:
			t.pieces = append(t.pieces, piece{start: s.lo - before, end: s.hi - before, lo: s.lo, hi: s.hi, kind: pieceShift})
		case GapSkip:
			t.taken = append(t.taken, piece{start: at, end: at + 1, lo: s.lo, hi: s.hi, kind: pieceFirst, reason: ReasonGap})
		case GapNextValid:
			t.pieces = append(t.pieces, piece{start: at, end: at + 1, lo: s.lo, hi: s.hi, kind: pieceFirst})
		}
	}
}

// from returns the first piece that can have an instant at or after n.
func from(pieces []piece, n int64) int {
	return sort.Search(len(pieces), func(i int) bool { return pieces[i].reach > n })
}
