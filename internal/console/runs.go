package console

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const runsOnPage = 50

// runsData is the list of runs with its filter.
type runsData struct {
	Net, Folder, State, Age string
	States                  []string // to choose from
	Ages                    []pair
	Runs                    []api.RunSummary
	Older                   string // address of the next page; empty: there is none
	Newest                  string // address of the first page; empty: this is it
}

// runStates are the states that a run can have, as the filter lists them.
func runStates() []string {
	return []string{"running", "waiting", "held", "unknown", "failed", "warning", "cancelled", "succeeded"}
}

func (c *console) runs(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := runsData{
		Net: q.Get("net"), Folder: q.Get("folder"), State: q.Get("state"), Age: q.Get("age"), States: runStates(),
		Ages: []pair{{"1h", "the last hour"}, {"24h", "the last day"}, {"168h", "the last week"}, {"720h", "the last 30 days"}},
	}
	query := api.RunQuery{Net: d.Net, Folder: d.Folder, Before: q.Get("before"), Limit: runsOnPage}
	switch {
	case d.State == "":
	case slices.Contains(d.States, d.State):
		query.States = []string{d.State}
	default:
		return fault.Newf(fault.Invalid, "%q is no state of runs", shorten(d.State, 40))
	}
	if d.Age != "" {
		age, err := time.ParseDuration(d.Age)
		if err != nil || age <= 0 {
			return fault.Newf(fault.Invalid, "%q is no age", shorten(d.Age, 40))
		}
		query.Since = c.now().Add(-age)
	}
	var err error
	if d.Runs, err = c.service.ListRuns(r.Context(), query); err != nil {
		return err
	}
	if len(d.Runs) == runsOnPage {
		d.Older = d.address(d.Runs[len(d.Runs)-1].ID)
	}
	v := view{Title: "Runs", Section: "runs"}
	if query.Before == "" {
		v.Events = "/live" // an older page does not change
	} else {
		d.Newest = d.address("")
	}
	v.Data = d
	return c.page(w, r, "runs", v)
}

// address is this list's address with the same filter.
func (d *runsData) address(before string) string {
	q := url.Values{}
	for _, p := range []pair{{"net", d.Net}, {"folder", d.Folder}, {"state", d.State}, {"age", d.Age}, {"before", before}} {
		if p.Value != "" {
			q.Set(p.Key, p.Value)
		}
	}
	if len(q) == 0 {
		return "/runs"
	}
	return "/runs?" + q.Encode()
}
