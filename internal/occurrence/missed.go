package occurrence

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// Loss is what one schedule missed together: a record, a range or several of them.
type Loss struct {
	Net, Schedule string
	First, Last   time.Time // nominal, the least and the greatest
	Due           time.Time // of the one that is due first
	Count         int64
	Reason        Reason
	Detail        string
	Decided       time.Time
}

// together is how long after each other two were decided at most that were decided together: an outage is decided within seconds, and two
// outages may say the same.
const together = time.Minute

// Losses gathers what was missed: what follows each other of one schedule, for the same reason with the same detail, and was decided together
// is one. What somebody has dealt with in between does not part it. The zero value is ready.
type Losses struct {
	all  []*Loss
	last map[[2]string]*Loss
}

// Add adds what is due next or, of another schedule, at the same time.
func (g *Losses) Add(m Loss) {
	of := [2]string{m.Net, m.Schedule}
	if o := g.last[of]; o != nil && o.Reason == m.Reason && o.Detail == m.Detail && m.Decided.Sub(o.Decided).Abs() <= together {
		o.First, o.Last, o.Count, o.Decided = earlier(o.First, m.First), later(o.Last, m.Last), o.Count+m.Count, m.Decided
		return
	}
	if g.last == nil {
		g.last = map[[2]string]*Loss{}
	}
	g.last[of] = &m
	g.all = append(g.all, &m)
}

// Gathered returns them by Due, Net, Schedule and First.
func (g *Losses) Gathered() []*Loss {
	slices.SortFunc(g.all, func(a, b *Loss) int {
		return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.Net, b.Net), strings.Compare(a.Schedule, b.Schedule), a.First.Compare(b.First))
	})
	return g.all
}

// Each yields what the i-th range reaches over and is due between Begin and End, by due, but for what an earlier range stands for. What has a
// record of its own is among it. Where the rule of the range cannot be made any more, there is nothing.
func (a *Account) Each(i int) iter.Seq[calendar.Occurrence] {
	return func(yield func(calendar.Occurrence) bool) {
		r := &a.Ranges[i]
		p := a.piece(r.Span)
		if p == nil || p.Rule == nil {
			return
		}
		s := p.Rule.Schedule()
		far := slack(&s)
		older := slices.DeleteFunc(a.older(p), func(d Decided) bool {
			theirs := d.Rule.Schedule()
			return far+slack(&theirs) == 0
		})
		lo, hi := p.clip(a.Begin, a.End)
		lo, hi = later(lo, r.First.Add(-far)), earlier(hi, r.Last.Add(far+instant))
		for o := range p.Rule.Between(lo.Add(-instant), hi.Add(-instant)) {
			if !r.Has(o) || far > 0 && a.taken(r, o) || slices.ContainsFunc(older, func(d Decided) bool { return d.Stands(o.Nominal) }) {
				continue
			}
			if !yield(o) {
				return
			}
		}
	}
}

// Readable reports whether the rule of the i-th range can be made.
func (a *Account) Readable(i int) bool {
	p := a.piece(a.Ranges[i].Span)
	return p != nil && p.Rule != nil
}
