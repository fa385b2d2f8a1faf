package occurrence

import (
	"iter"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// Decided is a range with the rule of its span.
type Decided struct {
	Range *Range
	Rule  *calendar.Rule
}

// Stands reports whether the range stands for the occurrence of its rule at a nominal instant, if that has no record of its own.
func (d Decided) Stands(nominal time.Time) bool {
	o, ok := d.Rule.At(nominal)
	return ok && d.Range.Has(o)
}

// Has reports whether an occurrence of the range's rule is one that it stands for: those that a schedule suppresses for its own reason, or the
// others; what lies between its ends and was not due yet when it was made, by a shift or a jitter, is not of it.
func (r *Range) Has(o calendar.Occurrence) bool {
	return r.covers(o.Nominal) && !o.Due.After(r.Decided) && ofReason(r.Reason).has(o)
}

// Settled yields what a rule has due with since < due <= until that ranges of earlier spans stand for. Only a shift or a jitter, of one rule or
// of the other, can have it so; without them it costs nothing.
func Settled(rule *calendar.Rule, older []Decided, since, until time.Time) iter.Seq[calendar.Occurrence] {
	return func(yield func(calendar.Occurrence) bool) {
		mine := rule.Schedule()
		var lo, hi time.Time
		var near []Decided
		for _, d := range older {
			theirs := d.Rule.Schedule()
			if slack(&mine)+slack(&theirs) == 0 {
				continue
			}
			from, to := later(since, d.Range.First.Add(-slack(&mine)-instant)), earlier(until, d.Range.Last.Add(slack(&mine)))
			if !from.Before(to) {
				continue
			}
			if len(near) == 0 || from.Before(lo) {
				lo = from
			}
			hi, near = later(hi, to), append(near, d)
		}
		if len(near) == 0 {
			return
		}
		for o := range rule.Between(lo, hi) {
			for _, d := range near {
				if d.Stands(o.Nominal) {
					if !yield(o) {
						return
					}
					break
				}
			}
		}
	}
}
