package calendar

import "math/bits"

// cron is a cron expression, as sets of numbers. It is comparable, so that equal expressions can share one.
type cron struct {
	second, minute uint64
	hour, dom      uint32 // bit n: hour n, day n of the month
	month          uint16 // bit n: month n, from 1
	dow            uint8  // bit n: weekday n, Sunday 0
	last           uint32 // bit n: n days before the last of the month (L, L-3)
	near           uint32 // bit n: the weekday nearest to day n (15W)
	lastNear       uint32 // bit n: the weekday nearest to n days before the last of the month (LW, L-3W)
	lastDow        uint8  // bit n: the last weekday n of the month (5L)
	nth            [6]uint8
	domStar        bool // the field begins with * or is ?: the day must be in both fields, else in one of them
	dowStar        bool
	everyHour      bool // the hour is * or */n: the line fires at each real instant whose wall time matches
	hashed         bool // with H: it belongs to one schedule
}

func mask(n int) uint64 { return 1<<uint(n) - 1 }

// day reports whether a day is one of the expression's.
func (c *cron) day(year, month, dom, dow int) bool {
	if c.month&(1<<month) == 0 {
		return false
	}
	a := c.dom&(1<<dom) != 0
	if !a && c.last|c.near|c.lastNear != 0 {
		a = c.special(dom, dow, daysIn(year, month))
	}
	b := c.dow&(1<<dow) != 0 || c.nth[(dom+6)/7]&(1<<dow) != 0 ||
		c.lastDow&(1<<dow) != 0 && dom+7 > daysIn(year, month)
	if c.domStar || c.dowStar {
		return a && b
	}
	return a || b
}

// special answers for L, W and both: the nearest weekday of a Saturday is the Friday before, of a Sunday the Monday after, and
// always one of the same month.
func (c *cron) special(dom, dow, days int) bool {
	if c.last&(1<<(days-dom)) != 0 {
		return true
	}
	if dow == 0 || dow == 6 {
		return false
	}
	meant := func(d int) bool { return c.near&(1<<d) != 0 || c.lastNear&(1<<(days-d)) != 0 }
	switch {
	case meant(dom):
		return true
	case dow == 1: // for the Sunday before; for the Saturday before that, where it is the first of the month
		return dom > 1 && meant(dom-1) || dom == 3 && meant(1)
	case dow == 5: // for the Saturday after; for the Sunday after that, where it is the last of the month
		return dom < days && meant(dom+1) || dom == days-2 && meant(days)
	}
	return false
}

func (c *cron) next(lo, hi int64) (int64, bool) {
	if lo >= hi {
		return 0, false
	}
	day := floorDiv(lo, daySeconds)
	tod := int(lo - day*daySeconds)
	last := floorDiv(hi-1, daySeconds)
	for day <= last {
		year, month, dom := civil(day)
		days := daysIn(year, month)
		if c.month&(1<<month) == 0 {
			day, tod = day+int64(days-dom+1), 0
			continue
		}
		for dow := weekday(day); dom <= days && day <= last; dom++ {
			if c.day(year, month, dom, dow) {
				if t, ok := c.time(tod); ok {
					w := day*daySeconds + int64(t)
					return w, w < hi
				}
			}
			day, tod = day+1, 0
			if dow++; dow == 7 {
				dow = 0
			}
		}
	}
	return 0, false
}

// time returns the first second of the day at or after t that is one of the expression's.
func (c *cron) time(t int) (int, bool) {
	h, m, s := t/3600, t/60%60, t%60
	if c.hour&(1<<h) != 0 {
		if c.minute&(1<<m) != 0 {
			if left := c.second &^ mask(s); left != 0 {
				return h*3600 + m*60 + bits.TrailingZeros64(left), true
			}
		}
		if left := c.minute &^ mask(m+1); left != 0 {
			return h*3600 + bits.TrailingZeros64(left)*60 + bits.TrailingZeros64(c.second), true
		}
	}
	if left := uint64(c.hour) &^ mask(h+1); left != 0 {
		return bits.TrailingZeros64(left)*3600 + bits.TrailingZeros64(c.minute)*60 + bits.TrailingZeros64(c.second), true
	}
	return 0, false
}

// times counts the seconds of a day before t that are the expression's.
func (c *cron) times(t int) int64 {
	h, m, s := t/3600, t/60%60, t%60
	seconds, minutes := bits.OnesCount64(c.second), bits.OnesCount64(c.minute)
	n := bits.OnesCount64(uint64(c.hour)&mask(h)) * minutes * seconds
	if c.hour&(1<<h) != 0 {
		n += bits.OnesCount64(c.minute&mask(m)) * seconds
		if c.minute&(1<<m) != 0 {
			n += bits.OnesCount64(c.second & mask(s))
		}
	}
	return int64(n)
}

func (c *cron) count(lo, hi int64) int64 {
	if lo >= hi {
		return 0
	}
	first, last := floorDiv(lo, daySeconds), floorDiv(hi, daySeconds)
	var sum int64
	if c.on(first) {
		sum -= c.times(int(lo - first*daySeconds))
	}
	if c.on(last) {
		sum += c.times(int(hi - last*daySeconds))
	}
	return sum + c.days(first, last)*c.times(daySeconds)
}

func (c *cron) on(day int64) bool {
	year, month, dom := civil(day)
	return c.day(year, month, dom, weekday(day))
}

// days counts the expression's days from first to before last.
func (c *cron) days(first, last int64) int64 {
	var n int64
	for day := first; day < last; {
		year, month, dom := civil(day)
		days := daysIn(year, month)
		if c.month&(1<<month) == 0 {
			day += int64(days - dom + 1)
			continue
		}
		for dow := weekday(day); dom <= days && day < last; dom++ {
			if c.day(year, month, dom, dow) {
				n++
			}
			day++
			if dow++; dow == 7 {
				dow = 0
			}
		}
	}
	return n
}

// choose returns the n-th second of a day that is one of the expression's, from 0 on.
func (c *cron) choose(n int) int64 {
	seconds, minutes := bits.OnesCount64(c.second), bits.OnesCount64(c.minute)
	h := place(uint64(c.hour), n/(minutes*seconds))
	m := place(c.minute, n/seconds%minutes)
	return int64(h*3600 + m*60 + place(c.second, n%seconds))
}

// place returns the n-th member of a set, from 0 on.
func place(set uint64, n int) int {
	for range n {
		set &= set - 1
	}
	return bits.TrailingZeros64(set)
}
