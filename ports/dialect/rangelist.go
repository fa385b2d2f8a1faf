package dialect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// RangeLists is a file with range lists of the management service, with every byte of it: lines of `[LIST]`, or of
// `NAME = VALUE` where a value is a list, a port or a truth. A list is ports and ranges with | between (arcserve.md,
// AR-16 to AR-19).
type RangeLists struct {
	Lines []RangeLine
}

// RangeLine is one line. List and Key are empty for a comment, an empty line, or one that cannot be read.
type RangeLine struct {
	textLine
	Key   string // as it is written; empty for a list alone
	Value string // of a setting that is no list: "True"
	List  []RangeItem
	Line  int
}

// RangeItem is one item of a list.
type RangeItem struct {
	ports.Range
	Column int
	Doubt  *Doubt // the item and the next one can be read in another way: it opens nothing
	second bool   // the second of a doubtful pair
}

// Doubt is the other reading of two single ports: a range that was misprinted.
type Doubt struct {
	Printed string      // as it stands there: "10000|1999"
	Meant   ports.Range // 10000-19999
}

// Reading says how doubtful pairs are taken, once a person has answered.
type Reading string

// The readings. Nothing is opened before somebody has chosen.
const (
	Ask      Reading = ""
	AsPorts  Reading = "ports"
	AsRanges Reading = "ranges"
)

// ParseRangeLists reads a file of range lists. Two single ports that were probably meant as a range are reported with
// both readings (PP102); a separator that the grammar does not have is refused with the things that it can have meant
// (PP103, F86).
func ParseRangeLists(file string, data []byte, reading Reading) (RangeLists, []ports.Diagnostic) {
	f := &findings{file: file}
	var r RangeLists
	for i, text := range splitLines(f.tooLarge(data)) {
		l := RangeLine{textLine: text, Line: i + 1}
		l.read(f, reading)
		r.Lines = append(r.Lines, l)
	}
	return r, f.all()
}

func (l *RangeLine) read(f *findings, reading Reading) {
	body, column := trimLeft(l.Text, 1)
	if l.Line == 1 && strings.HasPrefix(body, "\ufeff") {
		body, column = trimLeft(strings.TrimPrefix(body, "\ufeff"), column+1)
	}
	if body == "" || strings.HasPrefix(body, "#") || strings.HasPrefix(body, ";") {
		return
	}
	if strings.Trim(body[:1], letters) == "" {
		end := strings.IndexFunc(body, func(r rune) bool { return r == '=' || r == '[' || blank(r) })
		if end < 0 {
			f.error(ports.BadLine, l.Line, column, strconv.Quote(clip(body))+" is no list and has no value", "write [LIST], or NAME = VALUE")
			return
		}
		l.Key = body[:end]
		body, column = trimLeft(body[end:], column+end)
		if strings.HasPrefix(body, "=") {
			body, column = trimLeft(body[1:], column+1)
		}
	}
	body = strings.TrimRight(body, " \t\r")
	if l.Key != "" && body != "" && (strings.Trim(body, letters) == "" || strings.EqualFold(l.Key, settingTLS)) {
		l.Value = body
		return
	}
	if !l.list(f, body, column, reading) {
		l.Key, l.List = "", nil
	}
}

// trimLeft removes blanks and counts them.
func trimLeft(s string, column int) (string, int) {
	rest := strings.TrimLeft(s, " \t")
	return rest, column + len(s) - len(rest)
}

// list reads ports and ranges with | between, in brackets or not.
func (l *RangeLine) list(f *findings, body string, column int, reading Reading) bool {
	const form = "write ports and ranges with | between: [20000-20100|7199]"
	if strings.HasPrefix(body, "[") {
		if !strings.HasSuffix(body, "]") {
			f.error(ports.BadLine, l.Line, column, "the list "+clip(body)+" does not end with ]", form)
			return false
		}
		body, column = body[1:len(body)-1], column+1
	}
	if len(body) > maxList {
		f.error(ports.BadLine, l.Line, column, "the list is too long", "a list has some ten items")
		return false
	}
	good := true
	for text := range strings.SplitSeq(body, "|") {
		item, at := trimLeft(text, column)
		item = strings.TrimRight(item, " \t")
		column += len([]rune(text)) + 1
		if strings.Trim(item, "0123456789-") != "" {
			good = l.refuse(f, item, at) && good
			continue
		}
		r, wrong := interval(item)
		if wrong != "" {
			f.error(ports.BadLine, l.Line, at, wrong, form)
			good = false
			continue
		}
		l.List = append(l.List, RangeItem{Range: r, Column: at})
	}
	l.doubts(f, reading)
	return good || len(l.List) > 0
}

const maxList = 64 << 10 // bytes of a list

