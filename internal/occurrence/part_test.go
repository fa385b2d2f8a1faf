package occurrence_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// stands returns what the i-th range stands for, one by one, by due.
func (p *played) stands(i int) []calendar.Occurrence {
	var list []calendar.Occurrence
	r := &p.ranges[i]
	for _, piece := range p.pieces {
		if piece.Span != r.Span {
			continue
		}
		for o := range piece.Rule.Between(piece.Since.Add(-time.Microsecond), r.Decided) {
			_, own := p.records[o.Nominal]
			for j := range p.ranges[:i] {
				own = own || p.ranges[j].Span == r.Span && p.ranges[j].Has(o)
			}
			for _, older := range p.pieces {
				for j := range p.ranges {
					d := occurrence.Decided{Range: &p.ranges[j], Rule: older.Rule}
					own = own || older.Span < r.Span && p.ranges[j].Span == older.Span && d.Stands(o.Nominal)
				}
			}
			if r.Has(o) && !own && (piece.Until.IsZero() || o.Due.Before(piece.Until)) {
				list = append(list, o)
			}
		}
	}
	return list
}

// partOf makes a part of what is due at or after one instant and before another.
func partOf(list []calendar.Occurrence, begin, end time.Time) (out occurrence.Part) {
	for _, o := range list {
		if o.Due.Before(begin) || !o.Due.Before(end) {
			continue
		}
		if out.Count++; out.Count == 1 {
			out.Due, out.First, out.Last = o.Due, o.Nominal, o.Nominal
		}
		if o.Nominal.Before(out.First) {
			out.First, out.Due = o.Nominal, o.Due
		}
		if o.Nominal.After(out.Last) {
			out.Last = o.Nominal
		}
	}
	return out
}

// TestPartsOfRanges: what of a range is due in a time has the ends and the count that one finds by looking at each.
func TestPartsOfRanges(t *testing.T) {
	t.Parallel()
	cut, none := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := play(t)
		for range 5 {
			begin, end := p.interval()
			a := p.account(begin, end)
			for i := range p.ranges {
				got, ok := a.Part(i)
				want := partOf(p.stands(i), begin, end)
				switch {
				case want.Count == 0:
					none++
				case want.Count < p.ranges[i].Count:
					cut++
				}
				same := got.Count == want.Count && got.First.Equal(want.First) && got.Last.Equal(want.Last) && got.Due.Equal(want.Due)
				if ok != (want.Count > 0) || !same {
					t.Fatalf("from %v to %v, of %s: got %v %+v, want %+v\n%s", begin, end, p.ranges[i], ok, got, want, p.describe())
				}
			}
		}
	})
	if cut < 5 || none < 5 {
		t.Errorf("%d were cut and %d were elsewhere: the test shows little", cut, none)
	}
}
