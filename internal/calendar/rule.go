package calendar

import (
	"iter"
	"time"
)

// Compiler makes rules of schedules, and keeps what they share: zones, parsed expressions, resolved calendars. It is not safe
// for use by several goroutines at once; its rules are.
type Compiler struct {
	zones  *Zones
	lookup Lookup
}

// NewCompiler builds a compiler over a time zone database and the calendars that schedules may name.
func NewCompiler(zones *Zones, lookup Lookup) *Compiler { return &Compiler{zones: zones, lookup: lookup} }

// Compile makes the rule of a schedule of a net; the names of both spread what is to be spread (H, jitter). Everything that is
// wrong with it is returned at once: also that it is never due (within 40 years), and that its calendar leaves no day.
func (c *Compiler) Compile(net string, s Schedule) (*Rule, []Problem) { return &Rule{schedule: s}, nil }

// Rule is a schedule that was compiled. It is never changed.
type Rule struct {
	schedule Schedule
}

// Schedule returns what the rule was made of.
func (r *Rule) Schedule() Schedule { return r.schedule }

// Location returns the schedule's time zone.
func (r *Rule) Location() *time.Location { return time.UTC }

// Next returns the first occurrence that is due after an instant; false: there is none within 40 years. Of several with the same Due
// it is the one with the earliest Nominal: use Between where each counts.
func (r *Rule) Next(after time.Time) (Occurrence, bool) { return Occurrence{}, false }

// Between returns the occurrences with since < Due <= until, by Due and then Nominal, the suppressed ones among them.
func (r *Rule) Between(since, until time.Time) iter.Seq[Occurrence] {
	return func(func(Occurrence) bool) {}
}

// Count counts the occurrences with since < Due <= until, by civil day and not one by one.
func (r *Rule) Count(since, until time.Time) Counts { return Counts{} }

// Counts is how many occurrences there are. All counts the suppressed ones too.
type Counts struct {
	All, Calendar, Blackout, Collision int64
}

// Suppressed is how many of them the schedule itself suppresses.
func (c Counts) Suppressed() int64 { return c.Calendar + c.Blackout + c.Collision }

// At returns the occurrence with this nominal instant; false: the rule has none.
func (r *Rule) At(nominal time.Time) (Occurrence, bool) { return Occurrence{}, false }

// Taken returns the wall times that are no occurrences because of the fields for gaps and overlaps, and that would be at since < At <= until.
func (r *Rule) Taken(since, until time.Time) iter.Seq[Taken] { return func(func(Taken) bool) {} }

// Day returns the business day of an instant: the civil day in the schedule's zone, less the boundary of its calendar.
func (r *Rule) Day(t time.Time) Day { return 0 }

// Bounds returns the instants at which a business day begins and ends.
func (r *Rule) Bounds(d Day) (begin, end time.Time) { return time.Time{}, time.Time{} }

// ByEnd reports whether the next occurrence is only known when the run before it has ended (every, by end). Such a rule has
// one occurrence of its own, the first: at From, or at once when it comes into force.
func (r *Rule) ByEnd() bool { return r.schedule.EveryBy == EveryEnd && r.schedule.Every > 0 }

// AfterEnd returns the occurrence that follows the end of a run (ByEnd).
func (r *Rule) AfterEnd(end time.Time) (Occurrence, bool) { return Occurrence{}, false }

// Certificate returns how an occurrence came about, step by step, for people: the wall time that the rule means, the fields for
// gaps and overlaps, the calendar's word on its day, shift, jitter.
func (r *Rule) Certificate(o Occurrence) []string { return nil }
