package table

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	ical "github.com/arran4/golang-ical"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// longest is how many days one event may take.
const longest = 366

// ReadICal reads the days of a calendar file (RFC 5545): its events of whole days, those of several days, and those that repeat
// yearly. Within years, if they are given, every repetition is a date of its own; without them an event that simply comes every
// year is a day of every year, and other repetitions are mistakes. Events with a time of the day are mistakes: a table has days.
func ReadICal(name string, text []byte, years Years) ([]calendar.Date, error) {
	if err := years.Check(); err != nil {
		return nil, err
	}
	m := &mistakes{file: name}
	file, err := parseICal(text)
	if err != nil {
		m.add(1, 1, "this is not an iCalendar file: "+err.Error())
		return nil, m.err()
	}
	lines := eventLines(text)
	var out []calendar.Date
	for i, e := range file.Events() {
		line := 1
		if i < len(lines) {
			line = lines[i]
		}
		days, err := readEvent(e, years)
		if err != nil {
			m.add(line, 1, fmt.Sprintf("event %q: %s", clip(summary(e)), err))
			continue
		}
		out = append(out, days...)
		if len(out) > 10*mostDays {
			m.add(line, 1, fmt.Sprintf("a table has at most %d days: give fewer --years", mostDays))
			break
		}
	}
	out = tidy(out)
	switch {
	case m.err() != nil:
		return nil, m.err()
	case len(file.Events()) == 0:
		m.add(1, 1, "there is no event in this file")
		return nil, m.err()
	case len(out) > mostDays:
		m.add(1, 1, fmt.Sprintf("the file has %d days, at most %d: give fewer --years", len(out), mostDays))
		return nil, m.err()
	}
	return out, nil
}

// parseICal reads the file's structure. The library behind it may panic on what it does not foresee.
func parseICal(text []byte) (file *ical.Calendar, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("it cannot be read")
		}
	}()
	file, err = ical.ParseCalendarWithOptions(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))), ical.WithUnknownPropertyHandler(ical.AcceptUnknownPropertyHandler))
	if err == nil && file == nil {
		err = errors.New("it has no BEGIN:VCALENDAR")
	}
	return file, err
}

// eventLines returns the lines at which events begin.
func eventLines(text []byte) (out []int) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if string(bytes.TrimRight(line, "\r ")) == "BEGIN:VEVENT" {
			out = append(out, i+1)
		}
	}
	return out
}

func value(e *ical.VEvent, name ical.ComponentProperty) string {
	if p := e.GetProperty(name); p != nil {
		return p.Value
	}
	return ""
}

func summary(e *ical.VEvent) string { return oneLine(value(e, ical.ComponentPropertySummary)) }

// readEvent returns the days of an event.
func readEvent(e *ical.VEvent, years Years) ([]calendar.Date, error) {
	if value(e, ical.ComponentPropertyStatus) == "CANCELLED" {
		return nil, nil
	}
	if e.HasProperty(ical.ComponentPropertyRecurrenceId) {
		return nil, errors.New("it changes one repetition of another event (RECURRENCE-ID), which is not read: write that day as an event of its own")
	}
	start, err := wholeDay("DTSTART", value(e, ical.ComponentPropertyDtStart))
	if err != nil {
		return nil, err
	}
	length, err := lengthOf(e, start)
	if err != nil {
		return nil, err
	}
	rule := value(e, ical.ComponentPropertyRrule)
	without, err := dayList(e, ical.ComponentPropertyExdate)
	if err != nil {
		return nil, err
	}
	extra, err := dayList(e, ical.ComponentPropertyRdate)
	if err != nil {
		return nil, err
	}
	if rule == "" {
		return spread(append([]calendar.Day{start}, extra...), without, length, event{summary(e), years}), nil
	}
	r, err := readRule(rule, start)
	if err != nil {
		return nil, err
	}
	if years.Given() {
		return spread(append(r.within(years, length), extra...), without, length, event{summary(e), years}), nil
	}
	if !r.simple || len(without)+len(extra) > 0 {
		return nil, errors.New("it repeats otherwise than on the same day of every year without end: give --years A-B, and each repetition is written down")
	}
	var out []calendar.Date
	for i := range length {
		d := start + calendar.Day(i)
		out = append(out, calendar.Date{Date: d.String()[5:], Name: summary(e)})
	}
	return out, nil
}

