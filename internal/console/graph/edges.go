package graph

import (
	"fmt"
	"strings"
)

// edges draws each chain as curves that leave and reach the boxes at right angles.
func (l *layout) edges(pos []float64, thick, wide int, down bool) []Edge {
	step := wide + betweenX
	if down {
		step = wide + betweenY
	}
	out := make([]Edge, 0, len(l.chains))
	for _, chain := range l.chains {
		var p strings.Builder
		x, y := 0, 0
		for i, v := range chain {
			across := int(pos[v]) + margin + l.thickness(v, thick)/2
			along := l.slots[v].layer*step + margin
			if i == 0 {
				x, y = along+wide, across
				fmt.Fprintf(&p, "M%s", point(x, y, down))
				continue
			}
			half := (along - x) / 2
			fmt.Fprintf(&p, "C%s %s %s", point(x+half, y, down), point(along-half, across, down), point(along, across, down))
			x, y = along, across
			if i < len(chain)-1 { // a bend: straight through the layer
				x = along + wide
				fmt.Fprintf(&p, "L%s", point(x, y, down))
			}
		}
		out = append(out, Edge{From: chain[0], To: chain[len(chain)-1], Path: p.String(), Head: head(x, y, down)})
	}
	return out
}

func head(x, y int, down bool) string {
	return fmt.Sprintf("M%sL%sL%sZ", point(x, y, down), point(x-7, y-4, down), point(x-7, y+4, down))
}

// point turns (along, across) into x and y.
func point(along, across int, down bool) string {
	if down {
		along, across = across, along
	}
	return fmt.Sprintf("%d,%d", along, across)
}
