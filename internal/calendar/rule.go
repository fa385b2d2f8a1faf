package calendar

import (
	"iter"
	"time"
)

// Rule is a schedule that was compiled. It is never changed.
type Rule struct {
	schedule    Schedule
	zone        *zone
	nominals    nominals
	timeline    *timeline
	first, last int64 // from First and before Last: nothing else is nominal
	days        *Days // nil: every day is a working day
	shift       shift
	blackouts   []blackout
	jitter      time.Duration
	seed        uint64 // of jitter
}

// Schedule returns what the rule was made of.
func (r *Rule) Schedule() Schedule { return r.schedule }

// Location returns the schedule's time zone.
func (r *Rule) Location() *time.Location { return r.zone.loc }

// nominal returns the first nominal instant with lo <= instant < hi.
func (r *Rule) nominal(lo, hi int64) (int64, bool) {
	lo, hi = max(lo, r.first), min(hi, r.last)
	if lo >= hi {
		return 0, false
	}
	return r.nominals.next(lo, hi)
}

// Next returns the first occurrence that is due after an instant; false: there is none within 40 years. Of several with the same Due
// it is the one with the earliest Nominal: use Between where each counts.
func (r *Rule) Next(after time.Time) (Occurrence, bool) {
	lo := max(clamp(after)+1, r.first)
	hi := min(lo+horizon, latest)
	if r.simple() {
		n, ok := r.nominal(lo, hi)
		if !ok {
			return Occurrence{}, false
		}
		return r.atOnce(n), true
	}
	var first Occurrence
	found := false
	r.walk(after, instant(hi), func(o Occurrence) bool {
		first, found = o, true
		return false
	})
	return first, found
}

func (r *Rule) atOnce(n int64) Occurrence {
	t := instant(n)
	return Occurrence{Nominal: t, Due: t, Moved: r.nominals.moved(n)}
}

// Between returns the occurrences with since < Due <= until, by Due and then Nominal, the suppressed ones among them.
func (r *Rule) Between(since, until time.Time) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		if !r.simple() {
			r.walk(since, until, yield)
			return
		}
		for lo, hi := clamp(since)+1, clamp(until)+1; ; {
			n, ok := r.nominal(lo, hi)
			if !ok || !yield(r.atOnce(n)) {
				return
			}
			lo = n + 1
		}
	}
}

// Counts is how many occurrences there are. All counts the suppressed ones too.
type Counts struct {
	All, Calendar, Blackout, Collision int64
}

// Suppressed is how many of them the schedule itself suppresses.
func (c Counts) Suppressed() int64 { return c.Calendar + c.Blackout + c.Collision }

// At returns the occurrence with this nominal instant; false: the rule has none.
func (r *Rule) At(nominal time.Time) (Occurrence, bool) {
	n := clamp(nominal)
	if !instant(n).Equal(nominal) {
		return Occurrence{}, false
	}
	if _, ok := r.nominal(n, n+1); !ok {
		return Occurrence{}, false
	}
	return r.decided(n), true
}

// Taken returns the wall times that are no occurrences because of the fields for gaps and overlaps, and that would be at
// since < At <= until. In a gap that is where the gap is.
func (r *Rule) Taken(since, until time.Time) iter.Seq[Taken] {
	return func(yield func(Taken) bool) {
		days, limited := r.nominals.(onDays)
		z, ok := r.walls()
		lo, hi := max(clamp(since)+1, r.first), min(clamp(until)+1, r.last)
		if !ok {
			return
		}
		if c, ok := z.walls.(*cron); ok && c.everyHour {
			return
		}
		taken := z.timeline.taken
		for i := from(taken, lo); i < len(taken) && taken[i].start < hi; i++ {
			p, offset := taken[i], taken[i].lo-taken[i].start
			a, b := max(p.start, lo)+offset, min(p.end, hi)+offset
			if p.kind == pieceFirst {
				a, b = p.lo, p.hi
				if p.start < lo {
					continue
				}
			}
			for {
				w, ok := z.walls.next(a, b)
				if !ok {
					break
				}
				at := w - offset
				if p.kind == pieceFirst {
					at = p.start
				}
				if limited && !days.has(r.day(at)) {
					a = w + 1
					continue
				}
				if !yield(Taken{Wall: wallText(w), At: instant(at), Reason: p.reason}) {
					return
				}
				a = w + 1
			}
		}
	}
}

// Instant returns the instant that a text means, written as From is: a wall time of the schedule's zone, or with an offset.
func (r *Rule) Instant(text string) (time.Time, error) {
	m, err := parseMoment(text)
	if err != nil {
		return time.Time{}, err
	}
	return instant(m.at(r.zone)), nil
}

// Day returns the business day of an instant: the civil day in the schedule's zone, less the boundary of its calendar. Business
// days follow each other: where clocks are put back over the boundary, what comes the second time belongs to the later day.
func (r *Rule) Day(t time.Time) Day { return Day(r.day(clamp(t))) }

func (r *Rule) day(n int64) int64 {
	d := floorDiv(r.zone.wall(n)-r.boundary(), daySeconds)
	for n < r.begin(d) {
		d--
	}
	for n >= r.begin(d+1) {
		d++
	}
	return d
}

func (r *Rule) boundary() int64 {
	if r.days == nil {
		return 0
	}
	return int64(r.days.Boundary() / time.Second)
}

func (r *Rule) begin(d int64) int64 { return r.zone.reach(d*daySeconds + r.boundary()) }

// Bounds returns the instants at which a business day begins and ends.
func (r *Rule) Bounds(d Day) (begin, end time.Time) {
	return instant(r.begin(int64(d))), instant(r.begin(int64(d) + 1))
}

// ByEnd reports whether the next occurrence is only known when the run before it has ended (every, by end). Such a rule has
// one occurrence of its own, the first: at From, or at once when it comes into force.
func (r *Rule) ByEnd() bool { return r.schedule.EveryBy == EveryEnd && r.schedule.Every > 0 }

// AfterEnd returns the occurrence that follows the end of a run (ByEnd).
func (r *Rule) AfterEnd(end time.Time) (Occurrence, bool) {
	n := clamp(end.Add(time.Second-1)) + int64(r.schedule.Every/time.Second)
	n = max(n, r.first)
	if !r.ByEnd() || n >= r.last {
		return Occurrence{}, false
	}
	o := r.decided(n)
	if o.Moved == ReasonGap { // it is no wall time
		if o.Moved = ""; !o.Due.Equal(o.Nominal) {
			o.Moved = ReasonJitter
		}
	}
	return o, true
}
