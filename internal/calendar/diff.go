package calendar

import (
	"cmp"
	"slices"
	"time"
)

// DiffKind says what a change of definition does to one occurrence.
type DiffKind string

// The kinds.
const (
	DiffAdded   DiffKind = "added"
	DiffRemoved DiffKind = "removed"
	DiffMoved   DiffKind = "moved" // the same nominal has another due, or the same wall time is another instant
)

// Difference is one occurrence that a change adds, removes or moves, or several of a stretch of days (Counted). Before and
// After are zero where there is none.
type Difference struct {
	Kind   DiffKind
	Before time.Time // due; of several the beginning of their first day
	After  time.Time // due
	Last   time.Time // of several: the end of their last day; zero: it is one
	Count  int64
	Reason Reason // the rule that suppresses it now, or that moves it; empty: another time is written
}

// Diff is what a change of definition does to the occurrences that are to be released. Those that either rule suppresses itself
// do not count for it.
type Diff struct {
	Added, Removed, Moved, Same int64
	// Counted says that there are too many to look at each: numbers were compared day by day, and times within a day were not.
	Counted  bool
	Examples []Difference // the first ones, by time
}

// Changed reports whether anything is different.
func (d *Diff) Changed() bool { return d.Added+d.Removed+d.Moved > 0 }

// The bounds of a comparison.
const (
	diffMost = 150_000             // occurrences of one rule that are looked at one by one
	diffEdge = 62 * 24 * time.Hour // how far outside of the window the other end of a move is looked for: a shift of many days
)

// Compare says how the occurrences with since < Due <= until differ between two rules; nil: there is none. At most `examples`
// examples are returned. What old had due at or before since is decided, and so is not due again where updated has it later.
func Compare(old, updated *Rule, since, until time.Time, examples int) Diff {
	c := comparison{since: since, until: until, most: examples}
	switch {
	case old == nil && updated == nil:
	case old == updated:
		counts := old.Count(since, until)
		c.diff.Same = counts.All - counts.Suppressed()
	case old == nil:
		c.all(updated, DiffAdded)
	case updated == nil:
		c.all(old, DiffRemoved)
	case many(old, since, until.Add(diffEdge)) || many(updated, since, until.Add(diffEdge)):
		c.byDay(old, updated)
	default:
		c.oneByOne(old, updated)
	}
	slices.SortStableFunc(c.diff.Examples, func(a, b Difference) int { return a.when().Compare(b.when()) })
	if len(c.diff.Examples) > examples {
		c.diff.Examples = c.diff.Examples[:examples]
	}
	return c.diff
}

// many reports whether a rule has more occurrences than are looked at one by one. Counting all would take longer, where a calendar
// shifts them.
func many(r *Rule, since, until time.Time) bool {
	seen := 0
	for range r.Between(since, until) {
		if seen++; seen > diffMost {
			return true
		}
	}
	return false
}

// when is the first instant that a difference is about.
func (d Difference) when() time.Time {
	if d.Before.IsZero() || !d.After.IsZero() && d.After.Before(d.Before) {
		return d.After
	}
	return d.Before
}

// comparison is a difference that is being made.
type comparison struct {
	since, until time.Time
	most         int
	diff         Diff
}

// all says that everything that a rule has is added, or removed.
func (c *comparison) all(r *Rule, kind DiffKind) {
	counts := r.Count(c.since, c.until)
	number := counts.All - counts.Suppressed()
	if kind == DiffAdded {
		c.diff.Added = number
	} else {
		c.diff.Removed = number
	}
	c.first(r, kind, min(int64(c.most), number))
}

// first takes examples from a rule whose occurrences are all of one kind.
func (c *comparison) first(r *Rule, kind DiffKind, number int64) {
	if number <= 0 {
		return
	}
	for o := range r.Between(c.since, c.until) {
		if o.Suppressed != "" {
			continue
		}
		c.diff.Examples = append(c.diff.Examples, single(kind, o, o.Moved))
		if number--; number == 0 {
			return
		}
	}
}

func single(kind DiffKind, o Occurrence, why Reason) Difference {
	if kind == DiffAdded {
		return Difference{Kind: kind, After: o.Due, Count: 1, Reason: why}
	}
	return Difference{Kind: kind, Before: o.Due, Count: 1, Reason: why}
}

