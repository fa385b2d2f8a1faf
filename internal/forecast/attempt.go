package forecast

import "time"

// begins draws how an attempt will end, and when.
func (s *Simulator) begins(at int32, job int) {
	l := &s.live[at]
	j := &l.jobs[job]
	d := &s.p.nets[l.net].jobs[job]
	j.begun = s.now
	l2 := l.name.with(uint64(job)<<16 | uint64(j.tried))
	took := d.mean
	j.verb = verbGood
	if s.p.o.Replications > 1 {
		took = d.spread.at(l2)
		if d.spread.failed > 0 && l2.with(3).unit() < d.spread.failed {
			j.verb = verbFailed
		}
	}
	if s.recorded != nil {
		if d, failed, ok := s.recorded(s.attempt(at, job)); ok {
			if took, j.verb = d, verbGood; failed {
				j.verb = verbFailed
			}
		}
	}
	s.endsAfter(at, job, took)
}

// endsAfter foresees an attempt's end, at its time-out at the latest.
func (s *Simulator) endsAfter(at int32, job int, took time.Duration) {
	l := &s.live[at]
	if limit := s.p.nets[l.net].jobs[job].timeout; limit > 0 && took > limit {
		took, l.jobs[job].verb = limit, verbTimeout
	}
	s.events.push(event{at: s.now + int64(max(took, 0)), kind: eventEnd, live: at, gen: l.gen, job: int32(job), n: l.jobs[job].tried})
}

// end ends an attempt: its slot and its ports are free, and its successors may go.
func (s *Simulator) end(at int32, job int) {
	l := &s.live[at]
	j := &l.jobs[job]
	s.told(at, job, true)
	j.flies = false
	s.giveBack(at, job)
	if s.trace != nil {
		s.trace.done(j.step, s.now)
	}
	s.step(at, j.verb, job)
}

// giveBack frees what an attempt had.
func (s *Simulator) giveBack(at int32, job int) {
	j := &s.live[at].jobs[job]
	s.place[j.agent].Running--
	s.agents[j.agent].gave(s, int(j.agent), j.ordered, j.step)
	for _, c := range s.p.fits[j.agent] {
		s.open(c)
	}
	if s.p.callback >= 0 {
		s.pools[s.p.callback].freed = j.step
		s.rest(s.p.callback, 1, j.ordered)
	}
	s.unlease(at, job)
}
