package calendar

import (
	"slices"
	"sort"
	"time"
)

// segment is a stretch of instants with one offset from UTC, from start until before the start of the next.
type segment struct {
	start  int64
	offset int64
}

// zone is a time zone as its segments. Neighbours differ in offset: a transition that only renames the time is none here.
type zone struct {
	loc      *time.Location
	segments []segment
}

// newZone lists the segments of a location until latest; the rules that a TZif file has for the time after its table are in it.
func newZone(loc *time.Location) *zone {
	z := &zone{loc: loc}
	for t := instant(earliest - 2*daySeconds).In(loc); ; {
		_, offset := t.Zone()
		if n := len(z.segments); n == 0 || z.segments[n-1].offset != int64(offset) {
			z.segments = append(z.segments, segment{start: t.Unix(), offset: int64(offset)})
		}
		_, end := t.ZoneBounds()
		if end.IsZero() || end.Unix() >= latest+2*daySeconds {
			z.segments = slices.Clip(z.segments)
			return z
		}
		if !end.After(t) { // by the rules for the time after the table, a year ends after 365 days, also a leap year
			end = t.Add(daySeconds * time.Second)
		}
		t = end
	}
}

// index returns the segment that an instant is in.
func (z *zone) index(n int64) int {
	return max(0, sort.Search(len(z.segments), func(i int) bool { return z.segments[i].start > n })-1)
}

// end returns where segment i ends.
func (z *zone) end(i int) int64 {
	if i+1 < len(z.segments) {
		return z.segments[i+1].start
	}
	return latest + 2*daySeconds
}

func (z *zone) wall(n int64) int64 { return n + z.segments[z.index(n)].offset }

// near is more than two offsets of one zone ever differ by: what is farther apart does not touch.
const near = 60 * 3600

// reach returns the first instant at which a wall clock shows w or later. Unlike the instants of a wall time it always exists,
// and it never runs backwards as w grows: business days begin there.
func (z *zone) reach(w int64) int64 {
	for i := z.index(w - near/2); ; i++ {
		s := z.segments[i]
		if i+1 == len(z.segments) || z.end(i)+s.offset > w {
			return max(s.start, w-s.offset)
		}
	}
}

// resolve returns the instant of one wall time: the first of several, or the first after the gap that it is in.
func (z *zone) resolve(w int64) int64 {
	i := z.index(w - near/2)
	for j := i; j < len(z.segments) && z.segments[j].start < w+near/2; j++ {
		if n := w - z.segments[j].offset; n >= z.segments[j].start && n < z.end(j) {
			return n
		}
	}
	return z.reach(w)
}
