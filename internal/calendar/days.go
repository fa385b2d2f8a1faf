package calendar

import "time"

// Days is a set of working days with a boundary: a reference to a calendar, resolved. It is never changed.
type Days struct {
	boundary time.Duration
}

// Resolve finds what a reference (CALENDAR or CALENDAR#SET) means. Of a set the days that are in it are the working days; the
// boundary is its calendar's.
func Resolve(ref string, lookup Lookup) (*Days, []Problem) { return &Days{}, nil }

// CheckDefinition returns what is wrong with a calendar: names, dates, references that lead nowhere or back, no working day in a year.
func CheckDefinition(d *Definition, lookup Lookup) []Problem { return nil }

// Working reports whether d is a working day.
func (s *Days) Working(d Day) bool { return true }

// Why says in a few words why d is a working day or not: "Saturday", "free: New Year's Day (holidays/de)".
func (s *Days) Why(d Day) string { return "" }

// Boundary returns the wall time at which a business day begins.
func (s *Days) Boundary() time.Duration { return s.boundary }
