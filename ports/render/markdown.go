package render

import (
	"fmt"
	"strings"
)

// markdown writes the document with tables that are aligned, so that they can be read as they stand.
func (p paper) markdown() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", markdownText(p.title))
	for _, m := range p.meta {
		fmt.Fprintf(&b, "- %s: %s\n", markdownText(m[0]), markdownText(m[1]))
	}
	for _, s := range p.sheets {
		if s.title != "" {
			fmt.Fprintf(&b, "\n## %s\n", markdownText(s.title))
		}
		for _, text := range s.lead {
			fmt.Fprintf(&b, "\n%s\n", markdownText(text))
		}
		if len(s.heads) > 0 {
			b.WriteString("\n")
			s.markdownTable(&b)
		}
		if len(s.list) > 0 {
			b.WriteString("\n")
		}
		for _, e := range s.list {
			fmt.Fprintf(&b, "- %s %s\n", markdownText(e.mark), markdownText(e.text))
		}
	}
	return []byte(b.String())
}

const widestCell = 44 // cells are padded up to here; what is longer moves its own row only

func (s sheet) markdownTable(b *strings.Builder) {
	lines := make([][]string, 0, len(s.rows)+2)
	lines = append(lines, s.heads, make([]string, len(s.heads)))
	lines = append(lines, s.rows...)
	widths := make([]int, len(s.heads))
	for i, line := range lines {
		cells := make([]string, len(line))
		for col, text := range line {
			if cells[col] = markdownText(text); i == 1 {
				cells[col] = "---"
			}
			widths[col] = max(widths[col], min(columns(cells[col]), widestCell))
		}
		lines[i] = cells
	}
	for _, cells := range lines {
		for col, text := range cells {
			fmt.Fprintf(b, "| %s%s ", text, strings.Repeat(" ", max(0, widths[col]-columns(text))))
		}
		b.WriteString("|\n")
	}
}

// columns is how many columns of a terminal a text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		if wide(r) {
			n++
		}
	}
	return n
}

// markdownText escapes what Markdown would take as its own. Underscores within a word are no emphasis and stay.
func markdownText(s string) string {
	var b strings.Builder
	runes := []rune(strings.TrimSpace(s))
	for i, r := range runes {
		switch {
		case r == '\n':
			b.WriteString("<br>")
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			b.WriteRune(' ')
		case strings.ContainsRune("\\`*[]<>|~", r), r == '&' && i+1 < len(runes) && isWord(runes[i+1]), r == '#' && i == 0,
			r == '_' && (i == 0 || i+1 == len(runes) || !isWord(runes[i-1]) || !isWord(runes[i+1])):
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isWord reports whether a character may stand in a name, or begin an entity.
func isWord(r rune) bool {
	return r == '_' || r == '#' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
}
