package forecast

import (
	"cmp"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/run"
)

// sorted puts what has become ready into the lines, in the order of the engine: by run, then by job.
func (s *Simulator) sorted() {
	slices.SortFunc(s.tail, func(a, b readyJob) int { return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.job, b.job)) })
	for _, r := range s.tail {
		s.order++
		r.order = s.order
		c := s.p.nets[s.live[r.live].net].jobs[r.job].class
		s.lines[c].jobs = append(s.lines[c].jobs, r)
		s.open(c)
	}
	s.tail = s.tail[:0]
}

// open has the head of a line looked at again.
func (s *Simulator) open(c int32) {
	if l := &s.lines[c]; !l.open && !l.empty() {
		l.open = true
		s.opened = append(s.opened, c)
	}
}

// turn gives ready jobs to agents, oldest first, as the engine does after all that came at one instant.
func (s *Simulator) turn() {
	s.sorted()
	for {
		best := int32(-1)
		kept := s.opened[:0]
		for _, c := range s.opened {
			l := &s.lines[c]
			for l.open && !l.empty() && !s.waits(&l.jobs[l.head]) {
				l.drop()
			}
			if l.open = l.open && !l.empty(); !l.open {
				continue
			}
			kept = append(kept, c)
			if best < 0 || l.jobs[l.head].order < s.lines[best].jobs[s.lines[best].head].order {
				best = c
			}
		}
		s.opened = kept
		if best < 0 {
			return
		}
		if l := &s.lines[best]; s.dispatch(best, l.jobs[l.head]) {
			l.drop()
		} else {
			l.open = false
		}
	}
}

func (s *Simulator) waits(r *readyJob) bool {
	l := &s.live[r.live]
	return l.gen == r.gen && l.jobs[r.job].waits
}

// dispatch gives a job to an agent, if there is one.
func (s *Simulator) dispatch(c int32, r readyJob) bool {
	line, class := &s.lines[c], &s.p.classes[c]
	if s.p.callback >= 0 && s.pools[s.p.callback].left() <= 0 {
		line.blocked = waitedPort
		s.wantPorts()
		return false
	}
	at := -1
	if s.anyFree(class) {
		moment := run.Moment{Now: s.p.time(s.now), Last: line.last}
		at, _, _ = run.Place(class.want, s.place[class.lo:class.hi], moment)
	}
	if at < 0 {
		line.blocked = waitedSlot
		return false
	}
	agent := class.lo + int32(at)
	if class.want.Turns() != "" {
		s.took(class.want.Turns(), s.place[agent].Name)
	}
	l := &s.live[r.live]
	j := &l.jobs[r.job]
	j.waits, j.flies, j.agent, j.ordered = false, true, agent, s.now
	j.tried++
	s.record.waited(l.occ, line.blocked, s.now-j.ready)
	switch {
	case s.now == j.ready:
	case line.blocked == waitedPort:
		s.record.starts[s.p.callback]++
	default:
		s.record.waitedFor(l.occ, c, s.now-j.ready)
	}
	if !l.begun {
		l.begun = true
		s.record.started(l.occ, s.now)
	}
	s.place[agent].Running++
	s.agents[agent].took(s, int(agent))
	if s.p.callback >= 0 {
		s.pools[s.p.callback].take(s, s.p.callback, 1)
	}
	if s.trace != nil {
		j.step = s.trace.ordered(s, r.live, int(r.job), line.blocked)
	}
	l.node = s.shape(s.p.nets[l.net].shape).step(l.node, verbDispatch, int(r.job)).to
	s.told(r.live, int(r.job), false)
	s.lease(r.live, int(r.job))
	return true
}

// took notes whose turn it was, for all classes that share the list.
func (s *Simulator) took(list, agent string) {
	for i := range s.lines {
		if s.p.classes[i].want.Turns() == list {
			s.lines[i].last = agent
		}
	}
}

// anyFree spares the question whom to give a job, where the answer can only be nobody.
func (s *Simulator) anyFree(c *class) bool {
	for i := c.lo; i < c.hi; i++ {
		if a := &s.place[i]; a.Linked && a.Running < a.Slots {
			return true
		}
	}
	return false
}
