package render

import (
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// renderMan writes a page for man(1), section 7: one entry for each row. A table would not fit the width of a
// terminal.
func renderMan(in Input) ([]byte, error) {
	w, c, err := in.open()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 7 \"\" %s %s\n", quoted("REEVE-PORTS-"+strings.ToUpper(c.Plan)), quoted("Reeve"), quoted(fmt.Sprintf(w.portsOf, c.Plan)))
	b.WriteString(".ad l\n.nh\n") // names and numbers are not to be stretched or broken
	fmt.Fprintf(&b, ".SH %s\nreeve\\-ports\\-%s \\- %s\n", quoted(w.man.name), roff(c.Plan), roff(fmt.Sprintf(w.portsOf, c.Plan)))
	fmt.Fprintf(&b, ".SH %s\n", quoted(w.man.description))
	for i, m := range in.head(w) {
		if i > 0 {
			b.WriteString(".br\n")
		}
		fmt.Fprintf(&b, "%s: %s\n", roff(m[0]), roff(m[1]))
	}
	rows := c.Rows()
	for _, scope := range scopes() {
		first := true
		for _, r := range rows {
			if of(r.Scope) != scope {
				continue
			}
			if first {
				fmt.Fprintf(&b, ".SH %s\n", quoted(w.section(scope)))
				first = false
			}
			w.manRow(&b, r)
		}
	}
	return []byte(b.String()), nil
}

// manRow writes one entry: what it is called, who connects to whom for what, and all else that the row says.
func (w words) manRow(b *strings.Builder, r ports.Row) {
	port := r.Port
	if port == "" {
		port = w.notAssigned
	}
	fmt.Fprintf(b, ".TP\n\\fB%s\\fR %s/%s\n", roff(strings.TrimSpace(r.Service+" ")), roff(port), roff(r.Protocol))
	fmt.Fprintf(b, "%s \\(-> %s: %s\n", roff(w.end(r.Source)), roff(w.end(r.Destination)), roff(r.Purpose))
	for _, f := range [][2]string{
		{"function", r.Function},
		{"services_windows", w.letter(r.ServicesWindows)},
		{"services_unix", w.letter(r.ServicesUnix)},
		{"condition", r.Condition},
		{"door", r.Door},
		{"status", w.status[ports.Status(r.Status)]},
		{"origin", r.Origin},
		{"was", r.Was},
		{"note", r.Note},
		{"id", r.ID},
	} {
		if f[1] != "" {
			fmt.Fprintf(b, ".br\n%s: %s\n", roff(w.columns[f[0]]), roff(f[1]))
		}
	}
}

// roff escapes a text for a line of its own: no control line, no escape, no hyphen that is broken or changed.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`).Replace(plain(s))
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

// quoted is a text as one argument of a request.
func quoted(s string) string { return `"` + roff(s) + `"` }

// plain is a text on one line without control characters.
func plain(s string) string {
	return oneLine(strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s))
}
