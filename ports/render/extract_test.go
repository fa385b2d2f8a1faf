package render

import (
	"html"
	"regexp"
	"strings"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// part is a part of a document that was read back: its heading, its table, its list.
type part struct {
	title string
	heads []string
	rows  [][]string
	list  map[string]string
}

// readMarkdown reads headings, tables and lists back.
func readMarkdown(text string) []part {
	parts := []part{{list: map[string]string{}}}
	for line := range strings.SplitSeq(text, "\n") {
		p := &parts[len(parts)-1]
		switch {
		case strings.HasPrefix(line, "## "):
			parts = append(parts, part{title: unmark(line[3:]), list: map[string]string{}})
		case strings.HasPrefix(line, "- "):
			mark, rest, _ := strings.Cut(line[2:], " ")
			p.list[unmark(mark)] = unmark(rest)
		case strings.HasPrefix(line, "|"):
			cells := splitCells(line)
			switch {
			case p.heads == nil:
				p.heads = cells
			case strings.Trim(strings.Join(cells, ""), "-") != "" || len(p.rows) > 0:
				p.rows = append(p.rows, cells)
			}
		}
	}
	return parts
}

// splitCells cuts a line of a table at the bars that are not escaped.
func splitCells(line string) []string {
	var cells []string
	start := 1
	for i := 1; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '|':
			cells = append(cells, unmark(strings.TrimSpace(line[start:i])))
			start = i + 1
		}
	}
	return cells
}

// unmark takes the escapes of Markdown away.
func unmark(s string) string {
	s = strings.ReplaceAll(s, "<br>", "\n")
	return regexp.MustCompile(`\\([[:punct:]])`).ReplaceAllString(s, "$1")
}

var (
	htmlSection = regexp.MustCompile(`(?s)<section>(.*?)</section>`)
	htmlTitle   = regexp.MustCompile(`(?s)<h2>(.*?)</h2>`)
	htmlHead    = regexp.MustCompile(`(?s)<th scope="col">(.*?)</th>`)
	htmlRow     = regexp.MustCompile(`(?s)<tr>(<td.*?)</tr>`)
	htmlCell    = regexp.MustCompile(`(?s)<td data-label="[^"]*">(.*?)</td>`)
	htmlEntry   = regexp.MustCompile(`(?s)<dt>(.*?)</dt><dd>(.*?)</dd>`)
)

// readHTML reads the same from a page.
func readHTML(text string) []part {
	clean := func(s string) string { return html.UnescapeString(strings.ReplaceAll(s, "<br>", "\n")) }
	var parts []part
	for _, section := range htmlSection.FindAllStringSubmatch(text, -1) {
		p := part{list: map[string]string{}}
		if m := htmlTitle.FindStringSubmatch(section[1]); m != nil {
			p.title = clean(m[1])
		}
		for _, m := range htmlHead.FindAllStringSubmatch(section[1], -1) {
			p.heads = append(p.heads, clean(m[1]))
		}
		for _, m := range htmlRow.FindAllStringSubmatch(section[1], -1) {
			var cells []string
			for _, c := range htmlCell.FindAllStringSubmatch(m[1], -1) {
				cells = append(cells, clean(c[1]))
			}
			p.rows = append(p.rows, cells)
		}
		for _, m := range htmlEntry.FindAllStringSubmatch(section[1], -1) {
			p.list[clean(m[1])] = clean(m[2])
		}
		parts = append(parts, p)
	}
	return parts
}

// readRows makes the rows of the port table from its parts.
func readRows(t rapid.TB, w words, parts []part) []ports.Row {
	t.Helper()
	footnotes := map[string]string{}
	for _, p := range parts {
		if p.title == w.conditions || p.title == w.notes {
			for mark, text := range p.list {
				footnotes[mark] = text
			}
		}
	}
	r := rowReader{w, footnotes}
	var rows []ports.Row
	for _, p := range parts {
		for _, scope := range scopes() {
			if p.title != w.section(scope) || p.heads == nil {
				continue
			}
			for _, cells := range p.rows {
				rows = append(rows, r.row(t, scope, p.heads, cells))
			}
		}
	}
	return rows
}

// rowReader makes rows of cells.
type rowReader struct {
	words
	footnotes map[string]string
}

func (w rowReader) row(t rapid.TB, scope ports.Scope, heads, cells []string) ports.Row {
	t.Helper()
	if len(heads) != len(cells) {
		t.Fatalf("a row has %d cells below %d headings: %q", len(cells), len(heads), cells)
	}
	v := map[string]string{}
	for name, head := range w.columns {
		for i, h := range heads {
			if h == head {
				v[name] = cells[i]
			}
		}
	}
	for name, back := range map[string]map[string]string{
		"source": {w.notStated: notStated}, "destination": {w.notStated: notStated}, "port": {w.notAssigned: ""},
		"services_windows": {w.yes: "Y", w.no: "N"}, "services_unix": {w.yes: "Y", w.no: "N"},
	} {
		if plain, ok := back[v[name]]; ok {
			v[name] = plain
		}
	}
	for status, word := range w.status {
		if word == v["status"] {
			v["status"] = string(status)
			break
		}
	}
	for _, name := range []string{"condition", "note"} {
		if v[name] != "" {
			text, ok := w.footnotes[v[name]]
			if !ok {
				t.Fatalf("the footnote %q stands nowhere", v[name])
			}
			v[name] = text
		}
	}
	return ports.Row{
		ID: v["id"], Function: v["function"], Service: v["service"], Port: v["port"], Protocol: v["protocol"], Scope: string(scope),
		Source: v["source"], Destination: v["destination"], Purpose: v["purpose"], ServicesWindows: v["services_windows"], ServicesUnix: v["services_unix"],
		Condition: v["condition"], Door: v["door"], Status: v["status"], Origin: v["origin"], Was: v["was"], Note: v["note"],
	}
}

// wantRows are the plan's rows, in the order of the scopes, and as a document can hold them: without control
// characters, and without blanks around a text.
func wantRows(c ports.Compiled) []ports.Row {
	var out []ports.Row
	for _, scope := range scopes() {
		for _, r := range c.Rows() {
			if r.Scope != string(scope) {
				continue
			}
			for _, field := range []*string{
				&r.ID, &r.Function, &r.Service, &r.Port, &r.Source, &r.Destination, &r.Purpose, &r.Condition, &r.Door, &r.Origin, &r.Was, &r.Note,
			} {
				*field = strings.TrimSpace(strings.ReplaceAll(*field, "\t", " "))
			}
			out = append(out, r)
		}
	}
	return out
}
