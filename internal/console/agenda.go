package console

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	agendaOnPage = 60
	agendaPace   = 3000         // a day of fifty thousand is counted for each fetch
	zoneCookie   = "reeve_zone" // the zone in which a person reads agendas
)

// agendaData is one day.
type agendaData struct {
	Net, Folder, State string
	Wall               wall
	Zones              template.HTML // to choose from
	States             []string
	Page               api.AgendaPage
	Title              string // the day, as people write it
	Before, After      string // addresses of the days beside it
	Today              string // address of today; empty: this is it
	Hours              []hourBar
	Hour               *hourBar // the one that is looked at; nil: the whole day
	Length             string   // of the day, where it has not 24 hours
	Changes            []string // what happens to the clocks
	Parts              []agendaPart
	Sum                int64
	Rows               []occurrenceRow
	More, First        string // addresses of the next page, and of the first; empty: there is none, this is it
	Overrides          []overrideRow
	Next               string // of forms: where they come back to
	MayAdd, MayHold    bool
}

// agendaPart is one term of the sum that a day must be.
type agendaPart struct {
	State, Href, Style string
	N                  int64
	On                 bool
}

// agendaStates are those that the filter knows.
func agendaStates() []string {
	return []string{"pending", "released", "missed", "late", "suppressed", "cancelled"}
}

// timePages are the pages of time that this console has, as every one of them shows them.
func timePages() []pair {
	list := []pair{{"agenda", "Agenda"}, {"schedules", "Schedules"}, {"missed", "Missed"}, {"why", "Why"}, {"calendars", "Calendars"}, {"forecast", "Forecast"}}
	return slices.DeleteFunc(list, func(p pair) bool {
		return !slices.ContainsFunc(table(), func(r route) bool { return r.pattern == "GET /"+p.Key })
	})
}

// listZones renders the choices of zones once.
func (c *console) listZones() (template.HTML, error) {
	var b strings.Builder
	if err := c.pages["agenda"].ExecuteTemplate(&b, "zonelist", c.zones.Names()); err != nil {
		return "", fmt.Errorf("rendering the list of zones: %w", err)
	}
	return template.HTML(b.String()), nil
}

// zoneOf is the zone that a person chose last.
func (c *console) zoneOf(r *http.Request) string {
	if cookie, err := r.Cookie(zoneCookie); err == nil {
		if _, ok := c.zones.Location(cookie.Value); ok && cookie.Value != "" {
			return cookie.Value
		}
	}
	return "UTC"
}

func (c *console) agenda(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := agendaData{Net: q.Get("net"), Folder: strings.Trim(q.Get("folder"), "/"), State: q.Get("state"), States: agendaStates(), Zones: c.zoneList}
	if d.State != "" && !slices.Contains(d.States, d.State) {
		return fault.Newf(fault.Invalid, "%q is no state of occurrences", shorten(d.State, 40))
	}
	chosen := q.Get("zone")
	var err error
	if d.Wall, err = c.knownZone(cmp.Or(chosen, c.zoneOf(r))); err != nil {
		return err
	}
	if chosen != "" {
		http.SetCookie(w, &http.Cookie{Name: zoneCookie, Value: d.Wall.Zone, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
	}
	day := cmp.Or(q.Get("day"), d.Wall.now.In(d.Wall.loc).Format(time.DateOnly))
	date, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return fault.Newf(fault.Invalid, "%q is no day: write it as 2026-12-24", shorten(day, 40))
	}
	query := api.AgendaQuery{Day: day, Zone: d.Wall.Zone, Net: d.Net, Folder: d.Folder, State: d.State, After: q.Get("after"), Limit: agendaOnPage}
	hour := q.Get("hour")
	if hour != "" {
		query.After, query.Limit = "", 1 // the items come from elsewhere
	}
	if d.Page, err = c.service.ShowAgenda(r.Context(), query); err != nil {
		return err
	}
	d.fill(date)
	next := d.Page.Next
	if hour != "" {
		if next, err = c.anHour(r, &d, hour); err != nil {
			return err
		}
	} else {
		d.Rows = rowsOf(d.Page.Items)
	}
	d.turn(next, hour, q.Get("after"))
	s := api.SubjectOf(r.Context())
	d.MayAdd, d.MayHold = s.May(access.Run, s.Folder), s.May(access.Control, s.Folder)
	d.Overrides = overrideRows(d.Page.Overrides, s.May)
	annotate(d.Rows, d.Overrides)
	d.Next = here(r)
	v := view{Title: "Agenda of " + day, Section: "time", Data: &d}
	if q.Get("after") == "" {
		v.Events, v.Pace = "/live", agendaPace
	}
	return c.page(w, r, "agenda", v)
}

// fill works out what is said of the whole day.
func (d *agendaData) fill(date time.Time) {
	p := &d.Page
	d.Title = date.Format("Monday, 2 January 2006")
	day := func(days int) string { return d.address("day", date.AddDate(0, 0, days).Format(time.DateOnly)) }
	d.Before, d.After = day(-1), day(1)
	if today := d.Wall.now.In(d.Wall.loc).Format(time.DateOnly); today != date.Format(time.DateOnly) {
		d.Today = d.address("day", today)
	}
	changes := d.Wall.changes(p.Begin, p.End)
	for _, ch := range changes {
		d.Changes = append(d.Changes, ch.text())
	}
	if length := p.End.Sub(p.Begin); length != 24*time.Hour && length > 0 {
		d.Length = dayLength(length)
	}
	for i := range p.Hours {
		d.Hours = append(d.Hours, hourBarOf(&p.Hours[i], d))
	}
	scaleHours(d.Hours)
	n := p.Counts
	for _, part := range []agendaPart{
		{State: "released", N: n.Released}, {State: "missed", N: n.Missed}, {State: "suppressed", N: n.Suppressed}, {State: "cancelled", N: n.Cancelled}, {State: "pending", N: n.Pending},
	} {
		d.Sum += part.N
		part.Style, part.On = decisionStyle(part.State), d.State == part.State
		part.Href = d.address("state", part.State)
		d.Parts = append(d.Parts, part)
	}
}

// Whole is the address of the whole day, in all states.
func (d *agendaData) Whole() string { return d.address("state", "") }

// LateOnly is the address of what is late.
func (d *agendaData) LateOnly() string { return d.address("state", "late") }

// turn finds the addresses of the pages before and after.
func (d *agendaData) turn(next *string, hour, after string) {
	if next != nil {
		d.More = d.address("hour", hour, "after", *next)
	}
	if after != "" {
		d.First = d.address("hour", hour)
	}
}

// anHour fills the rows with what is due in one hour.
func (c *console) anHour(r *http.Request, d *agendaData, hour string) (*string, error) {
	begin, err := time.Parse(time.RFC3339, hour)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "%q is no hour of the day", shorten(hour, 40))
	}
	i := slices.IndexFunc(d.Hours, func(h hourBar) bool { return h.Begin.Equal(begin) })
	if i < 0 {
		return nil, fault.Newf(fault.NotFound, "this day has no hour that begins at %s", shorten(hour, 40))
	}
	d.Hours[i].On, d.Hour = true, &d.Hours[i]
	end := d.Page.End
	if i+1 < len(d.Hours) {
		end = d.Hours[i+1].Begin
	}
	query := api.OccurrenceQuery{Net: d.Net, Folder: d.Folder, Since: begin, Until: end, Planned: true, After: r.URL.Query().Get("after"), Limit: agendaOnPage}
	if d.State != "" && d.State != "late" {
		query.Decisions = []string{d.State}
	}
	page, err := c.service.ListOccurrences(r.Context(), query)
	if err != nil {
		return nil, err
	}
	if d.State == "late" {
		page.Occurrences = slices.DeleteFunc(page.Occurrences, func(o api.Occurrence) bool { return !o.Late })
	}
	d.Rows = rowsOf(page.Occurrences)
	return page.Next, nil
}

