// Package dialect answers: how do other products write their ports down?
//
// Each form is read into a value that keeps every byte that matters, and written from it again: what is read and
// written is the same file. What a file says badly is reported with its place, and kept; a file is never guessed
// right. The package is pure: it is given bytes and returns values.
package dialect

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/ports"
)

const (
	maxSize     = 4 << 20 // bytes of a file: the largest real one has some ten thousand lines
	maxFindings = 100     // more than anybody reads
)

// findings collects what is wrong with one file.
type findings struct {
	file string
	list []ports.Diagnostic
	more int
}

// add notes a finding. Lines and columns count from 1, columns in characters.
func (f *findings) add(d ports.Diagnostic, line, column int) {
	if len(f.list) >= maxFindings {
		f.more++
		return
	}
	d.Place = ports.Place{File: f.file, Line: line, Column: column}
	f.list = append(f.list, d)
}

func (f *findings) error(code ports.Code, line, column int, message, suggestion string) {
	f.add(ports.Diagnostic{Code: code, Severity: ports.Error, Message: message, Suggestion: suggestion}, line, column)
}

func (f *findings) warn(code ports.Code, line, column int, message, suggestion string) {
	f.add(ports.Diagnostic{Code: code, Severity: ports.Warning, Message: message, Suggestion: suggestion}, line, column)
}

// all returns the findings in the order of their places.
func (f *findings) all() []ports.Diagnostic {
	slices.SortStableFunc(f.list, func(a, b ports.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if f.more > 0 {
		last := f.list[len(f.list)-1]
		f.list = append(f.list, ports.Diagnostic{
			Code: ports.BadLine, Severity: ports.Error, Place: last.Place,
			Message: fmt.Sprintf("%d more findings are not listed", f.more), Suggestion: "repair these first",
		})
	}
	return f.list
}

// tooLarge reports a file that nobody wrote by hand, and cuts it at the last whole line that is read.
func (f *findings) tooLarge(data []byte) []byte {
	if len(data) <= maxSize {
		return data
	}
	cut := bytes.LastIndexByte(data[:maxSize], '\n') + 1
	f.error(ports.BadLine, 1, 1, fmt.Sprintf("the file has %d bytes, more than %d", len(data), maxSize), "split it: what comes later is not read")
	return data[:cut]
}

// textLine is one line with its end.
type textLine struct {
	Text string // without its end
	End  string // "\n", "\r\n", or nothing at the end of the file
}

// splitLines takes text apart; joined again, the lines are the text.
func splitLines(data []byte) []textLine {
	var lines []textLine
	for rest := string(data); rest != ""; {
		line, after, found := strings.Cut(rest, "\n")
		rest = after
		switch {
		case !found:
			lines = append(lines, textLine{Text: line})
		case strings.HasSuffix(line, "\r"):
			lines = append(lines, textLine{Text: strings.TrimSuffix(line, "\r"), End: "\r\n"})
		default:
			lines = append(lines, textLine{Text: line, End: "\n"})
		}
	}
	return lines
}

// word is a part of a line between blanks, with its column.
type word struct {
	text   string
	column int // in characters, from 1
}

// words splits a line at blanks.
func words(line string) []word {
	var all []word
	start := -1
	column, startColumn := 0, 0
	for i, r := range line {
		column++
		if blank(r) {
			if start >= 0 {
				all = append(all, word{line[start:i], startColumn})
				start = -1
			}
		} else if start < 0 {
			start, startColumn = i, column
		}
	}
	if start >= 0 {
		all = append(all, word{line[start:], startColumn})
	}
	return all
}

func blank(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\v' || r == '\f' }

// number reads a port as people write it: digits without leading zeros, 1 to 65535.
func number(s string) (ports.Port, string) {
	n, err := strconv.ParseUint(s, 10, 16)
	switch {
	case s == "":
		return 0, "a port number is missing"
	case err != nil && digits(s):
		return 0, "the port " + clip(s) + " is above 65535"
	case err != nil:
		return 0, strconv.Quote(clip(s)) + " is no port number"
	case n == 0:
		return 0, "the port 0 cannot be used"
	case s[0] == '0':
		return 0, "the port " + clip(s) + " has a leading zero, which some programs read as octal: write " + strconv.FormatUint(n, 10)
	}
	return ports.Port(n), ""
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// clip bounds what is quoted of a file, and removes what would steer a terminal.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		s = s[:most]
		for !utf8.ValidString(s) && len(s) > most-utf8.UTFMax {
			s = s[:len(s)-1]
		}
		s += "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '·'
		}
		return r
	}, s)
}
