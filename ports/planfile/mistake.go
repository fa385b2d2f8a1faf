package planfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/ports"
)

// Mistake is one thing wrong with a document, at its place. Lines and columns count from 1; 0 means unknown.
type Mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Excerpt string `json:"excerpt,omitempty"` // the lines around the place, with a caret; each line indented
}

// Mistakes is every mistake of a document at once, in the order of their places.
type Mistakes []Mistake

// Error prints each mistake as FILE:LINE:COLUMN: message, with its excerpt below.
func (m Mistakes) Error() string {
	var b strings.Builder
	for i, one := range m {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s", one.File, one.Line, one.Column, one.Message)
		if one.Excerpt != "" {
			b.WriteString("\n" + one.Excerpt)
		}
	}
	return b.String()
}

const (
	maxMistakes = 100 // more than anybody reads; a broken file must not fill the screen or the memory
	maxExcerpt  = 120 // characters of a line that are shown
)

// notes collects the mistakes of one document.
type notes struct {
	file  string
	lines []string
	found Mistakes
}

func newNotes(file string, data []byte) *notes {
	return &notes{file: file, lines: strings.Split(string(data), "\n")}
}

// full reports whether nothing more will be noted: then there is no need to find words for it.
func (n *notes) full() bool { return len(n.found) >= maxMistakes }

// add notes a mistake, once: an entry may be looked at twice, first for its id.
func (n *notes) add(at ports.Place, format string, args ...any) {
	if n.full() {
		return
	}
	m := Mistake{File: n.file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...), Excerpt: n.excerpt(at)}
	if !slices.Contains(n.found, m) {
		n.found = append(n.found, m)
	}
}

// err returns the mistakes in the order of their places, nil if there is none.
func (n *notes) err() error {
	if len(n.found) == 0 {
		return nil
	}
	slices.SortStableFunc(n.found, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return n.found
}

// excerpt shows the line of the place with the one before it, and a caret below the column.
func (n *notes) excerpt(at ports.Place) string {
	if at.Line < 1 || at.Line > len(n.lines) {
		return ""
	}
	var b strings.Builder
	if at.Line > 1 {
		fmt.Fprintf(&b, "    %4d | %s\n", at.Line-1, shown(n.lines[at.Line-2]))
	}
	line := shown(n.lines[at.Line-1])
	fmt.Fprintf(&b, "  > %4d | %s", at.Line, line)
	if at.Column >= 1 && at.Column <= utf8.RuneCountInString(line)+1 {
		fmt.Fprintf(&b, "\n         | %s^", strings.Repeat(" ", at.Column-1))
	}
	return b.String()
}

// shown makes a line fit to be printed: bounded, and without anything that moves a cursor.
func shown(line string) string {
	line = line[:min(len(line), 4*maxExcerpt+4)] // no rune has more than four bytes
	runes := []rune(strings.TrimRight(line, "\r"))
	if len(runes) > maxExcerpt {
		runes = append(runes[:maxExcerpt], '…')
	}
	for i, r := range runes {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			runes[i] = ' '
		}
	}
	return string(runes)
}
