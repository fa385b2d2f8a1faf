package forecast

import (
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// due decides an occurrence that has fallen due, or that is looked at again.
func (s *Simulator) due(occ int32) {
	o := &s.p.occs[occ]
	n := &s.nets[o.net]
	rule := s.schedule(o)
	if rule == nil || n.open == 0 && len(n.waiting) == 0 {
		s.decide(occ, rule)
		return
	}
	switch rule.Overlap {
	case calendar.OverlapAllow:
		s.decide(occ, rule)
	case calendar.OverlapSkip:
		s.record.skipped++
	case calendar.OverlapReplace:
		for _, at := range slices.Clone(n.runs) {
			s.cancel(at)
		}
		s.wait(occ)
		s.again(o.net)
	case calendar.OverlapQueue:
		s.wait(occ)
	}
}

func (s *Simulator) wait(occ int32) {
	n := &s.nets[s.p.occs[occ].net]
	n.waiting = append(n.waiting, occ)
	s.record.pending(occ)
}

// schedule returns what the schedule of an occurrence says; nil: it was added by hand.
func (s *Simulator) schedule(o *planned) *calendar.Schedule {
	if o.rule < 0 {
		return nil
	}
	return &s.p.nets[o.net].schedules[o.rule]
}

// decide releases an occurrence, if its start window is open.
func (s *Simulator) decide(occ int32, rule *calendar.Schedule) {
	o := &s.p.occs[occ]
	if rule != nil && rule.StartWithin > 0 && (s.now > o.due+int64(rule.StartWithin) || !s.p.nets[o.net].served) {
		s.record.missed(occ)
		return
	}
	s.release(occ)
}

// again looks at what waits for the runs of a net to end.
func (s *Simulator) again(net int32) {
	n := &s.nets[net]
	for n.open == 0 && len(n.waiting) > 0 {
		occ := n.waiting[0]
		n.waiting = n.waiting[1:]
		s.decide(occ, s.schedule(&s.p.occs[occ]))
	}
}

// cancel cancels an open run: what has not started never does, and what runs ends at once.
func (s *Simulator) cancel(at int32) {
	l := &s.live[at]
	if l.node.state.Cancel != "" {
		return
	}
	gen := l.gen
	for i := range l.jobs {
		l.jobs[i].waits = false
	}
	s.step(at, verbCancel, 0)
	for i := range l.jobs {
		if j := &s.live[at].jobs[i]; s.live[at].gen == gen && j.flies {
			j.tried++ // its end, as it was foreseen, will not be
			j.verb = verbCancelled
			s.end(at, i)
		}
	}
}

// afterEnd foresees the next occurrence of a schedule that counts from the ends of its runs.
func (s *Simulator) afterEnd(net, rule int32) {
	o, ok := s.p.nets[net].rules[rule].AfterEnd(s.p.time(s.now))
	if !ok {
		return
	}
	if at := s.p.offset(o.Due); at <= s.p.released && s.made < madeMost {
		s.made++
		s.events.push(event{at: max(at, s.now+1), kind: eventDue, live: net, job: rule, n: int32(s.made)})
	}
}

// madeMost bounds how many occurrences a replication makes for schedules that count from ends.
const madeMost = 200_000

// dueAfterEnd releases what afterEnd foresaw. Nobody can name these before: they are load, and no items.
func (s *Simulator) dueAfterEnd(e event) {
	net, rule := e.live, e.job
	name := s.luck.text(s.p.nets[net].name).with(uint64(rule)).with(uint64(e.n))
	at := s.start(liveRun{node: s.shape(s.p.nets[net].shape).begun, net: net, occ: -1, rule: rule, name: name}, net)
	for _, job := range s.live[at].node.ready {
		s.ready(at, job, 0)
	}
}

// begin puts the runs that are open when the forecast begins where they are.
func (s *Simulator) begin() {
	first := len(s.p.nets) - len(s.p.runs)
	for i := range s.p.runs {
		o := &s.p.runs[i].State
		net := int32(first + i)
		shape := s.shape(s.p.nets[net].shape)
		home := s.home(net)
		at := s.start(liveRun{
			node: shape.open(o), net: net, occ: -1, rule: s.p.rule(home, o.Schedule), begun: !o.Started.IsZero(),
			name: s.luck.text(o.ID),
		}, home)
		for k := range o.Jobs {
			s.resume(at, k, &o.Jobs[k])
		}
	}
}

// resume puts a job of an open run where it is.
func (s *Simulator) resume(at int32, job int, o *run.Job) {
	l := &s.live[at]
	j := &l.jobs[job]
	j.tried = int32(len(o.Attempts))
	switch o.Status {
	case run.Ready:
		s.ready(at, job, 0)
	case run.Dispatched, run.Running:
		last := &o.Attempts[len(o.Attempts)-1]
		agent := slices.IndexFunc(s.place, func(a run.Candidate) bool { return a.ID == last.AgentID })
		if agent < 0 {
			return // nobody will tell how it ends
		}
		j.flies, j.agent = true, int32(agent)
		s.place[agent].Running++
		s.agents[agent].took(s, agent)
		if s.p.callback >= 0 {
			s.pools[s.p.callback].take(s, s.p.callback, 1)
		}
		s.goesOn(at, job, last)
	case run.Waiting:
		if o.Reason == run.ReasonRetry {
			s.events.push(event{at: max(s.p.offset(o.Due), 0), kind: eventRetry, live: at, gen: l.gen, job: int32(job), n: j.tried})
		}
	case run.Held, run.Succeeded, run.Warning, run.Failed, run.Cancelled, run.Skipped, run.Lost:
	}
}

// goesOn foresees the end of an attempt that has been running for a while: of the durations that it may have, one that is longer.
func (s *Simulator) goesOn(at int32, job int, a *run.Attempt) {
	l := &s.live[at]
	j := &l.jobs[job]
	d := &s.p.nets[l.net].jobs[job]
	since := a.Started
	if since.IsZero() {
		since = a.Ordered
	}
	passed := max(-time.Duration(s.p.offset(since)), 0)
	name := l.name.with(uint64(job)<<16 | uint64(j.tried))
	took := d.mean
	for try := uint64(0); try < 50 && s.p.o.Replications > 1; try++ {
		if took = d.spread.at(name.with(try)); took > passed {
			break
		}
	}
	left := took - passed
	if left <= 0 { // it takes longer than ever
		left = max(passed/10, time.Second)
	}
	j.verb = verbGood
	if limit := d.timeout; limit > 0 && passed+left > limit {
		left, j.verb = max(limit-passed, 0), verbTimeout
	}
	j.ordered, j.begun = 0, 0
	s.events.push(event{at: int64(left), kind: eventEnd, live: at, gen: l.gen, job: int32(job), n: j.tried})
}
