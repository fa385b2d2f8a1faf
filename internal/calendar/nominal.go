package calendar

// walls is a set of wall times.
type walls interface {
	// next returns the first with lo <= wall < hi.
	next(lo, hi int64) (int64, bool)
	// count returns how many there are with lo <= wall < hi.
	count(lo, hi int64) int64
}

// nominals is a set of instants.
type nominals interface {
	// next returns the first with lo <= instant < hi.
	next(lo, hi int64) (int64, bool)
	// count returns how many there are with lo <= instant < hi.
	count(lo, hi int64) int64
	// moved says why a member is not at a wall time that the rule means.
	moved(n int64) Reason
}

// zoned is a set of wall times, made instants by a timeline.
type zoned struct {
	walls    walls
	timeline *timeline
}

func (z zoned) next(lo, hi int64) (int64, bool) {
	pieces, found := z.timeline.pieces, false
	for i := from(pieces, lo); i < len(pieces) && pieces[i].start < hi; i++ {
		p := &pieces[i]
		if p.kind == pieceFirst {
			if _, ok := z.walls.next(p.lo, p.hi); ok && p.start >= lo {
				hi, found = p.start, true
			}
			continue
		}
		offset := p.lo - p.start
		if w, ok := z.walls.next(max(p.start, lo)+offset, min(p.end, hi)+offset); ok {
			hi, found = w-offset, true // what comes before it is looked for in the pieces that begin before it
		}
	}
	return hi, found
}

func (z zoned) count(lo, hi int64) int64 {
	var sum int64
	pieces := z.timeline.pieces
	for i := from(pieces, lo); i < len(pieces) && pieces[i].start < hi; i++ {
		p := &pieces[i]
		a, b := max(p.start, lo), min(p.end, hi)
		offset := p.lo - p.start
		switch {
		case a >= b:
		case p.kind == piecePlain:
			sum += z.walls.count(a+offset, b+offset)
		case p.kind == pieceFirst:
			if _, ok := z.walls.next(p.lo, p.hi); ok && !z.before(i, p.start) {
				sum++
			}
		case p.kind == pieceShift:
			for {
				w, ok := z.walls.next(a+offset, b+offset)
				if !ok {
					break
				}
				if a = w - offset; !z.before(i, a) {
					sum++
				}
				a++
			}
		}
	}
	return sum
}

// before reports whether an instant of piece i is already one by a plain piece, or by one that stands before i.
func (z zoned) before(i int, n int64) bool {
	pieces := z.timeline.pieces
	for j := from(pieces, n); j < len(pieces) && pieces[j].start <= n; j++ {
		if p := &pieces[j]; (j < i || p.kind == piecePlain) && j != i && n < p.end && z.has(p, n) {
			return true
		}
	}
	return false
}

// has reports whether piece p has the rule's instant n.
func (z zoned) has(p *piece, n int64) bool {
	lo, hi := n+p.lo-p.start, n+p.lo-p.start+1
	if p.kind == pieceFirst {
		lo, hi = p.lo, p.hi
	}
	_, ok := z.walls.next(lo, hi)
	return ok
}

func (z zoned) moved(n int64) Reason {
	pieces := z.timeline.pieces
	for j := from(pieces, n); j < len(pieces) && pieces[j].start <= n; j++ {
		if p := &pieces[j]; p.kind == piecePlain && n < p.end && z.has(p, n) {
			return ""
		}
	}
	return ReasonGap
}

// grid is elapsed time: origin, and every step after it.
type grid struct{ origin, step int64 }

func (g grid) next(lo, hi int64) (int64, bool) {
	n := g.origin
	if lo > n {
		n += -floorDiv(g.origin-lo, g.step) * g.step
	}
	return n, n < hi
}

func (g grid) count(lo, hi int64) int64 {
	first, ok := g.next(lo, hi)
	if !ok {
		return 0
	}
	return (hi-1-first)/g.step + 1
}

func (g grid) moved(int64) Reason { return "" }

// list is a set of wall times that stand one by one, in order.
type list []int64

func (l list) from(w int64) int {
	lo, hi := 0, len(l)
	for lo < hi {
		if mid := (lo + hi) / 2; l[mid] < w {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (l list) next(lo, hi int64) (int64, bool) {
	if i := l.from(lo); i < len(l) && l[i] < hi {
		return l[i], true
	}
	return 0, false
}

func (l list) count(lo, hi int64) int64 { return int64(max(0, l.from(hi)-l.from(lo))) }
