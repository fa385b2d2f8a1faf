package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports"
)

// portsData is the port plan in use.
type portsData struct {
	Filter   portFilter
	Choices  portChoices
	Plan     api.PlanInfo
	Rows     []ports.Row // that pass the filter
	Pools    []poolBar
	Leases   []api.Lease
	LeaseErr string
	Checked  []api.HostFinding // nil: nobody asked
	Check    bool
	Papers   []paperGroup
	Maps     []api.PlanTarget // pictures
	Doors    []doorRow
	Change   *api.PlanChange // under way, or of the last day; nil: there is none
}

// portFilter is what of the table is shown.
type portFilter struct{ Text, Role, Status, Protocol, Door string }

func (f portFilter) Any() bool { return f != portFilter{} }

// portChoices are what the table can be filtered by.
type portChoices struct{ Roles, Statuses, Protocols, Doors []string }

// doorRow is all doors that stand at the same places.
type doorRow struct {
	Doors string
	URLs  []string
}

// poolBar is a pool with the shares of its numbers, in percent.
type poolBar struct {
	api.Pool
	LeasedShare, HeldShare, HeldX, NeededX string
	Free                                   int
	Short                                  bool // it has fewer numbers than the plan says it needs
}

// paperGroup is the documents of one kind.
type paperGroup struct {
	Title string
	All   []api.PlanTarget
}

func (c *console) ports(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := portsData{Filter: portFilter{q.Get("text"), q.Get("role"), q.Get("status"), q.Get("protocol"), q.Get("door")}}
	var err error
	if d.Plan, err = c.service.Plan(r.Context()); err != nil {
		return err
	}
	d.filter()
	for _, p := range d.Plan.Pools {
		d.Pools = append(d.Pools, barOf(p))
	}
	if d.Leases, err = c.service.Leases(r.Context()); err != nil {
		d.LeaseErr = err.Error() // the plan can be seen without the ledger
	}
	d.papers()
	if d.Doors, err = c.doors(r); err != nil {
		return err
	}
	if d.Check = q.Get("check") == "host" && api.SubjectOf(r.Context()).May(access.ManagePorts, ""); d.Check {
		if d.Checked, err = c.service.CheckHost(r.Context()); err != nil {
			return err
		}
	}
	change, err := c.service.PlanChange(r.Context())
	if err != nil {
		return err
	}
	events := ""
	if change.State == "under way" {
		d.Change, events = &change, "/live"
	} else if change.Ended != nil && c.now().Sub(*change.Ended) < changeShown {
		d.Change = &change
	}
	return c.page(w, r, "ports", view{Title: "Ports", Section: "ports", Events: events, Data: d})
}

// changeShown is how long the end of a change of ports stays on the page.
const changeShown = 24 * time.Hour

// commitPorts ends a change of ports.
func (c *console) commitPorts(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.service.CommitPlanChange(r.Context(), api.CommitPlanChange{}); err != nil {
		return err
	}
	return back(w, r, "/ports", "change")
}

// cancelPorts takes a change of ports back.
func (c *console) cancelPorts(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.service.CancelPlanChange(r.Context()); err != nil {
		return err
	}
	return back(w, r, "/ports", "change")
}

// doors returns where each door is, those at the same places together.
func (c *console) doors(r *http.Request) ([]doorRow, error) {
	doors, err := c.service.Doors(r.Context())
	var out []doorRow
	for _, door := range doors {
		at := slices.IndexFunc(out, func(row doorRow) bool { return slices.Equal(row.URLs, door.URLs) })
		if at < 0 {
			out = append(out, doorRow{Doors: door.Door, URLs: door.URLs})
			continue
		}
		out[at].Doors += " " + door.Door
	}
	return out, err
}

// filter picks the rows to show, and lists what can be chosen.
func (d *portsData) filter() {
	for _, row := range d.Plan.Rows {
		d.Choices.Roles = append(d.Choices.Roles, row.Source, row.Destination)
		d.Choices.Statuses = append(d.Choices.Statuses, row.Status)
		d.Choices.Protocols = append(d.Choices.Protocols, row.Protocol)
		d.Choices.Doors = append(d.Choices.Doors, strings.Fields(row.Door)...)
		if d.Filter.passes(row) {
			d.Rows = append(d.Rows, row)
		}
	}
	for _, list := range []*[]string{&d.Choices.Roles, &d.Choices.Statuses, &d.Choices.Protocols, &d.Choices.Doors} {
		slices.Sort(*list)
		*list = slices.DeleteFunc(slices.Compact(*list), func(s string) bool { return s == "" })
	}
}

