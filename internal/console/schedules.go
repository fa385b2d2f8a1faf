package console

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Bounds of what pages of schedules show.
const (
	schedulesOnPage = 200
	nextDue         = 10
	lastDecided     = 10
	aheadAtMost     = 399 * 24 * time.Hour // nearly as far as rules may be asked for what they foresee
)

// schedulesData is the list of schedules with its filter.
type schedulesData struct {
	Net, Folder string
	Paused      bool
	Rows        []scheduleRow
	More, First string // addresses of the next page, and of the first; empty: there is none, this is it
}

// scheduleRow is a schedule as lists show it.
type scheduleRow struct {
	api.Schedule
	Words string // the rule, as people say it
	Href  string
	Wall  wall
	Moved string // why the next one is not simply at its time
}

func (c *console) scheduleRow(s *api.Schedule) scheduleRow {
	row := scheduleRow{Schedule: *s, Words: ruleWords(s.Kind, s.Rule), Href: schedulePath(s.Net, s.Name), Wall: c.wall(s.Zone)}
	if s.Kind == "every" && slices.Contains(strings.Split(s.Text, "; "), "by: end") {
		row.Words += " after the end of the run before"
	}
	if s.NextReason != nil {
		row.Moved = reasonOfNext(*s.NextReason)
	}
	return row
}

// reasonOfNext says a rule that moved the next one, or why it waits.
func reasonOfNext(reason string) string {
	switch reason {
	case "dst_gap", "dst_overlap", "shift", "jitter", "override":
		return movedText(reason)
	case "due", "not_due":
		return ""
	case "calendar", "blackout", "collision":
		return "to be suppressed: " + decidedText(reason)
	}
	return decidedText(reason)
}

func (c *console) schedules(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := schedulesData{Net: q.Get("net"), Folder: strings.Trim(q.Get("folder"), "/"), Paused: q.Get("paused") != ""}
	list, err := c.service.ListSchedules(r.Context(), api.ScheduleQuery{Net: d.Net, Folder: d.Folder, Paused: d.Paused, After: q.Get("after"), Limit: schedulesOnPage})
	if err != nil {
		return err
	}
	for i := range list {
		d.Rows = append(d.Rows, c.scheduleRow(&list[i]))
	}
	if len(list) == schedulesOnPage {
		last := list[len(list)-1]
		d.More = d.address(last.Net + "/" + last.Name)
	}
	if q.Get("after") != "" {
		d.First = d.address("")
	}
	return c.page(w, r, "schedules", view{Title: "Schedules", Section: "time", Events: "/live", Pace: 1000, Data: d})
}

// address is this list's address with the same filter.
func (d *schedulesData) address(after string) string {
	q := url.Values{}
	paused := ""
	if d.Paused {
		paused = "1"
	}
	for _, p := range []pair{{"net", d.Net}, {"folder", d.Folder}, {"paused", paused}, {"after", after}} {
		if p.Value != "" {
			q.Set(p.Key, p.Value)
		}
	}
	if len(q) == 0 {
		return "/schedules"
	}
	return "/schedules?" + q.Encode()
}

// scheduleData is one schedule.
type scheduleData struct {
	scheduleRow
	Ahead   []occurrenceRow // the next ones
	Behind  []occurrenceRow // the last ones, newest first
	Balance *api.Balance    // of today
	Month   monthGrid
	// SumUnknown: the sum of today could not be made.
	SumUnknown bool
	Overrides  []overrideRow
	Next       string // of forms: where they come back to
	MayPause   bool
}

