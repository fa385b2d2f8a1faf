package calendar

// rrule is a rule of RFC 5545, 3.3.10, as sets of numbers. It is comparable, so that equal rules can share one. It knows no
// zone: its wall times become instants as those of cron do.
//
// Every BYxxx of a rule only limits, once DTSTART has filled in what is left open, so that a day can be asked whether it is one
// of the rule's. Searching is then asking one day after the other, with a bound; a generator could search until the year 9999.
type rrule struct {
	freq     frequency
	interval int64
	start    int64 // DTSTART: nothing before
	until    int64 // nothing after
	wkst     int   // the weekday on which weeks begin

	month              uint16
	monthDay, monthEnd uint32    // BYMONTHDAY, from the start and from the end (bit 1: the last)
	yearDay, yearEnd   [6]uint64 // BYYEARDAY
	week, weekEnd      uint64    // BYWEEKNO
	dow                uint8     // BYDAY without numbers
	nth, nthEnd        [7]uint64 // BYDAY with numbers, by weekday
	pos, posEnd        [6]uint64 // BYSETPOS

	limits limits
	times  cron // its hours, minutes and seconds
}

// limits says which BYxxx a rule has.
type limits struct{ month, monthDay, yearDay, week, dow, pos bool }

type frequency uint8

const (
	yearly frequency = iota
	monthly
	weekly
	daily
	hourly
	minutely
	secondly
)

// unit is the length of a period of a frequency below a day.
func (f frequency) unit() int64 {
	switch f {
	case hourly:
		return 3600
	case minutely:
		return 60
	case yearly, monthly, weekly, daily, secondly:
	}
	return 1
}

func bit(set *[6]uint64, n int) bool { return set[n>>6]&(1<<(n&63)) != 0 }

// on reports whether the rule has the day, whatever its interval.
func (r *rrule) on(day int64) bool {
	year, month, dom := civil(day)
	if r.month&(1<<month) == 0 {
		return false
	}
	if r.limits.monthDay && r.monthDay&(1<<dom) == 0 && r.monthEnd&(1<<(daysIn(year, month)-dom+1)) == 0 {
		return false
	}
	if r.limits.yearDay {
		first, after := civilDay(year, 1, 1), civilDay(year+1, 1, 1)
		if !bit(&r.yearDay, int(day-first)+1) && !bit(&r.yearEnd, int(after-day)) {
			return false
		}
	}
	if r.limits.week {
		n, of := r.weekNumber(day)
		if r.week&(1<<n) == 0 && r.weekEnd&(1<<(of-n+1)) == 0 {
			return false
		}
	}
	return !r.limits.dow || r.onWeekday(day, year, month, dom)
}

// onWeekday answers for BYDAY: 2MO is the second Monday of the month, and of the year where FREQ is YEARLY without BYMONTH.
func (r *rrule) onWeekday(day int64, year, month, dom int) bool {
	d := weekday(day)
	if r.dow&(1<<d) != 0 {
		return true
	}
	if r.nth[d]|r.nthEnd[d] == 0 {
		return false
	}
	before, after := dom-1, daysIn(year, month)-dom
	if r.freq == yearly && !r.limits.month {
		before, after = int(day-civilDay(year, 1, 1)), int(civilDay(year+1, 1, 1)-day)-1
	}
	return r.nth[d]&(1<<(before/7+1)) != 0 || r.nthEnd[d]&(1<<(after/7+1)) != 0
}

const allMonths = 1<<13 - 2

// weekNumber returns the number of the day's week, and how many weeks that year of weeks has. Week 1 is the first with four days
// of the year.
func (r *rrule) weekNumber(day int64) (n, of int) {
	year, _, _ := civil(r.weekStart(day) + 3)
	first := r.weekStart(civilDay(year, 1, 4))
	return int((day-first)/7) + 1, int((r.weekStart(civilDay(year+1, 1, 4)) - first) / 7)
}

func (r *rrule) weekStart(day int64) int64 { return day - int64((weekday(day)-r.wkst+7)%7) }