// event is what all days of an event share.
type event struct {
	name  string
	years Years
}

// spread makes entries of the first days of events, but of those without.
func spread(starts, without []calendar.Day, length int, of event) (out []calendar.Date) {
	skip := map[calendar.Day]bool{}
	for _, d := range without {
		skip[d] = true
	}
	for _, start := range starts {
		if skip[start] {
			continue
		}
		for i := range length {
			if d := start + calendar.Day(i); of.years.has(d) {
				out = append(out, calendar.Date{Date: d.String(), Name: of.name})
			}
		}
	}
	return out
}

// wholeDay reads a DATE: 20261224.
func wholeDay(field, text string) (calendar.Day, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, fmt.Errorf("it has no %s", field)
	}
	if strings.Contains(text, "T") {
		return 0, fmt.Errorf("its %s is a time (%s), and a calendar has whole days: make it an event of whole days (VALUE=DATE), or leave it out", field, clip(text))
	}
	t, err := time.Parse("20060102", text)
	if err != nil || t.Year() < minYear {
		return 0, fmt.Errorf("its %s %q is no day: write 20261224, from the year %d on", field, clip(text), minYear)
	}
	return calendar.DayOf(t.Date()), nil
}

// dayList reads the days of EXDATE or RDATE, which may stand there several times with several days each.
func dayList(e *ical.VEvent, name ical.ComponentProperty) (out []calendar.Day, err error) {
	for _, p := range e.GetProperties(name) {
		for text := range strings.SplitSeq(p.Value, ",") {
			d, err := wholeDay(string(name), text)
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
	}
	return out, nil
}

// lengthOf returns how many days an event takes: DTEND is the first day after it.
func lengthOf(e *ical.VEvent, start calendar.Day) (int, error) {
	length := 1
	if text := value(e, ical.ComponentPropertyDtEnd); text != "" {
		end, err := wholeDay("DTEND", text)
		if err != nil {
			return 0, err
		}
		if end < start {
			return 0, fmt.Errorf("it ends (%s) before it begins (%s)", end, start)
		}
		length = max(1, int(end-start)) // some programs write the day itself
	} else if text := value(e, ical.ComponentPropertyDuration); text != "" {
		parts := regexp.MustCompile(`^P([0-9]{1,4})([DW])$`).FindStringSubmatch(text)
		if parts == nil {
			return 0, fmt.Errorf("its DURATION %q is none of whole days: write P2D or P1W", clip(text))
		}
		length, _ = strconv.Atoi(parts[1])
		if parts[2] == "W" {
			length *= 7
		}
	}
	if length < 1 || length > longest {
		return 0, fmt.Errorf("it takes %d days; 1 to %d can be read", length, longest)
	}
	return length, nil
}

func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// WriteICal writes a table as events of whole days; those of every year repeat. stamp is when the table was made, and title what
// it is called.
func WriteICal(title string, list []calendar.Date, stamp time.Time) ([]byte, error) {
	file := ical.NewCalendar()
	file.SetProductId("-//Reeve//calendar//EN")
	file.SetXWRCalName(title)
	for _, entry := range list {
		year, month, day, err := calendar.ParseDate(entry.Date)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "writing "+title, err)
		}
		e := file.AddEvent(strings.ReplaceAll(entry.Date, "-", "") + "-" + strings.ReplaceAll(title, "/", ".") + "@reeve")
		if year == 0 {
			year = 2000 // a leap year, so that 29 February has a first one
			e.AddRrule("FREQ=YEARLY")
		}
		first := calendar.DayOf(year, month, day)
		e.SetDtStampTime(stamp.UTC())
		e.SetAllDayStartAt(asTime(first))
		e.SetAllDayEndAt(asTime(first + 1))
		e.SetSummary(entry.Name)
		e.SetTimeTransparency(ical.TransparencyTransparent)
	}
	return []byte(file.Serialize(ical.WithNewLine("\r\n"))), nil
}

func asTime(d calendar.Day) time.Time { return time.Unix(int64(d)*86400, 0).UTC() }
