package run

import "github.com/reeve-scheduler/reeve/internal/jobnet"

// Linked reports whether an agent that fits a job is linked, free or not; where none is it says which would do.
func Linked(want jobnet.Agent, agents []Candidate) (bool, string) {
	var away []string
	for i := range agents {
		switch a := &agents[i]; {
		case !matches(want, a):
		case a.Linked:
			return true, ""
		default:
			away = append(away, a.Name)
		}
	}
	if len(away) > 0 {
		return false, "not linked: " + list(away)
	}
	return false, "no agent of the domain fits " + Selector(want)
}
