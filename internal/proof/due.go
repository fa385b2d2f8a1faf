package proof

import (
	"cmp"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// Path names what a trial is about, whenever it is tried.
type Path struct{ Flow, From, To, Address, Expect string }

// Path of a trial.
func (t Trial) Path() Path { return Path{t.Flow, t.From, t.To, t.Address, string(t.Expect)} }

// Known is what was found about a path last.
type Known struct {
	At   time.Time
	Good bool
}

// Due returns up to n trials that are to be proved again next: those first for which risk times staleness is highest. What
// was never tried comes before all else.
func Due(s Site, trials []Trial, known map[Path]Known, now time.Time, n int) []Trial {
	carries := map[string]bool{} // a conversation of Reeve's own
	for _, f := range s.Compiled.Flows {
		carries[f.ID] = slices.ContainsFunc(f.Carries, func(c string) bool { return c != "out" })
	}
	due := slices.DeleteFunc(slices.Clone(trials), func(t Trial) bool { return t.Untried != "" })
	score := map[Path]time.Duration{}
	for _, t := range due {
		k, ok := known[t.Path()]
		if !ok {
			score[t.Path()] = 1<<63 - 1
			continue
		}
		score[t.Path()] = now.Sub(k.At) * t.risk(carries[t.Flow], k.Good)
	}
	slices.SortStableFunc(due, func(a, b Trial) int { return cmp.Compare(score[b.Path()], score[a.Path()]) })
	return due[:min(n, len(due))]
}

// risk weighs what it means that a path is not as the plan wants it.
func (t Trial) risk(carries, good bool) time.Duration {
	weight := time.Duration(1)
	switch {
	case carries:
		weight = 4 // nodes lose each other
	case t.Binds:
		weight = 2
	}
	if !good {
		weight *= 4 // somebody may be mending it just now
	}
	return weight
}

// Used says when a row was used on a host.
type Used struct {
	Host, Service string
	Dialled       bool      // by the host; else others dialled it
	Since         time.Time // when counting began
	Last          time.Time // zero: never since
}

// Idle is a flow that nothing has used.
type Idle struct {
	Flow    ports.ResolvedFlow
	Last    time.Time // zero: never since it is counted
	Counted time.Time // zero: nobody counts it
}

// Unused returns the flows that the site's hosts dial and that were not used after an instant, those that were unused for
// longest first, and behind them those that nobody counts. A flow is counted at its ends: one that took connections of its
// row, or dialled it. What is counted for less than that is not in it, and what other programs serve is not counted.
func Unused(s ports.Site, uses []Used, after time.Time) []Idle {
	var counted, unknown []Idle
	for _, f := range dialled(s) {
		one := Idle{Flow: f}
		for _, u := range uses {
			if counts(s.Compiled, u, f) {
				one.add(u)
			}
		}
		switch {
		case one.Counted.IsZero():
			unknown = append(unknown, one)
		case !one.Last.After(after) && !one.Counted.After(after):
			counted = append(counted, one)
		}
	}
	slices.SortStableFunc(counted, func(a, b Idle) int { return cmp.Or(a.Last.Compare(b.Last), a.Counted.Compare(b.Counted)) })
	return append(counted, unknown...)
}

func (i *Idle) add(u Used) {
	if i.Counted.IsZero() || u.Since.Before(i.Counted) {
		i.Counted = u.Since
	}
	if u.Last.After(i.Last) {
		i.Last = u.Last
	}
}

// counts reports whether a use of a row is, or may be, one of the flow.
func counts(c ports.Compiled, u Used, f ports.ResolvedFlow) bool {
	end := f.To
	if u.Dialled {
		end = f.From
	}
	return u.Service == f.Service && c.Kinds[end] == ports.Server && slices.ContainsFunc(c.Claims, func(cl ports.Claim) bool {
		return cl.Service == f.Service && cl.Protocol == f.Protocol && cl.Binds
	})
}

// dialled returns the flows for which a firewall of the site must have an opening.
func dialled(s ports.Site) []ports.ResolvedFlow {
	var all []ports.ResolvedFlow
	seen := map[string]bool{}
	for _, c := range s.Crossings() {
		if !seen[c.Flow.ID] && c.Port != 0 {
			seen[c.Flow.ID] = true
			all = append(all, c.Flow)
		}
	}
	return all
}

// Green reports whether a verdict is one on which somebody may rely.
func Green(v probe.Verdict) bool { return v == probe.Proven || v == probe.Assumed }
