package calendar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The years that an entry may name.
const (
	minYear = 1900
	maxYear = 9999
)

// ParseDate reads a date of a table of days: 2026-12-24, or 12-24 for every year (year is 0 then). 02-29 is a date that
// only leap years have.
func ParseDate(text string) (year int, month time.Month, day int, err error) {
	rest := text
	if len(text) == len("2026-12-24") {
		if text[4] != '-' {
			return 0, 0, 0, notDate(text)
		}
		if year, err = digits(text[:4]); err != nil {
			return 0, 0, 0, notDate(text)
		}
		if year < minYear {
			return 0, 0, 0, fmt.Errorf("%q: years are %d to %d", text, minYear, maxYear)
		}
		rest = text[5:]
	}
	if len(rest) != len("12-24") || rest[2] != '-' {
		return 0, 0, 0, notDate(text)
	}
	m, err := digits(rest[:2])
	if err != nil {
		return 0, 0, 0, notDate(text)
	}
	if day, err = digits(rest[3:]); err != nil {
		return 0, 0, 0, notDate(text)
	}
	within := year
	if within == 0 {
		within = 2000 // a leap year
	}
	if m < 1 || m > 12 {
		return 0, 0, 0, fmt.Errorf("%q: there is no month %d", text, m)
	}
	month = time.Month(m)
	if last := int(DayOf(within, month+1, 1) - DayOf(within, month, 1)); day < 1 || day > last {
		if year == 0 {
			return 0, 0, 0, fmt.Errorf("%q: %s has %d days", text, month, last)
		}
		return 0, 0, 0, fmt.Errorf("%q: %s %d has %d days", text, month, year, last)
	}
	return year, month, day, nil
}

func notDate(text string) error {
	if text == "" {
		return errors.New("a day needs its date: write 2026-12-24, or 12-24 for every year")
	}
	return fmt.Errorf("%q is not a date: write 2026-12-24, or 12-24 for every year", clip(text))
}

// digits reads an unsigned number: strconv alone would take a sign.
func digits(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	return int(n), err
}

// entries is a table of days, made for looking up. What stands for people is the name, or the date where there is none.
type entries struct {
	once   map[Day]string
	yearly map[int]string // by month*100 + day
}

func (e *entries) add(list []Date) {
	for _, entry := range list {
		year, month, day, err := ParseDate(entry.Date)
		if err != nil {
			continue // the resolver reports it
		}
		text := entry.Name
		if text == "" {
			text = entry.Date
		}
		if year == 0 {
			if e.yearly == nil {
				e.yearly = map[int]string{}
			}
			e.yearly[int(month)*100+day] = text
			continue
		}
		if e.once == nil {
			e.once = map[Day]string{}
		}
		e.once[DayOf(year, month, day)] = text
	}
}

// find returns the text of the entry for d; one of a certain year goes before one of every year.
func (e *entries) find(d Day) (string, bool) {
	if text, ok := e.once[d]; ok {
		return text, true
	}
	if len(e.yearly) == 0 {
		return "", false
	}
	_, month, day := d.Date()
	text, ok := e.yearly[int(month)*100+day]
	return text, ok
}

// LeansOn returns the names of the other calendars that a calendar names, each once, in the order in which it does.
func LeansOn(d *Definition) (out []string) {
	seen := map[string]bool{"": true, d.Name: true}
	look := func(refs []string) {
		for _, ref := range refs {
			name, _, sharp := strings.Cut(ref, "#")
			if seen[name] || !sharp && setOf(d, name) != nil {
				continue
			}
			seen[name] = true
			out = append(out, name)
		}
	}
	look(d.FreeOn)
	look(d.WorkOn)
	for _, s := range d.Sets {
		look(s.Union)
		look(s.Intersection)
		look(s.Difference)
	}
	return out
}
