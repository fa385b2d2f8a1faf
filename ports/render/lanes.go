package render

import (
	"fmt"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// A panel is a part of a drawing: columns side by side, and arrows between them, one below the other. Both drawings
// are made of panels, because texts in rows of their own cannot meet, whatever is written in them.
type panel struct {
	title   string
	columns []column
	arrows  []arrow
	bands   bool // the columns are areas, not lines of life
}

// column is an end of arrows.
type column struct {
	head string
	body []string // below the head
}

// arrow goes from one column to another, or back to the same.
type arrow struct {
	from, to int
	head     string // first, and stronger
	text     string
	status   ports.Status
	link     bool     // drawn thicker: a link between nodes is dialled along it
	flows    []string // ids
}

// Sizes of a panel.
const (
	margin      = 20
	columnWidth = 190
	headPadding = 10
	arrowGap    = 16 // between an arrow and the text of the next one
	loopWidth   = 26
	loopHeight  = 16
	loopRoom    = 80 // beside the last column, for the texts of its loops
)

// drawing stacks panels and the lines of a foot, and returns the whole.
func drawing(w words, title, subtitle string, panels []panel, foot []string) []byte {
	width := 2 * columnWidth
	for _, p := range panels {
		width = max(width, p.width())
	}
	width += 2 * margin
	c := &canvas{}
	y := margin + lineHeight
	titles := wrap(title, (width-2*margin)*textSize/18)
	c.text(margin, y, "title", "start", titles)
	y += len(titles) * lineHeight
	sub := wrap(subtitle, width-2*margin)
	c.text(margin, y, "quiet", "start", sub)
	y += len(sub)*lineHeight + margin/2
	for _, p := range panels {
		y = p.draw(c, y) + margin
	}
	for _, f := range foot {
		lines := wrap(f, width-2*margin)
		c.text(margin, y+lineHeight/2, "quiet", "start", lines)
		y += len(lines)*lineHeight + 4
	}
	return c.finish(w, title, width, y+margin)
}

// draw puts the panel below y and returns where it ends.
func (p panel) draw(c *canvas, y int) int {
	if p.title != "" {
		lines := wrap(p.title, len(p.columns)*columnWidth)
		c.text(margin, y+lineHeight, "strong", "start", lines)
		y += len(lines)*lineHeight + 10
	}
	heads := make([][]string, len(p.columns))
	bodies := make([][]string, len(p.columns))
	tallest := 0
	for i, col := range p.columns {
		heads[i] = wrap(col.head, columnWidth-30)
		for _, line := range col.body {
			bodies[i] = append(bodies[i], wrap(line, columnWidth-30)...)
		}
		tallest = max(tallest, len(heads[i])+len(bodies[i]))
	}
	boxHeight := tallest*lineHeight + 2*headPadding
	ends := p.layout(y + boxHeight)
	end := ends[len(ends)-1] + lineHeight
	for i := range p.columns {
		x := p.x(i)
		if p.bands {
			c.rect(x-columnWidth/2+6, y, columnWidth-12, end-y, "band")
		} else {
			c.line(x, y+boxHeight, x, end, "life")
		}
		c.rect(x-columnWidth/2+8, y, columnWidth-16, boxHeight, "box")
		top := y + headPadding + textSize
		c.text(x, top, "strong", "middle", heads[i])
		c.text(x, top+len(heads[i])*lineHeight, "quiet", "middle", bodies[i])
	}
	for i, a := range p.arrows {
		p.arrow(c, a, ends[i])
	}
	return end
}

// layout returns the base line of each arrow's text, and the y at which the last one ends.
func (p panel) layout(y int) []int {
	at := make([]int, 0, len(p.arrows)+1)
	y += arrowGap + lineHeight
	for _, a := range p.arrows {
		at = append(at, y)
		strong, quiet := p.label(a)
		lines := len(strong) + len(quiet)
		if a.from == a.to {
			y += max(lines*lineHeight, loopHeight+lineHeight) + arrowGap
		} else {
			y += lines*lineHeight + arrowGap
		}
	}
	return append(at, y-lineHeight)
}

// x is the middle of a column.
func (p panel) x(i int) int { return margin + columnWidth/2 + i*columnWidth }

// label breaks an arrow's text to the room between its ends, or beside its loop.
func (p panel) label(a arrow) (strong, quiet []string) {
	room := max(a.to-a.from, a.from-a.to)*columnWidth - 24
	if a.from == a.to {
		room = columnWidth/2 - loopWidth - 10 + p.right(a.from)
	}
	strong = wrap(a.head, room*9/10) // strong letters are wider
	if a.text != "" {
		quiet = wrap(a.text, room)
	}
	return strong, quiet
}

// right is the room that the text of a loop has beyond its own column.
func (p panel) right(i int) int {
	if i+1 < len(p.columns) && !p.bands {
		return columnWidth/2 - 10
	}
	return loopRoom
}

// width is that of the columns, and of what the texts of loops at the last one need.
func (p panel) width() int {
	width := len(p.columns) * columnWidth
	for _, a := range p.arrows {
		if a.from == a.to && a.from == len(p.columns)-1 {
			return width + loopRoom
		}
	}
	return width
}

// arrow draws one; y is the base of the first line of its text.
func (p panel) arrow(c *canvas, a arrow, y int) {
	class := "flow " + string(a.status)
	if a.link {
		class += " link"
	}
	fmt.Fprintf(&c.b, `<g class="%s" data-flow="%s">`+"\n", xmlText(class), xmlText(strings.Join(a.flows, " ")))
	strong, quiet := p.label(a)
	x, anchor, below := (p.x(a.from)+p.x(a.to))/2, "middle", len(strong)+len(quiet)
	if a.from == a.to {
		c.loop(p.x(a.from), y-textSize/2, loopWidth, loopHeight)
		x, anchor = p.x(a.from)+loopWidth+8, "start"
	} else {
		c.arrow(p.x(a.from), y+(below-1)*lineHeight+8, p.x(a.to))
	}
	c.text(x, y, "label strong", anchor, strong)
	c.text(x, y+len(strong)*lineHeight, "label", anchor, quiet)
	c.b.WriteString("</g>\n")
}
