// Package graph answers: where does each job stand in the picture of a net?
//
// It lays a directed acyclic graph out in layers: a job stands one layer after the last of its predecessors.
// Edges that cross a layer get a bend there (a slot without a box); orders within layers are swept until fewer
// edges cross, and positions are then pulled towards the neighbours without touching. It is pure and
// deterministic: the same net always gives the same picture, so a live picture does not jump.
package graph

// Node is a box to place. After names nodes of the same list; other names are ignored.
type Node struct {
	Name  string
	After []string
}

// Box is what each node takes, in pixels, and how much width there is before the picture turns.
type Box struct {
	Width, Height int
	Room          int // 0: never turn
}

// Placed is the upper left corner of the node at the same index of the input.
type Placed struct{ X, Y int }

// Edge is a line from one node to another, as SVG path data, and its head.
type Edge struct {
	From, To   int // indices of the input
	Path, Head string
}

// Picture is a graph with all positions.
type Picture struct {
	Width, Height int
	Box           Box
	Nodes         []Placed
	Edges         []Edge
	Down          bool // layers go downwards, else to the right
}

// The distances between boxes, in pixels.
const (
	margin    = 12
	betweenX  = 44 // between layers that go to the right: room for the curves
	betweenY  = 44 // between layers that go down
	gap       = 12 // between boxes of a layer
	bend      = 16 // what a passing edge takes of a layer
	sweeps    = 14
	maxBends  = 6000 // a net with more passing edges is drawn without bends
	boundNode = 1.0
	boundBend = 6.0 // how much more passing edges want to be straight
)

// Draw places nodes. A cycle (which no applied net has) is broken at the node that comes first.
func Draw(nodes []Node, box Box) Picture {
	l := newLayout(nodes)
	l.sweep()

	pic := Picture{Box: box, Nodes: make([]Placed, len(nodes))}
	pic.Down = l.down(box)
	thick, wide, step := box.Height, box.Width, box.Width+betweenX
	if pic.Down {
		thick, wide, step = box.Width, box.Height, box.Height+betweenY
	}
	pos := l.positions(float64(thick))

	breadth := 0
	for v := range l.slots {
		at := int(pos[v]) + margin
		along := l.slots[v].layer*step + margin
		if v < len(nodes) {
			pic.Nodes[v] = Placed{X: along, Y: at}
			if pic.Down {
				pic.Nodes[v] = Placed{X: at, Y: along}
			}
		}
		breadth = max(breadth, at+l.thickness(v, thick))
	}
	length := max(0, len(l.layers)-1)*step + wide + 2*margin
	pic.Width, pic.Height = length, breadth+margin
	if pic.Down {
		pic.Width, pic.Height = breadth+margin, length
	}
	pic.Edges = l.edges(pos, thick, wide, pic.Down)
	return pic
}

// slot is a place in a layer: a node, or (beyond the nodes) the bend of a passing edge.
type slot struct {
	layer    int
	before   []int // slots of the layer before, that lead here
	after    []int // slots of the layer after
	original bool
}

type layout struct {
	nodes  int
	slots  []slot
	layers [][]int // slots in order
	chains [][]int // for each edge the slots that it passes, ends included
}

func newLayout(nodes []Node) *layout {
	index := make(map[string]int, len(nodes))
	for i := range nodes {
		index[nodes[i].Name] = i
	}
	before := make([][]int, len(nodes))
	for i := range nodes {
		for _, name := range nodes[i].After {
			if j, ok := index[name]; ok && j != i {
				before[i] = append(before[i], j)
			}
		}
	}
	depth := depths(before)

	l := &layout{nodes: len(nodes), slots: make([]slot, len(nodes))}
	bends := 0
	for i := range nodes {
		l.slots[i] = slot{layer: depth[i], original: true}
		for _, j := range before[i] {
			bends += max(0, depth[i]-depth[j]-1)
		}
	}
	for i := range nodes {
		for _, j := range before[i] {
			if depth[j] < depth[i] {
				l.chain(j, i, bends <= maxBends)
			}
		}
	}
	l.fill()
	return l
}

// chain adds the edge from one node to another, with a bend in each layer between them.
func (l *layout) chain(from, to int, bends bool) {
	chain := []int{from}
	if bends {
		for d := l.slots[from].layer + 1; d < l.slots[to].layer; d++ {
			l.slots = append(l.slots, slot{layer: d})
			chain = append(chain, len(l.slots)-1)
		}
	}
	chain = append(chain, to)
	for i := 1; i < len(chain); i++ {
		a, b := chain[i-1], chain[i]
		if l.slots[b].layer-l.slots[a].layer == 1 {
			l.slots[a].after = append(l.slots[a].after, b)
			l.slots[b].before = append(l.slots[b].before, a)
		}
	}
	l.chains = append(l.chains, chain)
}

// fill puts the slots into their layers, in the order of the input.
func (l *layout) fill() {
	for v := range l.slots {
		d := l.slots[v].layer
		for len(l.layers) <= d {
			l.layers = append(l.layers, nil)
		}
		l.layers[d] = append(l.layers[d], v)
	}
}

// depths returns the longest way to each node from a node without predecessors.
func depths(before [][]int) []int {
	const unseen, open = -2, -1
	depth := make([]int, len(before))
	for i := range depth {
		depth[i] = unseen
	}
	type frame struct{ node, next int }
	for start := range before {
		stack := []frame{{node: start}}
		for len(stack) > 0 { // not by recursion: a chain may be as long as a net
			top := &stack[len(stack)-1]
			if depth[top.node] >= 0 {
				stack = stack[:len(stack)-1]
				continue
			}
			depth[top.node] = open
			if top.next < len(before[top.node]) {
				p := before[top.node][top.next]
				top.next++
				if depth[p] == unseen {
					stack = append(stack, frame{node: p})
				}
				continue
			}
			deepest := -1
			for _, p := range before[top.node] {
				deepest = max(deepest, depth[p])
			}
			depth[top.node] = deepest + 1
			stack = stack[:len(stack)-1]
		}
	}
	return depth
}

// down decides whether the layers go downwards: only where the picture would be too wide otherwise, and is not
// too wide then.
func (l *layout) down(box Box) bool {
	if box.Room <= 0 {
		return false
	}
	most := 0
	for _, layer := range l.layers {
		most = max(most, len(layer))
	}
	right := len(l.layers) * (box.Width + betweenX)
	return right > box.Room && most*(box.Width+gap) <= box.Room
}

func (l *layout) thickness(v, thick int) int {
	if l.slots[v].original {
		return thick
	}
	return bend
}
