package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// paper is a document before it is Markdown or HTML.
type paper struct {
	title  string
	meta   [][2]string // what it was made from
	sheets []sheet
}

// sheet is a part of a document: a table, or a list.
type sheet struct {
	title string
	lead  []string // paragraphs before the table
	heads []string
	rows  [][]string
	list  []entry
}

// entry is a line of a list: what it is called, and its text.
type entry struct{ mark, text string }

// head says what a document was made from. Every document has it, so that a reader can tell whether it is still true.
func (in Input) head(w words) [][2]string {
	c := in.Site.Compiled
	meta := [][2]string{{w.plan, c.Plan}, {w.instance, fmt.Sprint(c.Instance)}}
	for _, m := range [][2]string{{w.inventory, in.Site.Inventory.Name}, {w.host, in.Host}, {w.role, in.Role}, {w.service, in.Service}} {
		if m[1] != "" {
			meta = append(meta, m)
		}
	}
	return append(meta, [2]string{w.hash, c.Hash})
}

func (in Input) title(w words) string { return fmt.Sprintf(w.portsOf, in.Site.Compiled.Plan) }

// scopes are the parts of the port table, in the order of the pages.
func scopes() []ports.Scope { return []ports.Scope{ports.External, ports.SameHost, ports.Remote} }

func (w words) section(s ports.Scope) string {
	switch s {
	case ports.SameHost:
		return w.sameHost
	case ports.Remote:
		return w.remote
	case ports.External:
	}
	return w.external
}

// footnotes numbers texts in the order in which they are first named.
type footnotes struct {
	letters bool // (a), (b) …; else (1), (2) …
	texts   []string
}

// mark returns the reference to a text: "(1)", or "" for no text.
func (f *footnotes) mark(text string) string {
	if text == "" {
		return ""
	}
	i := slices.Index(f.texts, text)
	if i < 0 {
		i = len(f.texts)
		f.texts = append(f.texts, text)
	}
	if !f.letters {
		return fmt.Sprintf("(%d)", i+1)
	}
	letters := ""
	for n := i + 1; n > 0; n = (n - 1) / 26 {
		letters = string(rune('a'+(n-1)%26)) + letters
	}
	return "(" + letters + ")"
}

// sheet is the list of the texts; ok is false if there is none.
func (f *footnotes) sheet(title string) (s sheet, ok bool) {
	s.title = title
	for _, t := range f.texts {
		s.list = append(s.list, entry{f.mark(t), t})
	}
	return s, len(f.texts) > 0
}

// table adds a table without the columns in which nothing stands.
func (p *paper) table(title string, lead []string, heads []string, rows [][]string) {
	s := sheet{title: title, lead: lead}
	s.rows = make([][]string, len(rows))
	for col, head := range heads {
		used := false
		for _, row := range rows {
			used = used || row[col] != ""
		}
		if !used {
			continue
		}
		s.heads = append(s.heads, head)
		for i, row := range rows {
			s.rows[i] = append(s.rows[i], row[col])
		}
	}
	p.sheets = append(p.sheets, s)
}

// oneLine makes a text fit a line: line breaks become blanks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
