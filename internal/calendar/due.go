package calendar

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// maxJitter bounds how many nominal instants are looked at for one that is due.
const maxJitter = 24 * time.Hour

// simple reports whether every nominal instant is due at once, and none suppressed.
func (r *Rule) simple() bool {
	return r.jitter == 0 && len(r.blackouts) == 0 && (r.days == nil || r.shift.kind == shiftRun)
}

// outcome returns what becomes of a nominal instant that is due at another, before it is asked whether others are due there too.
func (r *Rule) outcome(n, due int64) Occurrence {
	o := Occurrence{Nominal: instant(n), Moved: r.nominals.moved(n)}
	if due != n {
		o.Moved = cmp.Or(o.Moved, ReasonShift)
	}
	o.Due = instant(due)
	if late := r.late(due); late > 0 {
		o.Due, o.Moved = o.Due.Add(late), cmp.Or(o.Moved, ReasonJitter)
	}
	if len(r.blackouts) > 0 && r.blackAt(o.Due.Unix()) {
		return r.suppressed(n, ReasonBlackout)
	}
	return o
}

func (r *Rule) suppressed(n int64, why Reason) Occurrence {
	t := instant(n)
	return Occurrence{Nominal: t, Due: t, Moved: r.nominals.moved(n), Suppressed: why}
}

// late is the jitter of what is due at an instant: always the same, so that what a shift brings together stays together.
func (r *Rule) late(due int64) time.Duration {
	if r.jitter == 0 {
		return 0
	}
	n := mix(r.seed ^ mix(uint64(due)))
	return time.Duration(n%uint64(r.jitter/time.Millisecond)) * time.Millisecond
}

// decided returns the occurrence of a nominal instant.
func (r *Rule) decided(n int64) Occurrence {
	if r.days == nil || r.shift.kind == shiftRun {
		return r.outcome(n, n)
	}
	d := r.day(n)
	working := r.days.Working(Day(d))
	if !r.shift.moves() {
		if !working {
			return r.suppressed(n, ReasonCalendar)
		}
		return r.outcome(n, n)
	}
	to := d
	if !working {
		var ok bool
		if to, ok = r.target(d); !ok {
			return r.suppressed(n, ReasonCalendar)
		}
	}
	sources := r.sources(to)
	if to == d && len(sources) == 1 {
		return r.outcome(n, n)
	}
	if r.steady(sources) {
		return r.comes(n, d, to, sources)
	}
	for _, o := range r.block(to) {
		if o.Nominal.Unix() == n {
			return o
		}
	}
	return r.outcome(n, n) // of `every` by end: nothing else is known
}

// meeting is a nominal instant with when it is due before jitter.
type meeting struct{ n, due int64 }

// meet returns what comes to a working day, by due and nominal: its own nominal instants and those of free days.
func (r *Rule) meet(to int64) []meeting {
	var all []meeting
	sources := r.sources(to)
	for _, d := range sources {
		for lo, hi := r.begin(d), r.begin(d+1); ; {
			n, ok := r.nominal(lo, hi)
			if !ok {
				break
			}
			due := n
			if d != to {
				due = r.shifted(n, to-d)
			}
			all = append(all, meeting{n, due})
			lo = n + 1
		}
	}
	if len(sources) > 1 {
		slices.SortFunc(all, func(a, b meeting) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.n, b.n)) })
	}
	return all
}

// meetings keeps what was asked for last.
type meetings struct {
	rule *Rule
	to   int64
	list []meeting
	made bool
}

func (m *meetings) get(to int64) []meeting {
	if !m.made || m.to != to {
		m.to, m.list, m.made = to, m.rule.meet(to), true
	}
	return m.list
}

// block returns the occurrences that come to a working day. This is where collisions are.
func (r *Rule) block(to int64) []Occurrence {
	all := r.meet(to)
	list := make([]Occurrence, len(all))
	for i, m := range all {
		list[i] = r.outcome(m.n, m.due)
		if i > 0 && m.due == all[i-1].due && list[i].Suppressed == "" && r.schedule.OnCollision == CollisionOne {
			list[i] = r.suppressed(m.n, ReasonCollision)
		}
	}
	return list
}

// blocks keeps the block that was asked for last: a walk over days asks for one several times.
type blocks struct {
	rule *Rule
	to   int64
	list []Occurrence
	made bool
}

func (b *blocks) get(to int64) []Occurrence {
	if !b.made || b.to != to {
		b.to, b.list, b.made = to, b.rule.block(to), true
	}
	return b.list
}

// on calls yield for what is due on a day, and for what is nominal on it and suppressed, in no order. What is due on a day can be
// later by the jitter.
func (b *blocks) on(d int64, yield func(Occurrence)) {
	r := b.rule
	lo, hi := r.begin(d), r.begin(d+1)
	if !r.days.Working(Day(d)) {
		to, ok := r.target(d)
		if !ok {
			for n, ok := r.nominal(lo, hi); ok; n, ok = r.nominal(n+1, hi) {
				yield(r.suppressed(n, ReasonCalendar))
			}
			return
		}
		if _, some := r.nominal(lo, hi); !some {
			return
		}
		for _, o := range b.get(to) {
			if n := o.Nominal.Unix(); o.Suppressed != "" && n >= lo && n < hi {
				yield(o)
			}
		}
		return
	}
	for _, o := range b.get(d) {
		if n := o.Nominal.Unix(); o.Suppressed == "" || n >= lo && n < hi {
			yield(o)
		}
	}
}

