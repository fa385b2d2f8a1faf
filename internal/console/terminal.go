package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// Bounds of shown output. What a job writes has none.
const (
	maxLine     = 8 << 10 // bytes of a line; a longer one is shown as several
	maxSequence = 64      // bytes of an escape sequence that is looked at
)

// outputLine is a line as it is shown: runs of text, each with classes from a closed set. The text is data: only the
// template, which escapes it, makes markup of it.
type outputLine struct {
	At     time.Time
	Stream string // stdout, stderr or gap
	Runs   []textRun
}

// textRun is text in one style.
type textRun struct{ Class, Text string }

// terminal turns pieces of output, cut anywhere, into lines. Colours and weights survive; every other escape sequence
// and control character is removed or made visible, so that output can neither hide nor forge what stands around it.
type terminal struct {
	streams [2]lineReader
	at      int64 // bytes read, dropped ones included
}

// feed reads a piece and returns the lines that it completes.
func (t *terminal) feed(piece api.Log) []outputLine {
	if piece.Stream == "gap" {
		t.at += max(piece.Lost, 0)
		return []outputLine{{At: piece.At, Stream: "gap", Runs: []textRun{{Text: piece.Missing(size(piece.Lost))}}}}
	}
	raw := rawBytes(piece)
	t.at += int64(len(raw))
	return t.stream(piece.Stream).feed(piece.At, raw)
}

// partial returns the lines that have begun and not ended.
func (t *terminal) partial() []outputLine {
	var out []outputLine
	for i, name := range []string{"stdout", "stderr"} {
		if line, ok := t.streams[i].begun(name); ok {
			out = append(out, line)
		}
	}
	return out
}

func (t *terminal) stream(name string) *lineReader {
	i := 0
	if name == "stderr" {
		i = 1
	}
	t.streams[i].name = name
	return &t.streams[i]
}

func rawBytes(piece api.Log) []byte {
	if piece.Bytes != nil {
		return piece.Bytes
	}
	return []byte(piece.Text)
}

// mode is where in an escape sequence a reader is.
type mode uint8

const (
	plain   mode = iota
	escape       // after ESC
	control      // after ESC [: until its final byte
	command      // after ESC ] and the like: until BEL, ESC \ or the end of the line
	charset      // after ESC ( and the like: one byte more
)

// lineReader reads one stream.
type lineReader struct {
	name    string
	since   time.Time
	runs    []textRun
	text    strings.Builder // of the last run
	length  int
	style   style
	mode    mode
	params  []byte
	rest    []byte // a character that was cut
	retrace bool   // after CR: what comes next begins the line again
}

func (l *lineReader) feed(at time.Time, raw []byte) []outputLine {
	var out []outputLine
	if len(l.rest) > 0 {
		raw = append(l.rest, raw...)
		l.rest = nil
	}
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 && len(raw) < utf8.UTFMax && !utf8.FullRune(raw) {
			l.rest = append([]byte(nil), raw...)
			break
		}
		raw = raw[n:]
		if r == '\n' {
			l.mode, l.retrace = plain, false // no sequence goes beyond its line: it would hide what follows
			out = append(out, l.take(at))
			continue
		}
		if l.mode != plain {
			l.sequence(r)
			continue
		}
		l.char(at, r)
		if l.length >= maxLine {
			out = append(out, l.take(at))
		}
	}
	return out
}

// char reads a character outside escape sequences.
func (l *lineReader) char(at time.Time, r rune) {
	switch {
	case r == 0x1b:
		l.mode = escape
		return
	case r == '\r':
		l.retrace = true
		return
	case r == 0x07 || r >= 0x80 && r < 0xa0:
		return
	}
	if l.retrace {
		l.retrace = false
		l.clear()
	}
	if l.length == 0 {
		l.since = at
	}
	switch {
	case r == '\t' || r >= ' ' && r != 0x7f && !steers(r):
		l.text.WriteRune(r)
		l.length += utf8.RuneLen(r)
	case r < ' ':
		l.text.WriteRune(0x2400 + r) // the picture of the control character
		l.length += 3
	default:
		fmt.Fprintf(&l.text, "⟨%U⟩", r)
		l.length += 12
	}
}

// steers reports whether a character changes how those around it are shown: order, or not at all.
func steers(r rune) bool {
	return r == 0x61c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff ||
		r >= 0xe0000 && r <= 0xe007f
}

