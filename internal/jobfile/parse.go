// Package jobfile answers: how is a definition written, and what is wrong with one that was written by hand?
//
// It turns text into nets of package jobnet and back, and is the only written form of a definition: on disk, in
// the API, in the store. Parse is strict and tells every mistake of a file at once, each at its place. Format
// writes the one canonical form, so that equal nets have equal texts and a difference of texts is a difference
// of nets.
package jobfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// MaxFile is how many bytes a file of definitions may have.
const MaxFile = 4 << 20

// Check returns what is wrong with a net, as jobnet.Check does.
type Check func(*jobnet.Net) []jobnet.Problem

// maxMistakes is how many mistakes of one file are told.
const maxMistakes = 1000

// Parse reads the nets of a file: YAML 1.2, and so JSON too, with one or several documents. name is what
// mistakes call the file. The error is fault.Mistakes, with every mistake of the file in the order of its lines;
// then no net is returned. checks are what a reader knows beside jobnet.Check: of its port plan, for one.
// Documents of other kinds are mistakes: ParseDocuments takes calendars too.
func Parse(name string, text []byte, checks ...Check) ([]jobnet.Net, error) {
	docs, err := draft(name, text, true).Documents(Checks{Nets: checks})
	return docs.Nets, err
}

// characters finds what cannot stand in a text, the first in each line.
func (r *reader) characters() {
	for i, line := range r.lines {
		column := 0
		for at, width := 0, 0; at < len(line); at += width {
			var ch rune
			ch, width = utf8.DecodeRuneInString(line[at:])
			column++
			if ch == utf8.RuneError && width == 1 {
				r.mistake(place{i + 1, column}, "the file is not UTF-8 text: there is a wrong byte here")
				break
			}
			if ch < ' ' && ch != '\t' || ch == 0x7f {
				r.mistake(place{i + 1, column}, "a control character (%U) cannot stand in a definition: write it as an escape in double quotes", ch)
				break
			}
		}
	}
}

// chunk is the text of one document, beginning with its separator where it has one.
type chunk struct {
	first int // how many lines stand before it
	text  string
}

// chunks cuts a file at its "---" and "..." lines, which mean nothing else wherever they stand. So a document
// that is not YAML hides no mistake of the next one.
func chunks(lines []string) []chunk {
	var out []chunk
	start := 0
	cut := func(end int) {
		if end > start {
			out = append(out, chunk{first: start, text: strings.Join(lines[start:end], "\n") + "\n"})
		}
	}
	for i, line := range lines {
		switch {
		case line == "---", strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "---\t"):
			cut(i)
			start = i
		case strings.TrimRight(line, " \t") == "...":
			cut(i)
			start = i + 1
		}
	}
	cut(len(lines))
	return out
}

// reader collects what is wrong with a file.
type reader struct {
	file     string
	lines    []string
	netsOnly bool
	mistakes fault.Mistakes
	sheet    // of the document that is being read, or checked
}

// sheet is where things stand in a document.
type sheet struct {
	kind   string // net or calendar
	first  int    // how many lines stand before it
	keys   map[string]place
	values map[string]place
	bad    map[string]bool // paths whose value could not be read
}

// bodies parses a chunk. The library behind it may panic on what it does not foresee; that too is a document
// that cannot be read.
func (r *reader) bodies(c chunk) (bodies []ast.Node) {
	r.first = c.first
	defer func() {
		if recover() != nil {
			bodies = nil
			r.mistake(place{c.first + 1, 1}, "this document cannot be read as YAML")
		}
	}()
	tokens := lexer.Tokenize(c.text)
	if !r.allowed(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			bodies = append(bodies, d.Body)
		}
	}
	return bodies
}

// syntax reports the library's own complaint, with a hint where it is hard to understand.
func (r *reader) syntax(err error) {
	at, message := place{r.first + 1, 1}, err.Error()
	var placed interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &placed) && placed.GetToken() != nil {
		at, message = r.at(placed.GetToken()), placed.GetMessage()
	}
	line := r.lines[at.line-1]
	switch indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; {
	case strings.Contains(indent, "\t"):
		message = "this line is indented with a tab: use spaces"
	case strings.HasSuffix(message, "is a reserved character"):
		message += ": quote a text that begins with it"
	case strings.HasPrefix(message, "mapping value is not allowed"):
		message += `: look at the indentation of this line and the next, and quote a text that holds ": "`
	}
	r.mistake(at, "this is not YAML: %s", printable(message))
}

// document reads one document; nil: it is none that is taken. The checks come when all documents are read.
func (r *reader) document(body ast.Node, first int) *page {
	r.sheet = sheet{kind: "net", first: first, keys: map[string]place{}, values: map[string]place{}, bad: map[string]bool{}}
	entries, isMapping := entriesOf(body)
	at := r.start(body)
	if !isMapping || len(entries) == 0 {
		r.mistake(at, "a definition is a mapping that begins with net: folder/name; this is %s", describe(body))
		return nil
	}
	has := func(kind string) bool {
		return slices.ContainsFunc(entries, func(e *ast.MappingValueNode) bool { return keyText(e.Key) == kind })
	}
	switch kind := keyText(entries[0].Key); {
	case kind == "net", kind == "calendar" && !r.netsOnly:
		r.kind = kind
	case kind == "calendar" || kind == "plan" || kind == "inventory":
		taken := "nets and calendars"
		if r.netsOnly {
			taken = "nets"
		}
		r.mistake(at, "this document is of kind %s; here only %s are taken", kind, taken)
		return nil
	case has("net"):
		r.mistake(at, "the first field of a document says what it is: move net to the top, before %q", kind)
	case has("calendar") && !r.netsOnly:
		r.kind = "calendar"
		r.mistake(at, "the first field of a document says what it is: move calendar to the top, before %q", kind)
	default:
		r.mistake(at, "the first field of a document says what it is: this one begins with %q; a net begins with net: folder/name", kind)
		return nil
	}
	p := &page{at: at}
	if r.kind == "net" {
		n := fill[document](r, body).net()
		p.net = &n
	} else if p.calendar = r.calendar(body); p.calendar == nil {
		return nil
	}
	if named, known := r.values[r.kind]; known {
		p.at = named
	}
	p.sheet = r.sheet
	return p
}

// hidden reports whether the value at path, or one that it is part of, could not be read.
func (r *reader) hidden(path string) bool {
	for ; path != ""; path = parent(path) {
		if r.bad[path] {
			return true
		}
	}
	return false
}

// find returns the place of path, or of the nearest thing that it is part of.
func (r *reader) find(path string, key bool) place {
	for ; path != ""; path = parent(path) {
		if p, ok := r.keys[path]; ok && key {
			return p
		}
		if p, ok := r.values[path]; ok {
			return p
		}
	}
	return place{r.first + 1, 1}
}

// parent returns the path of what path is part of.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// mistake adds one, up to the most that are told.
func (r *reader) mistake(at place, format string, args ...any) {
	if len(r.mistakes) < maxMistakes {
		r.mistakes = append(r.mistakes, fault.Mistake{
			File: r.file, Line: at.line, Column: at.column,
			Message: fmt.Sprintf(format, args...), Excerpt: excerpt(r.lines, at),
		})
	}
}

// sorted returns the mistakes in the order of the file.
func (r *reader) sorted() fault.Mistakes {
	slices.SortStableFunc(r.mistakes, func(a, b fault.Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(r.mistakes, func(a, b fault.Mistake) bool { return a == b })
}