func (f portFilter) passes(row ports.Row) bool {
	if f.Role != "" && row.Source != f.Role && row.Destination != f.Role || f.Status != "" && row.Status != f.Status ||
		f.Protocol != "" && row.Protocol != f.Protocol || f.Door != "" && !slices.Contains(strings.Fields(row.Door), f.Door) {
		return false
	}
	text := strings.ToLower(strings.TrimSpace(f.Text))
	return text == "" || slices.ContainsFunc(row.Fields(), func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

// barOf measures a pool.
func barOf(p api.Pool) poolBar {
	whole := max(p.Size, p.Leased+p.Held, p.Needed, 1)
	share := func(n int) string { return strconv.FormatFloat(float64(n)*100/float64(whole), 'f', 2, 64) }
	return poolBar{
		Pool: p, LeasedShare: share(p.Leased), HeldShare: share(p.Held), HeldX: share(p.Leased), NeededX: share(p.Needed),
		Free: max(p.Size-p.Leased-p.Held, 0), Short: p.Needed > p.Size && len(p.Ranges) > 0,
	}
}

// papers sorts the documents by kind; the pictures are shown on the page.
func (d *portsData) papers() {
	groups := []paperGroup{{Title: "Tables"}, {Title: "Firewall rules"}, {Title: "Operating system"}, {Title: "Requests"}}
	kinds := []string{"table", "rules", "system", "request"}
	for _, t := range d.Plan.Documents {
		if t.Kind == "drawing" {
			d.Maps = append(d.Maps, t)
		}
		if at := slices.Index(kinds, t.Kind); at >= 0 {
			groups[at].All = append(groups[at].All, t)
		}
	}
	d.Papers = slices.DeleteFunc(groups, func(g paperGroup) bool { return len(g.All) == 0 })
}

// portData is what the plan knows of a row or a number.
type portData struct {
	ports.Explanation
	Proofs  []api.Proof // of its rows, as found last
	History []api.Proof
}

func (c *console) port(w http.ResponseWriter, r *http.Request) error {
	what := r.PathValue("what")
	e, err := c.service.WhyPort(r.Context(), what)
	if err != nil {
		return err
	}
	d := portData{Explanation: e}
	for _, row := range e.Rows {
		now, err := c.service.ListProofs(r.Context(), api.ProofQuery{Flow: row.ID})
		if err != nil {
			return err
		}
		past, err := c.service.ProofHistory(r.Context(), api.ProofQuery{Flow: row.ID, Limit: maxHistory})
		if err != nil {
			return err
		}
		d.Proofs, d.History = append(d.Proofs, now...), append(d.History, past...)
	}
	return c.page(w, r, "port", view{Title: "Port " + shorten(what, 60), Section: "ports", Data: d})
}

// maxHistory is how much of a row's past is shown.
const maxHistory = 100

// paperPolicy lets a document have its own style. It runs nothing, and is of no origin: nothing of the console is open to it.
const paperPolicy = "sandbox; default-src 'self'; script-src 'none'; style-src 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// paper sends a document of the plan. It is data, never a page of ours: a picture runs nothing, and all else is text.
func (c *console) paper(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	doc, err := c.service.PlanDocument(r.Context(), api.PlanDocument{Target: r.PathValue("target"), Host: q.Get("host"), Role: q.Get("role"), Lang: q.Get("lang")})
	if err != nil {
		return err
	}
	head := w.Header()
	head.Set("Content-Type", doc.Type)
	head.Set("Content-Security-Policy", paperPolicy)
	_, err = w.Write([]byte(doc.Text))
	return err
}

func (c *console) releaseLease(w http.ResponseWriter, r *http.Request) error {
	if err := c.service.ReleaseLease(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/ports", "lease")
}

// portPath is the page of a row or a number.
func portPath(what string) string { return "/ports/why/" + url.PathEscape(what) }
