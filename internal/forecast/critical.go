package forecast

import (
	"slices"

	"github.com/reeve-scheduler/reeve/internal/run"
)

// critical plays the replication in which an occurrence ends at its median once more, and tells what decided that end.
func (p *Plan) critical(r *record, occ int32) []Step {
	n, ok := p.median(r, occ)
	if !ok {
		return nil
	}
	s := p.Simulator()
	s.trace = newTrace()
	s.Replicate(n)
	path := s.trace.path(occ)
	slices.Reverse(path)
	out := make([]Step, len(path))
	for i := range path {
		out[i] = p.told(&path[i], i > 0)
	}
	return out
}

// median is the replication in which an occurrence ends at its median.
func (p *Plan) median(r *record, occ int32) (int, bool) {
	type end struct {
		at uint32
		n  int
	}
	var ends []end
	for i := range r.rows {
		if at := r.rows[i].end[occ]; at < unended {
			ends = append(ends, end{at, r.rows[i].n})
		}
	}
	if len(ends) == 0 {
		return 0, false
	}
	slices.SortFunc(ends, func(a, b end) int {
		if a.at != b.at {
			return int(int64(a.at) - int64(b.at))
		}
		return a.n - b.n
	})
	return ends[len(ends)/2].n, true
}

// told writes a step for people. What is before it on the path it waited for.
func (p *Plan) told(t *traceStep, after bool) Step {
	net := &p.nets[t.net]
	step := Step{Net: net.name, Job: net.all[t.job].Name, Start: p.time(t.start), End: p.time(t.end)}
	if t.end < 0 {
		step.End = p.time(p.horizon)
	}
	switch {
	case t.why == waitedSlot:
		step.Why = "a slot (" + run.Selector(net.all[t.job].Agent) + ")"
	case t.why == waitedPort:
		step.Why = "a port"
	case t.from > 0 && after:
		step.Why = "its predecessor"
	case t.occ < 0:
		step.Why = "it was open already"
	default:
		step.Why = "due"
	}
	if !p.o.Known(step.Net) {
		step.Net, step.Job = "", ""
	}
	return step
}
