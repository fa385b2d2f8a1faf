package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const missedOnPage = 500

// missedData is what was missed and is neither recovered nor dismissed.
type missedData struct {
	Net, Folder string
	Rows        []missedRow
	Count       int64
	Nets        []missedNet // by the order of their first one
	More        bool        // there are more than are shown
	Until       string      // what is due before this is on the page: nothing newer is dismissed unseen
	Next        string
	MayDismiss  bool
}

// missedRow is a missed occurrence, or a range of them.
type missedRow struct {
	api.Missed
	Text        string // why, in a sentence
	Single      bool
	Why         string // address of the first one's page
	First, Last string // nominal times for forms
	Behind      string // just after the last one
	Href        string // of the schedule
	MayRelease  bool
	MayDismiss  bool
}

// missedNet counts what a net missed.
type missedNet struct {
	Net        string
	N          int64
	Href       string
	MayDismiss bool
}

func (c *console) missedList(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := missedData{Net: q.Get("net"), Folder: strings.Trim(q.Get("folder"), "/"), Next: here(r)}
	list, err := c.service.Missed(r.Context(), api.OccurrenceQuery{Net: d.Net, Folder: d.Folder, Limit: missedOnPage})
	if err != nil {
		return err
	}
	d.More = len(list) >= missedOnPage
	may := api.SubjectOf(r.Context()).May
	at := map[string]int{}
	for i := range list {
		m := &list[i]
		row := missedRowOf(m, may)
		d.Rows = append(d.Rows, row)
		d.Count += m.Count
		k, known := at[m.Net]
		if !known {
			k = len(d.Nets)
			at[m.Net] = k
			d.Nets = append(d.Nets, missedNet{Net: m.Net, Href: "/missed?net=" + url.QueryEscape(m.Net), MayDismiss: row.MayDismiss})
		}
		d.Nets[k].N += m.Count
		d.MayDismiss = d.MayDismiss || row.MayDismiss
	}
	d.Until = nominalText(c.now())
	return c.page(w, r, "missed", view{Title: "Missed", Section: "time", Events: "/live", Pace: 1000, Data: d})
}

func missedRowOf(m *api.Missed, may func(access.Permission, string) bool) missedRow {
	row := missedRow{
		Missed: *m, Single: m.Count == 1, Why: whyPath(m.Net, m.Schedule, m.First), First: nominalText(m.First), Last: nominalText(m.Last), Behind: nominalText(m.Last.Add(time.Microsecond)),
		Href: schedulePath(m.Net, m.Schedule), MayRelease: may(access.Run, folderOf(m.Net)), MayDismiss: may(access.Control, folderOf(m.Net)), Text: deref(m.Detail),
	}
	if row.Text == "" {
		row.Text = decidedText(m.Reason)
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
