package graph

import (
	"fmt"
	"slices"
	"strings"
)

// Group is one box for several nodes that stand at the same place of the order.
type Group struct {
	Node
	Members []int // indices of the input, in its order
}

// Fold returns at most limit groups. While the net is small enough each node is its own group; then nodes with the
// same predecessors and the same successors become one; then the nodes of a layer; then neighbouring layers.
func Fold(nodes []Node, limit int) []Group {
	keys := make([]string, len(nodes))
	for i := range nodes {
		keys[i] = "n" + nodes[i].Name
	}
	groups := gather(nodes, keys)
	if len(groups) <= limit {
		return groups
	}
	for i, twins := range neighbourKeys(nodes) {
		keys[i] = twins
	}
	if groups = gather(nodes, keys); len(groups) <= limit {
		return groups
	}
	l := newLayout(nodes)
	for i := range nodes {
		d := l.slots[i].layer
		if len(l.layers) > limit {
			d = d * limit / len(l.layers)
		}
		keys[i] = fmt.Sprintf("l%d", d)
	}
	return gather(nodes, keys)
}

// neighbourKeys returns for each node a text that says who comes before and after it.
func neighbourKeys(nodes []Node) []string {
	after := make(map[string][]string, len(nodes))
	for i := range nodes {
		for _, p := range nodes[i].After {
			after[p] = append(after[p], nodes[i].Name)
		}
	}
	keys := make([]string, len(nodes))
	for i := range nodes {
		before := slices.Sorted(slices.Values(nodes[i].After))
		keys[i] = strings.Join(before, "\x00") + "\x01" + strings.Join(slices.Sorted(slices.Values(after[nodes[i].Name])), "\x00")
	}
	return keys
}

// gather makes one group of all nodes with the same key, and connects the groups as their members are.
func gather(nodes []Node, keys []string) []Group {
	at := make(map[string]int, len(nodes))
	of := make(map[string]int, len(nodes))
	var groups []Group
	for i := range nodes {
		g, ok := at[keys[i]]
		if !ok {
			g = len(groups)
			at[keys[i]] = g
			groups = append(groups, Group{})
		}
		groups[g].Members = append(groups[g].Members, i)
		of[nodes[i].Name] = g
	}
	for g := range groups {
		groups[g].Name = label(nodes, groups[g].Members)
	}
	for g := range groups {
		for _, i := range groups[g].Members {
			for _, p := range nodes[i].After {
				if from, ok := of[p]; ok && from != g && !slices.Contains(groups[g].After, groups[from].Name) {
					groups[g].After = append(groups[g].After, groups[from].Name)
				}
			}
		}
	}
	return groups
}

// label names a group: by its only member, else by what its members' names begin with, and the first of them so
// that no two groups have the same name.
func label(nodes []Node, members []int) string {
	first := nodes[members[0]].Name
	if len(members) == 1 {
		return first
	}
	prefix := first
	for _, i := range members[1:] {
		n := 0
		for n < min(len(prefix), len(nodes[i].Name)) && prefix[n] == nodes[i].Name[n] {
			n++
		}
		prefix = prefix[:n]
	}
	if cut := strings.LastIndexByte(prefix, '-'); cut > 0 {
		return fmt.Sprintf("%s… from %s", prefix[:cut+1], first)
	}
	return "from " + first
}
