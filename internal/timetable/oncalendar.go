package timetable

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// moment is a calendar expression of systemd (systemd.time(7)): sets of numbers; nil: all.
type moment struct {
	weekdays             map[int]bool // 0 is Sunday
	years, months, days  []int
	fromEnd              bool // days count from the last one of the month: 1 is the last
	hours, minutes, secs []int
	zone                 string
}

// shorthands are the words that stand for expressions.
func shorthands() map[string]string {
	return map[string]string{
		"minutely": "*-*-* *:*:00", "hourly": "*-*-* *:00:00", "daily": "*-*-* 00:00:00", "monthly": "*-*-01 00:00:00",
		"weekly": "Mon *-*-* 00:00:00", "yearly": "*-01-01 00:00:00", "annually": "*-01-01 00:00:00",
		"quarterly": "*-01,04,07,10-01 00:00:00", "semiannually": "*-01,07-01 00:00:00",
	}
}

// parseMoment reads an expression. zones tells whether a last word is a time zone.
func parseMoment(text string, zones *calendar.Zones) (moment, error) {
	var m moment
	words := strings.Fields(text)
	if len(words) > 1 {
		if _, ok := zones.Location(words[len(words)-1]); ok {
			m.zone, words = words[len(words)-1], words[:len(words)-1]
		}
	}
	if len(words) == 1 {
		if full, ok := shorthands()[strings.ToLower(words[0])]; ok {
			words = strings.Fields(full)
		}
	}
	if len(words) > 0 && (words[0][0] >= 'A' && words[0][0] <= 'Z' || words[0][0] >= 'a' && words[0][0] <= 'z') {
		var err error
		if m.weekdays, err = weekdays(words[0]); err != nil {
			return m, err
		}
		words = words[1:]
	}
	date, clock := "*-*-*", "00:00:00"
	switch {
	case len(words) > 2:
		return m, fmt.Errorf("%q: days of the week, a date and a time are expected", text)
	case len(words) == 2:
		date, clock = words[0], words[1]
	case len(words) == 1 && strings.Contains(words[0], ":"):
		clock = words[0]
	case len(words) == 1:
		date = words[0]
	case m.weekdays == nil:
		return m, fmt.Errorf("%q is no calendar expression", text)
	}
	if err := m.date(date); err != nil {
		return m, err
	}
	return m, m.clock(clock)
}

func weekdays(text string) (map[int]bool, error) {
	short := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	long := []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	number := func(word string) (int, error) {
		word = strings.ToLower(word)
		if i := max(slices.Index(short, word), slices.Index(long, word)); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("%q is no day of the week: Mon, Tue, Wed, Thu, Fri, Sat or Sun", word)
	}
	out := map[int]bool{}
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ","), ",") {
		first, last, ranged := strings.Cut(part, "..")
		if !ranged {
			first, last, ranged = strings.Cut(part, "-") // as older versions write it
		}
		a, err := number(first)
		if err != nil {
			return nil, err
		}
		b := a
		if ranged {
			if b, err = number(last); err != nil {
				return nil, err
			}
		}
		for k := a; ; k = (k + 1) % 7 {
			out[k] = true
			if k == b {
				break
			}
		}
	}
	return out, nil
}

func (m *moment) date(text string) error {
	text, days, fromEnd := strings.Cut(text, "~")
	parts := strings.Split(text, "-")
	if fromEnd {
		parts = append(parts, days)
		m.fromEnd = true
	}
	if len(parts) == 2 {
		parts = append([]string{"*"}, parts...)
	}
	if len(parts) != 3 {
		return fmt.Errorf("%q is no date: YEAR-MONTH-DAY is expected, with * for any", text)
	}
	var err error
	if m.years, err = numbers(parts[0], firstYear, lastYear); err != nil {
		return fmt.Errorf("the year: %w", err)
	}
	if m.months, err = numbers(parts[1], 1, 12); err != nil {
		return fmt.Errorf("the month: %w", err)
	}
	if m.days, err = numbers(parts[2], 1, 31); err != nil {
		return fmt.Errorf("the day: %w", err)
	}
	return nil
}

func (m *moment) clock(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) == 2 {
		parts = append(parts, "00")
	}
	if len(parts) != 3 {
		return fmt.Errorf("%q is no time of day: HH:MM or HH:MM:SS is expected, with * for any", text)
	}
	var err error
	if m.hours, err = numbers(parts[0], 0, 23); err != nil {
		return fmt.Errorf("the hour: %w", err)
	}
	if m.minutes, err = numbers(parts[1], 0, 59); err != nil {
		return fmt.Errorf("the minute: %w", err)
	}
	if m.secs, err = numbers(parts[2], 0, 59); err != nil {
		return fmt.Errorf("the second: %w", err)
	}
	return nil
}

