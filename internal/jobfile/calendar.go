package jobfile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// calendarDocument is the written form of calendar.Definition.
type calendarDocument struct {
	Calendar    string        `field:"calendar" required:"yes" pattern:"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$" max:"200" doc:"The calendar's name, as folder/name. It must be the first field."`
	Description string        `field:"description" doc:"What the calendar is for."`
	Week        []string      `field:"week" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"The working days of the week; absent: all seven."`
	Boundary    string        `field:"boundary" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" default:"00:00" doc:"When a business day begins, as 06:00: what is before it belongs to the day before."`
	Free        []dated       `field:"free" doc:"Free days, each with a name or as a date alone."`
	FreeOn      []string      `field:"free_on" doc:"Sets of days that are free, too: SET, CALENDAR#free, CALENDAR#SET, or CALENDAR for its working days."`
	Work        []dated       `field:"work" doc:"Days that are working days whatever week, free and free_on say."`
	WorkOn      []string      `field:"work_on" doc:"Sets of days that are working days whatever week, free and free_on say."`
	Sets        []calendarSet `field:"sets" doc:"Named sets of days: for free_on and work_on, for schedules (calendar: NAME#SET), and for other calendars."`
}

type calendarSet struct {
	Name         string   `field:"name" required:"yes" pattern:"^[a-z0-9][a-z0-9_-]*$" max:"200" doc:"The set's name, once in a calendar. free is the name of the calendar's own free days."`
	Dates        []dated  `field:"dates" doc:"Days of the set."`
	Union        []string `field:"union" doc:"All days of these are in the set. A set without dates and union begins with all days."`
	Intersection []string `field:"intersection" doc:"Of these days only those that are in every one of these."`
	Difference   []string `field:"difference" doc:"And none that is in one of these."`
}

// dated is a day of a table. It may be written as its date alone.
type dated struct {
	Date string `field:"date" required:"yes" pattern:"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$" doc:"2026-12-24, or 12-24 for every year."`
	Name string `field:"name" max:"200" doc:"What people call the day."`
}

// String writes the day in one line.
func (d dated) String() string {
	if d.Name == "" {
		return quoted(d.Date, true)
	}
	return "{date: " + quoted(d.Date, true) + ", name: " + quoted(d.Name, true) + "}"
}

// FormatCalendar writes the canonical form of a calendar, as Format does for a net.
func FormatCalendar(c calendar.Definition) []byte {
	w := &writer{}
	w.fields(reflect.ValueOf(fromCalendar(c)), "", "")
	return w.Bytes()
}

// CalendarSchema returns the JSON Schema (2020-12) of one document that defines a calendar.
func CalendarSchema() []byte {
	return schemaText(reflect.TypeFor[calendarDocument](), "calendar", "Which days are working days.")
}

// ParseCalendar reads one calendar in its canonical form, as the store has it.
func ParseCalendar(text []byte) (calendar.Definition, error) {
	docs, err := ParseDocuments("calendar", text)
	switch {
	case err != nil:
		return calendar.Definition{}, err
	case len(docs.Calendars) != 1 || len(docs.Nets) > 0:
		return calendar.Definition{}, fmt.Errorf("the text has %d calendars and %d nets, want one calendar", len(docs.Calendars), len(docs.Nets))
	}
	return docs.Calendars[0], nil
}

// weekdays are the names of the days of the week, Sunday first as package time counts.
func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// calendar reads a calendar from its mapping.
func (r *reader) calendar(body ast.Node) *calendar.Definition {
	d := fill[calendarDocument](r, body)
	c := calendar.Definition{
		Name: d.Calendar, Description: d.Description, Free: toDates(d.Free), FreeOn: d.FreeOn, Work: toDates(d.Work), WorkOn: d.WorkOn,
	}
	for i, name := range d.Week {
		path := fmt.Sprintf("week[%d]", i)
		at := slices.Index(weekdays(), name)
		if at < 0 && !r.hidden(path) {
			r.bad[path] = true
			r.mistake(r.find(path, false), "%q is no day of the week: they are mon, tue, wed, thu, fri, sat, sun%s", clip(name), jobnet.Suggest(short(name), slices.Values(weekdays())))
		}
		c.Week = append(c.Week, time.Weekday(at)) // one that is none, too: the place in the list is that of what stands in the file
	}
	if d.Boundary != "" {
		t, err := time.Parse("15:04", d.Boundary)
		if err != nil || len(d.Boundary) != len("06:00") {
			r.bad["boundary"] = true
			r.mistake(r.find("boundary", false), `%q is no time of the day: write "06:00"`, clip(d.Boundary))
		} else {
			c.Boundary = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
		}
	}
	for _, s := range d.Sets {
		c.Sets = append(c.Sets, calendar.Set{Name: s.Name, Dates: toDates(s.Dates), Union: s.Union, Intersection: s.Intersection, Difference: s.Difference})
	}
	return &c
}

// short is the beginning of a long name of a day of the week, which is how it is written here.
func short(name string) string {
	name = strings.ToLower(name)
	if len(name) > 3 && slices.Contains(weekdays(), name[:3]) {
		return name[:3]
	}
	return name
}

func fromCalendar(c calendar.Definition) calendarDocument {
	d := calendarDocument{
		Calendar: c.Name, Description: c.Description, Free: fromDates(c.Free), FreeOn: c.FreeOn, Work: fromDates(c.Work), WorkOn: c.WorkOn,
	}
	for i := range 7 { // Monday first, whatever order it was written in
		if day := time.Weekday((i + 1) % 7); slices.Contains(c.Week, day) {
			d.Week = append(d.Week, weekdays()[day])
		}
	}
	if len(d.Week) == 7 {
		d.Week = nil
	}
	if c.Boundary > 0 {
		d.Boundary = FormatBoundary(c.Boundary)
	}
	for _, s := range c.Sets {
		d.Sets = append(d.Sets, calendarSet{Name: s.Name, Dates: fromDates(s.Dates), Union: s.Union, Intersection: s.Intersection, Difference: s.Difference})
	}
	return d
}

// FormatBoundary writes the time at which a business day begins: 06:00.
func FormatBoundary(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// FormatWeek writes the working days of a week; none stand for all seven.
func FormatWeek(week []time.Weekday) []string {
	if out := fromCalendar(calendar.Definition{Week: week}).Week; out != nil {
		return out
	}
	return append(weekdays()[1:], weekdays()[0])
}

func toDates(list []dated) (out []calendar.Date) {
	for _, d := range list {
		out = append(out, calendar.Date(d))
	}
	return out
}

func fromDates(list []calendar.Date) (out []dated) {
	for _, d := range list {
		out = append(out, dated(d))
	}
	return out
}
