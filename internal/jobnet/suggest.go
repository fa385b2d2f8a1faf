package jobnet

import (
	"iter"
	"slices"
)

// Suggest returns "; did you mean \"NAME\"?" with the known name nearest to a mistyped one, or nothing where no
// name is near.
func Suggest(name string, known iter.Seq[string]) string {
	if near := Nearest(name, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// Nearest returns the known name that differs least from name, empty where all differ in more than a third.
// Of several, the first in the alphabet.
func Nearest(name string, known iter.Seq[string]) string {
	if len(name) > MaxNetName {
		return ""
	}
	best, least := "", max(1, len(name)/3)+1
	for candidate := range known {
		if len(name) == 1 && len(candidate) == 1 {
			continue // any two letters are near each other
		}
		if d := distance(name, candidate, least); d < least || d == least && best != "" && candidate < best {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between a and b; what is
// more than most is said to be most+1.
func distance(a, b string, most int) int {
	if a == b {
		return 0
	}
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