// sequence reads a character of an escape sequence.
func (l *lineReader) sequence(r rune) {
	switch l.mode {
	case plain:
	case escape:
		l.params = l.params[:0]
		switch r {
		case '[':
			l.mode = control
		case ']', 'P', 'X', '^', '_':
			l.mode = command
		case '(', ')', '*', '+', '#', '%':
			l.mode = charset
		case 0x1b:
		default:
			l.mode = plain
		}
	case control:
		switch {
		case r == 0x1b:
			l.mode = escape
		case r >= '@' && r <= '~':
			if r == 'm' {
				l.restyle()
			}
			l.mode = plain
		case r >= ' ' && r < '@' && len(l.params) < maxSequence:
			l.params = append(l.params, byte(r))
		default: // not a sequence after all, or one without end
			l.mode = plain
		}
	case command:
		switch r {
		case 0x07:
			l.mode = plain
		case 0x1b:
			l.mode = escape
		}
	case charset:
		l.mode = plain
	}
}

// restyle ends the run of text and begins another in the style that the parameters ask for.
func (l *lineReader) restyle() {
	next := l.style.apply(string(l.params))
	if next == l.style {
		return
	}
	l.endRun()
	l.style = next
}

func (l *lineReader) endRun() {
	if l.text.Len() > 0 {
		l.runs = append(l.runs, textRun{Class: l.style.class(), Text: l.text.String()})
		l.text.Reset()
	}
}

func (l *lineReader) clear() {
	l.runs, l.length = nil, 0
	l.text.Reset()
}

// take returns the line that is complete, and begins the next.
func (l *lineReader) take(at time.Time) outputLine {
	l.endRun()
	if l.length == 0 {
		l.since = at
	}
	line := outputLine{At: l.since, Stream: l.name, Runs: l.runs}
	l.clear()
	return line
}

// begun returns what there is of a line without ending it.
func (l *lineReader) begun(name string) (outputLine, bool) {
	if l.length == 0 {
		return outputLine{}, false
	}
	runs := append([]textRun(nil), l.runs...)
	if l.text.Len() > 0 {
		runs = append(runs, textRun{Class: l.style.class(), Text: l.text.String()})
	}
	return outputLine{At: l.since, Stream: name, Runs: runs}, true
}

// style is how text looks. Colours count from 1; 0 is the page's own.
type style struct {
	bold, dim, italic, under bool
	front, back              uint8
}

// apply returns the style after a "select graphic rendition" (ECMA-48, 8.3.117). What has no class here is read over.
func (s style) apply(params string) style {
	if strings.ContainsAny(params, "<=>? !\"#$%&'()*,-./") {
		return s // private, or not that function
	}
	codes := strings.Split(strings.ReplaceAll(params, ":", ";"), ";")
	next := s
	for i := 0; i < len(codes); i++ {
		n, err := strconv.Atoi("0" + codes[i]) // nothing means 0
		if err != nil {
			return s
		}
		if n == 38 || n == 48 {
			i += next.extended(n, codes[i+1:])
			continue
		}
		next.one(n)
	}
	return next
}

func (s *style) one(n int) {
	switch {
	case n == 0:
		*s = style{}
	case n == 1:
		s.bold = true
	case n == 2:
		s.dim = true
	case n == 3:
		s.italic = true
	case n == 4:
		s.under = true
	case n == 22:
		s.bold, s.dim = false, false
	case n == 23:
		s.italic = false
	case n == 24:
		s.under = false
	case n >= 30 && n <= 37:
		s.front = uint8(n - 29)
	case n == 39:
		s.front = 0
	case n >= 40 && n <= 47:
		s.back = uint8(n - 39)
	case n == 49:
		s.back = 0
	case n >= 90 && n <= 97:
		s.front = uint8(n - 81)
	case n >= 100 && n <= 107:
		s.back = uint8(n - 91)
	}
}

// extended reads 38;5;N and 38;2;R;G;B and returns how many codes it took. Of N only the sixteen colours with a
// class are shown; the others are the page's own.
func (s *style) extended(which int, codes []string) int {
	if len(codes) == 0 {
		return 0
	}
	colour, took := uint8(0), min(len(codes), 4)
	if codes[0] == "5" && len(codes) > 1 {
		took = 2
		if n, err := strconv.Atoi(codes[1]); err == nil && n >= 0 && n < 16 {
			colour = uint8(n + 1)
		}
	}
	if which == 38 {
		s.front = colour
	} else {
		s.back = colour
	}
	return took
}

func (s style) class() string {
	var names []string
	for _, c := range []struct {
		on   bool
		name string
	}{{s.bold, "o-b"}, {s.dim, "o-d"}, {s.italic, "o-i"}, {s.under, "o-u"}} {
		if c.on {
			names = append(names, c.name)
		}
	}
	if s.front > 0 {
		names = append(names, "o-f"+strconv.Itoa(int(s.front)))
	}
	if s.back > 0 {
		names = append(names, "o-g"+strconv.Itoa(int(s.back)))
	}
	return strings.Join(names, " ")
}
