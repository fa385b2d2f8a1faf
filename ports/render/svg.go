package render

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// canvas collects the elements of a drawing. Lengths are in pixels at the drawing's own size.
type canvas struct {
	b strings.Builder
}

// Sizes of the drawings' text. They are generous: what a reader's font really needs is not known here.
const (
	textSize   = 13 // height of the letters of a label
	lineHeight = 17
)

// style makes a drawing follow the reader's light or dark mode. Colours of lines and texts are all currentColor.
const style = `svg{background:#fff;color:#1d232b;font:13px/1.3 system-ui,"Segoe UI","Helvetica Neue",Arial,"Noto Sans","Noto Sans CJK JP",IPAGothic,sans-serif}
.paper{fill:#fff}.band{fill:#1d232b;fill-opacity:.045}.box{fill:#fff;stroke:currentColor}
text{fill:currentColor}.strong{font-weight:600}.title{font-size:18px;font-weight:600}.quiet{fill-opacity:.75}
.label{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
.life{stroke:currentColor;stroke-opacity:.35}.line{stroke:currentColor;stroke-width:1.4;fill:none}.head{fill:currentColor}
.link .line{stroke-width:3}.reserved .line,.foreign .line{stroke-dasharray:7 4}.inactive .line{stroke-dasharray:2 4}.inactive text{fill-opacity:.7}
@media (prefers-color-scheme:dark){svg{background:#15181d;color:#e4e7eb}.paper,.box{fill:#15181d}.label{stroke:#15181d}.band{fill:#e4e7eb}}
@media print{svg{background:#fff;color:#000}.paper,.box{fill:#fff}.label{stroke:#fff}}`

// finish returns the whole drawing. Its width and height are its natural size; viewBox lets a page scale it.
func (c *canvas) finish(w words, title string, width, height int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" xml:lang="%s">`+"\n",
		width, height, width, height, w.lang)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", xmlText(title), style)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n", width, height)
	b.WriteString(c.b.String())
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// text writes lines below each other; y is the base of the first one. Anchor is start or middle.
func (c *canvas) text(x, y int, class, anchor string, lines []string) {
	for i, line := range lines {
		at := ""
		if anchor != "start" {
			at = ` text-anchor="` + anchor + `"`
		}
		fmt.Fprintf(&c.b, `<text x="%d" y="%d" class="%s"%s>%s</text>`+"\n", x, y+i*lineHeight, class, at, xmlText(line))
	}
}

func (c *canvas) rect(x, y, width, height int, class string) {
	fmt.Fprintf(&c.b, `<rect x="%d" y="%d" width="%d" height="%d" rx="5" class="%s"/>`+"\n", x, y, width, height, class)
}

func (c *canvas) line(x1, y1, x2, y2 int, class string) {
	fmt.Fprintf(&c.b, `<path d="M%d %dL%d %d" class="%s"/>`+"\n", x1, y1, x2, y2, class)
}

// arrow draws a line with a head at its end; right is the direction in which the head points.
func (c *canvas) arrow(x1, y, x2 int) {
	back := -9
	if x2 < x1 {
		back = 9
	}
	c.line(x1, y, x2+back, y, "line")
	c.headAt(x2, y, back)
}

func (c *canvas) headAt(x, y, back int) {
	fmt.Fprintf(&c.b, `<path d="M%d %dl%d -5v10z" class="head"/>`+"\n", x, y, back)
}

// loop draws an arrow from a line back to itself, to the right of it.
func (c *canvas) loop(x, y, width, height int) {
	fmt.Fprintf(&c.b, `<path d="M%d %dh%dv%dh-%d" class="line"/>`+"\n", x, y, width, height, width-9)
	c.headAt(x, y+height, 9)
}

// xmlText escapes a text for XML, and replaces what XML cannot hold.
func xmlText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&#34;")
		case r == '\'':
			b.WriteString("&#39;")
		case r < 0x20 && r != '\n' && r != '\t', r >= 0x7f && r < 0xa0, r == 0xfffe, r == 0xffff:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// textWidth is how wide a text may become, in pixels at the size of a label: more than common fonts need.
func textWidth(s string) int {
	tenths := 0
	for _, r := range s {
		switch {
		case wide(r):
			tenths += 10
		case strings.ContainsRune("iIjlt.,:;'|!()[] -", r):
			tenths += 4
		case strings.ContainsRune("mwMW@%", r):
			tenths += 10
		case r >= 'A' && r <= 'Z':
			tenths += 8
		case r >= 0x80:
			tenths += 8
		default:
			tenths += 6
		}
	}
	return (tenths*textSize + 9) / 10
}

// wrap breaks a text into lines of at most width pixels: at blanks, between wide characters, and within a word that
// is longer than a line.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, part := range pieces(s) {
		if line != "" && textWidth(strings.TrimRight(line+part, " ")) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line = ""
		}
		for textWidth(strings.TrimRight(part, " ")) > width && utf8.RuneCountInString(part) > 1 {
			n := fitting(part, width)
			lines, part = append(lines, part[:n]), part[n:]
		}
		line += part
	}
	if line = strings.TrimRight(line, " "); line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// fitting is the number of bytes of a text that fit into a line: one character at least.
func fitting(s string, width int) int {
	last := 0
	for i, r := range s {
		end := i + utf8.RuneLen(r)
		if last > 0 && textWidth(s[:end]) > width {
			break
		}
		last = end
	}
	return last
}

// pieces cuts a text where a line may be broken: behind blanks, and on both sides of a wide character.
func pieces(s string) []string {
	var parts []string
	start := 0
	runes := []rune(strings.Join(strings.Fields(s), " "))
	for i, r := range runes {
		if i > start && wide(r) {
			parts = append(parts, string(runes[start:i]))
			start = i
		}
		if r == ' ' || wide(r) {
			parts = append(parts, string(runes[start:i+1]))
			start = i + 1
		}
	}
	if start < len(runes) {
		parts = append(parts, string(runes[start:]))
	}
	return parts
}

// wide reports whether a character takes two columns of a terminal: Chinese, Japanese, Korean and full width forms.
func wide(r rune) bool {
	return r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 ||
		r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd
}
