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

// countShifted counts day by day. Within the stretch, what comes to a day and what is suppressed on it need not be looked at one by
// one; on the days at its ends it must.
func (r *Rule) countShifted(since, until time.Time) (c Counts) {
	b := &blocks{rule: r}
	m := &meetings{rule: r}
	lo, hi := clamp(since)+1, clamp(until)+1
	jitter := int64(r.jitter / time.Second)
	last := r.day(hi - 1)
	for d := r.day(lo - jitter); d <= last; d++ {
		if len(r.blackouts) > 0 || r.jitter > 0 && (r.begin(d-1) < lo || r.begin(d+2)+jitter > hi) {
			b.on(d, func(o Occurrence) {
				if o.Due.After(since) && !o.Due.After(until) {
					c.add(&o)
				}
			})
			continue
		}
		r.countDay(d, stretch{lo, hi}, m, &c)
	}
	return c
}

// countDay counts what is due on a day, and what is nominal on it and suppressed, as far as it is within.
func (r *Rule) countDay(d int64, within stretch, m *meetings, c *Counts) {
	day := stretch{r.begin(d), r.begin(d + 1)}
	to, working := d, r.days.Working(Day(d))
	if !working {
		var ok bool
		if to, ok = r.target(d); !ok {
			c.plus(r.countNominal(max(day.lo, within.lo), min(day.hi, within.hi)), ReasonCalendar)
			return
		}
	}
	sources := r.sources(to)
	if len(sources) == 1 {
		c.plus(r.countNominal(max(day.lo, within.lo), min(day.hi, within.hi)), "")
		return
	}
	whole := r.begin(d-1) >= within.lo && r.begin(d+2) <= within.hi
	if parts := r.parts(); whole && len(parts) > 0 && r.steady(sources) && !r.bounded(sources) {
		for _, p := range parts {
			r.countPart(p, sources, d, c)
		}
		return
	}
	list := m.get(to)
	for i := range list {
		x := &list[i]
		if i > 0 && x.due == list[i-1].due && r.schedule.OnCollision == CollisionOne {
			if x.n >= day.lo && x.n < day.hi && x.n >= within.lo && x.n < within.hi {
				c.plus(1, ReasonCollision)
			}
		} else if working && (r.jitter > 0 || x.due >= within.lo && x.due < within.hi) {
			c.plus(1, "")
		}
	}
}

// countPart counts a part of the day: of several days that have it, the first one's count.
func (r *Rule) countPart(p dayPart, sources []int64, d int64, c *Counts) {
	working := sources[0] == d && r.shift.kind == shiftBefore || sources[len(sources)-1] == d && r.shift.kind == shiftAfter
	taken := false
	for _, s := range sources {
		if p.on != nil && !p.on.on(s+p.day) {
			continue
		}
		lost := taken && r.schedule.OnCollision == CollisionOne
		switch {
		case lost && s == d:
			c.plus(p.n, ReasonCollision)
		case !lost && working:
			c.plus(p.n, "")
		}
		taken = true
	}
}

// dayPart is the part of a business day that is on its own civil day, or on the one after it; n times are in it, on the days that
// on has (nil: on all).
type dayPart struct {
	day, n int64
	on     *cron
}

// parts returns the parts of a day of a rule that has the same times on each of its days; nil: it is no such rule.
func (r *Rule) parts() []dayPart {
	if g, ok := r.nominals.(grid); ok && daySeconds%g.step == 0 {
		return []dayPart{{n: daySeconds / g.step}}
	}
	z, _ := r.nominals.(zoned)
	c, ok := z.walls.(*cron)
	if !ok {
		return nil
	}
	before := c.times(int(r.boundary()))
	return []dayPart{{0, c.times(daySeconds) - before, c}, {1, before, c}}
}

// steady reports whether no clock is changed from the first of some days until soon after the last. Before the first of them a clock
// may be: a day begins where its first wall time is shown for the first time.
func (r *Rule) steady(days []int64) bool {
	i := r.zone.index(r.begin(days[0]))
	return r.begin(days[len(days)-1]+1)+near <= r.zone.end(i)
}

// bounded reports whether From or Until cuts some days.
func (r *Rule) bounded(days []int64) bool {
	return r.first > r.begin(days[0]) || r.begin(days[len(days)-1]+1)+near > r.last
}
