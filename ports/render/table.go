package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// portTable is the table of all plans, with every column of a row: one part for each scope, conditions and notes as
// footnotes.
func portTable(in Input) (paper, words, error) {
	w, c, err := in.open()
	if err != nil {
		return paper{}, w, err
	}
	p := paper{title: in.title(w), meta: in.head(w)}
	conditions, notes := &footnotes{}, &footnotes{letters: true}
	rows := c.Rows()
	for _, scope := range scopes() {
		var cells [][]string
		for _, r := range rows {
			if of(r.Scope) == scope {
				cells = append(cells, w.cells(r, conditions, notes))
			}
		}
		if len(cells) > 0 {
			p.table(w.section(scope), nil, w.heads(), cells)
		}
	}
	p.list(w.conditions, conditions)
	p.list(w.notes, notes)
	p.pools(w, c)
	p.locals(w, c)
	p.statements(w, c)
	return p, w, nil
}

// of is the scope under whose heading a row stands.
func of(scope string) ports.Scope {
	for _, s := range scopes() {
		if string(s) == scope {
			return s
		}
	}
	return ports.External
}

// tableColumns are the columns of the printed table: those of ports.Columns, the id last, without the scope, which is
// the heading.
func tableColumns() []string {
	return []string{
		"function", "service", "port", "protocol", "source", "destination", "purpose", "services_windows", "services_unix",
		"condition", "door", "status", "origin", "was", "note", "id",
	}
}

// heads are the headings of tableColumns.
func (w words) heads() []string {
	names := tableColumns()
	heads := make([]string, len(names))
	for i, name := range names {
		heads[i] = w.columns[name]
	}
	return heads
}

// cells are a row's, in the order of tableColumns and in the words of a language.
func (w words) cells(r ports.Row, conditions, notes *footnotes) []string {
	port := r.Port
	if port == "" {
		port = w.notAssigned
	}
	return []string{
		r.Function, r.Service, port, r.Protocol, w.end(r.Source), w.end(r.Destination), r.Purpose, w.letter(r.ServicesWindows), w.letter(r.ServicesUnix),
		conditions.mark(r.Condition), r.Door, w.status[ports.Status(r.Status)], r.Origin, r.Was, notes.mark(r.Note), r.ID,
	}
}

// notStated is what ports.Row has where a page names no end.
const notStated = "not stated"

func (w words) end(title string) string {
	if title == notStated {
		return w.notStated
	}
	return title
}

func (w words) letter(s string) string {
	switch s {
	case "Y":
		return w.yes
	case "N":
		return w.no
	}
	return s
}

// pools adds the table of the ranges to lease from.
func (p *paper) pools(w words, c ports.Compiled) {
	var rows [][]string
	for _, pool := range c.Pools {
		order := w.pool.up
		switch {
		case pool.Pick == ports.LRU:
			order = w.pool.lru
		case pool.Pick == ports.Random:
			order = w.pool.random
		case pool.Down:
			order = w.pool.down
		}
		pair := ""
		if pool.Pair.ID != "" {
			pair = fmt.Sprintf("%s %+d", pool.Pair.ID, pool.Pair.Delta)
		}
		hold := ""
		if pool.Hold.Min > 0 {
			hold = strings.TrimSpace(duration(pool.Hold.Min) + " " + strings.Join(pool.Hold.Reasons, ", "))
		}
		rows = append(rows, []string{pool.ID, w.ranges(pool.Ranges), w.parity(pool.Parity), fmt.Sprint(pool.Size), order, pair, hold, pool.Sticky.Key, w.status[pool.Status]})
	}
	if len(rows) > 0 {
		p.table(w.pool.title, nil, []string{w.pool.pool, w.pool.numbers, w.pool.parity, w.pool.size, w.pool.order, w.pool.pair, w.pool.hold, w.pool.sticky, w.columns["status"]}, rows)
	}
}

// statements lists what the plan's page says and what is no row.
func (p *paper) statements(w words, c ports.Compiled) {
	s := sheet{title: w.statements}
	for _, n := range c.Notes {
		text := n.Text
		if n.Reading != "" {
			text += " (" + w.reading + " " + n.Reading + ")"
		}
		s.list = append(s.list, entry{n.Origin + ":", text})
	}
	if len(s.list) > 0 {
		p.sheets = append(p.sheets, s)
	}
}

// locals lists the Unix sockets, which the plan's rules do not cover.
func (p *paper) locals(w words, c ports.Compiled) {
	s := sheet{title: w.sockets}
	for _, l := range c.Local {
		role := l.RunsOn
		if title := c.Roles[l.RunsOn]; title != "" {
			role = title
		}
		s.list = append(s.list, entry{l.ID + " (" + role + "):", l.Purpose})
	}
	if len(s.list) > 0 {
		p.sheets = append(p.sheets, s)
	}
}

// ranges prints intervals as a list: "20000-20100, 7199".
func (w words) ranges(ranges []ports.Range) string {
	texts := make([]string, len(ranges))
	for i, r := range ranges {
		texts[i] = interval(r.First, r.Last)
	}
	if len(texts) == 0 {
		return w.notAssigned
	}
	return strings.Join(texts, ", ")
}

// interval prints one port, or a range; "" for none.
func interval(first, last ports.Port) string {
	switch {
	case first == 0:
		return ""
	case last == 0 || last == first:
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

func (w words) parity(p ports.Parity) string {
	switch p {
	case ports.Even:
		return w.pool.even
	case ports.Odd:
		return w.pool.odd
	}
	return ""
}

func renderMarkdown(in Input) ([]byte, error) {
	p, _, err := portTable(in)
	if err != nil {
		return nil, err
	}
	return p.markdown(), nil
}

func renderHTML(in Input) ([]byte, error) {
	p, w, err := portTable(in)
	if err != nil {
		return nil, err
	}
	return p.html(w), nil
}

// renderCSV writes exactly the columns of the contract, whatever the language.
func renderCSV(in Input) ([]byte, error) {
	_, c, err := in.open()
	if err != nil {
		return nil, err
	}
	records := [][]string{ports.Columns()}
	for _, r := range c.Rows() {
		records = append(records, r.Fields())
	}
	return csvText(records)
}

func csvText(records [][]string) ([]byte, error) {
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(records); err != nil {
		return nil, fmt.Errorf("writing comma separated values: %w", err)
	}
	return b.Bytes(), nil
}

// table is the port table for programs. Its fields are in English, whatever the language.
type table struct {
	Plan     string      `json:"plan"`
	Instance int         `json:"instance"`
	Hash     string      `json:"hash"`
	Host     string      `json:"host,omitempty"`
	Role     string      `json:"role,omitempty"`
	Rows     []ports.Row `json:"rows"`
}

func renderJSON(in Input) ([]byte, error) {
	_, c, err := in.open()
	if err != nil {
		return nil, err
	}
	t := table{Plan: c.Plan, Instance: c.Instance, Hash: c.Hash, Host: in.Host, Role: in.Role, Rows: c.Rows()}
	if t.Rows == nil {
		t.Rows = []ports.Row{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(t); err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return b.Bytes(), nil
}
