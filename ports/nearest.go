package ports

import (
	"iter"
	"slices"
)

const (
	maxNear        = 100 // bytes of a name for which a nearest one is looked for
	maxSuggestions = 100 // findings that get one
)

// Nearest returns the known name that differs least from a misspelt one, of several the first; empty where all differ
// in more than a third.
func Nearest(name string, known []string) string {
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

// meant suggests the known name that a misspelt one stands for, or says otherwise. With very many findings nobody reads
// the suggestions, and each costs a look at all names.
func (c *compiler) meant(name string, known iter.Seq[string], otherwise string) string {
	if len(c.found) >= maxSuggestions {
		return otherwise
	}
	if near := Nearest(name, slices.Sorted(known)); near != "" {
		return "did you mean " + near + "?"
	}
	return otherwise
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
