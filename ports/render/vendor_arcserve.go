package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// arcserve has the table of programs with what they are needed for, and the management service's, with its two cases.
func (v *vendor) arcserve() {
	w := v.w.vendor
	managed := v.take(func(r ports.Row) bool { return strings.Contains(r.Function, "Management Service") })
	var cells [][]string
	for _, r := range v.take(func(ports.Row) bool { return true }) {
		n := v.readNote(r.Note)
		row := []string{r.Origin, r.Function, v.port(r), n.does, n.gui, n.backup, n.set, v.state(r)}
		if !slices.ContainsFunc(cells, func(other []string) bool { return slices.Equal(row, other) }) { // one line for both transports
			cells = append(cells, row)
		}
	}
	v.c.Notes = slices.DeleteFunc(slices.Clone(v.c.Notes), func(n ports.Statement) bool {
		row, ok := v.program(n)
		if ok && !slices.ContainsFunc(v.rows, func(r ports.Row) bool { return r.Origin == n.Origin }) {
			cells = append(cells, row)
			return n.Reading == ""
		}
		return false
	})
	slices.SortStableFunc(cells, func(a, b []string) int { return cmp.Or(cmp.Compare(len(a[0]), len(b[0])), cmp.Compare(a[0], b[0])) })
	v.table(w.programs, nil, []string{w.number, w.program, w.port, w.does, w.gui, w.backup, w.set, v.w.columns["status"]}, cells)
	if len(managed) > 0 {
		v.managementTable(managed)
	}
}

// program makes a line of a statement about one of the page's programs that has no row of the page's: no number is
// stated for it.
func (v *vendor) program(n ports.Statement) (line []string, ok bool) {
	for _, cl := range v.c.Claims {
		if _, text, found := strings.Cut(n.Text, cl.Function); found && cl.Function != "" {
			f := v.readNote(strings.TrimLeft(text, ": "))
			return []string{n.Origin, cl.Function, v.w.notStated, f.does, f.gui, f.backup, f.set, ""}, true
		}
	}
	return nil, false
}

// noteFacts is what a row's note says about a program, in the columns of the page.
type noteFacts struct{ does, gui, backup, set string }

// readNote takes the facts that have columns of their own out of a note; the rest is what the program does.
func (v *vendor) readNote(note string) noteFacts {
	w, f := v.w.vendor, noteFacts{}
	var rest []string
	for part := range strings.SplitSeq(note, "; ") {
		switch part {
		case "needed for GUI communication":
			f.gui = w.needed
		case "needed for GUI communication and for backup server communication":
			f.gui, f.backup = w.needed, w.needed
		case "needed neither for GUI nor for backup server communication":
			f.gui, f.backup = w.notNeeded, w.notNeeded
		default:
			if strings.HasPrefix(part, "set ") {
				f.set = part
				continue
			}
			rest = append(rest, part)
		}
	}
	f.does = strings.Join(rest, "; ")
	return f
}

// managementCases are the page's two cases, which are the purposes of the flows.
func managementCases() []string {
	return []string{"remote service communication", "communication of an Arcserve server with client servers"}
}

// managementTable has a column for each case, and a row each for what the service listens on and is called back on.
func (v *vendor) managementTable(rows []ports.Row) {
	w := v.w.vendor
	table := [][]string{{"AR-16", w.first}, {"AR-17", w.optional}, {"AR-18", w.callback}, {"AR-19", w.callbackOptional}}
	for _, name := range managementCases() {
		back := v.calledBack(name)
		table[0] = append(table[0], v.listening(rows, "AR-16"))
		table[1] = append(table[1], v.listening(rows, "AR-17"))
		cell := ""
		for _, r := range rows {
			if r.ID == back {
				cell = v.port(r)
			}
		}
		table[2] = append(table[2], cell)
		table[3] = append(table[3], v.printed(name))
	}
	// What follows the numbers of the page stands with them: AR-19 is no row, and opens nothing.
	v.table(w.management, nil, slices.Concat([]string{w.number, w.value}, managementCases()), table)
	var seen []string
	for _, r := range rows {
		if text := remark(r.Note, v.state(r)); !slices.Contains(seen, r.Origin+text) {
			seen = append(seen, r.Origin+text)
			last := &v.sheets[len(v.sheets)-1]
			last.list = append(last.list, entry{r.Origin + ":", or(text, r.Function)})
		}
	}
}

// listening is the number of one of the alternates, with its protection and whether it is the one in use.
func (v *vendor) listening(rows []ports.Row, origin string) string {
	for _, cl := range v.c.Claims {
		if cl.Origin != origin || !slices.ContainsFunc(rows, func(r ports.Row) bool { return r.ID == cl.Service }) {
			continue
		}
		kind := v.w.vendor.plain
		if cl.TLS {
			kind = v.w.vendor.withTLS
		}
		return remark(fmt.Sprintf("%s, %s/%s", kind, interval(cl.Port, cl.Last), cl.Protocol), v.state(ports.Row{Status: string(cl.Status)}))
	}
	return ""
}

// calledBack is the pool on which the caller of a case listens for the answer: the one that has flows to that caller.
func (v *vendor) calledBack(purpose string) string {
	caller := ""
	for _, f := range v.c.Flows {
		if f.Purpose == purpose {
			caller = f.From
			break
		}
	}
	for _, f := range v.c.Flows {
		if caller != "" && f.To == caller && slices.Contains(f.Carries, "callback") {
			return f.Service
		}
	}
	return ""
}

// printed is what the page prints for the optional callback of a case.
func (v *vendor) printed(purpose string) string {
	words := strings.Fields(purpose)
	short := words[len(words)-2] + " " + words[len(words)-1]
	for _, n := range v.c.Notes {
		head, text, ok := strings.Cut(n.Text, "as printed: ")
		if ok && n.Origin == "AR-19" && strings.Contains(head, short) {
			return text
		}
	}
	return ""
}
