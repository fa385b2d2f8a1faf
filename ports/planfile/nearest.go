package planfile

import (
	"slices"
	"strings"
)

const maxNear = 100 // bytes of a name for which a nearest one is looked for

// nearest returns the known name that differs least from name, empty where all differ in more than a third.
func nearest(name string, known []string) string {
	if len(name) < 2 || len(name) > maxNear {
		return ""
	}
	best, least := "", max(1, len(name)/3)+1
	for _, candidate := range known {
		if d := distance(name, candidate, least); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// didYouMean is the end of a message about a misspelt name; empty where no known one is near.
func didYouMean(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between a and b; what is more than
// most is said to be most+1.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) > most {
			return most + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// clip bounds what a message repeats of a file.
func clip(s string) string {
	if len(s) <= maxNear {
		return s
	}
	return strings.ToValidUTF8(s[:maxNear], "") + "…"
}

func join(names []string) string { return strings.Join(names, ", ") }