// address is this day's address with the same filter, with some of it changed: name, value, name, value.
func (d *agendaData) address(change ...string) string {
	q := url.Values{}
	for _, p := range []pair{{"day", d.Page.Day}, {"zone", d.Wall.Zone}, {"net", d.Net}, {"folder", d.Folder}, {"state", d.State}} {
		q.Set(p.Key, p.Value)
	}
	for i := 0; i+1 < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	for name := range q {
		if q.Get(name) == "" {
			q.Del(name)
		}
	}
	return "/agenda?" + q.Encode()
}

// hourBar is an hour of the day's time line. Its heights are pixels of hourTall.
type hourBar struct {
	Begin                       time.Time
	Label, Text, Href           string
	Due, Done, Trouble          int64
	DueY, DoneY, TroubleY       int
	DueTall, DoneTall, TroubleH int
	Now, Past, On, Twice        bool
}

const hourTall = 72

func hourBarOf(h *api.AgendaHour, d *agendaData) hourBar {
	local := h.Begin.In(d.Wall.loc)
	bar := hourBar{Begin: h.Begin, Due: h.Due, Done: h.Done, Trouble: h.Trouble, Label: local.Format("15"), Href: d.address("hour", h.Begin.UTC().Format(time.RFC3339))}
	if local.Minute() != 0 {
		bar.Label = local.Format("15:04")
	}
	if at := d.Wall.instants(local); len(at) > 1 { // this hour comes twice
		bar.Twice = true
		bar.Label += map[bool]string{true: "A", false: "B"}[at[0].Equal(h.Begin)]
	}
	bar.Text = fmt.Sprintf("%s: %d due, %d released, %d missed or late", d.Wall.Clock(h.Begin).Text, h.Due, h.Done, h.Trouble)
	bar.Now = !d.Wall.now.Before(h.Begin) && d.Wall.now.Before(h.Begin.Add(time.Hour))
	bar.Past = !d.Wall.now.Before(h.Begin.Add(time.Hour))
	return bar
}

// scaleHours gives the bars their heights: trouble at the bottom, what is done on it, and what is due up to the top.
func scaleHours(bars []hourBar) {
	most := int64(1)
	for i := range bars {
		most = max(most, bars[i].Due, bars[i].Done, bars[i].Trouble)
	}
	tall := func(n int64) int {
		if n <= 0 {
			return 0
		}
		return max(int(n*hourTall/most), 2)
	}
	for i := range bars {
		b := &bars[i]
		all := max(b.Due, b.Done, b.Trouble)
		b.DueTall, b.TroubleH = tall(all), tall(b.Trouble)
		b.DoneTall = min(tall(b.Done), b.DueTall-min(b.TroubleH, b.DueTall))
		b.TroubleY = hourTall - b.TroubleH
		b.DoneY = b.TroubleY - b.DoneTall
		b.DueY = hourTall - b.DueTall
	}
}
