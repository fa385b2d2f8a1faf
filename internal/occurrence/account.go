package occurrence

import (
	"iter"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// Account is what is known of one schedule between two instants (Begin <= due < End): what its rules have, and what became of it.
// Everything due at or before Through is decided or stored as pending; so the sum of what became of it is what the rules have.
type Account struct {
	Begin, End time.Time
	Through    time.Time
	Pieces     []Piece            // the spans that reach into it
	Before     map[Decision]int64 // records due at or before Through
	After      map[Decision]int64 // records due later: what a person has touched
	Early      int64              // how many of both were decided before they were due: whether they are expected, only Look can tell
	Ranges     []Range            // that may reach into it, and beyond
	Records    []Record           // those that Torn or Wide asks for

	twice, twiceAhead int64 // that rules have again at another due; see Look
}

// Piece is a span with its rule. nil: the rule cannot be made any more, and nothing can be said.
type Piece struct {
	Span         int64
	Since, Until time.Time // zero Until: it is in force
	Rule         *calendar.Rule
}

// Sum is Expected = Released + Missed + Suppressed + Cancelled + Pending.
type Sum struct {
	Expected, Released, Missed, Suppressed, Cancelled int64
	Pending                                           int64 // those that are not due yet among them
	Holds                                             bool
}

// instant is the smallest difference of two dues that the store keeps.
const instant = time.Microsecond

// Sum adds it up; where it does not hold, Look may know better. A schedule whose next occurrence is only known when a run has ended is expected to have what it has.
func (a *Account) Sum() Sum {
	s := a.add()
	s.Holds = s.Holds && !a.mixed()
	return s
}

// mixed reports whether two rules may have the same instant at two dues, which only Look sees where one of them is still to come.
func (a *Account) mixed() bool {
	rules, far := 0, time.Duration(0)
	for _, p := range a.Pieces {
		if p.Rule != nil && !p.Rule.ByEnd() {
			s := p.Rule.Schedule()
			rules, far = rules+1, max(far, slack(&s))
		}
	}
	return rules > 1 && far > 0
}

func (a *Account) add() Sum {
	cut := earlier(a.End, a.Through.Add(instant))
	cut = later(cut, a.Begin)
	counts, free, exact := map[Decision]int64{}, false, true
	for _, p := range a.Pieces {
		free = free || p.Rule == nil || p.Rule.ByEnd()
	}
	before, after := sumOf(a.Before), sumOf(a.After)
	for _, d := range []map[Decision]int64{a.Before, a.After} {
		for decision, n := range d {
			counts[decision] += n
		}
	}
	for i := range a.Ranges {
		n, m := a.within(i, a.Begin, cut), a.within(i, cut, a.End)
		counts[a.Ranges[i].Decision] += n + m
		before, after = before+n, after+m
		exact = exact && a.exact(&a.Ranges[i])
	}
	s := Sum{Released: counts[Released], Missed: counts[Missed], Suppressed: counts[Suppressed], Cancelled: counts[Cancelled], Pending: counts[Pending]}
	if free {
		s.Expected, s.Holds = before+after, true
		return s
	}
	known, ahead := a.count(a.Begin, cut)-a.twice, a.count(cut, a.End)-a.twiceAhead
	s.Expected = known + ahead
	s.Holds = known == before && ahead >= after && exact && a.Early == 0
	if ahead > after {
		s.Pending += ahead - after
	}
	return s
}

// Wide returns the time whose records Look needs, all that are due in it.
func (a *Account) Wide() (since, until time.Time) {
	far := time.Duration(0)
	for _, p := range a.Pieces {
		if p.Rule != nil {
			s := p.Rule.Schedule()
			far = max(far, min(slack(&s), 40*24*time.Hour))
		}
	}
	since, until = a.Begin.Add(-far), a.End.Add(far)
	if lo, hi, torn := a.Torn(); torn {
		since, until = earlier(since, lo.Add(-far)), later(until, hi.Add(far))
	}
	return since, until
}

// Look adds it up anew from Records, one by one, where Sum does not hold. A change of the definition leaves two things behind that no count
// sees. What a person had decided before its time may be no occurrence of the new rule: nobody expects it. And the new rule may have one that
// was decided by the old rule, at another due: it is decided, and is not due again.
func (a *Account) Look() Sum {
	all := *a
	all.Before, all.After, all.Early = map[Decision]int64{}, map[Decision]int64{}, 0
	twice, twiceAhead := int64(0), int64(0)
	for i := range a.Records {
		r := &a.Records[i]
		in := !r.Due.Before(a.Begin) && r.Due.Before(a.End)
		found := false
		for j := range a.Pieces {
			due, ok := a.Pieces[j].has(r.Nominal)
			switch {
			case !ok:
			case due.Equal(r.Due):
				found = true
			case due.Before(a.Begin) || !due.Before(a.End):
			case due.After(a.Through):
				twiceAhead++
			default:
				twice++
			}
		}
		switch {
		case !in || !found:
		case r.Due.After(a.Through):
			all.After[r.Decision]++
		default:
			all.Before[r.Decision]++
		}
	}
	n, ahead := a.again()
	all.twice, all.twiceAhead = twice+n, twiceAhead+ahead
	return all.add()
}

// Lacking returns the spans of ranges without a Piece that may stand for what later spans have in the account: Look needs them, with their rules.
func (a *Account) Lacking() []int64 {
	var spans []int64
	for i := range a.Ranges {
		r := &a.Ranges[i]
		if slices.Contains(spans, r.Span) || a.piece(r.Span) != nil {
			continue
		}
		for j := range a.Pieces {
			p := &a.Pieces[j]
			if p.Rule == nil || p.Span < r.Span {
				continue
			}
			s := p.Rule.Schedule()
			if far := slack(&s); !r.Last.Add(far).Before(a.Begin) && r.First.Add(-far).Before(a.End) {
				spans = append(spans, r.Span)
				break
			}
		}
	}
	return spans
}

// again counts what the rules have in the account that a range of an earlier span stands for, at another due, and that has no record.
func (a *Account) again() (n, ahead int64) {
	recorded := map[int64]bool{}
	for i := range a.Records {
		recorded[a.Records[i].Nominal.UnixMicro()] = true
	}
	for i := range a.Pieces {
		for o := range a.settled(&a.Pieces[i], a.Begin, a.End) {
			switch {
			case recorded[o.Nominal.UnixMicro()]:
			case o.Due.After(a.Through):
				ahead++
			default:
				n++
			}
		}
	}
	return n, ahead
}

// older returns the ranges of spans before one, with their rules.
func (a *Account) older(p *Piece) []Decided {
	var older []Decided
	for i := range a.Ranges {
		if r := &a.Ranges[i]; r.Span < p.Span {
			if q := a.piece(r.Span); q != nil && q.Rule != nil {
				older = append(older, Decided{Range: r, Rule: q.Rule})
			}
		}
	}
	return older
}

// settled yields what a span has from one instant to before another that was decided before, in a range of an earlier span: where a shift or a
// jitter tell due and nominal apart, a change of the rule makes an instant due again.
func (a *Account) settled(p *Piece, from, until time.Time) iter.Seq[calendar.Occurrence] {
	return func(yield func(calendar.Occurrence) bool) {
		older := a.older(p)
		if p.Rule == nil || len(older) == 0 {
			return
		}
		lo, hi := p.clip(from, until)
		for o := range Settled(p.Rule, older, lo.Add(-instant), hi.Add(-instant)) {
			if !yield(o) {
				return
			}
		}
	}
}

// has returns when a nominal instant is due in the span.
func (p *Piece) has(nominal time.Time) (time.Time, bool) {
	if p.Rule == nil {
		return time.Time{}, false
	}
	o, ok := p.Rule.At(nominal)
	if !ok || o.Due.Before(p.Since) || !p.Until.IsZero() && !o.Due.Before(p.Until) {
		return time.Time{}, false
	}
	return o.Due, true
}

func sumOf(m map[Decision]int64) int64 {
	n := int64(0)
	for _, one := range m {
		n += one
	}
	return n
}

// count is what the rules have from one instant to before another.
func (a *Account) count(from, until time.Time) int64 {
	n := int64(0)
	for _, p := range a.Pieces {
		if lo, hi := p.clip(from, until); lo.Before(hi) {
			n += p.Rule.Count(lo.Add(-instant), hi.Add(-instant)).All
		}
	}
	return n
}

// clip is the part of a time in which the span was in force.
func (p *Piece) clip(from, until time.Time) (lo, hi time.Time) {
	lo, hi = later(from, p.Since), until
	if !p.Until.IsZero() {
		hi = earlier(hi, p.Until)
	}
	return lo, hi
}

// slack is how far the due of an occurrence may be from its nominal instant. What is beyond any limit of a shift is no matter: it is suppressed.
func slack(s *calendar.Schedule) time.Duration {
	n := s.Jitter
	if s.Shifts() {
		n += 370 * 24 * time.Hour
	}
	return n
}

// Torn reports whether a range reaches over an end of the account or over Through. Then Records are needed, all that are due in the time that it
// returns: a range does not stand for what has a record of its own.
func (a *Account) Torn() (since, until time.Time, torn bool) {
	for i := range a.Ranges {
		r := &a.Ranges[i]
		p := a.piece(r.Span)
		if p == nil || p.Rule == nil || !a.torn(r, p) {
			continue
		}
		s := p.Rule.Schedule()
		lo, hi := r.First.Add(-s.Jitter), r.Last.Add(s.Jitter+instant)
		if slack(&s) > s.Jitter {
			lo, hi = a.Begin, a.End // shifts reach far, and days have few nominals
		}
		if !torn || lo.Before(since) {
			since = lo
		}
		until, torn = later(until, hi), true
	}
	return since, until, torn
}

func (a *Account) torn(r *Range, p *Piece) bool {
	s := p.Rule.Schedule()
	if far := slack(&s); r.Last.Add(far).Before(a.Begin) || !r.First.Add(-far).Before(a.End) {
		return false
	}
	cut := later(a.Begin, earlier(a.End, a.Through.Add(instant)))
	return !whole(r, slack(&s), a.Begin, cut) && !whole(r, slack(&s), cut, a.End)
}

func whole(r *Range, slack time.Duration, from, until time.Time) bool {
	return !r.First.Add(-slack).Before(from) && r.Last.Add(slack).Before(until)
}

// exact reports whether a range that is torn has in all what it says: what is missing elsewhere would else go unseen, because its parts are
// counted by the rule. Where dues are not nominals, or were not by an earlier rule, all of it would have to be walked through, and it is believed.
func (a *Account) exact(r *Range) bool {
	p := a.piece(r.Span)
	if p == nil || p.Rule == nil || !a.torn(r, p) {
		return true
	}
	class := ofReason(r.Reason)
	for _, p := range a.Pieces {
		if p.Rule == nil {
			continue
		}
		if s := p.Rule.Schedule(); slack(&s) != 0 {
			return true
		}
	}
	lo, hi := p.clip(r.First, r.Last.Add(instant))
	return class.of(p.Rule.Count(lo.Add(-instant), hi.Add(-instant)))-a.recorded(r, lo, hi)-a.before(r, p, lo, hi) == r.Count
}

func (a *Account) piece(span int64) *Piece {
	for i := range a.Pieces {
		if a.Pieces[i].Span == span {
			return &a.Pieces[i]
		}
	}
	return nil
}

// within is how many of a range are due from one instant to before another. A range of a span that does not reach there has none.
func (a *Account) within(i int, from, until time.Time) int64 {
	r := &a.Ranges[i]
	p := a.piece(r.Span)
	if p == nil || p.Rule == nil {
		return 0
	}
	s := p.Rule.Schedule()
	far := slack(&s)
	if whole(r, far, from, until) {
		return r.Count
	}
	lo, hi := p.clip(from, until)
	class := ofReason(r.Reason)
	if class != toRun || far == 0 { // they are due at their nominal instant
		lo, hi = later(lo, r.First), earlier(hi, r.Last.Add(instant))
		if !lo.Before(hi) {
			return 0
		}
		return class.of(p.Rule.Count(lo.Add(-instant), hi.Add(-instant))) - a.recorded(r, lo, hi) - a.before(r, p, lo, hi)
	}
	if lo = later(lo, r.First.Add(-far)); !lo.Before(hi) {
		return 0
	}
	n := int64(0)
	for o := range p.Rule.Between(lo.Add(-instant), earlier(hi, r.Last.Add(far+instant)).Add(-instant)) {
		if r.Has(o) && !a.taken(r, o) {
			n++
		}
	}
	return n - a.recorded(r, lo, hi) - a.before(r, p, lo, hi)
}

// before is how many of what a range reaches over were decided in ranges of earlier spans, and have no record of their own.
func (a *Account) before(r *Range, p *Piece, from, until time.Time) int64 {
	n := int64(0)
	for o := range a.settled(p, from, until) {
		own := slices.ContainsFunc(a.Records, func(k Record) bool { return k.Nominal.Equal(o.Nominal) })
		if r.Has(o) && !own && !a.taken(r, o) {
			n++
		}
	}
	return n
}

// covers reports whether a nominal instant lies in the range.
func (r *Range) covers(nominal time.Time) bool {
	return !nominal.Before(r.First) && !nominal.After(r.Last)
}

// taken reports whether an earlier range of the same span stands for an occurrence that a range stands for: a jitter that is longer than the
// interval has the ends of two ranges overlap, and each occurrence counts once.
func (a *Account) taken(of *Range, o calendar.Occurrence) bool {
	for i := range a.Ranges {
		if r := &a.Ranges[i]; r == of {
			return false
		} else if r.Span == of.Span && r.Has(o) {
			return true
		}
	}
	return false
}

// recorded is how many of what a range reaches over have a record of their own.
func (a *Account) recorded(r *Range, from, until time.Time) int64 {
	n, p := int64(0), a.piece(r.Span)
	for i := range a.Records {
		k := &a.Records[i]
		if k.Schedule == Manual {
			continue
		}
		if o, ok := p.Rule.At(k.Nominal); ok && !o.Due.Before(from) && o.Due.Before(until) && r.Has(o) && !a.taken(r, o) {
			n++
		}
	}
	return n
}

// ofReason is what a range with a reason is about.
func ofReason(r Reason) class {
	if r == Calendar || r == Blackout || r == Collision {
		return class(r)
	}
	return toRun
}