// refuse reports an item with a separator that the grammar does not have.
func (l *RangeLine) refuse(f *findings, item string, column int) bool {
	at := strings.IndexFunc(item, func(r rune) bool { return r < '0' || r > '9' })
	first, rest := item[:at], item[at:]
	width := len(rest) - len(strings.TrimLeft(rest, " \t\\/:;,._~+*–—"))
	a, wrong1 := number(first)
	b, wrong2 := number(rest[width:])
	if wrong1 != "" || wrong2 != "" || width == 0 {
		f.error(ports.BadLine, l.Line, column, strconv.Quote(clip(item))+" is neither a port nor a range", "write PORT or FIRST-LAST")
		return false
	}
	meant := meantRange(a, b)
	separator := strings.TrimSpace(rest[:width])
	why := strconv.Quote(clip(separator)) + " is not a separator"
	if separator == "" {
		why = "a separator is missing"
	}
	if b < a {
		why += ", and " + strconv.Itoa(int(b)) + " is below " + strconv.Itoa(int(a))
	}
	f.error(ports.NoRange, l.Line, column+at, fmt.Sprintf("%s is refused: %s; it can have meant two single ports, %d|%d (%s), or the range %s (%s)",
		clip(item), why, a, b, count(2), formatRanges([]ports.Range{meant}, ""), count(size(meant))), "write what is meant; nothing of it is opened")
	return false
}

// doubts looks for neighbours that are single ports by the grammar, and were probably a range.
func (l *RangeLine) doubts(f *findings, reading Reading) {
	for i := 0; i+1 < len(l.List); i++ {
		a, b := l.List[i], l.List[i+1]
		if a.First != a.Last || b.First != b.Last {
			continue
		}
		meant, ok := doubtful(a.First, b.First)
		if !ok {
			continue
		}
		switch reading {
		case AsPorts:
		case AsRanges:
			l.List[i].Range = meant
			l.List = slices.Delete(l.List, i+1, i+2)
		case Ask:
			others := total(l.List) - 2
			whole := ""
			if others > 0 {
				whole = fmt.Sprintf("; the whole list is then %s or %s", count(others+2), count(others+size(meant)))
			}
			l.List[i].Doubt = &Doubt{Printed: fmt.Sprintf("%d|%d", a.First, b.First), Meant: meant}
			l.List[i+1].second = true
			f.error(ports.OddRange, l.Line, a.Column, fmt.Sprintf("%s can be read in two ways: two single ports, %d and %d (%s), or the range %s (%s)%s",
				l.List[i].Doubt.Printed, a.First, b.First, count(2), formatRanges([]ports.Range{meant}, ""), count(size(meant)), whole),
				"neither is opened: say which with --read ports or --read ranges, or write FIRST-LAST")
			i++
		}
	}
}

// doubtful reports whether two neighbouring single ports look like the ends of a range: the first one begins a
// hundred, as ranges do, and the second one is above it or would be with one digit more.
func doubtful(a, b ports.Port) (ports.Range, bool) {
	if a%100 != 0 || b == a {
		return ports.Range{}, false
	}
	if b > a {
		return ports.Range{First: a, Last: b}, true
	}
	if last, ok := restored(a, b); ok {
		return ports.Range{First: a, Last: last}, true
	}
	return ports.Range{}, false
}

// restored gives a number a digit back that was lost in print, one that stands beside its like: 1999 was 19999. The
// one that makes the roundest range is taken.
func restored(a, b ports.Port) (ports.Port, bool) {
	text := strconv.Itoa(int(b))
	best, round := ports.Port(0), -1
	for i := range len(text) {
		n, err := strconv.ParseUint(text[:i]+text[i:i+1]+text[i:], 10, 16)
		if err != nil || n <= uint64(a) {
			continue
		}
		zeros := 0
		for size := int(n) - int(a) + 1; size%10 == 0; size /= 10 {
			zeros++
		}
		if zeros > round {
			best, round = ports.Port(n), zeros
		}
	}
	return best, best != 0
}

// meantRange is the range that two numbers with a wrong separator can have meant. A reversed one whose end is one
// below a round number has lost its beginning: 20000\19999 was 10000-19999.
func meantRange(a, b ports.Port) ports.Range {
	if a <= b {
		return ports.Range{First: a, Last: b}
	}
	span := 1
	for (int(b)+1)%(span*10) == 0 && span*10 <= int(b) {
		span *= 10
	}
	if span >= 10 && int(b)+1-span > 0 {
		return ports.Range{First: ports.Port(int(b) + 1 - span), Last: b}
	}
	return ports.Range{First: b, Last: a}
}

// total counts the ports of a list.
func total(items []RangeItem) int {
	n := 0
	for _, item := range items {
		n += size(item.Range)
	}
	return n
}

func size(r ports.Range) int { return int(r.Last) - int(r.First) + 1 }

func count(n int) string {
	if n == 1 {
		return "1 port"
	}
	return strconv.Itoa(n) + " ports"
}

// Bytes writes the file as it was read.
func (r RangeLists) Bytes() []byte {
	var b strings.Builder
	for _, l := range r.Lines {
		b.WriteString(l.Text + l.End)
	}
	return []byte(b.String())
}

// Ranges returns what a line opens: nothing that is in doubt.
func (l RangeLine) Ranges() []ports.Range {
	var all []ports.Range
	for _, item := range l.List {
		if item.Doubt == nil && !item.second {
			all = append(all, item.Range)
		}
	}
	return all
}

// FormatRangeList writes ranges as a list: [20000-20100|7199].
func FormatRangeList(ranges []ports.Range) string { return "[" + formatRanges(ranges, "|") + "]" }
