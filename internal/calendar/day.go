package calendar

import (
	"fmt"
	"time"
)

// Day is a civil day: days since 1970-01-01.
type Day int32

// DayOf returns the civil day of a date. Months and days beyond their end roll over as in time.Date.
func DayOf(year int, month time.Month, day int) Day {
	return Day(floorDiv(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), 86400))
}

// Date returns year, month and day of the month.
func (d Day) Date() (year int, month time.Month, day int) {
	return time.Unix(int64(d)*86400, 0).UTC().Date()
}

// Weekday returns the day of the week.
func (d Day) Weekday() time.Weekday {
	return time.Weekday(((int(d)+4)%7 + 7) % 7) // 1970-01-01 was a Thursday
}

// String writes d as 2026-12-24.
func (d Day) String() string {
	y, m, day := d.Date()
	return fmt.Sprintf("%04d-%02d-%02d", y, m, day)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Definition is a calendar as it is written: which civil days are working days. It is a document of its own
// (`calendar: NAME`), versioned and immutable once applied, as nets are.
//
// A day is working if its weekday is in Week and it is not free, or if it stands in Work. It is free if it stands in Free,
// or in a set of FreeOn; Work and WorkOn win over Free and FreeOn, and Free over Week.
type Definition struct {
	Name        string         `json:"calendar"`
	Description string         `json:"description,omitempty"`
	Week        []time.Weekday `json:"week,omitempty"`     // working days of the week; empty: all seven
	Boundary    time.Duration  `json:"boundary,omitempty"` // the wall time at which a business day begins: what is before it belongs to the day before; 0 to 23h59m
	Free        []Date         `json:"free,omitempty"`
	FreeOn      []string       `json:"free_on,omitempty"` // references to sets
	Work        []Date         `json:"work,omitempty"`
	WorkOn      []string       `json:"work_on,omitempty"`
	Sets        []Set          `json:"sets,omitempty"`
}

// Date is an entry of a table of days: 2026-12-24, or 12-24 for every year, with a name for people.
type Date struct {
	Date string `json:"date"`
	Name string `json:"name,omitempty"`
}

// Set is a named set of days. The days are Dates, and those of the references: all of Union, of these only those that are in
// every one of Intersection, and of these none of Difference. Without Dates and Union it begins with all days.
//
// A reference is NAME (a set of the same calendar), CALENDAR (its working days), CALENDAR#free (its free days: Free and
// FreeOn) or CALENDAR#SET. `#free` alone means this calendar's own free days.
type Set struct {
	Name         string   `json:"name"`
	Dates        []Date   `json:"dates,omitempty"`
	Union        []string `json:"union,omitempty"`
	Intersection []string `json:"intersection,omitempty"`
	Difference   []string `json:"difference,omitempty"`
}

// Lookup returns a calendar's definition by its name; false: there is none.
type Lookup func(name string) (*Definition, bool)

// Problem is one thing wrong with a schedule or a calendar. Field is the written name of the field, with an index where it
// is a list: "cron", "dates[2]", "sets[0].union[1]".
type Problem struct {
	Field   string
	Message string
}
