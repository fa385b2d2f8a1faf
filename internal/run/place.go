package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// Candidate is an agent as far as placement looks at it.
type Candidate struct {
	ID, Name string
	Labels   map[string]string
	Linked   bool
	Drained  bool
	Disk     string // why it takes no new starts; empty: it does
	Callback string // why no port is free on which the server could await an attempt's words; empty: one is, or none is needed
	Slots    int
	Running  int // attempts ordered and not ended
}

// Place chooses the agent for a job: of those that fit, are linked and have a free slot the one with the fewest
// running attempts, then by name. Where there is none it returns -1, the reason, and a sentence that names what
// is in the way.
func Place(want jobnet.Agent, agents []Candidate) (int, Reason, string) {
	best := -1
	var fits, away, drained, disk, full []string
	callback := ""
	for i := range agents {
		a := &agents[i]
		if !matches(want, a) {
			continue
		}
		fits = append(fits, a.Name)
		switch {
		case !a.Linked:
			away = append(away, a.Name)
		case a.Drained:
			drained = append(drained, a.Name)
		case a.Disk != "":
			disk = append(disk, a.Name+" ("+a.Disk+")")
		case a.Running >= a.Slots:
			full = append(full, fmt.Sprintf("%s (%d of %d)", a.Name, a.Running, a.Slots))
		case a.Callback != "":
			callback = a.Callback
		case best < 0 || a.Running < agents[best].Running || a.Running == agents[best].Running && a.Name < agents[best].Name:
			best = i
		}
	}
	switch {
	case best >= 0:
		return best, "", ""
	case len(agents) == 0:
		return -1, ReasonNoAgent, "the domain has no agent"
	case len(fits) == 0:
		return -1, ReasonNoAgent, "no agent of the domain fits " + Selector(want)
	case callback != "": // a slot is free: this is what is missing
		return -1, ReasonCallback, callback
	case len(full) > 0:
		return -1, ReasonNoSlot, "every slot is taken on " + list(full)
	case len(disk) > 0:
		return -1, ReasonAgentDisk, "no room on the disk of " + list(disk)
	case len(drained) > 0:
		return -1, ReasonDraining, "drained: " + list(drained)
	}
	return -1, ReasonNotLinked, "not linked: " + list(away)
}

func list(names []string) string {
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func matches(want jobnet.Agent, a *Candidate) bool {
	if want.Name != "" && want.Name != a.Name {
		return false
	}
	for k, v := range want.Labels {
		if have, ok := a.Labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// Selector writes an agent selector for a person.
func Selector(want jobnet.Agent) string {
	switch {
	case want.Name != "":
		return "name " + want.Name
	case len(want.Labels) > 0:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(want.Labels)) {
			parts = append(parts, k+"="+want.Labels[k])
		}
		return "labels " + strings.Join(parts, ", ")
	}
	return "any agent"
}
