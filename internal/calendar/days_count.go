package calendar

import (
	"math/bits"
	"sort"
	"time"
)

// Period is a part of the year in which working days are counted.
type Period string

// The periods.
const (
	Month   Period = "month"
	Quarter Period = "quarter"
	Year    Period = "year"
)

// Bounds returns the first day of the period in which d is, and the first day after it.
func (p Period) Bounds(d Day) (first, after Day) {
	year, month, _ := d.Date()
	switch p {
	case Year:
		return DayOf(year, time.January, 1), DayOf(year+1, time.January, 1)
	case Quarter:
		month -= (month - 1) % 3
		return DayOf(year, month, 1), DayOf(year, month+3, 1)
	case Month:
	}
	return DayOf(year, month, 1), DayOf(year, month+1, 1)
}

// farthest is how many days Next and Previous look without a limit: 40 years.
const farthest = 40 * 366

// Count returns how many working days there are with first <= d < after.
func (s *Days) Count(first, after Day) int {
	if after <= first {
		return 0
	}
	if s.bits == nil && len(s.parts) == 0 {
		return int(after - first)
	}
	count := 0
	for ; first < after && first < firstDay; first++ {
		count += one(s.Working(first))
	}
	if end := min(after, afterDay); first < end {
		count += s.rank(end) - s.rank(first)
		first = end
	}
	for ; first < after; first++ {
		count += one(s.Working(first))
	}
	return count
}

// Nth returns the n-th working day with first <= d < after: from 1 on from the start, from -1 on from the end. There is no
// day 0. false: there are not so many.
func (s *Days) Nth(n int, first, after Day) (Day, bool) {
	if n < 0 {
		n += s.Count(first, after) + 1
	}
	if n <= 0 {
		return 0, false
	}
	d := first
	for ; d < after; d++ {
		if d >= firstDay && d < afterDay && s.bits != nil {
			found, ok := s.choose(s.rank(d) + n)
			if ok {
				return found, found < after
			}
			n -= s.rank(afterDay) - s.rank(d)
			d = afterDay - 1
			continue
		}
		if s.Working(d) {
			if n--; n == 0 {
				return d, true
			}
		}
	}
	return 0, false
}

// NthOf returns the n-th working day of the period in which d is: from 1 on from its start, from -1 on from its end.
func (s *Days) NthOf(p Period, d Day, n int) (Day, bool) {
	first, after := p.Bounds(d)
	return s.Nth(n, first, after)
}

// Position says the how-manieth working day of its period d is, from the start (from 1 on) and from the end (from -1 down).
// Both are 0 where d is no working day.
func (s *Days) Position(p Period, d Day) (fromStart, fromEnd int) {
	if !s.Working(d) {
		return 0, 0
	}
	first, after := p.Bounds(d)
	return s.Count(first, d+1), -s.Count(d, after)
}

// Next returns the n-th working day after d, n from 1 on, that is at most within days later (0: 40 years).
func (s *Days) Next(d Day, n, within int) (Day, bool) {
	if n < 1 {
		return 0, false
	}
	return s.Nth(n, d+1, d+1+reach(within))
}

// Previous returns the n-th working day before d, n from 1 on, that is at most within days earlier (0: 40 years).
func (s *Days) Previous(d Day, n, within int) (Day, bool) {
	if n < 1 {
		return 0, false
	}
	return s.Nth(-n, d-reach(within), d)
}

func reach(within int) Day {
	if within <= 0 || within > farthest {
		return farthest
	}
	return Day(within)
}

// rank returns how many working days there are from firstDay until before d, which is in the days that were made once.
func (s *Days) rank(d Day) int {
	if d == afterDay {
		return int(s.ranks[words-1]) + bits.OnesCount64(s.bits[words-1])
	}
	return int(s.ranks[d>>6]) + bits.OnesCount64(s.bits[d>>6]&(1<<(d&63)-1))
}

// choose returns the n-th working day from firstDay on, n from 1 on.
func (s *Days) choose(n int) (Day, bool) {
	if n > s.rank(afterDay) {
		return 0, false
	}
	w := sort.Search(words, func(i int) bool { return int(s.ranks[i]) >= n }) - 1
	word := s.bits[w]
	for range n - int(s.ranks[w]) - 1 {
		word &= word - 1
	}
	return Day(w*64 + bits.TrailingZeros64(word)), true
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
