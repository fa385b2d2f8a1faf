package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// proofsData is who reaches whom, by the plan and in truth.
type proofsData struct {
	From, To string // of the pair that is shown
	Hosts    []api.ProofHost
	Rows     []proofRow
	Columns  []string
	TooMany  bool // hosts for a matrix
	Counts   []verdictCount
	Zones    *zonePicture
	Paths    []api.PlannedWay // of the pair, or what is wrong where none is chosen
	Chosen   bool
	Verified *api.Verification // the last one; nil: none since the server started
	Closed   []api.Proof       // what must be closed, as found last; bad ones first
	Shut     int               // of them proven closed
	Silences []api.Silence
	Unused   []api.UnusedOpening
}

// proofRow is what one host dials.
type proofRow struct {
	Name  string
	Node  string
	Cells []proofCell
}

// proofCell is all paths from one host to another.
type proofCell struct {
	Href, Verdict, State string // empty: the plan has none
	Good, All            int
	Title                string
}

type verdictCount struct {
	Verdict, State string
	N              int
}

// maxMatrix is how many hosts a matrix is drawn for.
const maxMatrix = 80

// verdicts in the order in which one that a person must look at hides the others.
func verdicts() []string {
	return []string{"exposed", "failed", "blocked", "", "unproven", "assumed", "proven"}
}

// verdictState is the look of a verdict: never the colour alone, each state has a sign.
func verdictState(verdict string) string {
	return map[string]string{"proven": "succeeded", "assumed": "ready", "blocked": "failed", "failed": "failed", "exposed": "warning", "unproven": "unknown", "": "waiting"}[verdict]
}

// verdictWord is what a verdict is called; a path that was never tried has none.
func verdictWord(verdict string) string { return cmp.Or(verdict, "not tried") }

func worse(a, b string) bool { return slices.Index(verdicts(), a) < slices.Index(verdicts(), b) }

func (c *console) proofs(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := proofsData{From: q.Get("from"), To: q.Get("to")}
	m, err := c.service.ProofMap(r.Context())
	if err != nil {
		return err
	}
	d.Chosen = d.From != "" || d.To != ""
	d.matrix(m)
	d.Zones = zonesOf(m)
	for _, p := range m.Paths {
		switch {
		case d.Chosen && (d.From == "" || p.From == d.From) && (d.To == "" || p.To == d.To), !d.Chosen && slices.Contains([]string{"blocked", "failed", "exposed"}, p.Verdict):
			d.Paths = append(d.Paths, p)
		}
	}
	if last, err := c.service.Verification(r.Context(), "last"); err == nil {
		d.Verified = &last
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	if d.Closed, err = c.service.ListProofs(r.Context(), api.ProofQuery{Expect: "closed", Limit: 10_000}); err != nil {
		return err
	}
	d.shut()
	if d.Silences, err = c.service.ListSilences(r.Context()); err != nil {
		return err
	}
	if d.Unused, err = c.service.UnusedOpenings(r.Context()); err != nil {
		return err
	}
	return c.page(w, r, "proofs", view{Title: "Proofs", Section: "ports", Events: "/live", Data: d})
}

// shut counts what is proven closed, and keeps what is not.
func (d *proofsData) shut() {
	d.Closed = slices.DeleteFunc(d.Closed, func(p api.Proof) bool {
		if p.Verdict == "proven" {
			d.Shut++
		}
		return p.Verdict == "proven"
	})
	slices.SortStableFunc(d.Closed, func(a, b api.Proof) int {
		return cmp.Compare(slices.Index(verdicts(), a.Verdict), slices.Index(verdicts(), b.Verdict))
	})
}

// matrix sorts the paths to their pairs of hosts. A cell shows the worst of them.
func (d *proofsData) matrix(m api.ProofMap) {
	d.Hosts = m.Hosts
	cells := map[[2]string]*proofCell{}
	counts := map[string]int{}
	var sources, targets []string
	for _, p := range m.Paths {
		counts[p.Verdict]++
		key := [2]string{p.From, p.To}
		cell := cells[key]
		if cell == nil {
			cell = &proofCell{Verdict: p.Verdict, Href: proofPath(p.From, p.To)}
			cells[key] = cell
		}
		if worse(p.Verdict, cell.Verdict) {
			cell.Verdict = p.Verdict
		}
		if cell.All++; p.Verdict == "proven" || p.Verdict == "assumed" {
			cell.Good++
		}
		sources, targets = append(sources, p.From), append(targets, p.To)
	}
	for _, v := range verdicts() {
		if counts[v] > 0 {
			d.Counts = append(d.Counts, verdictCount{verdictWord(v), verdictState(v), counts[v]})
		}
	}
	from, to := d.inOrder(sources), d.inOrder(targets)
	if d.Columns = to; len(from) > maxMatrix || len(to) > maxMatrix {
		d.TooMany = true
		return
	}
	for _, name := range from {
		row := proofRow{Name: name, Node: d.node(name)}
		for _, other := range to {
			cell := proofCell{}
			if found := cells[[2]string{name, other}]; found != nil {
				cell = *found
				cell.State = verdictState(cell.Verdict)
				cell.Title = fmt.Sprintf("%s to %s: %s, %d of %d good", name, other, verdictWord(cell.Verdict), cell.Good, cell.All)
			}
			row.Cells = append(row.Cells, cell)
		}
		d.Rows = append(d.Rows, row)
	}
}

// inOrder returns names once, hosts in the inventory's order before third parties.
func (d *proofsData) inOrder(names []string) []string {
	place := func(name string) int {
		if i := slices.IndexFunc(d.Hosts, func(h api.ProofHost) bool { return h.Name == name }); i >= 0 {
			return i
		}
		return len(d.Hosts)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b)) })
	return slices.Compact(names)
}

func (d *proofsData) node(name string) string {
	for _, h := range d.Hosts {
		if h.Name == name {
			return h.Node
		}
	}
	return ""
}

// verifyPorts begins a verification.
func (c *console) verifyPorts(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(fault.Invalid, "reading the form", err)
	}
	order := api.VerifyOrder{From: r.Form.Get("from"), To: r.Form.Get("to"), Flow: r.Form.Get("flow")}
	switch r.Form.Get("what") {
	case "negative":
		order.Negative = true
	case "idle":
		order.Idle = true
		if text := r.Form.Get("for"); text != "" {
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return fault.New(fault.Invalid, "the longest silence is no number of seconds", "write 60")
			}
			order.For = seconds
		}
	}
	if _, err := c.service.Verify(r.Context(), order); err != nil {
		return err
	}
	return back(w, r, "/ports/proofs", "")
}

// cancelVerify ends a verification.
func (c *console) cancelVerify(w http.ResponseWriter, r *http.Request) error {
	if err := c.service.CancelVerification(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/ports/proofs", "")
}
