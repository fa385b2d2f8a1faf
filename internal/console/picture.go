package console

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/console/graph"
)

// Bounds and measures of pictures.
const (
	maxBoxes   = 300  // above it jobs are drawn in groups
	room       = 1290 // pixels that a wide page has for a picture
	boxHeight  = 44
	letter     = 7.7 // pixels of an average letter in a box
	boxIndent  = 42  // pixels of a box that are not letters
	leastWidth = 112
	mostWidth  = 236
)

// item is a job as a picture needs it.
type item struct {
	Name, State, Sub, Title, Href string
	After                         []string
	Selected                      bool
}

// box is a job, or a group of them, at its place.
type box struct {
	item
	X, Y, W, H int
	Label      string
	Counts     string // of a group
}

// line connects two boxes.
type line struct{ Path, Head, State string }

// picture is a net, ready to be drawn.
type picture struct {
	Width, Height  int // of the drawing
	ShownW, ShownH int // of what is seen: a wide net is drawn smaller, as far as it stays readable
	Jobs           int
	Grouped        bool
	Boxes          []box
	Lines          []line
}

// draw lays out items, in groups where there are too many.
func draw(items []item) picture {
	nodes := make([]graph.Node, len(items))
	for i := range items {
		nodes[i] = graph.Node{Name: items[i].Name, After: items[i].After}
	}
	groups := graph.Fold(nodes, maxBoxes)
	p := picture{Jobs: len(items), Grouped: len(groups) < len(items)}
	shown := make([]item, len(groups))
	nodes = make([]graph.Node, len(groups))
	longest := 0
	for i, g := range groups {
		nodes[i] = g.Node
		shown[i] = groupItem(items, g)
		longest = max(longest, utf8.RuneCountInString(shown[i].Name), utf8.RuneCountInString(shown[i].Sub)*9/10+1)
	}
	width := min(max(int(float64(longest)*letter)+boxIndent+1, leastWidth), mostWidth)
	laid := graph.Draw(nodes, graph.Box{Width: width, Height: boxHeight, Room: room})
	p.Width, p.Height = laid.Width, laid.Height
	p.ShownW = min(p.Width, max(room, p.Width*3/4))
	p.ShownH = p.Height * p.ShownW / max(p.Width, 1)
	letters := int(float64(width-boxIndent) / letter)
	for i := range shown {
		b := box{item: shown[i], X: laid.Nodes[i].X, Y: laid.Nodes[i].Y, W: width, H: boxHeight}
		b.Label, b.Sub = shorten(b.Name, letters), shorten(b.Sub, letters*10/9)
		p.Boxes = append(p.Boxes, b)
	}
	for _, e := range laid.Edges {
		p.Lines = append(p.Lines, line{Path: e.Path, Head: e.Head, State: shown[e.From].State})
	}
	return p
}

// groupItem is the item of a group: its only member, or the worst state of all and how many there are of each.
func groupItem(items []item, g graph.Group) item {
	if len(g.Members) == 1 {
		return items[g.Members[0]]
	}
	by := map[string]int{}
	out := item{Name: fmt.Sprintf("%d jobs, %s", len(g.Members), g.Name), Href: "#jobs"}
	for _, i := range g.Members {
		by[items[i].State]++
		if out.State == "" || rank(items[i].State) < rank(out.State) {
			out.State = items[i].State
		}
		out.Selected = out.Selected || items[i].Selected
	}
	var parts []string
	for _, c := range counts(by) {
		if c.State != "" {
			parts = append(parts, fmt.Sprintf("%d %s", c.N, c.State))
		}
	}
	out.Sub = strings.Join(parts, ", ")
	out.Title = out.Name + ": " + out.Sub
	return out
}

// shorten cuts text to n letters, the last of them an ellipsis.
func shorten(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)
	return string(runes[:max(n-1, 0)]) + "…"
}

// IconX is where the picture of the state stands.
func (b box) IconX() int { return b.X + 10 }

// IconY is its upper border.
func (b box) IconY() int { return b.Y + 8 }

// TextX is where the texts begin.
func (b box) TextX() int {
	if b.State == "" {
		return b.X + 12
	}
	return b.X + 31
}

// NameY is the base line of the name.
func (b box) NameY() int { return b.Y + 20 }

// SubY is the base line of what stands below the name.
func (b box) SubY() int { return b.Y + 35 }
