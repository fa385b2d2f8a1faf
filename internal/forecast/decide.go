package forecast

import (
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// waiting is an occurrence that has fallen due and waits.
type waiting struct {
	occ   int32
	since int64
	why   occurrence.Reason
	newer bool  // a later one of its schedule has fallen due since
	again int64 // when it is looked at again, as it was foreseen
}

// due looks at an occurrence that has fallen due.
func (s *Simulator) due(occ int32) {
	o := &s.p.occs[occ]
	n := &s.nets[o.net]
	for i := range n.waiting {
		if s.p.occs[n.waiting[i].occ].rule == o.rule {
			n.waiting[i].newer = true
		}
	}
	s.record.pending(occ)
	if w := (waiting{occ: occ, since: -1}); s.look(&w) {
		n.waiting = append(n.waiting, w)
		s.again(o.net) // of those that it takes the place of
	}
}

// look has an occurrence decided; it reports whether it waits.
func (s *Simulator) look(w *waiting) bool {
	o := &s.p.occs[w.occ]
	n := &s.nets[o.net]
	for { // twice at most: where the open runs are cancelled for it
		sit := occurrence.Situation{
			Key: occurrence.Key{Net: s.p.nets[o.net].name}, Occurrence: calendar.Occurrence{Nominal: s.p.time(o.due), Due: s.p.time(o.due)},
			Schedule: s.p.scheduleOf(o), Now: s.p.time(s.now), Open: s.names(int(n.open)), Agent: s.p.nets[o.net].served, Newer: w.newer,
		}
		if w.since >= 0 {
			sit.Since, sit.Waits = s.p.time(w.since), w.why
		} else if o.waits != "" {
			sit.Since, sit.Waits = s.p.time(o.due), o.waits
		}
		for i := range n.waiting {
			if e := &n.waiting[i]; e.occ != w.occ && e.occ < w.occ && s.p.occs[e.occ].rule == o.rule {
				sit.Queued++
			}
		}
		v := occurrence.Decide(sit)
		switch v.Decision {
		case occurrence.Released:
			s.release(w.occ)
			return false
		case occurrence.Missed:
			s.record.missed(w.occ)
			return false
		case occurrence.Suppressed, occurrence.Cancelled:
			s.record.suppressed(w.occ)
			return false
		case occurrence.Pending:
		}
		if w.since < 0 {
			w.since = s.now
		}
		if at := s.p.offset(v.Again); !v.Again.IsZero() && at != w.again { // foreseen once: each look would foresee as many again
			w.again = at
			s.events.push(event{at: max(at, s.now+1), kind: eventAgain, live: o.net})
		}
		w.why = v.Reason
		if !v.Cancel || !s.cancelAll(o.net) {
			return true
		}
	}
}

// again looks at what waits in a net.
func (s *Simulator) again(net int32) {
	n := &s.nets[net]
	if len(n.waiting) == 0 || n.looks {
		return // whoever looks already comes to those that have changed
	}
	n.looks = true
	for i := 0; i < len(n.waiting); {
		w := n.waiting[i]
		if s.stays(n, &w) || s.look(&w) {
			n.waiting[i] = w
			i++
			continue
		}
		n.waiting = slices.Delete(n.waiting, i, i+1)
		i = 0 // what it has opened, or made room for, concerns the others
	}
	n.looks = false
}

// stays reports whether what is queued needs no look: one of its schedule is before it, and its window is open. Of a thousand that are queued
// one is looked at then, and not all of them at each end.
func (s *Simulator) stays(n *netState, w *waiting) bool {
	o := &s.p.occs[w.occ]
	of := s.p.scheduleOf(o)
	if w.why != occurrence.Queued || of.Overlap != calendar.OverlapQueue || of.StartWithin > 0 && s.now >= w.again {
		return false
	}
	return slices.ContainsFunc(n.waiting, func(e waiting) bool { return e.occ < w.occ && s.p.occs[e.occ].rule == o.rule })
}

// names stands for the ids of so many open runs; nobody reads them.
func (s *Simulator) names(n int) []string {
	for len(s.ids) < n {
		s.ids = append(s.ids, "open")
	}
	return s.ids[:n]
}

// cancelAll cancels the open runs of a net; it reports whether all have ended.
func (s *Simulator) cancelAll(net int32) bool {
	for _, at := range slices.Clone(s.nets[net].runs) {
		s.cancel(at)
	}
	return s.nets[net].open == 0
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
		s.takePorts(s.p.nets[l.net].jobs[job].ports, s.place[agent].Name)
		s.goesOn(at, job, last)
	case run.Waiting:
		if o.Reason == run.ReasonRetry {
			s.events.push(event{at: max(s.p.offset(o.Due), 0), kind: eventRetry, live: at, gen: l.gen, job: int32(job), n: j.tried})
		}
	case run.Lost:
		if n := len(o.Attempts); n > 0 {
			s.lost(at, job, max(-time.Duration(s.p.offset(o.Attempts[n-1].Ended)), 0))
		}
	case run.Held, run.Succeeded, run.Warning, run.Failed, run.Cancelled, run.Skipped:
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
	if s.p.o.Replications > 1 {
		j.verb = d.spread.outcome(name)
	}
	if limit := d.timeout; limit > 0 && passed+left > limit {
		left, j.verb = max(limit-passed, 0), d.timedOut()
	}
	j.ordered, j.begun = 0, 0
	s.events.push(event{at: int64(left), kind: eventEnd, live: at, gen: l.gen, job: int32(job), n: j.tried})
}
