package calendar

import (
	"fmt"
	"strconv"
	"strings"
)

// nthDay is the n-th working day of each period; below zero from its end.
type nthDay struct {
	n      int
	period Period
}

func parseNthDay(text string) (nthDay, error) {
	number, period, ok := strings.Cut(text, " of ")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	d := nthDay{n: n, period: Period(strings.TrimSpace(period))}
	most := map[Period]int{Month: 31, Quarter: 92, Year: 366}[d.period]
	if !ok || err != nil || n == 0 || most == 0 {
		return d, fmt.Errorf("%q is not a working day: write 1 of month, -1 of quarter (the last), 10 of year", text)
	}
	if n > most || n < -most {
		return d, fmt.Errorf("%q is never: a %s has at most %d days", text, d.period, most)
	}
	return d, nil
}

// onDays is what is left of nominal instants on some working days of each period.
type onDays struct {
	all  nominals
	days []nthDay
	rule *Rule // whose business days they are
}

func (o onDays) has(d int64) bool {
	for _, want := range o.days {
		fromStart, fromEnd := o.rule.days.Position(want.period, Day(d))
		if fromStart != 0 && (want.n == fromStart || want.n == fromEnd) {
			return true
		}
	}
	return false
}

// after returns the first of the days after d, up to last.
func (o onDays) after(d, last int64) (int64, bool) {
	best, found := last+1, false
	for _, want := range o.days {
		for in := Day(d); int64(in) <= last; {
			first, after := want.period.Bounds(in)
			if int64(first) >= best {
				break
			}
			if to, ok := o.rule.days.Nth(want.n, first, after); ok && int64(to) > d {
				if int64(to) < best {
					best, found = int64(to), true
				}
				break
			}
			in = after
		}
	}
	return best, found
}

func (o onDays) next(lo, hi int64) (int64, bool) {
	if lo >= hi {
		return 0, false
	}
	last := o.rule.day(hi - 1)
	for {
		n, ok := o.all.next(lo, hi)
		if !ok {
			return 0, false
		}
		d := o.rule.day(n)
		if o.has(d) {
			return n, true
		}
		if d, ok = o.after(d, last); !ok {
			return 0, false
		}
		lo = o.rule.begin(d)
	}
}

func (o onDays) count(lo, hi int64) int64 {
	if lo >= hi {
		return 0
	}
	var sum int64
	last := o.rule.day(hi - 1)
	for d, ok := o.after(o.rule.day(lo)-1, last); ok; d, ok = o.after(d, last) {
		if a, b := max(lo, o.rule.begin(d)), min(hi, o.rule.begin(d+1)); a < b {
			sum += o.all.count(a, b)
		}
	}
	return sum
}

func (o onDays) moved(n int64) Reason { return o.all.moved(n) }
