package planfile

import (
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

const maxClip = 100 // bytes that a message repeats of a file

// didYouMean is the end of a message about a misspelt name; empty where no known one is near.
func didYouMean(name string, known []string) string {
	if near := ports.Nearest(name, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// clip bounds what a message repeats of a file.
func clip(s string) string {
	if len(s) <= maxClip {
		return s
	}
	return strings.ToValidUTF8(s[:maxClip], "") + "…"
}

func join(names []string) string { return strings.Join(names, ", ") }
