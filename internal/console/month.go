package console

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// monthGrid is a month as weeks, Monday first, with what is said of each day.
type monthGrid struct {
	Title         string // December 2026
	Before, After string // addresses of the months beside it
	Days          []monthCell
}

// monthCell is a day of it.
type monthCell struct {
	N      int    // of the month
	Name   string // Thursday 24 December
	Column int    // 1: Monday; of the first day only, others follow
	Href   string // the agenda of the day; empty: there is nothing to see
	Style  string // free, due, none
	Today  bool
	Past   bool
	Due    int64
	Gone   int64 // suppressed
	Times  []string
	More   int64 // times that are not named
	Why    string
	Days   bool // of a calendar: nothing is due on it
}

// monthTimes bounds the times that a day names.
const monthTimes = 3

// monthOfSchedule makes the month that the query names (2026-12), else this one.
func (c *console) monthOfSchedule(r *http.Request, s *scheduleRow) (monthGrid, error) {
	text := r.URL.Query().Get("month")
	here := s.Wall.now.In(s.Wall.loc)
	month := time.Date(here.Year(), here.Month(), 1, 0, 0, 0, 0, time.UTC)
	if text != "" {
		var err error
		if month, err = time.Parse("2006-01", text); err != nil {
			return monthGrid{}, fault.Newf(fault.Invalid, "%q is no month: write it as 2026-12", shorten(text, 40))
		}
	}
	days, err := c.service.MonthOf(r.Context(), s.Net, s.Name, month)
	if err != nil {
		return monthGrid{}, err
	}
	to := func(months int) string {
		return s.Href + "?month=" + month.AddDate(0, months, 0).Format("2006-01") + "#month"
	}
	grid := monthGrid{Title: month.Format("January 2006"), Before: to(-1), After: to(1)}
	for i := range days {
		if cell, ok := s.cell(&days[i], here); ok {
			grid.Days = append(grid.Days, cell)
		}
	}
	return grid, nil
}

func (s *scheduleRow) cell(d *api.MonthDay, here time.Time) (monthCell, bool) {
	date, err := time.Parse(time.DateOnly, d.Day)
	if err != nil {
		return monthCell{}, false // not a day
	}
	cell := monthCell{
		N: date.Day(), Name: date.Format("Monday 2 January"), Column: (int(date.Weekday())+6)%7 + 1, Style: "none", Due: d.Due, Gone: d.Suppressed, Why: d.Why,
		Today: d.Day == here.Format(time.DateOnly), Past: d.Day < here.Format(time.DateOnly),
	}
	switch {
	case d.Due > 0:
		cell.Style = "due"
	case !d.Working:
		cell.Style = "free"
	}
	if d.Due+d.Suppressed > 0 {
		cell.Href = "/agenda?" + url.Values{"day": {d.Day}, "zone": {s.Wall.Zone}, "net": {s.Net}}.Encode()
	}
	for _, at := range d.Times[:min(len(d.Times), monthTimes)] {
		cell.Times = append(cell.Times, s.Wall.Clock(at).Text)
	}
	cell.More = d.Due - int64(len(cell.Times))
	return cell, true
}

// Title is what a day says in one sentence.
func (m monthCell) Title() string {
	out := m.Name
	if m.Days {
		if m.Style == "free" {
			out += ": free"
		}
	} else if m.Due > 0 {
		out += fmt.Sprintf(": %d due", m.Due)
	} else {
		out += ": none due"
	}
	if m.Gone > 0 {
		out += fmt.Sprintf(", %d suppressed", m.Gone)
	}
	if m.Why != "" {
		out += ", " + m.Why
	}
	return out
}