// byDay compares numbers, day by day.
func (c *comparison) byDay(old, updated *Rule) {
	c.diff.Counted = true
	for at := c.since; at.Before(c.until); {
		next := at.Add(24 * time.Hour)
		if next.After(c.until) {
			next = c.until
		}
		before, after := old.Count(at, next), updated.Count(at, next)
		was, is := before.All-before.Suppressed(), after.All-after.Suppressed()
		c.diff.Same += min(was, is)
		switch {
		case was > is:
			c.diff.Removed += was - is
			c.stretch(Difference{Kind: DiffRemoved, Before: at, Last: next, Count: was - is})
		case is > was:
			c.diff.Added += is - was
			c.stretch(Difference{Kind: DiffAdded, After: at, Last: next, Count: is - was})
		}
		at = next
	}
}

// stretch adds what is different on a day to the days before it, where those are like it.
func (c *comparison) stretch(d Difference) {
	if n := len(c.diff.Examples); n > 0 {
		if last := &c.diff.Examples[n-1]; last.Kind == d.Kind && last.Last.Equal(d.when()) {
			last.Last, last.Count = d.Last, last.Count+d.Count
			return
		}
	}
	c.diff.Examples = append(c.diff.Examples, d)
}

// oneByOne looks at each occurrence of both rules.
func (c *comparison) oneByOne(old, updated *Rule) {
	decided := map[int64]bool{}
	for o := range old.Between(c.since.Add(-diffEdge), c.since) {
		decided[o.Nominal.UnixMicro()] = true
	}
	after := map[int64]Occurrence{}
	for o := range updated.Between(c.since, c.until.Add(diffEdge)) {
		if key := o.Nominal.UnixMicro(); !decided[key] {
			after[key] = o
		}
	}
	gone := map[int64][]Occurrence{} // by the wall time that was meant
	for o := range old.Between(c.since, c.until.Add(diffEdge)) {
		key := o.Nominal.UnixMicro()
		if other, both := after[key]; both {
			c.pair(o, other)
			delete(after, key)
		} else if o.Suppressed == "" {
			key := wallKey(o, old)
			gone[key] = append(gone[key], o)
		}
	}
	for _, o := range ordered(after) {
		if o.Suppressed != "" {
			continue
		}
		key := wallKey(o, updated)
		if list := gone[key]; len(list) > 0 {
			c.pair(list[0], o)
			gone[key] = list[1:]
			continue
		}
		c.one(DiffAdded, o, o.Moved)
	}
	for _, list := range gone {
		for _, o := range list {
			c.one(DiffRemoved, o, "")
		}
	}
}

// wallKey is the wall time of an occurrence's nominal, in the zone of its rule.
func wallKey(o Occurrence, r *Rule) int64 {
	_, offset := o.Nominal.In(r.Location()).Zone()
	return o.Nominal.UnixMicro() + int64(offset)*1e6
}

func ordered(set map[int64]Occurrence) []Occurrence {
	out := make([]Occurrence, 0, len(set))
	for _, o := range set {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b Occurrence) int { return cmp.Or(a.Nominal.Compare(b.Nominal), a.Due.Compare(b.Due)) })
	return out
}

// pair compares the two ends of one occurrence.
func (c *comparison) pair(old, updated Occurrence) {
	switch {
	case old.Suppressed != "" && updated.Suppressed != "":
	case old.Suppressed != "":
		c.one(DiffAdded, updated, updated.Moved)
	case updated.Suppressed != "":
		c.one(DiffRemoved, old, updated.Suppressed)
	case old.Due.After(c.until) && updated.Due.After(c.until):
	case old.Due.Equal(updated.Due):
		c.diff.Same++
	default:
		c.diff.Moved++
		c.diff.Examples = append(c.diff.Examples, Difference{
			Kind: DiffMoved, Before: old.Due, After: updated.Due, Count: 1, Reason: cmp.Or(updated.Moved, old.Moved),
		})
	}
}

func (c *comparison) one(kind DiffKind, o Occurrence, why Reason) {
	if o.Due.After(c.until) {
		return
	}
	if kind == DiffAdded {
		c.diff.Added++
	} else {
		c.diff.Removed++
	}
	c.diff.Examples = append(c.diff.Examples, single(kind, o, why))
}
