package run

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// Candidate is an agent as far as placement looks at it.
type Candidate struct {
	ID, Name string
	Labels   map[string]string
	Desk     bool // it is on a person's machine, and takes only jobs that name it
	Linked   bool
	Drained  bool
	Disk     string // why it takes no new starts; empty: it does
	Callback string // why no port is free on which the server could await an attempt's words; empty: one is, or none is needed
	Slots    int
	Running  int // attempts ordered and not ended
	// Failed is when its link was lost last, or an order could not be brought to it, and Failure how; zero: not that the
	// server knows.
	Failed  time.Time
	Failure string
}

// Moment is what placement is told of time: the instant, and of a list of agents that take turns the name of that which
// was given a job last; empty: none was.
type Moment struct {
	Now  time.Time
	Last string
}

// Place chooses the agent for a job: of those that fit, are linked and have a free slot the one with the fewest
// running attempts, then by name, never a desk agent that the job does not name; of a list of names that which its select says, and one that has failed within its skip
// only after the others. Where there is none it returns -1, the reason, and a sentence that names what is in the way.
func Place(want jobnet.Agent, agents []Candidate, at Moment) (int, Reason, string) {
	best, before := -1, ranking(want, at)
	for i := range agents {
		if a := &agents[i]; a.free() && matches(want, a) && (best < 0 || before(a, &agents[best])) {
			best = i
		}
	}
	if best >= 0 {
		return best, "", ""
	}
	reason, text := inTheWay(want, agents)
	return -1, reason, text
}

// free reports whether an agent could take a start now.
func (a *Candidate) free() bool {
	return a.Linked && !a.Drained && a.Disk == "" && a.Running < a.Slots && a.Callback == ""
}

// inTheWay says why no agent can take a job. It is asked only then: words for what is full cost more than finding what is not.
func inTheWay(want jobnet.Agent, agents []Candidate) (Reason, string) {
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
		}
	}
	switch {
	case len(agents) == 0:
		return ReasonNoAgent, "the domain has no agent"
	case len(fits) == 0:
		return ReasonNoAgent, "no agent of the domain fits " + Selector(want) + onlyNamed(want, agents)
	case callback != "": // a slot is free: this is what is missing
		return ReasonCallback, callback
	case len(full) > 0:
		return ReasonNoSlot, "every slot is taken on " + list(full)
	case len(disk) > 0:
		return ReasonAgentDisk, "no room on the disk of " + list(disk)
	case len(drained) > 0:
		return ReasonDraining, "drained: " + list(drained)
	}
	return ReasonNotLinked, "not linked: " + list(away)
}

// onlyNamed says which desk agents a job would fit that named them; empty: none.
func onlyNamed(want jobnet.Agent, agents []Candidate) string {
	var desks []string
	for i := range agents {
		if a := agents[i]; a.Desk {
			a.Desk = false
			if matches(want, &a) {
				desks = append(desks, a.Name)
			}
		}
	}
	if len(desks) == 0 {
		return ""
	}
	return "; desk agents take only jobs that name them: " + list(desks)
}

// ranking returns which of two agents that could both take the job goes before the other.
func ranking(want jobnet.Agent, at Moment) func(a, b *Candidate) bool {
	if len(want.Names) == 0 {
		return func(a, b *Candidate) bool { return a.Running < b.Running || a.Running == b.Running && a.Name < b.Name }
	}
	start := 0
	if want.Select == jobnet.SelectNext {
		start = slices.Index(want.Names, at.Last) + 1
	}
	place := func(a *Candidate) int {
		p := (slices.Index(want.Names, a.Name) - start + len(want.Names)) % len(want.Names)
		if passed(want, a, at.Now) {
			p += len(want.Names)
		}
		return p
	}
	return func(a, b *Candidate) bool { return place(a) < place(b) }
}

// passed reports whether an agent comes behind the others of its list, because it has failed a moment ago.
func passed(want jobnet.Agent, a *Candidate, now time.Time) bool {
	return len(want.Names) > 0 && !a.Failed.IsZero() && now.Before(a.Failed.Add(want.Skip))
}

// PassedOver says which agents of a list come behind the others at an instant, until when, and why; empty: none.
func PassedOver(want jobnet.Agent, agents []Candidate, now time.Time) string {
	var all []string
	for i := range agents {
		if a := &agents[i]; matches(want, a) && passed(want, a, now) {
			all = append(all, fmt.Sprintf("%s is passed over until %s (%s)", a.Name, a.Failed.Add(want.Skip).UTC().Format(time.RFC3339), a.Failure))
		}
	}
	return list(all)
}

func list(names []string) string {
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func matches(want jobnet.Agent, a *Candidate) bool {
	if want.Name != "" && want.Name != a.Name {
		return false
	}
	if len(want.Names) > 0 && !slices.Contains(want.Names, a.Name) {
		return false
	}
	if a.Desk && want.Name == "" && len(want.Names) == 0 {
		return false
	}
	if len(want.Labels) == 0 { // a walk over no map at all still costs as much as all of the above
		return true
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
	case len(want.Names) > 0:
		return string(cmp.Or(want.Select, jobnet.SelectFirst)) + " of " + strings.Join(want.Names, ", ")
	case len(want.Labels) > 0:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(want.Labels)) {
			parts = append(parts, k+"="+want.Labels[k])
		}
		return "labels " + strings.Join(parts, ", ")
	}
	return "any agent"
}
