// Package table answers: which days stand in a table that somebody else keeps, and how is a calendar's table handed on?
//
// It reads and writes tables of days as CSV and as iCalendar, and has the holidays of some countries as seeds. A table is what
// package calendar has in Free, Work and Dates: dates, or days of every year, each with a name.
package table

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Years is a range of years, both ends of it inside. The zero value is no range: what repeats stays a rule of every year.
type Years struct{ First, Last int }

// The years that may be asked for.
const (
	minYear  = 1900
	maxYear  = 2200
	mostDays = 10_000 // of a table, as package calendar has it
)

// Given reports whether a range was asked for.
func (y Years) Given() bool { return y != Years{} }

// Check says what is wrong with a range.
func (y Years) Check() error {
	if y.Given() && (y.First < minYear || y.Last > maxYear || y.Last < y.First) {
		return fault.Newf(fault.Invalid, "years from %d to %d: write the first and the last, within %d to %d", y.First, y.Last, minYear, maxYear)
	}
	return nil
}

// has reports whether a day is within the range.
func (y Years) has(d calendar.Day) bool {
	year, _, _ := d.Date()
	return !y.Given() || year >= y.First && year <= y.Last
}

// tidy sorts entries by date, those of every year first, and puts the names of one day into one entry.
func tidy(list []calendar.Date) []calendar.Date {
	slices.SortStableFunc(list, func(a, b calendar.Date) int {
		return cmp.Or(cmp.Compare(len(a.Date), len(b.Date)), cmp.Compare(a.Date, b.Date))
	})
	var out []calendar.Date
	for _, d := range list {
		if n := len(out); n == 0 || out[n-1].Date != d.Date {
			out = append(out, d)
		} else if last := &out[n-1]; last.Name == "" {
			last.Name = d.Name
		} else if d.Name != "" && !slices.Contains(strings.Split(last.Name, " / "), d.Name) {
			last.Name += " / " + d.Name
		}
	}
	return out
}

// mistakes collects what is wrong with a file.
type mistakes struct {
	file string
	list fault.Mistakes
}

func (m *mistakes) add(line, column int, message string) {
	const most = 1000
	if len(m.list) < most {
		m.list = append(m.list, fault.Mistake{File: m.file, Line: line, Column: column, Message: message})
	}
}

// err returns them as an error; nil: there are none.
func (m *mistakes) err() error {
	if len(m.list) == 0 {
		return nil
	}
	return m.list
}

// Only returns the entries of a table that are in the years; those of every year stay.
func (y Years) Only(list []calendar.Date) (out []calendar.Date) {
	for _, entry := range list {
		year, month, day, err := calendar.ParseDate(entry.Date)
		if err == nil && (year == 0 || y.has(calendar.DayOf(year, month, day))) {
			out = append(out, entry)
		}
	}
	return out
}
