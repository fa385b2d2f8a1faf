package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

// factsOnPage bounds what is said about a run as a whole; each job has its own.
const factsOnPage = 6

// runData is one run.
type runData struct {
	Run      api.Run
	Counts   []count
	Done     int
	Nominal  *time.Time // where it is not when the run was ordered
	Facts    []api.Fact // why the run is as it is, but for what runs well
	More     int        // facts that are left out of these
	Jobs     []jobRow
	Picture  picture
	Timeline *timeline
	Selected *jobRow
	Attempt  *api.Attempt // the one whose output is shown
	Output   *pane        // nil: nothing to show, or not permitted

	MayCancel, MayHold, MayRelease, MayRerun, MayDecide bool
}

// jobRow is a job with what is said about it.
type jobRow struct {
	api.Job
	Href     string
	Facts    []api.Fact
	Last     *api.Attempt
	Text     string // why it is as it is, in a sentence
	Unknown  bool
	Selected bool
}

func (c *console) run(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	run, err := c.service.Run(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	d := runData{Run: run, Counts: jobCounts(run.Jobs)}
	if run.Nominal != nil && run.Created.Sub(*run.Nominal).Abs() > time.Second {
		d.Nominal = run.Nominal
	}
	why, err := c.service.Why(ctx, run.ID, "")
	if err != nil {
		return err
	}
	d.rows(why.Facts)
	if err := d.choose(r.URL.Query()); err != nil {
		return err
	}
	if d.Selected != nil { // its own explanation says of whom it waits, where the run's counts each job once
		if why, err := c.service.Why(ctx, run.ID, d.Selected.Name); err == nil {
			d.Selected.Facts = why.Facts
		}
	}
	items := make([]item, len(d.Jobs))
	for i := range d.Jobs {
		items[i] = runItem(&d.Jobs[i], c)
	}
	d.Picture = draw(items)
	d.Timeline = timeLine(&run, c.now())
	d.permit(api.SubjectOf(ctx).May)

	v := view{Title: "Run " + run.ID + " of " + run.Net, Section: "runs", Events: "/live?run=" + url.QueryEscape(run.ID)}
	if d.Selected != nil && d.Selected.Last != nil && api.SubjectOf(ctx).May(access.ViewLog, folderOf(run.Net)) {
		q := api.LogQuery{Run: run.ID, Job: d.Selected.Name, N: d.Attempt.N, Stream: streamName(r.URL.Query().Get("stream"))}
		d.Output = c.pane(r, q)
		d.Output.Ended = ended(d.Attempt.State)
		v.Events = d.Output.Events
	}
	v.Data = d
	return c.page(w, r, "run", v)
}

// rows joins jobs with the facts about them.
func (d *runData) rows(facts []api.Fact) {
	of, state := map[string][]api.Fact{}, map[string]string{}
	for i := range d.Run.Jobs {
		state[d.Run.Jobs[i].Name] = d.Run.Jobs[i].State
	}
	for _, f := range facts {
		of[f.Job] = append(of[f.Job], f)
		switch s := state[f.Job]; {
		case s == "running" || s == "dispatched" || s == "succeeded":
		case len(d.Facts) < factsOnPage:
			d.Facts = append(d.Facts, f)
		default:
			d.More++
		}
	}
	d.Jobs = make([]jobRow, len(d.Run.Jobs))
	for i := range d.Run.Jobs {
		j := jobRow{Job: d.Run.Jobs[i], Facts: of[d.Run.Jobs[i].Name]}
		j.Href = jobPath(d.Run.ID, j.Name) + "#output"
		j.Unknown = j.State == "unknown"
		if ended(j.State) && !j.Unknown {
			d.Done++
		}
		if n := len(j.Attempts); n > 0 {
			j.Last = &j.Attempts[n-1]
		}
		if j.State != "succeeded" && j.State != "running" {
			j.Text = j.sentence(d.Run.Jobs)
		}
		d.Jobs[i] = j
	}
}

// sentence says why a job is as it is: by the first fact, else by its reason.
func (j *jobRow) sentence(all []api.Job) string {
	if len(j.Facts) > 0 {
		return j.Facts[0].Text
	}
	switch {
	case j.Reason == nil:
		return ""
	case *j.Reason == "predecessors":
		if open := openBefore(j.After, all); len(open) > 0 {
			return "waits for " + strings.Join(open[:min(len(open), 4)], ", ") + more(len(open)-4)
		}
	case *j.Reason == "exit_code" && j.Last != nil && j.Last.ExitCode != nil:
		return fmt.Sprintf("exit code %d", *j.Last.ExitCode)
	case *j.Reason == "signal" && j.Last != nil && j.Last.Signal != nil:
		return "ended by " + *j.Last.Signal
	}
	if j.Detail != nil && *j.Detail != "" {
		return *j.Detail
	}
	return reasonText(*j.Reason)
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// openBefore returns the predecessors that have not ended.
func openBefore(after []string, all []api.Job) []string {
	var open []string
	for i := range all {
		if slices.Contains(after, all[i].Name) && !ended(all[i].State) {
			open = append(open, all[i].Name)
		}
	}
	return open
}

// choose picks the job and the attempt whose output is shown: those that were asked for; else the first in trouble,
// else the first that runs, else the last that ended.
func (d *runData) choose(q url.Values) error {
	if name := q.Get("job"); name != "" {
		for i := range d.Jobs {
			if d.Jobs[i].Name == name {
				d.Selected = &d.Jobs[i]
			}
		}
	} else {
		d.Selected = d.interesting()
	}
	if d.Selected == nil {
		return nil
	}
	d.Selected.Selected = true
	d.Attempt = d.Selected.Last
	n, err := optionalNumber(q.Get("n"))
	if err != nil {
		return err
	}
	for i := range d.Selected.Attempts {
		if d.Selected.Attempts[i].N == n {
			d.Attempt = &d.Selected.Attempts[i]
		}
	}
	return nil
}

func (d *runData) interesting() *jobRow {
	var best *jobRow
	score := func(j *jobRow) int {
		switch j.State {
		case "unknown", "failed":
			return 3
		case "running":
			return 2
		}
		return 1
	}
	for i := range d.Jobs {
		j := &d.Jobs[i]
		if j.Last == nil {
			continue
		}
		if best == nil || score(j) > score(best) || score(j) == 1 && score(best) == 1 && j.Since.After(best.Since) {
			best = j
		}
	}
	return best
}

// permit decides which buttons are shown.
func (d *runData) permit(may func(access.Permission, string) bool) {
	folder, over := folderOf(d.Run.Net), ended(d.Run.State)
	control := may(access.Control, folder)
	open := false // something is left that a cancel would change
	for i := range d.Run.Jobs {
		open = open || !ended(d.Run.Jobs[i].State)
	}
	d.MayCancel = control && open
	d.MayHold = control && !over && d.Run.HeldBy == nil
	d.MayRelease = control && d.Run.HeldBy != nil
	d.MayDecide = control
	d.MayRerun = over && may(access.Run, folder)
}

func runItem(j *jobRow, c *console) item {
	it := item{Name: j.Name, State: j.State, After: j.After, Href: j.Href, Selected: j.Selected, Title: j.Name + ": " + j.State}
	if j.Text != "" {
		it.Title += ", " + j.Text
	}
	it.Sub = j.State
	if j.Last != nil {
		it.Sub = j.Last.Agent
		end := c.now()
		if j.Last.Ended != nil {
			end = *j.Last.Ended
		}
		if j.Last.Started != nil && j.Last.Ended != nil {
			it.Sub += ", " + span(end.Sub(*j.Last.Started))
		}
		if len(j.Attempts) > 1 {
			it.Sub += fmt.Sprintf(", try %d", j.Last.N)
		}
	}
	return it
}

// controlRun does what a button of the run's page asks.
func (c *console) controlRun(w http.ResponseWriter, r *http.Request) error {
	id, verb := r.PathValue("id"), r.PathValue("verb")
	switch verb {
	case "rerun":
		run, err := c.service.RerunRun(r.Context(), id)
		if err != nil {
			return err
		}
		return back(w, r, runPath(run.ID), "started")
	case "decide":
		job := r.PostFormValue("job")
		if _, err := c.service.DecideJob(r.Context(), id, job, api.Decision{As: r.PostFormValue("as")}); err != nil {
			return err
		}
		return back(w, r, jobPath(id, job), "decided")
	case "cancel", "hold", "release":
		if _, err := c.service.ControlRun(r.Context(), id, verb); err != nil {
			return err
		}
		return back(w, r, runPath(id), verb)
	}
	return c.missing(w, r)
}
