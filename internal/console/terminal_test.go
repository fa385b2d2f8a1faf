package console

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// shown is lines as a reader sees them, with classes in angle brackets.
func shown(lines []outputLine) string {
	var b strings.Builder
	for _, l := range lines {
		for _, r := range l.Runs {
			if r.Class != "" {
				b.WriteString("<" + r.Class + ">")
			}
			b.WriteString(r.Text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func read(pieces ...string) (lines []outputLine, begun []outputLine) {
	var t terminal
	for _, p := range pieces {
		lines = append(lines, t.feed(api.Log{Stream: "stdout", Bytes: []byte(p)})...)
	}
	return lines, t.partial()
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain":               {"one\ntwo\n", "one\ntwo\n"},
		"no end":              {"one\ntwo", "one\n[two]"},
		"windows":             {"one\r\ntwo\r\n", "one\ntwo\n"},
		"progress":            {"10%\r50%\r100%\n", "100%\n"},
		"return and end":      {"10%\r\n", "10%\n"},
		"colour":              {"a\x1b[31mb\x1b[0mc\n", "a<o-f2>bc\n"},
		"colour goes on":      {"\x1b[1;92ma\nb\x1b[m\nc\n", "<o-b o-f11>a\n<o-b o-f11>b\nc\n"},
		"palette":             {"\x1b[38;5;9ma\x1b[48;5;200mb\x1b[38;2;1;2;3mc\x1b[0md\n", "<o-f10>abcd\n"},
		"bad numbers":         {"\x1b[31;;9999999999999999999ma\x1b[4;1;;31mb\n", "a<o-f2>b\n"},
		"cursor":              {"a\x1b[2J\x1b[H\x1b[10Ab\x1b[?25l\x1b[>4;1mc\n", "abc\n"},
		"title":               {"a\x1b]0;title\x07b\x1b]8;;https://evil.example\x1b\\c\x1b]8;;\x1b\\\n", "abc\n"},
		"clipboard":           {"a\x1b]52;c;ZXZpbA==\x07b\n", "ab\n"},
		"title without end":   {"a\x1b]0;hidden\nseen\n", "a\nseen\n"},
		"sequence, no end":    {"a\x1b[31\nseen\n", "a\nseen\n"},
		"device":              {"a\x1bPq#0;2;0;0;0\x1b\\b\x1b(Bc\x1b=d\x1bcE\n", "abcdE\n"},
		"controls":            {"a\x00b\x08c\x7fd\x07e\x0bf\n", "a␀b␈c⟨U+007F⟩de␋f\n"},
		"eight bit controls":  {"a\u009b31mb\u0085c\n", "a31mbc\n"},
		"order of characters": {"a\u202eb\u2066c\u200bd\u2028e\n", "a⟨U+202E⟩b⟨U+2066⟩c⟨U+200B⟩d⟨U+2028⟩e\n"},
		"not UTF-8":           {"a\xffb\xc3\n", "a\ufffdb\ufffd\n"},
		"tabs":                {"a\tb\n", "a\tb\n"},
		"markup":              {"<script>alert(1)</script>\n", "<script>alert(1)</script>\n"},
	} {
		lines, begun := read(c.in)
		got := shown(lines)
		if len(begun) > 0 {
			got += "[" + strings.TrimSuffix(shown(begun), "\n") + "]"
		}
		if got != c.want {
			t.Errorf("%s: %q is shown as %q, want %q", name, c.in, got, c.want)
		}
		bytewise, _ := read(strings.Split(c.in, "")...) // each character, or broken byte, on its own
		if got := shown(bytewise); got != shown(lines) {
			t.Errorf("%s: in small pieces %q is shown as %q, want %q", name, c.in, got, shown(lines))
		}
	}
}

func TestTerminalKeepsStreamsApart(t *testing.T) {
	t.Parallel()
	var term terminal
	at := time.Date(2026, 11, 3, 8, 0, 0, 0, time.UTC)
	var lines []outputLine
	for i, p := range []api.Log{
		{Stream: "stdout", Text: "out \xe2"},
		{Stream: "stderr", Text: "\x1b[31merr"},
		{Stream: "stdout", Text: "\x82\xac\n"},
		{Stream: "gap", Lost: 2048},
		{Stream: "stderr", Text: "or\n"},
	} {
		p.At = at.Add(time.Duration(i) * time.Second)
		lines = append(lines, term.feed(p)...)
	}
	if got, want := shown(lines), "out €\n2.0 KiB of output were dropped here\n<o-f2>error\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if lines[0].Stream != "stdout" || lines[1].Stream != "gap" || lines[2].Stream != "stderr" {
		t.Errorf("streams are %v", lines)
	}
	if !lines[2].At.Equal(at.Add(time.Second)) {
		t.Errorf("a line has the time %v at which it ended, not began", lines[2].At)
	}
	if want := int64(5 + 8 + 3 + 2048 + 3); term.at != want {
		t.Errorf("read %d bytes, want %d", term.at, want)
	}
}

func TestTerminalBoundsLines(t *testing.T) {
	t.Parallel()
	var term terminal
	n := 0
	for range 64 {
		for _, l := range term.feed(api.Log{Stream: "stdout", Text: strings.Repeat("x", 16<<10)}) {
			n += len(l.Runs[0].Text)
			if len(l.Runs[0].Text) > maxLine+4 {
				t.Fatalf("a line of %d bytes", len(l.Runs[0].Text))
			}
		}
	}
	if n != 1<<20 {
		t.Errorf("%d bytes are shown, want all of them", n)
	}
}

func FuzzTerminal(f *testing.F) {
	f.Add([]byte("a\x1b[1;31mb\x1b]0;t\x07\r\nc"), 3)
	f.Add([]byte("\x1b[38;5;\x1b[48;2mx\x1bP\x1b\\\xff\xc3"), 1)
	p, err := loadAssets()
	if err != nil {
		f.Fatal(err)
	}
	pages, err := loadPages(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte, cut int) {
		var whole, parts terminal
		want := whole.feed(api.Log{Stream: "stdout", Bytes: raw})
		var got []outputLine
		step := max(1, cut%7)
		for i := 0; i < len(raw); i += step {
			got = append(got, parts.feed(api.Log{Stream: "stdout", Bytes: raw[i:min(len(raw), i+step)]})...)
		}
		if shown(got) != shown(want) || shown(whole.partial()) != shown(parts.partial()) {
			t.Errorf("%q cut every %d bytes is shown as %q, whole as %q", raw, step, shown(got), shown(want))
		}
		if whole.at != int64(len(raw)) {
			t.Errorf("%d bytes were counted as %d", len(raw), whole.at)
		}
		for _, l := range append(want, whole.partial()...) {
			for _, r := range l.Runs {
				if !utf8.ValidString(r.Text) || strings.ContainsFunc(r.Text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f || steers(c) }) {
					t.Errorf("%q is shown as %q", raw, r.Text)
				}
			}
		}
		var b bytes.Buffer
		if err := pages["run"].ExecuteTemplate(&b, "lines", want); err != nil {
			t.Fatal(err)
		}
		if strings.Count(b.String(), "<div") != len(want) || strings.ContainsAny(b.String(), "\n\r") {
			t.Errorf("%q is rendered as %q", raw, b.String())
		}
	})
}
