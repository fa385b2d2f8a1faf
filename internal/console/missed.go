package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	missedOnPage   = 500
	releasedAtOnce = 1000 // what the service releases at once at most
)

// missedData is what was missed and is neither recovered nor dismissed.
type missedData struct {
	Net, Folder, Schedule string
	Each                  bool // one by one
	Rows                  []missedRow
	Count                 int64 // on all pages
	Nets                  []missedNet
	Part                  bool   // there are other pages
	First, More           string // addresses of the first page and the next one
	Switch                string // of the same, one by one or together
	Until                 string // what is due before this is on the page: nothing newer is dismissed or released unseen
	Limit                 int64  // how many of them are released at once
	Next                  string
	MayRelease            bool
	MayDismiss            bool
}

// missedRow is what a schedule missed together, or one occurrence.
type missedRow struct {
	api.Missed
	Text         string // why, in a sentence
	Single       bool
	Why          string // address of the first one's page
	First, Last  string // nominal times for forms
	Behind       string // just after the last one
	Since, Until string // within which its occurrences are due
	Open         string // address of the list of each; empty: this is it
	Href         string // of the schedule
	MayRelease   bool
	MayDismiss   bool
}

// missedNet counts what a net missed, on this page.
type missedNet struct {
	Net        string
	N          int64
	Href       string
	MayDismiss bool
}

func (c *console) missedList(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := missedData{Net: q.Get("net"), Folder: strings.Trim(q.Get("folder"), "/"), Schedule: q.Get("schedule"), Each: q.Get("each") != "", Next: here(r)}
	after := q.Get("after")
	page, err := c.service.Missed(r.Context(), api.OccurrenceQuery{Net: d.Net, Folder: d.Folder, Schedule: d.Schedule, Each: d.Each, After: after, Limit: missedOnPage})
	if err != nil {
		return err
	}
	d.Count, d.Limit, d.Part = page.Count, min(page.Count, releasedAtOnce), page.Next != nil || after != ""
	other := d
	other.Each = !d.Each
	d.Switch = other.address("")
	if after != "" {
		d.First = d.address("")
	}
	if page.Next != nil {
		d.More = d.address(*page.Next)
	}
	may := api.SubjectOf(r.Context()).May
	nets, ahead := map[string]int{}, map[[2]string]int{}
	for i := range page.Missed {
		m := &page.Missed[i]
		row := missedRowOf(m, may)
		if d.Each {
			row.Open = ""
		}
		// Of one schedule one row begins where the one before ends, though they were decided together.
		if k, ok := ahead[[2]string{m.Net, m.Schedule}]; ok && !m.Due.After(d.Rows[k].Decided) {
			d.Rows[k].Until = row.Since
		}
		ahead[[2]string{m.Net, m.Schedule}] = i
		d.Rows = append(d.Rows, row)
		k, known := nets[m.Net]
		if !known {
			k = len(d.Nets)
			nets[m.Net] = k
			d.Nets = append(d.Nets, missedNet{Net: m.Net, Href: "/missed?net=" + url.QueryEscape(m.Net), MayDismiss: row.MayDismiss})
		}
		d.Nets[k].N += m.Count
		d.MayRelease, d.MayDismiss = d.MayRelease || row.MayRelease, d.MayDismiss || row.MayDismiss
	}
	d.Until = nominalText(c.now())
	return c.page(w, r, "missed", view{Title: "Missed", Section: "time", Events: "/live", Pace: 1000, Data: d})
}

// address is that of a page of the list.
func (d *missedData) address(after string) string {
	q := url.Values{}
	each := ""
	if d.Each {
		each = "1"
	}
	for _, p := range [][2]string{{"net", d.Net}, {"folder", d.Folder}, {"schedule", d.Schedule}, {"each", each}, {"after", after}} {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	if len(q) == 0 {
		return "/missed"
	}
	return "/missed?" + q.Encode()
}

func missedRowOf(m *api.Missed, may func(access.Permission, string) bool) missedRow {
	row := missedRow{
		Missed: *m, Single: m.Count == 1, Since: nominalText(m.Due), Until: nominalText(m.Decided.Add(time.Microsecond)), Why: whyPath(m.Net, m.Schedule, m.First), First: nominalText(m.First), Last: nominalText(m.Last), Behind: nominalText(m.Last.Add(time.Microsecond)),
		Href: schedulePath(m.Net, m.Schedule), MayRelease: may(access.Run, folderOf(m.Net)), MayDismiss: may(access.Control, folderOf(m.Net)), Text: deref(m.Detail),
	}
	if row.Text == "" {
		row.Text = decidedText(m.Reason)
	}
	if !row.Single {
		of := missedData{Net: m.Net, Schedule: m.Schedule, Each: true}
		row.Open = of.address("")
	}
	return row
}

// dismissMissed dismisses all that a schedule missed until the end of a range, all of a net, or all that the list shows.
func (c *console) dismissMissed(w http.ResponseWriter, r *http.Request) error {
	q := api.OccurrenceQuery{Net: r.PostFormValue("net"), Folder: r.PostFormValue("folder"), Schedule: r.PostFormValue("schedule")}
	until, err := time.Parse(time.RFC3339Nano, r.PostFormValue("until"))
	if err != nil { // without it, it would take what nobody has seen
		return fault.New(fault.Invalid, "the form does not say until when", "go back and try again")
	}
	if r.PostFormValue("confirm") != "yes" {
		return fault.New(fault.Invalid, "it was not confirmed that nothing is to be done about these", "tick the box and try again")
	}
	q.Until = until.UTC()
	if _, err := c.service.DismissMissed(r.Context(), q); err != nil {
		return err
	}
	return back(w, r, localPath(r.PostFormValue("next")), "dismissed")
}

// releaseMissed releases what a row, or all that the list shows; the form names how many that were.
func (c *console) releaseMissed(w http.ResponseWriter, r *http.Request) error {
	q := api.OccurrenceQuery{
		Net: r.PostFormValue("net"), Folder: r.PostFormValue("folder"), Schedule: r.PostFormValue("schedule"), Reason: strings.TrimSpace(r.PostFormValue("reason")),
	}
	var err, err2 error
	q.Until, err = time.Parse(time.RFC3339Nano, r.PostFormValue("until"))
	q.Expect, err2 = strconv.ParseInt(r.PostFormValue("expect"), 10, 64)
	if err != nil || err2 != nil || q.Expect < 1 { // without them, it would take what nobody has seen
		return fault.New(fault.Invalid, "the form does not say how many until when", "go back and try again")
	}
	if since := r.PostFormValue("since"); since != "" {
		if q.Since, err = time.Parse(time.RFC3339Nano, since); err != nil {
			return fault.New(fault.Invalid, "the form does not say since when", "go back and try again")
		}
	}
	if r.PostFormValue("confirm") != "yes" {
		return fault.New(fault.Invalid, "it was not confirmed that these are to be released", "tick the box and try again")
	}
	q.Since, q.Until = q.Since.UTC(), q.Until.UTC()
	if q.Expect > releasedAtOnce {
		q.Limit = releasedAtOnce
	}
	got, err := c.service.ReleaseMissed(r.Context(), q)
	if err != nil {
		return err
	}
	if len(got.Refused) > 0 {
		no := got.Refused[0]
		return fault.New(fault.Conflict, fmt.Sprintf("%d were released, and of %s %s that of %s was not%s: %s", got.Released, no.Net, no.Schedule, nominalText(no.First), more(len(got.Refused)-1), no.Why), "")
	}
	return back(w, r, localPath(r.PostFormValue("next")), "recovered")
}
