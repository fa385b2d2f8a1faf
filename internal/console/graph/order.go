package graph

import (
	"slices"
	"sort"
)

// sweep orders each layer by the mean place of its neighbours, forwards and backwards, and keeps the best order.
func (l *layout) sweep() {
	best, fewest := l.copyLayers(), l.crossings()
	for i := range sweeps {
		if fewest == 0 {
			break
		}
		if i%2 == 0 {
			for d := 1; d < len(l.layers); d++ {
				l.sortLayer(d, func(v int) []int { return l.slots[v].before })
			}
		} else {
			for d := len(l.layers) - 2; d >= 0; d-- {
				l.sortLayer(d, func(v int) []int { return l.slots[v].after })
			}
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.copyLayers(), n
		}
	}
	l.layers = best
}

func (l *layout) copyLayers() [][]int {
	out := make([][]int, len(l.layers))
	for d := range l.layers {
		out[d] = slices.Clone(l.layers[d])
	}
	return out
}

// places returns where in its layer each slot stands.
func (l *layout) places() []int {
	place := make([]int, len(l.slots))
	for _, layer := range l.layers {
		for i, v := range layer {
			place[v] = i
		}
	}
	return place
}

func (l *layout) sortLayer(d int, neighbours func(int) []int) {
	place := l.places()
	key := make(map[int]float64, len(l.layers[d]))
	for i, v := range l.layers[d] {
		near := neighbours(v)
		if len(near) == 0 {
			key[v] = float64(i) // it stays about where it is
			continue
		}
		sum := 0
		for _, n := range near {
			sum += place[n]
		}
		key[v] = float64(sum) / float64(len(near))
	}
	sort.SliceStable(l.layers[d], func(a, b int) bool { return key[l.layers[d][a]] < key[l.layers[d][b]] })
}

// crossings counts how many pairs of edges cross, layer by layer, as inversions of a binary indexed tree.
func (l *layout) crossings() int {
	place := l.places()
	total := 0
	for d := 1; d < len(l.layers); d++ {
		width := len(l.layers[d])
		tree := make([]int, width+1)
		seen := 0
		for _, v := range l.layers[d-1] {
			ends := make([]int, 0, len(l.slots[v].after))
			for _, w := range l.slots[v].after {
				ends = append(ends, place[w])
			}
			for _, e := range ends {
				upTo := 0
				for i := e + 1; i > 0; i -= i & -i {
					upTo += tree[i]
				}
				total += seen - upTo
			}
			for _, e := range ends {
				for i := e + 1; i <= width; i += i & -i {
					tree[i]++
				}
				seen++
			}
		}
	}
	return total
}

// positions returns the upper (or left) border of each slot across the layers.
func (l *layout) positions(thick float64) []float64 {
	size := func(v int) float64 {
		if l.slots[v].original {
			return thick
		}
		return bend
	}
	mid := make([]float64, len(l.slots))
	for _, layer := range l.layers {
		at := 0.0
		for _, v := range layer {
			mid[v] = at + size(v)/2
			at += size(v) + gap
		}
	}
	for i := range sweeps {
		for k := range l.layers {
			d := k
			if i%2 == 1 {
				d = len(l.layers) - 1 - k
			}
			look := forward
			switch {
			case i >= sweeps-4: // at last between both sides
				look = forward | backward
			case i%2 == 1:
				look = backward
			}
			l.pull(d, mid, size, look)
		}
	}
	least := 0.0
	for v := range mid {
		mid[v] -= size(v) / 2
		if v == 0 || mid[v] < least {
			least = mid[v]
		}
	}
	for v := range mid {
		mid[v] -= least
	}
	return mid
}

// pull moves a layer's slots towards the mean of their neighbours, as near as the distances allow: least squares
// under an order, solved by pooling adjacent violators.
func (l *layout) pull(d int, mid []float64, size func(int) float64, look sides) {
	layer := l.layers[d]
	if len(layer) == 0 {
		return
	}
	type block struct {
		sum, weight float64
		from        int
	}
	offset := make([]float64, len(layer))
	var blocks []block
	for i, v := range layer {
		if i > 0 {
			offset[i] = offset[i-1] + size(layer[i-1])/2 + size(v)/2 + gap
		}
		want, weight := l.wish(v, mid, look)
		blocks = append(blocks, block{sum: (want - offset[i]) * weight, weight: weight, from: i})
		for len(blocks) > 1 {
			a, b := blocks[len(blocks)-2], blocks[len(blocks)-1]
			if a.sum/a.weight <= b.sum/b.weight {
				break
			}
			blocks = append(blocks[:len(blocks)-2], block{sum: a.sum + b.sum, weight: a.weight + b.weight, from: a.from})
		}
	}
	for k, b := range blocks {
		to := len(layer)
		if k+1 < len(blocks) {
			to = blocks[k+1].from
		}
		for i := b.from; i < to; i++ {
			mid[layer[i]] = b.sum/b.weight + offset[i]
		}
	}
}

// sides says which neighbours a slot looks at.
type sides uint8

const (
	forward  sides = 1 << iota // those before it
	backward                   // those after it
)

// wish returns where a slot would like to be, and how much.
func (l *layout) wish(v int, mid []float64, look sides) (at, weight float64) {
	sum, total := 0.0, 0.0
	for _, side := range []struct {
		which sides
		slots []int
	}{{forward, l.slots[v].before}, {backward, l.slots[v].after}} {
		if look&side.which == 0 {
			continue
		}
		for _, n := range side.slots {
			w := boundNode
			if !l.slots[v].original && !l.slots[n].original {
				w = boundBend
			}
			sum += mid[n] * w
			total += w
		}
	}
	if total == 0 {
		return mid[v], boundNode / 4
	}
	return sum / total, total
}
