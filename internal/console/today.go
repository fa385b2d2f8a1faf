package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// Bounds of what the first page shows.
const (
	todayRuns    = 50
	todayWhys    = 12
	todayEnded   = 1000
	todayTrouble = 20
)

// todayData is the first page.
type todayData struct {
	Running, Recent []api.RunSummary
	Trouble         []troubleRun
	Waiting         []waitingRun
	Ended           []count
	EndedAll        int
	EndedMore       bool // there were more than were counted
	Nodes           []api.Node
	NodeTrouble     []nodeTrouble
	Linked, Agents  int
	Slots, Busy     int
	Time            todayTime
}

// waitingRun is a run that waits, and the first reason for it.
type waitingRun struct {
	api.RunSummary
	Why *api.Fact
}

// troubleRun is a run that somebody should look at. State is the worst of it, Text says more.
type troubleRun struct {
	api.RunSummary
	Text string
}

// nodeTrouble is a sentence about a node.
type nodeTrouble struct{ Name, Text string }

func (c *console) today(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var d todayData
	var err error
	if d.Running, err = c.service.ListRuns(ctx, api.RunQuery{States: []string{"running"}, Limit: todayRuns}); err != nil {
		return err
	}
	waiting, err := c.service.ListRuns(ctx, api.RunQuery{States: []string{"waiting", "held"}, Limit: todayRuns})
	if err != nil {
		return err
	}
	for i := range waiting {
		one := waitingRun{RunSummary: waiting[i]}
		if i < todayWhys {
			if why, err := c.service.Why(ctx, one.ID, ""); err == nil && len(why.Facts) > 0 {
				one.Why = &why.Facts[0]
			}
		}
		d.Waiting = append(d.Waiting, one)
	}
	recent, err := c.service.ListRuns(ctx, api.RunQuery{
		States: []string{"succeeded", "warning", "failed", "cancelled", "unknown"}, Since: c.now().Add(-24 * time.Hour), Limit: todayEnded,
	})
	if err != nil {
		return err
	}
	open, err := c.openTrouble(ctx, d.Running)
	if err != nil {
		return err
	}
	d.ended(recent, open)
	if d.Nodes, err = c.service.ListNodes(ctx); err != nil {
		return err
	}
	d.nodes()
	d.Time = c.timeOfToday(ctx)
	return c.page(w, r, "today", view{Title: "Today", Section: "today", Events: "/live", Pace: 1000, Data: d})
}

// openTrouble returns the runs that wait for a decision, however old, and those that run with jobs that failed or
// whose end is unknown: their state alone does not show it.
func (c *console) openTrouble(ctx context.Context, running []api.RunSummary) ([]troubleRun, error) {
	unknown, err := c.service.ListRuns(ctx, api.RunQuery{States: []string{"unknown"}, Limit: todayTrouble})
	if err != nil {
		return nil, err
	}
	var out []troubleRun
	for i := range unknown {
		out = append(out, troubleRun{RunSummary: unknown[i], Text: "waits for a decision"})
	}
	for i := range running[:min(len(running), todayTrouble)] {
		run, err := c.service.Run(ctx, running[i].ID)
		if err != nil {
			continue // it was removed a moment ago
		}
		one := troubleRun{RunSummary: running[i]}
		var said []string
		for _, n := range jobCounts(run.Jobs) {
			if n.State == "unknown" || n.State == "failed" {
				said = append(said, fmt.Sprintf("%d %s", n.N, n.State))
			}
		}
		if len(said) > 0 {
			one.Text = "runs with " + strings.Join(said, " and ")
			_, one.State, _ = strings.Cut(said[0], " ") // the counts begin with the worst
			out = append(out, one)
		}
	}
	return out, nil
}

// ended counts the runs that ended, and picks those that somebody should look at.
func (d *todayData) ended(recent []api.RunSummary, open []troubleRun) {
	d.Trouble = open
	by := map[string]int{}
	for i := range recent {
		by[recent[i].State]++
		switch recent[i].State {
		case "failed", "warning": // unknown ones are in open
			one := troubleRun{RunSummary: recent[i]}
			if recent[i].Reason != nil {
				one.Text = reasonText(*recent[i].Reason)
			}
			d.Trouble = append(d.Trouble, one)
		}
	}
	slices.SortStableFunc(d.Trouble, func(a, b troubleRun) int { return rank(a.State) - rank(b.State) })
	d.Trouble = d.Trouble[:min(len(d.Trouble), todayTrouble)]
	d.Ended, d.EndedAll, d.EndedMore = counts(by), len(recent), len(recent) >= todayEnded
	d.Recent = recent[:min(len(recent), 12)]
}

// nodes counts agents, and says what is wrong with nodes.
func (d *todayData) nodes() {
	for i := range d.Nodes {
		n := &d.Nodes[i]
		if n.Role == "agent" {
			d.Agents++
			d.Busy += n.Running
			if n.Linked {
				d.Linked++
				d.Slots += n.Slots
			}
		}
		switch {
		case n.Role == "agent" && !n.Linked:
			d.NodeTrouble = append(d.NodeTrouble, nodeTrouble{n.Name, "is not linked"})
		case n.Disk != nil:
			d.NodeTrouble = append(d.NodeTrouble, nodeTrouble{n.Name, "takes no new starts: " + *n.Disk})
		case n.Drained != nil:
			d.NodeTrouble = append(d.NodeTrouble, nodeTrouble{n.Name, "is drained by " + *n.Drained})
		case len(n.Notes) > 0:
			d.NodeTrouble = append(d.NodeTrouble, nodeTrouble{n.Name, strings.Join(n.Notes, "; ")})
		}
	}
}

func (c *console) controlDomain(w http.ResponseWriter, r *http.Request) error {
	verb := r.PathValue("verb")
	if _, err := c.service.ControlDomain(r.Context(), verb, r.PostFormValue("reason")); err != nil {
		return err
	}
	return back(w, r, "/", verb)
}
