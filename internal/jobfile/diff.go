package jobfile

import (
	"fmt"
	"slices"
	"strings"
)

// The bounds of a difference: lines of context, and how many changed lines are looked for in detail. Past that,
// the whole middle is said to be replaced.
const (
	diffContext = 3
	diffEffort  = 2000
)

// edit is one line of a difference: ' ' kept, '-' only in the old text, '+' only in the new one.
type edit struct {
	kind byte
	line string
}

// Diff returns the unified difference of two texts, without a heading; empty if they are equal.
func Diff(old, updated []byte) string {
	edits := compare(lines(old), lines(updated))
	var b strings.Builder
	for at := 0; at < len(edits); {
		first := slices.IndexFunc(edits[at:], func(e edit) bool { return e.kind != ' ' })
		if first < 0 {
			break
		}
		start := max(at, at+first-diffContext)
		end, quiet := at+first, 0
		for ; end < len(edits) && quiet <= 2*diffContext; end++ {
			if quiet++; edits[end].kind != ' ' {
				quiet = 0
			}
		}
		end -= max(0, quiet-diffContext)
		hunk(&b, edits, start, end)
		at = end
	}
	return b.String()
}

// hunk writes the edits from start to end with their heading.
func hunk(b *strings.Builder, edits []edit, start, end int) {
	count := func(part []edit, not byte) (n int) {
		for _, e := range part {
			if e.kind != not {
				n++
			}
		}
		return n
	}
	span := func(not byte) string {
		before, size := count(edits[:start], not), count(edits[start:end], not)
		if size > 0 {
			before++
		}
		if size == 1 {
			return fmt.Sprint(before)
		}
		return fmt.Sprintf("%d,%d", before, size)
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", span('+'), span('-'))
	for _, e := range edits[start:end] {
		b.WriteByte(e.kind)
		b.WriteString(e.line)
		b.WriteByte('\n')
	}
}

func lines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// compare finds the fewest edits (Myers, "An O(ND) difference algorithm", 1986) between what is left of a and b
// without their common beginning and end.
func compare(a, b []string) []edit {
	start, end := 0, 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	edits := kept(a[:start])
	edits = append(edits, middle(a[start:len(a)-end], b[start:len(b)-end])...)
	return append(edits, kept(a[len(a)-end:])...)
}

func kept(lines []string) (edits []edit) {
	for _, line := range lines {
		edits = append(edits, edit{' ', line})
	}
	return edits
}

func middle(a, b []string) []edit {
	// far[k+limit] is how far into a one comes on diagonal k (x-y) with d edits; trace keeps it for each d.
	limit := min(len(a)+len(b), diffEffort)
	far := make([]int, 2*limit+2)
	var trace [][]int
	for d := 0; d <= limit; d++ {
		trace = append(trace, slices.Clone(far[limit-d:limit+d+2]))
		for k := -d; k <= d; k += 2 {
			x := 0
			switch {
			case d == 0:
			case k == -d || k != d && far[limit+k-1] < far[limit+k+1]:
				x = far[limit+k+1]
			default:
				x = far[limit+k-1] + 1
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			far[limit+k] = x
			if x >= len(a) && x-k >= len(b) {
				return back(a, b, trace)
			}
		}
	}
	var edits []edit
	for _, line := range a {
		edits = append(edits, edit{'-', line})
	}
	for _, line := range b {
		edits = append(edits, edit{'+', line})
	}
	return edits
}

// back walks the trace from the end. trace[d] holds far before round d, from diagonal -d on.
func back(a, b []string, trace [][]int) (edits []edit) {
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		far := func(k int) int { return trace[d][k+d] }
		k := x - y
		previous := k - 1
		if d > 0 && (k == -d || k != d && far(k-1) < far(k+1)) {
			previous = k + 1
		}
		fromX, fromY := 0, 0
		if d > 0 {
			fromX = far(previous)
			fromY = fromX - previous
		}
		for x > fromX && y > fromY {
			x, y = x-1, y-1
			edits = append(edits, edit{' ', a[x]})
		}
		switch {
		case x > fromX:
			x--
			edits = append(edits, edit{'-', a[x]})
		case y > fromY:
			y--
			edits = append(edits, edit{'+', b[y]})
		}
	}
	slices.Reverse(edits)
	return edits
}