// period returns the first day of the period that a day is in, if the interval has it, and else of the next that it has; and the
// first day after that period. Below a day, and daily, a period is a day.
func (r *rrule) period(day int64) (first, after int64) {
	start := floorDiv(r.start, daySeconds)
	switch r.freq {
	case yearly:
		y0, _, _ := civil(start)
		y, _, _ := civil(day)
		y = y0 + int(ceilTo(int64(y-y0), r.interval))
		return civilDay(y, 1, 1), civilDay(y+1, 1, 1)
	case monthly:
		y0, m0, _ := civil(start)
		y, m, _ := civil(day)
		n := int64(y0*12+m0-1) + ceilTo(int64((y-y0)*12+m-m0), r.interval)
		return civilDay(int(n/12), int(n%12)+1, 1), civilDay(int((n+1)/12), int((n+1)%12)+1, 1)
	case weekly:
		w0 := r.weekStart(start)
		first = w0 + ceilTo((r.weekStart(day)-w0)/7, r.interval)*7
		return first, first + 7
	case daily:
		first = start + ceilTo(day-start, r.interval)
		return first, first + 1
	case hourly, minutely, secondly:
	}
	return day, day + 1
}

func ceilTo(n, step int64) int64 { return -floorDiv(-n, step) * step }

func (r *rrule) next(lo, hi int64) (int64, bool) {
	lo, hi = max(lo, r.start), min(hi, r.until+1)
	if lo >= hi {
		return 0, false
	}
	if r.limits.pos {
		return r.nextAt(lo, hi)
	}
	for day, last := floorDiv(lo, daySeconds), floorDiv(hi-1, daySeconds); day <= last; {
		first, after := r.period(day)
		for day = max(day, first); day < after && day <= last; day++ {
			if !r.on(day) {
				continue
			}
			if w, ok := r.nextOn(day, lo); ok {
				return w, w < hi
			}
		}
	}
	return 0, false
}

// nextOn returns the rule's first wall time of a day at or after lo.
func (r *rrule) nextOn(day, lo int64) (int64, bool) {
	begin, unit := day*daySeconds, r.freq.unit()
	base := floorDiv(r.start, unit)
	for from := max(lo, begin); from < begin+daySeconds; {
		t, ok := r.times.time(int(from - begin))
		if !ok {
			break
		}
		w := begin + int64(t)
		if r.freq <= daily {
			return w, true
		}
		period := floorDiv(w, unit) - base
		if to := ceilTo(period, r.interval); to != period {
			from = (base + to) * unit
			continue
		}
		return w, true
	}
	return 0, false
}

func (r *rrule) count(lo, hi int64) int64 {
	lo, hi = max(lo, r.start), min(hi, r.until+1)
	if lo >= hi {
		return 0
	}
	var sum int64
	if r.limits.pos || r.freq > daily && r.interval > 1 {
		for {
			w, ok := r.next(lo, hi)
			if !ok {
				return sum
			}
			sum, lo = sum+1, w+1
		}
	}
	whole := r.times.times(daySeconds)
	for day, last := floorDiv(lo, daySeconds), floorDiv(hi-1, daySeconds); day <= last; {
		first, after := r.period(day)
		for day = max(day, first); day < after && day <= last; day++ {
			if !r.on(day) {
				continue
			}
			begin := day * daySeconds
			n := whole
			if hi < begin+daySeconds {
				n = r.times.times(int(hi - begin))
			}
			if lo > begin {
				n -= r.times.times(int(lo - begin))
			}
			sum += n
		}
	}
	return sum
}

// nextAt searches a rule with BYSETPOS: of all wall times of a period only those at some places count.
func (r *rrule) nextAt(lo, hi int64) (int64, bool) {
	times := int(r.times.times(daySeconds))
	var days []int64
	for day, last := floorDiv(lo, daySeconds), floorDiv(hi-1, daySeconds); day <= last; {
		first, after := r.period(day)
		days = days[:0]
		for d := first; d < after; d++ {
			if r.on(d) {
				days = append(days, d)
			}
		}
		best, found := hi, false
		take := func(i int) {
			if w := days[i/times]*daySeconds + r.times.choose(i%times); w >= lo && w < best {
				best, found = w, true
			}
		}
		total := len(days) * times
		for n := 1; n <= min(366, total); n++ {
			if bit(&r.pos, n) {
				take(n - 1)
			}
			if bit(&r.posEnd, n) {
				take(total - n)
			}
		}
		if found {
			return best, true
		}
		day = after
	}
	return 0, false
}

// first lists the first wall times of a rule: COUNT cannot be asked of a day.
func (r *rrule) first(count int64) list {
	var walls list
	for lo := r.start; int64(len(walls)) < count; {
		w, ok := r.next(lo, min(lo+horizon, latest))
		if !ok {
			break
		}
		walls, lo = append(walls, w), w+1
	}
	return walls
}