// waiting holds occurrences until nothing can come before them.
type waiting []Occurrence

func (w waiting) Len() int { return len(w) }

func (w waiting) Less(i, j int) bool {
	return cmp.Or(w[i].Due.Compare(w[j].Due), w[i].Nominal.Compare(w[j].Nominal)) < 0
}

func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push adds one, for package heap.
func (w *waiting) Push(o any) { *w = append(*w, o.(Occurrence)) }

// Pop takes the last one, for package heap.
func (w *waiting) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

// walker walks over occurrences by due, where that is not the order of their nominals.
type walker struct {
	since, until time.Time
	waiting      waiting
	yield        func(Occurrence) bool
}

func (w *walker) add(o Occurrence) {
	if o.Due.After(w.since) && !o.Due.After(w.until) {
		heap.Push(&w.waiting, o)
	}
}

// before hands on what is due before an instant; false: no more is wanted.
func (w *walker) before(n int64) bool {
	for len(w.waiting) > 0 && w.waiting[0].Due.Unix() < n {
		if !w.yield(heap.Pop(&w.waiting).(Occurrence)) {
			return false
		}
	}
	return true
}

// walk hands on the occurrences with since < Due <= until, in order.
func (r *Rule) walk(since, until time.Time, yield func(Occurrence) bool) {
	shifts := r.days != nil && r.shift.moves()
	if r.jitter == 0 && !shifts { // everything is due at its nominal, or suppressed there
		lo, hi := clamp(since)+1, clamp(until)+1
		for n, ok := r.nominal(lo, hi); ok && yield(r.decided(n)); {
			n, ok = r.nominal(n+1, hi)
		}
		return
	}
	w := &walker{since: since, until: until, yield: yield}
	lo, hi := clamp(since)-int64(r.jitter/time.Second), clamp(until)+1
	done := false
	if shifts {
		done = !r.walkDays(lo, hi, w)
	} else {
		for n, ok := r.nominal(lo, hi); ok && !done; n, ok = r.nominal(n+1, hi) {
			if n <= since.Unix() && !instant(n).Add(r.late(n)).After(since) { // of many before it, few are due after since
				continue
			}
			done = !w.before(n)
			w.add(r.decided(n))
		}
	}
	if !done {
		w.before(latest + daySeconds*2)
	}
}

// walkDays walks day by day, and jumps over those to which nothing comes.
func (r *Rule) walkDays(lo, hi int64, w *walker) bool {
	b := &blocks{rule: r}
	lo = max(lo, r.begin(r.earliestOf(r.day(max(lo, r.first)))))
	end := min(latest, hi+int64(r.shift.within+2)*daySeconds) // what is nominal later is due later
	for d, last := r.day(lo), r.day(hi-1); d <= last; d++ {
		n, ok := r.nominal(r.begin(r.lowest(d)), end)
		if !ok {
			return true
		}
		if to := r.earliestOf(r.day(n)); to > d {
			if d = to; d > last {
				return true
			}
		}
		if !w.before(r.begin(d)) || !r.walkDay(b, d, lo, w) {
			return false
		}
	}
	return true
}

// walkDay hands on what b has on a day. Near changes of clocks all that meets on a day is made at once; else one after the other, so
// that the first is known without the others.
func (r *Rule) walkDay(b *blocks, d, lo int64, w *walker) bool {
	to, working := d, r.days.Working(Day(d))
	if !working {
		var ok bool
		if to, ok = r.target(d); !ok {
			b.on(d, w.add)
			return true
		}
	}
	sources := r.sources(to)
	if len(sources) > 1 && !r.steady(sources) {
		b.on(d, w.add)
		return true
	}
	if !working {
		end := r.begin(d + 1)
		for n, ok := r.nominal(max(lo, r.begin(d)), end); ok; n, ok = r.nominal(n+1, end) {
			if !w.before(n) {
				return false
			}
			if o := r.comes(n, d, to, sources); o.Suppressed != "" {
				w.add(o)
			}
		}
		return true
	}
	return r.walkMeeting(d, lo, sources, w)
}

// walkMeeting walks over the days that meet on a working day side by side.
func (r *Rule) walkMeeting(d, lo int64, sources []int64, w *walker) bool {
	end := r.begin(d + 1)
	for at := max(lo, r.begin(d)); ; at++ {
		next := end
		for _, s := range sources {
			if n, ok := r.nominal(at+(s-d)*daySeconds, next+(s-d)*daySeconds); ok {
				next = n + (d-s)*daySeconds
			}
		}
		if next == end {
			return true
		}
		if at = next; !w.before(at) {
			return false
		}
		for _, s := range sources {
			n := at + (s-d)*daySeconds
			if _, ok := r.nominal(n, n+1); !ok {
				continue
			}
			if o := r.comes(n, s, d, sources); o.Suppressed == "" || s == d {
				w.add(o)
			}
		}
	}
}

// comes returns what becomes of a nominal instant of one day that comes to another, where clocks are not changed: then those that
// it meets are whole days away, and the earliest of them counts.
func (r *Rule) comes(n, d, to int64, sources []int64) Occurrence {
	o := r.outcome(n, n+(to-d)*daySeconds)
	if o.Suppressed != "" || r.schedule.OnCollision == CollisionBoth {
		return o
	}
	for _, s := range sources {
		if s == d {
			break
		}
		if _, ok := r.nominal(n+(s-d)*daySeconds, n+(s-d)*daySeconds+1); ok {
			return r.suppressed(n, ReasonCollision)
		}
	}
	return o
}
