package graph

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// random makes a graph without cycles: each node comes after a few of those before it.
func random(seed uint64, n int) []Node {
	r := rand.New(rand.NewPCG(seed, 7))
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i].Name = fmt.Sprintf("job-%d", i)
		for range r.IntN(4) {
			if i > 0 {
				nodes[i].After = append(nodes[i].After, nodes[max(0, i-1-r.IntN(12))].Name)
			}
		}
	}
	return nodes
}

func chain(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i].Name = fmt.Sprintf("step-%d", i)
		if i > 0 {
			nodes[i].After = []string{nodes[i-1].Name}
		}
	}
	return nodes
}

func fan(n int) []Node {
	nodes := []Node{{Name: "first"}}
	last := Node{Name: "last"}
	for i := range n {
		nodes = append(nodes, Node{Name: fmt.Sprintf("part-%d", i), After: []string{"first"}})
		last.After = append(last.After, nodes[i+1].Name)
	}
	return append(nodes, last)
}

func TestDrawnNodesKeepTheirDistanceAndOrder(t *testing.T) {
	t.Parallel()
	box := Box{Width: 120, Height: 40, Room: 1200}
	cases := map[string][]Node{"none": nil, "one": chain(1), "chain": chain(50), "fan": fan(60), "wide fan": fan(300)}
	for seed := range uint64(20) {
		cases[fmt.Sprintf("random %d", seed)] = random(seed, 5+int(seed)*14)
	}
	for name, nodes := range cases {
		p := Draw(nodes, box)
		at := map[string]Placed{}
		for i, n := range p.Nodes {
			at[nodes[i].Name] = n
			if n.X < 0 || n.Y < 0 || n.X+box.Width > p.Width || n.Y+box.Height > p.Height {
				t.Errorf("%s: %s stands at %v, outside %d × %d", name, nodes[i].Name, n, p.Width, p.Height)
			}
			for k, o := range p.Nodes[:i] {
				if n.X < o.X+box.Width && o.X < n.X+box.Width && n.Y < o.Y+box.Height && o.Y < n.Y+box.Height {
					t.Errorf("%s: %s at %v lies over %s at %v", name, nodes[i].Name, n, nodes[k].Name, o)
				}
			}
		}
		edges := 0
		for i := range nodes {
			for _, before := range nodes[i].After {
				edges++
				a, b := at[before], at[nodes[i].Name]
				if p.Down && a.Y >= b.Y || !p.Down && a.X >= b.X {
					t.Errorf("%s: %s does not stand before %s", name, before, nodes[i].Name)
				}
			}
		}
		if len(p.Edges) != edges {
			t.Errorf("%s: %d edges are drawn, want %d", name, len(p.Edges), edges)
		}
		if again := Draw(nodes, box); !reflect.DeepEqual(p, again) {
			t.Errorf("%s: the same net gives another picture", name)
		}
	}
}

func TestLongChainsGoDown(t *testing.T) {
	t.Parallel()
	box := Box{Width: 120, Height: 40, Room: 1200}
	if p := Draw(chain(50), box); !p.Down || p.Width > 200 {
		t.Errorf("a chain of 50 is drawn %d wide and %d high", p.Width, p.Height)
	}
	if p := Draw(chain(5), box); p.Down {
		t.Error("a chain of 5 goes down")
	}
	if p := Draw(fan(60), box); p.Down {
		t.Error("a fan goes down")
	}
}

func TestParallelLinesDoNotCross(t *testing.T) {
	t.Parallel()
	// Three lines side by side, given in an order that crosses.
	nodes := []Node{
		{Name: "a1"},
		{Name: "b1"},
		{Name: "c1"},
		{Name: "c2", After: []string{"c1"}},
		{Name: "a2", After: []string{"a1"}},
		{Name: "b2", After: []string{"b1"}},
		{Name: "b3", After: []string{"b2"}},
		{Name: "c3", After: []string{"c2"}},
		{Name: "a3", After: []string{"a2"}},
	}
	p := Draw(nodes, Box{Width: 100, Height: 40})
	y := map[string]int{}
	for i, n := range nodes {
		y[n.Name] = p.Nodes[i].Y
	}
	for _, line := range []string{"a", "b", "c"} {
		if y[line+"1"] != y[line+"2"] || y[line+"2"] != y[line+"3"] {
			t.Errorf("line %s is not straight: %d, %d, %d", line, y[line+"1"], y[line+"2"], y[line+"3"])
		}
	}
}

func TestACycleIsDrawnAllTheSame(t *testing.T) {
	t.Parallel()
	nodes := []Node{{Name: "a", After: []string{"c", "a", "gone"}}, {Name: "b", After: []string{"a"}}, {Name: "c", After: []string{"b"}}}
	if p := Draw(nodes, Box{Width: 100, Height: 40}); len(p.Nodes) != 3 || len(p.Edges) != 2 {
		t.Errorf("got %d nodes and %d edges", len(p.Nodes), len(p.Edges))
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		nodes []Node
		want  int
	}{
		"small": {random(1, 200), 200}, "fan": {fan(1000), 3}, "chain": {chain(2000), 300},
	} {
		groups := Fold(c.nodes, 300)
		if len(groups) != c.want {
			t.Errorf("%s: %d groups, want %d", name, len(groups), c.want)
		}
		checkGroups(t, name, c.nodes, groups)
	}
	groups := Fold(random(3, 1500), 300)
	if len(groups) > 300 {
		t.Errorf("a large net is folded to %d groups", len(groups))
	}
	checkGroups(t, "large", random(3, 1500), groups)
	if got := Fold(fan(1000), 300)[1].Name; !strings.HasPrefix(got, "part-") {
		t.Errorf("the group is named %q", got)
	}
}

// checkGroups wants each node in one group, names that are unique, and a picture of the groups that goes forward.
func checkGroups(t *testing.T, name string, nodes []Node, groups []Group) {
	t.Helper()
	seen := make([]bool, len(nodes))
	names := map[string]bool{}
	plain := make([]Node, len(groups))
	for g := range groups {
		plain[g] = groups[g].Node
		if names[groups[g].Name] {
			t.Errorf("%s: two groups are named %q", name, groups[g].Name)
		}
		names[groups[g].Name] = true
		for _, i := range groups[g].Members {
			if seen[i] {
				t.Errorf("%s: %s is in two groups", name, nodes[i].Name)
			}
			seen[i] = true
		}
	}
	for i := range seen {
		if !seen[i] {
			t.Errorf("%s: %s is in no group", name, nodes[i].Name)
		}
	}
	if p := Draw(plain, Box{Width: 100, Height: 40}); len(p.Nodes) != len(groups) {
		t.Errorf("%s: %d of %d groups are drawn", name, len(p.Nodes), len(groups))
	}
}

func BenchmarkDraw300(b *testing.B) {
	nodes := random(5, 300)
	for b.Loop() {
		Draw(nodes, Box{Width: 120, Height: 40, Room: 1200})
	}
}
