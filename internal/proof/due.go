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

// Unused returns the flows in use of the plan that were not used after an instant, those that were unused for longest
// first, and behind them those that nobody counts. A flow is counted at the ends that are counted: one that took its
// row's connections, or dialled it.
func Unused(c ports.Compiled, uses []Used, after time.Time) []Idle {
	var counted, unknown []Idle
	for _, f := range c.Flows {
		if f.Status != ports.Works || f.Port == 0 {
			continue
		}
		one := Idle{Flow: f}
		for _, u := range uses {
			if u.Service != f.Service || u.Dialled && c.Kinds[f.From] != ports.Server || !u.Dialled && c.Kinds[f.To] != ports.Server {
				continue
			}
			if one.Counted.IsZero() || u.Since.Before(one.Counted) {
				one.Counted = u.Since
			}
			if u.Last.After(one.Last) {
				one.Last = u.Last
			}
		}
		switch {
		case one.Counted.IsZero():
			unknown = append(unknown, one)
		case !one.Last.After(after):
			counted = append(counted, one)
		}
	}
	slices.SortStableFunc(counted, func(a, b Idle) int { return cmp.Or(a.Last.Compare(b.Last), a.Counted.Compare(b.Counted)) })
	return append(counted, unknown...)
}

// Green reports whether a verdict is one on which somebody may rely.
func Green(v probe.Verdict) bool { return v == probe.Proven || v == probe.Assumed }
