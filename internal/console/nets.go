package console

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// netsData is the list of nets.
type netsData struct {
	Folder string
	Nets   []api.NetSummary
}

func (c *console) nets(w http.ResponseWriter, r *http.Request) error {
	d := netsData{Folder: strings.Trim(r.URL.Query().Get("folder"), "/")}
	var err error
	if d.Nets, err = c.service.ListNets(r.Context(), d.Folder); err != nil {
		return err
	}
	return c.page(w, r, "nets", view{Title: "Nets", Section: "nets", Events: "/live", Data: d})
}

// netData is one net.
type netData struct {
	Net     api.Net
	Picture picture
	Runs    []api.RunSummary
	Key     string // makes ordering a run by this page safe to repeat
	Params  []pair
	Older   bool // not the newest version

	Schedules        []scheduleRow
	SchedulesUnknown bool // they could not be asked
}

func (c *console) net(w http.ResponseWriter, r *http.Request) error {
	version, err := optionalNumber(r.URL.Query().Get("version"))
	if err != nil {
		return err
	}
	n, err := c.service.Net(r.Context(), r.PathValue("name"), version)
	if err != nil {
		return err
	}
	d := netData{Net: n, Key: "console-" + rand.Text(), Params: pairs(n.Params), Older: n.Version < n.Newest}
	if d.Runs, err = c.service.ListRuns(r.Context(), api.RunQuery{Net: n.Name, Limit: 10}); err != nil {
		return err
	}
	schedules, err := c.service.ListSchedules(r.Context(), api.ScheduleQuery{Net: n.Name})
	if err != nil { // the net is worth seeing without
		c.log.Warn("page of a net", slog.String("net", n.Name), slog.Any("error", err))
		d.SchedulesUnknown = true
	}
	for i := range schedules {
		d.Schedules = append(d.Schedules, c.scheduleRow(&schedules[i]))
	}
	items := make([]item, len(n.Jobs))
	for i := range n.Jobs {
		items[i] = netItem(&n.Jobs[i])
	}
	d.Picture = draw(items)
	// Not live: the key and what is typed into the form must stay as they are.
	return c.page(w, r, "net", view{Title: n.Name, Section: "nets", Data: d})
}

func netItem(j *api.NetJob) item {
	it := item{Name: j.Name, After: j.After}
	switch {
	case j.Agent != "":
		it.Sub = "on " + j.Agent
	case len(j.Agents) > 0:
		it.Sub = j.Select + " of " + strings.Join(j.Agents, ", ")
	case len(j.Labels) > 0:
		var labels []string
		for _, p := range pairs(j.Labels) {
			labels = append(labels, p.Key+"="+p.Value)
		}
		it.Sub = strings.Join(labels, " ")
	default:
		it.Sub = "any agent"
	}
	what := strings.Join(j.Command, " ")
	if j.Script {
		what = "a script"
	}
	it.Title = j.Name + ": " + shorten(what, 120)
	if len(j.Agents) > 0 { // too long for the picture
		it.Title += "\nruns on the " + it.Sub
	}
	if j.When != "" && j.When != "success" {
		it.Sub = "when " + j.When + ", " + it.Sub
		it.Title += "\nstarts when " + j.When
	}
	if len(j.Needs) > 0 {
		it.Title += "\nneeds " + strings.Join(j.Needs, ", ")
	}
	return it
}

// optionalNumber reads a number of a query; absent is 0.
func optionalNumber(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<30 {
		return 0, fault.Newf(fault.Invalid, "%q is not a number that can be meant here", shorten(text, 40))
	}
	return n, nil
}

// startRun orders a run: the form's fields p.NAME are its params.
func (c *console) startRun(w http.ResponseWriter, r *http.Request) error {
	version, err := optionalNumber(r.PostFormValue("version"))
	if err != nil {
		return err
	}
	order := api.StartRun{Net: r.PostFormValue("net"), Version: version, Key: r.PostFormValue("key"), Params: map[string]string{}}
	for field, values := range r.PostForm {
		if name, ok := strings.CutPrefix(field, "p."); ok && len(values) > 0 {
			order.Params[name] = strings.ReplaceAll(values[0], "\r\n", "\n") // browsers send lines so
		}
	}
	run, err := c.service.StartRun(r.Context(), order)
	if err != nil {
		return err
	}
	return back(w, r, runPath(run.ID), "started")
}
