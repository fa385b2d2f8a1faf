package render

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// caption is a text of a drawing that was read back, with the box that it is given.
type caption struct {
	text                     string
	left, top, right, bottom int
}

// picture is a drawing that was read back.
type picture struct {
	width, height int
	captions      []caption
	flows         []string // of arrows, sorted
	texts         map[string]string
}

// readSVG reads a drawing as an XML reader does.
func readSVG(t rapid.TB, text []byte) picture {
	t.Helper()
	p := picture{texts: map[string]string{}}
	d := xml.NewDecoder(strings.NewReader(string(text)))
	var flows []string
	var at caption
	inText, anchor := false, ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			slices.Sort(p.flows)
			return p
		}
		if err != nil {
			t.Fatalf("the drawing is no XML: %v\n%s", err, text)
		}
		switch e := token.(type) {
		case xml.StartElement:
			a := map[string]string{}
			for _, attr := range e.Attr {
				a[attr.Name.Local] = attr.Value
			}
			switch e.Name.Local {
			case "svg":
				p.width, p.height = atoi(t, a["width"]), atoi(t, a["height"])
			case "g":
				flows = strings.Fields(a["data-flow"])
				p.flows = append(p.flows, flows...)
			case "text":
				at, inText, anchor = caption{left: atoi(t, a["x"]), bottom: atoi(t, a["y"]) + 3}, true, a["text-anchor"]
				at.top = at.bottom - textSize
				if strings.Contains(a["class"], "title") {
					at.top -= 5
				}
			}
		case xml.CharData:
			if inText {
				at.text += string(e)
			}
		case xml.EndElement:
			if e.Name.Local == "g" {
				flows = nil
			}
			if e.Name.Local == "text" {
				inText = false
				at.right = at.left + textWidth(at.text)
				if anchor == "middle" {
					half := textWidth(at.text) / 2
					at.left, at.right = at.left-half, at.left+half
				}
				p.captions = append(p.captions, at)
				for _, f := range flows {
					p.texts[f] += at.text + " "
				}
			}
		}
	}
}

func atoi(t rapid.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checkLayout looks for texts that meet each other or leave the drawing.
func checkLayout(t rapid.TB, p picture) {
	t.Helper()
	for i, a := range p.captions {
		if a.left < 0 || a.top < 0 || a.right > p.width || a.bottom > p.height {
			t.Errorf("%q leaves the drawing of %d x %d: %+v", a.text, p.width, p.height, a)
		}
		for _, b := range p.captions[:i] {
			if a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom {
				t.Errorf("%q and %q meet: %+v %+v", a.text, b.text, a, b)
			}
		}
	}
}

func drawn(t rapid.TB, f func(Input) ([]byte, error), in Input) picture {
	t.Helper()
	text, err := f(in)
	if err != nil {
		t.Fatal(err)
	}
	p := readSVG(t, text)
	checkLayout(t, p)
	return p
}

// checkDrawings compares the arrows of both drawings with the plan's flows and the site's openings. P7.
func checkDrawings(t rapid.TB, in Input) {
	t.Helper()
	var want []string
	for _, f := range in.Site.Compiled.Flows {
		want = append(want, f.ID)
	}
	slices.Sort(want)
	got := drawn(t, renderSequence, in)
	if !slices.Equal(want, got.flows) {
		t.Errorf("the sequence has the flows %v, want %v", got.flows, want)
	}
	for _, f := range in.Site.Compiled.Flows {
		if f.Port != 0 && !strings.Contains(got.texts[f.ID], fmt.Sprint(f.Port)) {
			t.Errorf("the arrow of %s says %q, want the port %d", f.ID, got.texts[f.ID], f.Port)
		}
	}
	want = nil
	for _, o := range in.openings(in.Site) {
		for range len(byZone(o.Sources)) * len(byZone(o.Destinations)) {
			want = append(want, o.Flow)
		}
	}
	slices.Sort(want)
	if got := drawn(t, renderZones, in); !slices.Equal(want, got.flows) {
		t.Errorf("the zone map has the flows %v, want %v", got.flows, want)
	}
}

func TestDrawings(t *testing.T) {
	t.Parallel()
	eachPlan(t, func(t *testing.T, in Input) {
		for _, in.Locale = range []string{"en", "de", "ja"} {
			checkDrawings(t, in)
		}
	})
}

func TestDrawingsOfAnyPlan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { checkDrawings(rt, anyInput(rt)) })
}

func TestDrawingOfOneService(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "systemwalker")
	p := drawn(t, renderSequence, Input{Site: compiled(t, plan, ports.Inventory{}, 0), Service: "jmnet"})
	if want := []string{"jmnet.1/tcp", "jmnet.2/tcp", "jmnet.3/tcp", "jmnet.4/tcp"}; !slices.Equal(p.flows, want) {
		t.Errorf("the drawing of jmnet has %v, want %v", p.flows, want)
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"  many   blanks ", []string{"many", "blanks"}},
		{"abcdefghijklmnopqrst", []string{"abcdefgh", "ijklmnopqr", "st"}},
		{"日本語の文章です", []string{"日本語の文", "章です"}},
	} {
		got := wrap(c.text, 65)
		if c.text == "abcdefghijklmnopqrst" { // where it breaks depends on the letters; that it does and loses nothing does not
			if len(got) < 2 || strings.Join(got, "") != c.text {
				t.Errorf("wrap(%q) = %q", c.text, got)
			}
			continue
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("wrap(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

// TestWrapLosesNothing: every line fits, and all lines together are the text.
func TestWrapLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, width := rapid.String().Draw(t, "text"), rapid.IntRange(20, 300).Draw(t, "width")
		lines := wrap(text, width)
		all := strings.Join(strings.Fields(strings.Join(lines, "")), "")
		if want := strings.Join(strings.Fields(text), ""); all != want {
			t.Fatalf("wrap(%q) = %q", text, lines)
		}
		for _, line := range lines {
			if textWidth(line) > width && len([]rune(line)) > 1 {
				t.Fatalf("the line %q is %d wide, more than %d", line, textWidth(line), width)
			}
		}
	})
}
