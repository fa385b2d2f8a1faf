package jobfile

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// place is a position in the file, counted from 1. Columns count characters.
type place struct{ line, column int }

// at returns the place of a token of the document that is being read.
func (r *reader) at(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{r.first + 1, 1}
	}
	return place{min(r.first+max(1, t.Position.Line), len(r.lines)), max(1, t.Position.Column)}
}

// start returns the place where a node begins; the library calls that of a block mapping its first colon.
func (r *reader) start(n ast.Node) place {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return r.at(n.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		return r.at(n.Key.GetToken())
	}
	return r.at(n.GetToken())
}

// The excerpt below a mistake: the line before it, its line, and a caret.
const (
	excerptBefore = 60 // characters shown left of the caret in a long line
	excerptWidth  = 110
)

func excerpt(lines []string, at place) string {
	var b strings.Builder
	if at.line >= 2 && at.line <= len(lines) && strings.TrimSpace(lines[at.line-2]) != "" {
		text, _ := window(lines[at.line-2], at.column)
		fmt.Fprintf(&b, "    %4d | %s\n", at.line-1, text)
	}
	if at.line < 1 || at.line > len(lines) {
		return ""
	}
	text, caret := window(lines[at.line-1], at.column)
	fmt.Fprintf(&b, "    %4d | %s\n", at.line, text)
	fmt.Fprintf(&b, "         | %s^", strings.Repeat(" ", caret))
	return b.String()
}

// window returns the part of a line around a column, fit to be printed, and how far right of its start the
// column stands.
func window(line string, column int) (text string, caret int) {
	runes := []rune(printable(line))
	caret = min(max(0, column-1), len(runes))
	start, left, right := 0, "", ""
	if caret > excerptWidth-excerptBefore/2 {
		start, left = caret-excerptBefore, "…"
	}
	start = min(start, len(runes))
	end := len(runes)
	if end-start > excerptWidth {
		end, right = start+excerptWidth, "…"
	}
	return strings.TrimRight(left+string(runes[start:end])+right, " "), caret - start + len([]rune(left))
}

// printable replaces what could move a terminal's cursor or change its colours.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case !unicode.IsPrint(r):
			return '·'
		}
		return r
	}, s)
}
