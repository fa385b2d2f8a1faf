package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// systemwalker has three tables: external, internal, remote machine. An empty cell repeats the one above. Footnotes
// have the page's numbers; what is no footnote there is a remark.
func (v *vendor) systemwalker() {
	w := v.w.vendor
	for _, scope := range scopes() {
		rows := v.take(func(r ports.Row) bool { return of(r.Scope) == scope })
		if len(rows) == 0 {
			continue
		}
		notes := &pageNotes{}
		heads := []string{w.function, w.service, w.port, w.windows, w.unix, w.source, w.destination, w.remarks}
		if scope == ports.SameHost {
			heads[5], heads[6] = w.ends, ""
		}
		cells := make([][]string, len(rows))
		for i, r := range rows {
			if i > 0 && rows[i-1].ID == r.ID && (of(rows[i-1].Scope) == scope) {
				r.Note = strings.TrimPrefix(r.Note, rows[i-1].Note) // said once
			}
			cells[i] = v.systemwalkerRow(r, scope, notes)
		}
		repeat(cells, rows)
		v.table(v.w.section(scope), nil, heads, cells)
		last := &v.sheets[len(v.sheets)-1]
		if scope == ports.External {
			notes.add(noteAddition, w.addition)
		}
		last.list = notes.list()
	}
}

func (v *vendor) systemwalkerRow(r ports.Row, scope ports.Scope, notes *pageNotes) []string {
	cl := v.claim(r)
	function, service, port, source := r.Function, r.Service, v.port(r), r.Source
	text := ""
	mark := notes.condition(cl.When, v.c.Conditions[cl.When])
	switch {
	case mark == "":
		text = v.c.Conditions[cl.When]
	case scope == ports.SameHost: // there the page marks names, not functions
		service += " " + mark
	default:
		function += " " + mark
	}
	note := r.Note
	if cl.Key != "" || strings.Contains(note, "add the service name") {
		port += " " + notes.add(noteOverride, note)
		note = ""
	}
	for _, f := range v.c.Flows {
		if f.Service == r.ID && string(f.Protocol) == r.Protocol && f.Origin == r.Origin && f.When != "" {
			source += " " + notes.condition(f.When, v.c.Conditions[f.When])
		}
	}
	destination := r.Destination
	if scope == ports.SameHost {
		destination = ""
	}
	return []string{
		function, service, port, v.w.letter(r.ServicesWindows), v.w.letter(r.ServicesUnix), source, destination,
		remark(r.Purpose, text, note, v.state(r)),
	}
}

// repeat empties cells that repeat the one above, as the page does.
func repeat(cells [][]string, rows []ports.Row) {
	for i := len(rows) - 1; i > 0; i-- {
		if cells[i][0] == cells[i-1][0] {
			cells[i][0] = ""
		}
		if rows[i].ID == rows[i-1].ID {
			cells[i][1], cells[i][2], cells[i][3], cells[i][4] = "", "", "", ""
		}
	}
}

// The numbers of the page's footnotes.
const (
	noteUnix     = 1
	notePower    = 2
	noteFunction = 3
	noteAddition = 4
	noteOverride = 5
)

// pageNotes are footnotes with the page's own numbers.
type pageNotes struct {
	texts [noteOverride + 1]string
}

func (n *pageNotes) add(number int, text string) string {
	n.texts[number] = text
	return fmt.Sprintf("(%d)", number)
}

// condition returns the mark of a condition that is a footnote of the page; "" for any other.
func (n *pageNotes) condition(id, text string) string {
	switch id {
	case "unix-events", "unix-actions", "unix-task-link":
		return n.add(noteUnix, or(n.texts[noteUnix], text))
	case "power-control":
		return n.add(notePower, text)
	case "task-link":
		return n.add(noteFunction, text)
	}
	return ""
}

func (n *pageNotes) list() []entry {
	var list []entry
	for number, text := range n.texts {
		if text != "" {
			list = append(list, entry{fmt.Sprintf("(%d)", number), text})
		}
	}
	return slices.Clip(list)
}
