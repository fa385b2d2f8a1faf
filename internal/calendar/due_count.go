package calendar

import "time"

// Count counts the occurrences with since < Due <= until, by civil day and not one by one.
func (r *Rule) Count(since, until time.Time) Counts {
	lo, hi := clamp(since)+1, clamp(until)+1
	switch {
	case lo >= hi:
		return Counts{}
	case r.simple():
		return Counts{All: r.countNominal(lo, hi)}
	case r.days != nil && r.shift.moves():
		return r.countShifted(since, until)
	case r.jitter == 0:
		return r.countInPlace(lo, hi)
	case len(r.blackouts) > 0:
		return r.countEach(since, until)
	}
	return r.countLate(since, until)
}

func (r *Rule) countNominal(lo, hi int64) int64 {
	if lo, hi = max(lo, r.first), min(hi, r.last); lo >= hi {
		return 0
	}
	return r.nominals.count(lo, hi)
}

func (c *Counts) add(o *Occurrence) { c.plus(1, o.Suppressed) }

// plus adds n that have one fate.
func (c *Counts) plus(n int64, why Reason) {
	c.All += n
	switch why {
	case ReasonCalendar:
		c.Calendar += n
	case ReasonBlackout:
		c.Blackout += n
	case ReasonCollision:
		c.Collision += n
	case ReasonGap, ReasonOverlap, ReasonShift, ReasonJitter:
	}
}

func (r *Rule) countEach(since, until time.Time) (c Counts) {
	r.walk(since, until, func(o Occurrence) bool {
		c.add(&o)
		return true
	})
	return c
}

// free returns the stretches between two instants in which a calendar suppresses everything.
func (r *Rule) free(lo, hi int64) (found []stretch) {
	if r.days == nil || r.shift.kind != shiftSkip {
		return nil
	}
	last := r.day(hi - 1)
	for d := r.day(lo); d <= last; d++ {
		if r.days.Working(Day(d)) {
			continue
		}
		begin := d
		for d < last && !r.days.Working(Day(d+1)) {
			d++
		}
		found = append(found, stretch{max(lo, r.begin(begin)), min(hi, r.begin(d+1))})
	}
	return found
}

// countInPlace counts where everything is due at its nominal or suppressed there.
func (r *Rule) countInPlace(lo, hi int64) (c Counts) {
	c.All = r.countNominal(lo, hi)
	free := r.free(lo, hi)
	for _, s := range free {
		c.Calendar += r.countNominal(s.lo, s.hi)
	}
	black := r.black(lo, hi)
	for _, s := range black {
		c.Blackout += r.countNominal(s.lo, s.hi)
	}
	for len(free) > 0 && len(black) > 0 { // what is in both is the calendar's
		if both := (stretch{max(free[0].lo, black[0].lo), min(free[0].hi, black[0].hi)}); both.lo < both.hi {
			c.Blackout -= r.countNominal(both.lo, both.hi)
		}
		if free[0].hi < black[0].hi {
			free = free[1:]
		} else {
			black = black[1:]
		}
	}
	return c
}

// countLate counts where jitter moves what is due: only at the ends of the stretch does it matter by how much.
func (r *Rule) countLate(since, until time.Time) (c Counts) {
	lo, hi := clamp(since)+1, clamp(until)+1
	jitter := int64(r.jitter/time.Second) + 1
	if hi-lo <= 2*jitter {
		return r.countEach(since, until)
	}
	c = r.countInPlace(lo, hi-jitter)
	for _, end := range []stretch{{lo - jitter, lo}, {hi - jitter, hi}} {
		for n, ok := r.nominal(end.lo, end.hi); ok; n, ok = r.nominal(n+1, end.hi) {
			if o := r.decided(n); o.Due.After(since) && !o.Due.After(until) {
				c.add(&o)
			}
		}
	}
	return c
}

// edgeDays is how many days at the ends of a stretch are looked at one occurrence after the other.
const edgeDays = 3

// countShifted counts day by day. Far from the ends, what comes to a day and what is suppressed on it are all in the stretch.
func (r *Rule) countShifted(since, until time.Time) (c Counts) {
	b := &blocks{rule: r}
	lo, hi := clamp(since)-int64(r.jitter/time.Second), clamp(until)+1
	first, last := r.day(lo), r.day(hi-1)
	for d := first; d <= last; d++ {
		edge := d < first+edgeDays || d > last-edgeDays
		if !edge && r.countDay(d, &c) {
			continue
		}
		b.on(d, func(o Occurrence) {
			if o.Due.After(since) && !o.Due.After(until) {
				c.add(&o)
			}
		})
	}
	return c
}

// countDay counts a day without looking at each; false: that cannot be done.
func (r *Rule) countDay(d int64, c *Counts) bool {
	if len(r.blackouts) > 0 {
		return false
	}
	to, working := d, r.days.Working(Day(d))
	if !working {
		var ok bool
		if to, ok = r.target(d); !ok {
			c.plus(r.countNominal(r.begin(d), r.begin(d+1)), ReasonCalendar)
			return true
		}
	}
	sources := r.sources(to)
	if len(sources) == 1 {
		c.plus(r.countNominal(r.begin(d), r.begin(d+1)), "")
		return true
	}
	z, ok := r.nominals.(zoned)
	if !ok {
		return false
	}
	expression, ok := z.walls.(*cron)
	if !ok || !r.regular(sources[0], sources[len(sources)-1]) {
		return false
	}
	for _, part := range r.parts(expression) {
		taken := r.schedule.OnCollision == CollisionBoth
		winners, own, ownWins := int64(0), int64(0), int64(0)
		first := true
		for _, s := range sources {
			if !expression.on(s + part.day) {
				continue
			}
			wins := int64(0)
			if first || taken {
				wins, first = part.n, false
			}
			winners += wins
			if s == d {
				own, ownWins = part.n, wins
			}
		}
		if working {
			c.plus(winners, "")
		}
		c.plus(own-ownWins, ReasonCollision)
	}
	return true
}

// dayPart is the part of a business day that is on its own civil day, or on the one after it; n times are in it.
type dayPart struct {
	day, n int64
}

func (r *Rule) parts(c *cron) []dayPart {
	boundary := int(r.boundary())
	if boundary == 0 {
		return []dayPart{{0, c.times(daySeconds)}}
	}
	before := c.times(boundary)
	return []dayPart{{0, c.times(daySeconds) - before}, {1, before}}
}

// regular reports whether no clock is changed near some days, and the whole of them is between From and Until.
func (r *Rule) regular(first, last int64) bool {
	lo, hi := r.begin(first)-near, r.begin(last+1)+near
	i := r.zone.index(lo)
	return r.zone.segments[i].start <= lo && hi <= r.zone.end(i) && r.first <= lo && hi <= r.last
}
