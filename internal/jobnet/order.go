package jobnet

import (
	"cmp"
	"slices"
)

// links returns the positions of each job's predecessors, each once; names that no job has are left out.
func links(n *Net) [][]int {
	index := make(map[string]int, len(n.Jobs))
	for i := range n.Jobs {
		if _, twice := index[n.Jobs[i].Name]; !twice {
			index[n.Jobs[i].Name] = i
		}
	}
	before := make([][]int, len(n.Jobs))
	for i := range n.Jobs {
		for _, name := range n.Jobs[i].After {
			if p, ok := index[name]; ok {
				before[i] = append(before[i], p)
			}
		}
		slices.Sort(before[i])
		before[i] = slices.Compact(before[i])
	}
	return before
}

// Ancestors returns the positions of all jobs that the named job comes after, directly or not, in the order of
// the definition. A job that is not there has none.
func Ancestors(n *Net, job string) []int {
	start := n.JobIndex(job)
	if start < 0 {
		return nil
	}
	return reach(links(n), start)
}

// reach returns all positions that can be reached from start, start left out, ascending.
func reach(next [][]int, start int) []int {
	seen := make([]bool, len(next))
	work := []int{start}
	for len(work) > 0 {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range next[at] {
			if !seen[p] {
				seen[p] = true
				work = append(work, p)
			}
		}
	}
	var out []int
	for p, yes := range seen {
		if yes && p != start {
			out = append(out, p)
		}
	}
	return out
}

// Successors returns, for each job, the positions of the jobs that come directly after it, ascending.
func Successors(n *Net) [][]int {
	return reverse(links(n))
}

func reverse(before [][]int) [][]int {
	after := make([][]int, len(before))
	for i := range before {
		for _, p := range before[i] {
			after[p] = append(after[p], i)
		}
	}
	return after
}

// Levels returns the jobs' positions in layers for a picture: each job stands one layer after the last of its
// predecessors. Within a layer, jobs stand near the middle of their predecessors, which keeps crossings few.
// Jobs on a cycle, which Check refuses, are left out.
func Levels(n *Net) [][]int {
	before := links(n)
	order, _ := topological(before)
	level := make([]int, len(n.Jobs))
	var levels [][]int
	for _, i := range order {
		for _, p := range before[i] {
			level[i] = max(level[i], level[p]+1)
		}
		for len(levels) <= level[i] {
			levels = append(levels, nil)
		}
		levels[level[i]] = append(levels[level[i]], i)
	}
	place := make([]float64, len(n.Jobs)) // position within the layer, from 0 to 1
	for _, layer := range levels {
		middle := func(i int) float64 {
			sum := 0.0
			for _, p := range before[i] {
				sum += place[p]
			}
			return sum / float64(max(1, len(before[i])))
		}
		slices.Sort(layer)
		slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(middle(a), middle(b)) })
		for at, i := range layer {
			place[i] = (float64(at) + 0.5) / float64(len(layer))
		}
	}
	return levels
}

// topological returns the positions so that each stands after its predecessors, the smallest first where there
// is a choice of round, and whether each job is among them: those that are not stand on a cycle or after one.
func topological(before [][]int) (order []int, sorted []bool) {
	after := reverse(before)
	missing := make([]int, len(before))
	sorted = make([]bool, len(before))
	for i := range before {
		if missing[i] = len(before[i]); missing[i] == 0 {
			order = append(order, i)
		}
	}
	for at := 0; at < len(order); at++ {
		sorted[order[at]] = true
		for _, next := range after[order[at]] {
			if missing[next]--; missing[next] == 0 {
				order = append(order, next)
			}
		}
	}
	return order, sorted
}

// cycles returns one cycle for each knot of jobs that wait for each other, as positions in the order in which
// they wait: the first comes after the second, and the last after the first.
func cycles(before [][]int) [][]int {
	_, sorted := topological(before)
	const fresh, open, done = 0, 1, 2
	mark := make([]int, len(before))
	var found [][]int
	for start := range before {
		if sorted[start] || mark[start] != fresh {
			continue
		}
		path := []int{start}
		next := map[int]int{} // how many predecessors have been looked at
		mark[start] = open
		reported := false
		for len(path) > 0 {
			at := path[len(path)-1]
			if next[at] == len(before[at]) {
				mark[at] = done
				path = path[:len(path)-1]
				continue
			}
			p := before[at][next[at]]
			next[at]++
			switch {
			case sorted[p] || mark[p] == done || p == at:
			case mark[p] == open:
				if !reported {
					found = append(found, slices.Clone(path[slices.Index(path, p):]))
					reported = true
				}
			default:
				mark[p] = open
				path = append(path, p)
			}
		}
	}
	return found
}
