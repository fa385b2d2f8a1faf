package twoends

import (
	"bufio"
	"net/netip"
	"strings"
	"testing"
)

// What strangers send is read without harm, and what is read says the same when it is written again.
func FuzzWords(f *testing.F) {
	at := netip.MustParseAddrPort("[fd00::1]:7")
	f.Add(question{"a.1/tcp", strings.Repeat("A", 22), noMAC}.line())
	f.Add(answer{"n", "m", at, at}.line())
	f.Add("reeve-probe 1 ")
	f.Add("\x16\x03\x01")
	f.Fuzz(func(t *testing.T, text string) {
		if q, ok := parseQuestion(text); ok {
			if again, ok := parseQuestion(q.line()); !ok || again != q {
				t.Errorf("%q is read as %+v, and again as %+v", text, q, again)
			}
		}
		if a, ok := parseAnswer(text); ok {
			if again, ok := parseAnswer(a.line()); !ok || again != a {
				t.Errorf("%q is read as %+v, and again as %+v", text, a, again)
			}
		}
		if line, err := readLine(bufio.NewReader(strings.NewReader(text)), maxLine); err == nil && (len(line) > maxLine || strings.Contains(line, "\n")) {
			t.Errorf("%q is read as the line %q", text, line)
		}
		if c, err := ParseCode(text); err == nil && c.Text() != strings.TrimSpace(text) {
			t.Errorf("%q is read as the code %q", text, c.Text())
		}
	})
}
