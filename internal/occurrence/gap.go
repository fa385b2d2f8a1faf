package occurrence

import (
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// rangeFrom is how many consecutive occurrences of one decision and reason become a Range; fewer are records of their own.
const rangeFrom = 21

// Gap is an outage as one schedule sees it: what is due with Since < Due <= Until is decided now.
type Gap struct {
	Rule   *calendar.Rule
	Since  time.Time
	Until  time.Time
	Now    time.Time
	Outage Outage
	Pause  *Pause
	// Known are occurrences due in the gap that have a record already, by due: they are neither counted nor planned.
	Known []calendar.Occurrence
}

// Single is an occurrence of a gap that is decided by itself. Later is for Situation.
type Single struct {
	calendar.Occurrence
	Later int64
}

// Plan says which occurrences of the gap are decided together, with exact counts, and which one by one, by due. At most CatchupLimit
// of the singles can be released; the time and room that it takes do not grow with the length of the gap.
func (g *Gap) Plan() ([]Range, []Single) {
	p := &gapPlan{Gap: g, schedule: g.Rule.Schedule(), nominals: map[int64]bool{}}
	for _, o := range g.Known {
		p.nominals[o.Nominal.UnixMicro()] = true
	}
	if p.count(g.Since, g.Until, everything) < rangeFrom {
		p.walk(g.Since, g.Until, everything, func(o calendar.Occurrence) { p.singles = append(p.singles, Single{Occurrence: o}) })
		p.number()
		return nil, p.singles
	}
	for _, c := range []class{byCalendar, byBlackout, byCollision} {
		r := Reason(c)
		p.together(section{from: g.Since, until: g.Until}, c, Verdict{Decision: Suppressed, Reason: r, Detail: suppressedText(calendar.Reason(c), &p.schedule)})
	}
	sections := p.sections()
	cut, closed := p.cuts(sections)
	for _, s := range sections {
		if s.paused {
			p.together(s, toRun, Verdict{Decision: Suppressed, Reason: Paused, Detail: pausedText(g.Pause)})
			continue
		}
		if p.schedule.Catchup == calendar.CatchupNone {
			p.together(s.before(closed), toRun, lost(&g.Outage))
			p.together(s.after(closed).before(cut), toRun, Verdict{Decision: Missed, Reason: CatchupLimit, Detail: limitText(calendar.CatchupAll)})
		} else {
			p.together(s.before(cut), toRun, Verdict{Decision: Missed, Reason: CatchupLimit, Detail: limitText(p.schedule.Catchup)})
		}
		if rest := s.after(cut); rest.from.Before(rest.until) {
			p.walk(rest.from, rest.until, toRun, func(o calendar.Occurrence) { p.singles = append(p.singles, Single{Occurrence: o}) })
		}
	}
	p.number()
	return p.ranges, p.singles
}

// class is what the schedule itself says of an occurrence: empty, it is to run; else the reason for which it is suppressed.
type class string

const (
	toRun       class = ""
	byCalendar        = class(calendar.ReasonCalendar)
	byBlackout        = class(calendar.ReasonBlackout)
	byCollision       = class(calendar.ReasonCollision)
	everything  class = "*"
)

func (c class) of(n calendar.Counts) int64 {
	switch c {
	case toRun:
		return n.All - n.Suppressed()
	case byCalendar:
		return n.Calendar
	case byBlackout:
		return n.Blackout
	case byCollision:
		return n.Collision
	case everything:
	}
	return n.All
}

func (c class) has(o calendar.Occurrence) bool { return c == everything || class(o.Suppressed) == c }

// section is a part of the gap, (from, until], that is paused or is not.
type section struct {
	from, until time.Time
	paused      bool
}

func (s section) before(t time.Time) section {
	if t.Before(s.until) {
		s.until = t
	}
	return s
}

func (s section) after(t time.Time) section {
	if t.After(s.from) {
		s.from = t
	}
	return s
}

type gapPlan struct {
	*Gap
	schedule calendar.Schedule
	nominals map[int64]bool // of Known, in microseconds
	ranges   []Range
	singles  []Single
}

// sections cuts the gap where a pause begins and ends.
func (p *gapPlan) sections() []section {
	whole := section{from: p.Since, until: p.Until}
	if p.Pause == nil {
		return []section{whole}
	}
	begin, end := p.Pause.Since.Add(-tick), p.Until
	if !p.Pause.Until.IsZero() {
		end = p.Pause.Until.Add(-tick)
	}
	var all []section
	paused := whole.after(begin).before(end)
	paused.paused = true
	for _, s := range []section{whole.before(begin), paused, whole.after(end)} {
		if s.from.Before(s.until) {
			all = append(all, s)
		}
	}
	return all
}

// tick is the smallest difference between two dues: rules work in whole seconds.
const tick = time.Second

// cuts returns the instant after which occurrences may be released, and that before which start windows have closed.
func (p *gapPlan) cuts(sections []section) (cut, closed time.Time) {
	closed = p.Until
	if w := p.schedule.StartWithin; w > 0 {
		closed = earlier(p.Until, later(p.Since, p.Now.Add(-w)))
	}
	switch p.schedule.Catchup {
	case calendar.CatchupNone:
		cut = closed
	case calendar.CatchupLast:
		cut = earlier(closed, p.lastOf(sections, 1))
	case calendar.CatchupAll:
		return p.lastOf(sections, calendar.CatchupLimit), closed
	}
	return later(cut, p.lastOf(sections, calendar.CatchupLimit)), closed
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// lastOf returns the first instant after which at most n are to run in the sections that are not paused.
func (p *gapPlan) lastOf(sections []section, n int64) time.Time {
	return bisect(p.Since, p.Until, func(t time.Time) bool {
		left := int64(0)
		for _, s := range sections {
			if s = s.after(t); !s.paused && s.from.Before(s.until) {
				left += p.count(s.from, s.until, toRun)
			}
		}
		return left <= n
	})
}

// bisect returns the first instant in [since, until] at which holds is true; it is taken to be true at until.
func bisect(since, until time.Time, holds func(time.Time) bool) time.Time {
	if holds(since) {
		return since
	}
	for until.Sub(since) > tick {
		middle := since.Add(until.Sub(since) / 2).Truncate(tick)
		if !middle.After(since) {
			break
		}
		if holds(middle) {
			until = middle
		} else {
			since = middle
		}
	}
	return until
}

// count counts what is to be decided of a class.
func (p *gapPlan) count(since, until time.Time, c class) int64 {
	n := c.of(p.Rule.Count(since, until))
	for _, o := range p.Known {
		if o.Due.After(since) && !o.Due.After(until) && c.has(o) {
			n--
		}
	}
	return n
}

// skipAfter is how many occurrences of other classes are looked at before those of one class are searched by counting.
const skipAfter = 64

// walk calls f with each occurrence of a class that is to be decided, by due. It jumps over long stretches of other classes.
func (p *gapPlan) walk(since, until time.Time, c class, f func(calendar.Occurrence)) {
	for since.Before(until) {
		others, last := 0, until
		for o := range p.Rule.Between(since, until) {
			if !c.has(o) {
				if others++; others > skipAfter && o.Due.After(since) {
					last = o.Due
					break
				}
				continue
			}
			if others = 0; !p.known(o) {
				f(o)
			}
		}
		if last.Equal(until) || c.of(p.Rule.Count(last, until)) == 0 {
			return
		}
		since = bisect(last, until, func(t time.Time) bool { return c.of(p.Rule.Count(last, t)) > 0 }).Add(-tick)
	}
}

func (p *gapPlan) known(o calendar.Occurrence) bool {
	return p.nominals[o.Nominal.UnixMicro()]
}

// together makes one range of a class in a section, or singles where they are few.
func (p *gapPlan) together(s section, c class, v Verdict) {
	if !s.from.Before(s.until) {
		return
	}
	n := p.count(s.from, s.until, c)
	switch {
	case n <= 0:
		return
	case n < rangeFrom:
		p.walk(s.from, s.until, c, func(o calendar.Occurrence) {
			p.singles = append(p.singles, Single{Occurrence: o, Later: calendar.CatchupLimit})
		})
		return
	}
	first, last := p.ends(s, c)
	p.ranges = append(p.ranges, Range{
		First: first, Last: last, Count: n, Decision: v.Decision, Reason: v.Reason, Detail: v.Detail, Decided: p.Now,
	})
}

// endsLook bounds how many occurrences are looked at for one end of a range.
const endsLook = 300_000

// ends returns the least and the greatest nominal of a class in a section. Where a shift or a jitter puts dues in another order than nominals,
// all are looked at that are due as near to an end as these reach.
func (p *gapPlan) ends(s section, c class) (first, last time.Time) {
	begin := bisect(s.from, s.until, func(t time.Time) bool { return p.count(s.from, t, c) > 0 })
	end := bisect(s.from, s.until, func(t time.Time) bool { return p.count(t, s.until, c) == 0 })
	near := p.near(func(far time.Duration) int64 { return p.Rule.Count(begin, earlier(s.until, begin.Add(far))).All })
	for o := range p.Rule.Between(begin.Add(-tick), earlier(s.until, begin.Add(near))) {
		if c.has(o) && !p.known(o) && (first.IsZero() || o.Nominal.Before(first)) {
			first = o.Nominal
		}
	}
	near = p.near(func(far time.Duration) int64 { return p.Rule.Count(later(s.from, end.Add(-far)), end).All })
	for o := range p.Rule.Between(later(s.from, end.Add(-near-tick)), end) {
		if c.has(o) && !p.known(o) && o.Nominal.After(last) {
			last = o.Nominal
		}
	}
	return first, last
}

// near returns how far from an end is looked: as far as shift and jitter reach, or less where more than endsLook would have to be looked at.
func (p *gapPlan) near(count func(far time.Duration) int64) time.Duration {
	const day = 24 * time.Hour
	whole := slack(&p.schedule)
	for _, far := range []time.Duration{whole, 40 * day, 8 * day, p.schedule.Jitter} {
		if far <= whole && count(far) <= endsLook {
			return far
		}
	}
	return 0
}

// number sorts the singles by due and says of each how many later ones are to run.
func (p *gapPlan) number() {
	slices.SortStableFunc(p.singles, func(a, b Single) int {
		if n := a.Due.Compare(b.Due); n != 0 {
			return n
		}
		return a.Nominal.Compare(b.Nominal)
	})
	n := int64(0)
	for i := len(p.singles) - 1; i >= 0; i-- {
		s := &p.singles[i]
		s.Later = max(s.Later, n)
		if s.Suppressed == "" && !p.Pause.covers(s.Due) {
			n++
		}
	}
}

// String says what a range stands for, for logs and tests.
func (r Range) String() string {
	return fmt.Sprintf("%d %s (%s) from %s to %s", r.Count, r.Decision, r.Reason, stamp(r.First), stamp(r.Last))
}
