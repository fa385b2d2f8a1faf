package render

import (
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// vendorWords are those of the tables in the forms of the built-in plans' pages.
type vendorWords struct {
	ours, oursLead string // rows that no page states

	// systemwalker
	function, service, port, windows, unix, source, destination, remarks, ends string
	addition, application                                                      string

	// jobscheduler
	sequence, number, who, from, step, reading string
	ranges, what                               string

	// arcserve
	programs, program, does, gui, backup, set  string
	needed, notNeeded                          string
	management, value, first, optional         string
	callback, callbackOptional, withTLS, plain string

	// acs
	daemons, daemon, fixed, was, services, offset, instancePort, containers, neighbours string
}

// renderVendor writes the table in the form of the page that the plan stands for: its own columns, headings and
// footnotes. Other plans have the table of all columns.
func renderVendor(in Input) ([]byte, error) {
	w, c, err := in.open()
	if err != nil {
		return nil, err
	}
	forms := map[string]func(*vendor){
		"systemwalker": (*vendor).systemwalker, "jobscheduler": (*vendor).jobscheduler, "arcserve": (*vendor).arcserve, "acs": (*vendor).acs,
	}
	form, ok := forms[c.Plan]
	if !ok {
		return renderMarkdown(in)
	}
	v := &vendor{w: w, c: c, rows: c.Rows(), paper: paper{title: in.title(w), meta: in.head(w)}}
	form(v)
	v.rest()
	return v.markdown(), nil
}

// vendor is a document in the form of a page, while it is written.
type vendor struct {
	paper
	w    words
	c    ports.Compiled
	rows []ports.Row
	used []int // the rows that stand in a table of the page
}

// take returns the page's rows that pass a test, and remembers that they have their place.
func (v *vendor) take(fits func(ports.Row) bool) []ports.Row {
	var out []ports.Row
	for i, r := range v.rows {
		if r.Origin != "ours" && fits(r) && !slices.Contains(v.used, i) {
			v.used = append(v.used, i)
			out = append(out, r)
		}
	}
	return out
}

// claim is the claim of a row.
func (v *vendor) claim(r ports.Row) ports.Claim {
	for _, cl := range v.c.Claims {
		if cl.Service == r.ID && string(cl.Protocol) == r.Protocol && (r.Port == "" || r.Port == interval(cl.Port, cl.Last) || cl.Port == 0) {
			return cl
		}
	}
	return ports.Claim{}
}

// rest adds what has no place in the page's tables: what Reeve adds, with all columns, so that nobody takes it for the
// vendor's word; and the page's statements that are no rows.
func (v *vendor) rest() {
	notes := &footnotes{letters: true}
	var cells [][]string
	for i, r := range v.rows {
		if !slices.Contains(v.used, i) {
			cells = append(cells, v.w.cells(r, notes, notes))
		}
	}
	if len(cells) > 0 {
		v.table(v.w.vendor.ours, []string{v.w.vendor.oursLead}, v.w.heads(), cells)
		v.list("", notes)
	}
	v.statements(v.w, v.c)
}

// list adds the texts of footnotes to the last part of the document, or as one of its own where it has a title.
func (p *paper) list(title string, f *footnotes) {
	s, ok := f.sheet(title)
	switch {
	case !ok:
	case title == "" && len(p.sheets) > 0:
		last := &p.sheets[len(p.sheets)-1]
		last.list = append(last.list, s.list...)
	default:
		p.sheets = append(p.sheets, s)
	}
}

// port is what a page's column for ports has: number and transport, or the application.
func (v *vendor) port(r ports.Row) string {
	if name, ok := strings.CutPrefix(r.Port, appPrefix); ok {
		return v.w.vendor.application + ": " + name
	}
	if r.Port == "" {
		return v.w.notAssigned
	}
	return r.Port + "/" + r.Protocol
}

// state names a row's status where it is not in use.
func (v *vendor) state(r ports.Row) string {
	if r.Status == string(ports.Works) {
		return ""
	}
	return v.w.status[ports.Status(r.Status)]
}

// remark puts texts that are not empty together.
func remark(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "; ")
}
