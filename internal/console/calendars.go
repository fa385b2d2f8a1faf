package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// calendarPath leads to a calendar.
func calendarPath(name string) string {
	return "/calendars/" + strings.TrimPrefix(netPath(name), "/nets/")
}

// calendarRow is a calendar in the list.
type calendarRow struct {
	api.CalendarSummary
	Href string
}

// calendarsData is the list of calendars.
type calendarsData struct {
	Rows []calendarRow
}

func (c *console) calendars(w http.ResponseWriter, r *http.Request) error {
	list, err := c.service.ListCalendars(r.Context())
	if err != nil {
		return err
	}
	var d calendarsData
	for _, one := range list {
		d.Rows = append(d.Rows, calendarRow{one, calendarPath(one.Name)})
	}
	return c.page(w, r, "calendars", view{Title: "Calendars", Section: "time", Events: "/live", Data: d})
}

// mostEntries bounds the table of a page: the definition below it has them all.
const mostEntries = 500

// calendarLink leads to another view of a calendar.
type calendarLink struct {
	Text string
	Href string
	On   bool
}

// calendarEntry is a day of a calendar's own tables.
type calendarEntry struct {
	Date, Name string
	Working    bool
	Yearly     bool
}

// calendarData is one calendar.
type calendarData struct {
	Calendar  api.Calendar
	Href      string
	Older     bool // not the newest version; then there is no month of it
	Month     monthGrid
	Working   int            // days of the month
	Sets      []calendarLink // the calendar, its free days and its sets: of which the month is
	Set       string
	Entries   []calendarEntry
	More      int // entries that are not named
	Schedules []calendarLink
	Versions  []calendarLink
}

func (c *console) calendar(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	version, err := optionalNumber(q.Get("version"))
	if err != nil {
		return err
	}
	one, err := c.service.Calendar(r.Context(), r.PathValue("name"), version)
	if err != nil {
		return err
	}
	d := calendarData{Calendar: one, Href: calendarPath(one.Name), Older: one.Version < one.Newest, Set: q.Get("set")}
	for _, e := range one.Free {
		d.Entries = append(d.Entries, calendarEntry{e.Date, e.Name, false, len(e.Date) == len("12-24")})
	}
	for _, e := range one.Work {
		d.Entries = append(d.Entries, calendarEntry{e.Date, e.Name, true, len(e.Date) == len("12-24")})
	}
	d.More = max(0, len(d.Entries)-mostEntries)
	d.Entries = d.Entries[:len(d.Entries)-d.More]
	for _, s := range one.Schedules {
		net, name := cutSchedule(s)
		d.Schedules = append(d.Schedules, calendarLink{Text: net + " " + name, Href: schedulePath(net, name)})
	}
	for i, v := range one.Versions {
		href := d.Href
		if i > 0 {
			href += "?" + url.Values{"version": {strconv.Itoa(v)}}.Encode()
		}
		d.Versions = append(d.Versions, calendarLink{Text: strconv.Itoa(v), Href: href, On: v == one.Version})
	}
	if !d.Older {
		if err := c.monthOfCalendar(r, &d); err != nil {
			return err
		}
	}
	return c.page(w, r, "calendar", view{Title: one.Name, Section: "time", Events: "/live", Data: d})
}

// monthOfCalendar makes the month that the query names (2026-12), else this one, of the calendar or of a set of it.
func (c *console) monthOfCalendar(r *http.Request, d *calendarData) error {
	sets := append([]string{"free"}, d.Calendar.Sets...)
	if d.Set != "" && !slices.Contains(sets, d.Set) {
		return fault.New(fault.NotFound, "calendar "+d.Calendar.Name+" has no set "+shorten(d.Set, 40), "choose one of its page")
	}
	today := c.now().UTC()
	month := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	if text := r.URL.Query().Get("month"); text != "" {
		var err error
		if month, err = time.Parse("2006-01", text); err != nil {
			return fault.Newf(fault.Invalid, "%q is no month: write it as 2026-12", shorten(text, 40))
		}
	}
	to := func(set string, months int) string {
		q := url.Values{"month": {month.AddDate(0, months, 0).Format("2006-01")}}
		if set != "" {
			q.Set("set", set)
		}
		return d.Href + "?" + q.Encode() + "#month"
	}
	d.Sets = append(d.Sets, calendarLink{"working days", to("", 0), d.Set == ""})
	for _, set := range sets {
		d.Sets = append(d.Sets, calendarLink{set, to(set, 0), d.Set == set})
	}
	ref := d.Calendar.Name
	if d.Set != "" {
		ref += "#" + d.Set
	}
	days, err := c.service.CalendarDays(r.Context(), ref, month.Format(time.DateOnly), month.AddDate(0, 1, -1).Format(time.DateOnly))
	if err != nil {
		return err
	}
	d.Month = monthGrid{Title: month.Format("January 2006"), Before: to(d.Set, -1), After: to(d.Set, 1)}
	for _, day := range days {
		if day.Working {
			d.Working++
		}
		if cell, ok := calendarCell(day, today.Format(time.DateOnly)); ok {
			d.Month.Days = append(d.Month.Days, cell)
		}
	}
	return nil
}

// calendarCell is a day of a calendar. The plain days of a week say nothing more than they look like.
func calendarCell(d api.CalendarDay, today string) (monthCell, bool) {
	date, err := time.Parse(time.DateOnly, d.Day)
	if err != nil {
		return monthCell{}, false // not a day
	}
	cell := monthCell{
		N: date.Day(), Name: date.Format("Monday 2 January"), Column: (int(date.Weekday())+6)%7 + 1, Style: "work", Days: true,
		Today: d.Day == today, Past: d.Day < today,
	}
	if !d.Working {
		cell.Style = "free"
	}
	if d.Why != date.Weekday().String() && (d.Working || d.Name != nil || !strings.HasPrefix(d.Why, "not in ")) {
		cell.Why = d.Why
	}
	return cell, true
}
