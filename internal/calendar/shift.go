package calendar

import (
	"fmt"
	"strconv"
	"strings"
)

// shift is what happens to an occurrence on a free day.
type shift struct {
	kind   shiftKind
	n      int // working days
	within int // calendar days
}

type shiftKind uint8

const (
	shiftSkip shiftKind = iota
	shiftRun
	shiftBefore
	shiftAfter
)

// farShift is how far a shift looks where it does not say within how many days.
const farShift = 366

// moves reports whether occurrences come to other days.
func (s shift) moves() bool { return s.kind == shiftBefore || s.kind == shiftAfter }

func parseShift(text string) (shift, error) {
	words := strings.Fields(text)
	s := shift{n: 1, within: farShift}
	if len(words) == 0 {
		return s, notShift(text, 0)
	}
	switch words[0] {
	case "skip", "run":
		if len(words) > 1 {
			return s, notShift(text, 0)
		}
		if words[0] == "run" {
			s.kind = shiftRun
		}
		return s, nil
	case "before":
		s.kind = shiftBefore
	case "after":
		s.kind = shiftAfter
	default:
		return s, notShift(text, 0)
	}
	words = words[1:]
	if len(words) > 0 && words[0] != "within" {
		n, err := strconv.Atoi(words[0])
		if err != nil || n < 1 || n > farShift {
			return s, notShift(text, n)
		}
		s.n, words = n, words[1:]
	}
	if len(words) == 0 {
		return s, nil
	}
	if len(words) != 2 {
		return s, notShift(text, 0)
	}
	n, err := strconv.Atoi(words[1])
	if err != nil || n < 1 || n > farShift {
		return s, notShift(text, n)
	}
	if s.within = n; n < s.n {
		return s, fmt.Errorf("%q leaves nothing: %d working days do not fit within %d days", text, s.n, n)
	}
	return s, nil
}

// notShift says what a shift is; days is a number of days that it asked for.
func notShift(text string, days int) error {
	if days > farShift {
		return fmt.Errorf("%q looks too far: a shift is of at most %d working days, and within at most %d days", text, farShift, farShift)
	}
	return fmt.Errorf("%q is not a shift: write skip, run, before or after; before 2 for the second working day before, before 2 within 5 for at most five days earlier", text)
}

// target returns the day to which a free day's occurrences come.
func (r *Rule) target(d int64) (int64, bool) {
	var to Day
	var ok bool
	if r.shift.kind == shiftBefore {
		to, ok = r.days.Previous(Day(d), r.shift.n, r.shift.within)
	} else {
		to, ok = r.days.Next(Day(d), r.shift.n, r.shift.within)
	}
	return int64(to), ok
}

// sources returns the days whose occurrences come to a working day, in order, itself among them.
func (r *Rule) sources(to int64) []int64 {
	step := int64(1)
	if r.shift.kind == shiftAfter {
		step = -1
	}
	list := []int64{to}
	for d, working := to+step, 1; (d-to)*step <= int64(r.shift.within); d += step {
		switch {
		case r.days.Working(Day(d)):
			if working++; working > r.shift.n {
				d = to + step*farShift // what is beyond comes to another day
			}
		case working == r.shift.n:
			list = append(list, d)
		}
	}
	if step < 0 {
		for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
			list[i], list[j] = list[j], list[i]
		}
	}
	return list
}

// lowest returns a day before which no occurrence is that comes to day d or a later one.
func (r *Rule) lowest(d int64) int64 {
	if r.shift.kind != shiftAfter {
		return d
	}
	if p, ok := r.days.Previous(Day(d), r.shift.n, r.shift.within); ok {
		return int64(p)
	}
	return d - int64(r.shift.within)
}

// earliestOf returns a day before which nothing is due that is nominal on day d or later.
func (r *Rule) earliestOf(d int64) int64 {
	if r.shift.kind != shiftBefore {
		return d
	}
	if p, ok := r.days.Previous(Day(d+1), r.shift.n, r.shift.within+1); ok {
		return min(d, int64(p))
	}
	return d - int64(r.shift.within)
}

// shifted returns when an occurrence of one day is due on another: at the same wall time, for which the fields for gaps and
// overlaps hold as for every other; but it is due in any case, so that in a gap GapSkip is GapNextValid.
func (r *Rule) shifted(n, days int64) int64 {
	return r.timeline.resolve(r.zone.wall(n) + days*daySeconds)
}

// resolve returns the first instant of a wall time by the rules of a timeline.
func (t *timeline) resolve(w int64) int64 {
	found, ok := int64(0), false
	for i := from(t.pieces, w-near/2); i < len(t.pieces) && t.pieces[i].start < w+near/2; i++ {
		p := &t.pieces[i]
		if w < p.lo || w >= p.hi {
			continue
		}
		switch p.kind {
		case piecePlain:
			return w - p.lo + p.start
		case pieceShift:
			found, ok = w-p.lo+p.start, true
		case pieceFirst:
			found, ok = p.start, true
		}
	}
	if ok {
		return found
	}
	return t.zone.resolve(w)
}
