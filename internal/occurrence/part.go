package occurrence

import "time"

// Part is what of a range is due in a time.
type Part struct {
	First, Last time.Time // nominal, the least and the greatest
	Due         time.Time // of the first
	Count       int64
	Vague       bool // it may reach beyond that time, and nobody can cut it: its rule cannot be made any more
}

// Part returns what of the i-th range is due between Begin and End; false: nothing is. Of a range that lies in that time as a whole it is
// the range itself; also of one that reaches into it and is Vague.
func (a *Account) Part(i int) (Part, bool) {
	r := &a.Ranges[i]
	out := Part{First: r.First, Last: r.Last, Due: r.First, Count: r.Count}
	p := a.piece(r.Span)
	if p == nil || p.Rule == nil {
		out.Vague = r.First.Before(a.Begin) || !r.Last.Before(a.End)
		return out, !r.Last.Before(a.Begin) && r.First.Before(a.End)
	}
	s := p.Rule.Schedule()
	far := slack(&s)
	if whole(r, far, a.Begin, a.End) {
		if o, ok := p.Rule.At(r.First); ok && far > 0 {
			out.Due = o.Due
		}
		return out, true
	}
	if out.Count = a.within(i, a.Begin, a.End); out.Count <= 0 {
		return Part{}, false
	}
	lo, hi := p.clip(a.Begin, a.End)
	if ofReason(r.Reason) == toRun && far > 0 {
		a.walk(i, later(lo, r.First.Add(-far)), earlier(hi, r.Last.Add(far+instant)), &out)
		return out, true
	}
	// They are due at their nominal instant, in whole seconds.
	lo, hi = later(lo, r.First), earlier(hi, r.Last.Add(instant))
	if lo.After(r.First) {
		out.First = bisect(lo, hi, func(t time.Time) bool { return a.within(i, lo, t.Add(instant)) > 0 }).Truncate(tick)
	}
	if !hi.After(r.Last) {
		out.Last = bisect(lo, hi, func(t time.Time) bool { return a.within(i, t.Add(instant), hi) == 0 }).Truncate(tick)
	}
	out.Due = out.First
	return out, true
}

// walk finds the ends of a part whose dues are not in the order of their nominals.
func (a *Account) walk(i int, lo, hi time.Time, out *Part) {
	r, p := &a.Ranges[i], a.piece(a.Ranges[i].Span)
	others := map[int64]bool{} // what has a record of its own, or lies in a range of an earlier span
	for k := range a.Records {
		others[a.Records[k].Nominal.UnixMicro()] = true
	}
	for o := range a.settled(p, lo, hi) {
		others[o.Nominal.UnixMicro()] = true
	}
	out.First = time.Time{}
	for o := range p.Rule.Between(lo.Add(-instant), hi.Add(-instant)) {
		if !r.Has(o) || others[o.Nominal.UnixMicro()] || a.taken(r, o) {
			continue
		}
		if out.First.IsZero() {
			out.Last = o.Nominal
		}
		if out.First.IsZero() || o.Nominal.Before(out.First) {
			out.First, out.Due = o.Nominal, o.Due
		}
		out.Last = later(out.Last, o.Nominal)
	}
}

// Within is how many of the i-th range are due at or after one instant and before another; 0 where its rule cannot be made
// any more.
func (a *Account) Within(i int, from, until time.Time) int64 { return a.within(i, from, until) }

// Bare reports whether the counts show that nothing that the ranges reach over has a record of its own. Then no Records are needed to cut them.
func (a *Account) Bare() bool {
	for i := range a.Ranges {
		r := &a.Ranges[i]
		p := a.piece(r.Span)
		if p == nil || p.Rule == nil {
			continue
		}
		s := p.Rule.Schedule()
		if slack(&s) != 0 {
			return false
		}
		lo, hi := p.clip(r.First, r.Last.Add(instant))
		if ofReason(r.Reason).of(p.Rule.Count(lo.Add(-instant), hi.Add(-instant))) != r.Count {
			return false
		}
	}
	return true
}
