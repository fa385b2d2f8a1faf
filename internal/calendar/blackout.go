package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// blackout is a stretch of wall times in which nothing is due: once, in every year, or on every day.
type blackout struct {
	form     blackoutForm
	lo, hi   int64 // once: wall times; daily: seconds of the day
	from, to monthTime
}

type blackoutForm uint8

const (
	blackOnce blackoutForm = iota
	blackYearly
	blackDaily
)

// monthTime is a time of every year. 02-29 is 03-01 in other years.
type monthTime struct{ month, dom, second int }

func (m monthTime) in(year int) int64 {
	dom := m.dom
	if m.month == 2 && dom == 29 && daysIn(year, 2) == 28 {
		return civilDay(year, 3, 1)*daySeconds + int64(m.second)
	}
	return civilDay(year, m.month, dom)*daySeconds + int64(m.second)
}

// blackEdge is one end of a blackout as it is written.
type blackEdge struct {
	form blackoutForm
	n    int64
	in   monthTime
}

func parseBlackEdge(text string) (blackEdge, error) {
	for _, form := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			return blackEdge{form: blackDaily, n: int64(t.Hour()*3600 + t.Minute()*60 + t.Second())}, nil
		}
	}
	for _, form := range []string{"01-02", "01-02T15:04", "01-02T15:04:05"} {
		if t, err := time.Parse("2006-"+form, "2024-"+text); err == nil {
			return blackEdge{form: blackYearly, in: monthTime{int(t.Month()), t.Day(), t.Hour()*3600 + t.Minute()*60 + t.Second()}}, nil
		}
	}
	w, err := parseWall(text)
	if err != nil {
		return blackEdge{}, fmt.Errorf("%q is not a time of a blackout: write 2026-12-24T18:00 (once), 12-24T18:00 (every year) or 22:00 (every day)", text)
	}
	return blackEdge{form: blackOnce, n: w}, nil
}

func parseBlackout(b Blackout) (blackout, string, error) {
	a, err := parseBlackEdge(b.From)
	if err != nil {
		return blackout{}, "from", err
	}
	z, err := parseBlackEdge(b.Until)
	if err != nil {
		return blackout{}, "until", err
	}
	switch {
	case a.form != z.form:
		return blackout{}, "until", fmt.Errorf("%s and %s are not of one form: both are once, both every year or both every day", b.From, b.Until)
	case a.form == blackOnce && z.n <= a.n:
		return blackout{}, "until", fmt.Errorf("%s is not after %s", b.Until, b.From)
	case a.form == blackYearly && a.in == z.in, a.form == blackDaily && a.n == z.n:
		return blackout{}, "until", fmt.Errorf("from %s until %s would be always", b.From, b.Until)
	}
	return blackout{form: a.form, lo: a.n, hi: z.n, from: a.in, to: z.in}, "", nil
}

// has reports whether a wall time is in the blackout.
func (b *blackout) has(w int64) bool {
	switch b.form {
	case blackOnce:
		return w >= b.lo && w < b.hi
	case blackDaily:
		t := w - floorDiv(w, daySeconds)*daySeconds
		if b.lo < b.hi {
			return t >= b.lo && t < b.hi
		}
		return t >= b.lo || t < b.hi
	case blackYearly:
		year, _, _ := civil(floorDiv(w, daySeconds))
		for y := year - 1; y <= year; y++ {
			if s := b.year(y); w >= s.lo && w < s.hi {
				return true
			}
		}
	}
	return false
}

// year returns the blackout that begins in a year.
func (b *blackout) year(y int) stretch {
	s := stretch{b.from.in(y), b.to.in(y)}
	if s.hi <= s.lo {
		s.hi = b.to.in(y + 1)
	}
	return s
}

// each calls yield for every stretch of wall times of the blackout that touches one.
func (b *blackout) each(in stretch, yield func(stretch)) {
	switch b.form {
	case blackOnce:
		yield(stretch{b.lo, b.hi})
	case blackYearly:
		first, _, _ := civil(floorDiv(in.lo, daySeconds))
		last, _, _ := civil(floorDiv(in.hi, daySeconds))
		for y := first - 1; y <= last; y++ {
			yield(b.year(y))
		}
	case blackDaily:
		for d := floorDiv(in.lo, daySeconds) - 1; d*daySeconds < in.hi; d++ {
			s := stretch{d*daySeconds + b.lo, d*daySeconds + b.hi}
			if b.hi <= b.lo {
				s.hi += daySeconds
			}
			yield(s)
		}
	}
}

// black returns the stretches of instants between two that are in a blackout, in order and apart.
func (r *Rule) black(lo, hi int64) []stretch {
	var found []stretch
	for i := r.zone.index(lo); i < len(r.zone.segments) && r.zone.segments[i].start < hi; i++ {
		s := r.zone.segments[i]
		in := stretch{max(lo, s.start) + s.offset, min(hi, r.zone.end(i)) + s.offset}
		for j := range r.blackouts {
			r.blackouts[j].each(in, func(b stretch) {
				if b.lo, b.hi = max(b.lo, in.lo), min(b.hi, in.hi); b.lo < b.hi {
					found = append(found, stretch{b.lo - s.offset, b.hi - s.offset})
				}
			})
		}
	}
	slices.SortFunc(found, func(a, b stretch) int { return cmp.Compare(a.lo, b.lo) })
	apart := found[:0]
	for _, s := range found {
		if n := len(apart); n > 0 && s.lo <= apart[n-1].hi {
			apart[n-1].hi = max(apart[n-1].hi, s.hi)
			continue
		}
		apart = append(apart, s)
	}
	return apart
}

// blackAt reports whether an instant is in a blackout.
func (r *Rule) blackAt(n int64) bool {
	if len(r.blackouts) == 0 {
		return false
	}
	w := r.zone.wall(n)
	for i := range r.blackouts {
		if r.blackouts[i].has(w) {
			return true
		}
	}
	return false
}