// numbers reads a list of numbers, ranges a..b and steps /n; nil is any.
func numbers(text string, low, high int) ([]int, error) {
	if text == "*" {
		return nil, nil
	}
	seen := map[int]bool{}
	for part := range strings.SplitSeq(text, ",") {
		body, by, stepped := strings.Cut(part, "/")
		step, from, to := 1, low, high
		var err error
		if stepped {
			if step, err = strconv.Atoi(by); err != nil || step < 1 {
				return nil, fmt.Errorf("%q: a whole number of steps is expected after /, parts of seconds are not taken", part)
			}
		}
		first, last, ranged := strings.Cut(body, "..")
		if body != "*" {
			if from, err = strconv.Atoi(first); err != nil {
				return nil, fmt.Errorf("%q is no whole number", first)
			}
			to = from
			if ranged {
				if to, err = strconv.Atoi(last); err != nil {
					return nil, fmt.Errorf("%q is no whole number", last)
				}
			} else if stepped {
				to = high
			}
		}
		if from < low || to > high || from > to {
			return nil, fmt.Errorf("%q is outside of %d to %d", part, low, high)
		}
		for k := from; k <= to; k += step {
			seen[k] = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// field writes a set for a cron line. every is what stands for all.
func field(list []int, every string) string {
	if list == nil {
		return every
	}
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.Itoa(n)
	}
	return strings.Join(out, ",")
}

// yearly is a run of years: from the beginning of one to before that of another; 0: without bound.
type yearly struct{ from, until int }

// runs returns the runs of years that are meant; one without bounds where all are.
func (m moment) runs() []yearly {
	if m.years == nil {
		return []yearly{{}}
	}
	var out []yearly
	for _, y := range m.years {
		if n := len(out); n > 0 && out[n-1].until == y {
			out[n-1].until++
		} else {
			out = append(out, yearly{y, y + 1})
		}
	}
	for i := range out {
		if out[i].from <= firstYear {
			out[i].from = 0
		}
		if out[i].until > lastYear {
			out[i].until = 0
		}
	}
	return out
}

// The years of systemd.
const (
	firstYear = 1970
	lastYear  = 2199
)

// civil writes the beginning of a year; empty: there is no bound.
func civil(year int) string {
	if year == 0 {
		return ""
	}
	return fmt.Sprintf("%d-01-01", year)
}

// cron writes the moment, but for its years, as a line of six fields. ok is false where cron has no word for it: systemd wants both day of the
// week and day of the month, cron one of them.
func (m moment) cron() (string, bool) {
	if m.weekdays != nil && m.days != nil || m.fromEnd && len(m.days) != 1 {
		return "", false
	}
	days := field(m.days, "*")
	if m.fromEnd {
		days = "L"
		if m.days[0] > 1 {
			days = fmt.Sprintf("L-%d", m.days[0]-1)
		}
	}
	week := "*"
	if m.weekdays != nil {
		week = field(slices.Sorted(maps.Keys(m.weekdays)), "*")
	}
	return strings.Join([]string{field(m.secs, "*"), field(m.minutes, "*"), field(m.hours, "*"), days, field(m.months, "*"), week}, " "), true
}

// rrule writes the moment, but for its years, as a rule of RFC 5545, which wants every part at once.
func (m moment) rrule() string {
	parts := []string{"FREQ=YEARLY"}
	add := func(name string, list []int, low, high int) {
		if list == nil {
			for k := low; k <= high; k++ {
				list = append(list, k)
			}
		}
		parts = append(parts, name+"="+field(list, ""))
	}
	add("BYMONTH", m.months, 1, 12)
	days := m.days
	if m.fromEnd {
		days = nil
		for _, d := range m.days {
			days = append(days, -d)
		}
	}
	if days != nil {
		add("BYMONTHDAY", days, 1, 31)
	}
	if m.weekdays != nil {
		var names []string
		for _, d := range slices.Sorted(maps.Keys(m.weekdays)) {
			names = append(names, []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}[d])
		}
		parts = append(parts, "BYDAY="+strings.Join(names, ","))
	}
	add("BYHOUR", m.hours, 0, 23)
	add("BYMINUTE", m.minutes, 0, 59)
	add("BYSECOND", m.secs, 0, 59)
	return strings.Join(parts, ";")
}

// has reports whether a civil day is meant.
func (m moment) has(d calendar.Day) bool {
	y, month, day := d.Date()
	if m.fromEnd {
		_, _, last := (calendar.DayOf(y, month+1, 1) - 1).Date()
		day = last - day + 1
	}
	in := func(list []int, n int) bool { return list == nil || slices.Contains(list, n) }
	return in(m.years, y) && in(m.months, int(month)) && in(m.days, day) && (m.weekdays == nil || m.weekdays[int(d.Weekday())])
}