func (c *console) schedule(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	net, name := cutSchedule(r.PathValue("what"))
	s, err := c.service.Schedule(ctx, net, name)
	if err != nil {
		return err
	}
	d := scheduleData{scheduleRow: c.scheduleRow(&s), Next: here(r)}
	now := c.now()
	ahead, err := c.service.ListOccurrences(ctx, api.OccurrenceQuery{Net: net, Schedule: name, Since: now, Until: now.Add(aheadAtMost), Planned: true, Limit: 4 * nextDue})
	if err != nil {
		return err
	}
	d.Ahead = firstDue(rowsOf(ahead.Occurrences))
	if d.Behind, err = c.lastOf(ctx, &s); err != nil {
		return err
	}
	balance, err := c.service.Balance(ctx, api.BalanceQuery{Net: net, Schedule: name})
	switch {
	case err != nil: // the schedule is worth seeing without
		c.log.Warn("page of a schedule", slog.String("net", net), slog.String("schedule", name), slog.Any("error", err))
		d.SumUnknown = true
	case len(balance) > 0:
		d.Balance = &balance[len(balance)-1]
	}
	if d.Month, err = c.monthOfSchedule(r, &d.scheduleRow); err != nil {
		return err
	}
	overrides, err := c.service.ListOverrides(ctx, net, false)
	if err != nil {
		return err
	}
	overrides = slices.DeleteFunc(overrides, func(o api.Override) bool { return o.Schedule != name })
	subject := api.SubjectOf(ctx)
	d.Overrides = overrideRows(overrides, subject.May)
	annotate(d.Ahead, d.Overrides)
	d.MayPause = subject.May(access.Control, folderOf(net))
	return c.page(w, r, "schedule", view{Title: name + " of " + net, Section: "time", Events: "/live", Pace: 1000, Data: d})
}

// firstDue keeps the first that are to be released, and what is suppressed between them.
func firstDue(rows []occurrenceRow) []occurrenceRow {
	due := 0
	for i := range rows {
		if rows[i].Decision == "pending" {
			due++
		}
		if due == nextDue || i+1 == 2*nextDue {
			return rows[:i+1]
		}
	}
	return rows
}

// daysPath leads to the calendar, and its set, whose days count.
func daysPath(ref *string) string {
	name, set, _ := strings.Cut(deref(ref), "#")
	if set == "" {
		return calendarPath(name)
	}
	return calendarPath(name) + "?" + url.Values{"set": {set}}.Encode()
}

// cutSchedule splits NET/SCHEDULE.
func cutSchedule(what string) (net, name string) {
	if i := strings.LastIndexByte(what, '/'); i > 0 {
		return what[:i], what[i+1:]
	}
	return what, ""
}

// lastOf returns the last occurrences of a schedule that were decided, newest first. Lists begin with the oldest, so it
// looks back from the last one, further each time until there are enough.
func (c *console) lastOf(ctx context.Context, s *api.Schedule) ([]occurrenceRow, error) {
	if s.Last == nil {
		return nil, nil
	}
	until := s.Last.Add(time.Microsecond)
	var found []api.Occurrence
	for back := 2 * time.Minute; ; back *= 8 {
		page, err := c.service.ListOccurrences(ctx, api.OccurrenceQuery{Net: s.Net, Schedule: s.Name, Since: until.Add(-back), Until: until, Limit: 1000})
		if err != nil {
			return nil, err
		}
		found = page.Occurrences[max(0, len(page.Occurrences)-lastDecided):]
		// A range that is the oldest may begin before.
		if len(found) == lastDecided && found[0].Kind != "range" || back > aheadAtMost {
			break
		}
	}
	found = slices.Clone(found)
	slices.Reverse(found)
	return rowsOf(found), nil
}

// steerSchedule pauses or resumes a schedule.
func (c *console) steerSchedule(w http.ResponseWriter, r *http.Request) error {
	net, name := r.PostFormValue("net"), r.PostFormValue("schedule")
	var err error
	did := ""
	switch r.PathValue("verb") {
	case "pause":
		order := api.Pause{Reason: strings.TrimSpace(r.PostFormValue("reason"))}
		in, zoneErr := c.knownZone(r.PostFormValue("zone"))
		if zoneErr != nil {
			return zoneErr
		}
		until, readErr := in.read(strings.TrimSpace(r.PostFormValue("until")), "first")
		if readErr != nil {
			return readErr
		}
		if !until.IsZero() {
			order.Until = &until
		}
		if order.Reason == "" {
			return fault.New(fault.Invalid, "the reason is missing", "say why, for those who find it paused")
		}
		did = "paused"
		_, err = c.service.PauseSchedule(r.Context(), net, name, order)
	case "resume":
		did = "resumed"
		_, err = c.service.ResumeSchedule(r.Context(), net, name)
	default:
		return c.missing(w, r)
	}
	if err != nil {
		return err
	}
	return back(w, r, localPath(cmp.Or(r.PostFormValue("next"), schedulePath(net, name))), did)
}

// here is the address of this page without the notice of what was done before.
func here(r *http.Request) string {
	u := *r.URL
	if q := u.Query(); q.Has("did") {
		q.Del("did")
		u.RawQuery = q.Encode()
	}
	return u.RequestURI()
}
