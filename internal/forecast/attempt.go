package forecast

import (
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
)

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
		j.verb = d.spread.outcome(l2)
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
	if d := &s.p.nets[l.net].jobs[job]; d.timeout > 0 && took > d.timeout {
		took, l.jobs[job].verb = d.timeout, d.timedOut()
	}
	s.events.push(event{at: s.now + int64(max(took, 0)), kind: eventEnd, live: at, gen: l.gen, job: int32(job), n: l.jobs[job].tried})
}

// timedOut is how a job ends that takes too long. It has no exit code, and so none that its rule would try again.
func (d *planJob) timedOut() verb {
	if d.codes {
		return verbFinal
	}
	return verbTimeout
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
	gen, verb := s.live[at].gen, j.verb
	s.step(at, verb, job)
	if l := &s.live[at]; verb == verbUnknown && l.gen == gen && l.node.state.Jobs[job].Status == run.Lost {
		s.lost(at, job, 0)
	}
}

// lost foresees when and how a person decides an unknown end that has been open for a while: as one was decided before. Where nobody ever has,
// nobody does.
func (s *Simulator) lost(at int32, job int, passed time.Duration) {
	l := &s.live[at]
	j := &l.jobs[job]
	j.lost, j.ready = true, s.now
	all := s.p.decided
	if len(all) == 0 {
		return
	}
	name := l.name.with(uint64(job)<<16 | uint64(j.tried))
	for try := range uint64(50) {
		d := &all[int(name.with(5+try).unit()*float64(len(all)))]
		if d.After < passed {
			continue
		}
		j.verb = verbDecideRerun
		switch d.As { //nolint:exhaustive // a decision is one of two ends, or another attempt
		case run.Succeeded:
			j.verb = verbDecideGood
		case run.Failed:
			j.verb = verbDecideFailed
		}
		s.events.push(event{at: s.now + int64(d.After-passed), kind: eventDecide, live: at, gen: l.gen, job: int32(job), n: j.tried})
		return
	}
}

// decided takes a person's decision on an unknown end.
func (s *Simulator) decided(at int32, job int) {
	j := &s.live[at].jobs[job]
	j.lost = false
	s.record.waited(s.live[at].occ, waitedDecision, s.now-j.ready)
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
