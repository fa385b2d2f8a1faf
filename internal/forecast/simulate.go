package forecast

import (
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
)

// Simulator plays replications of a plan, one after the other. It is used by one goroutine at a time.
type Simulator struct {
	p      *Plan
	shapes []*shape // as in Plan.shapes, made when they are first needed

	now    int64
	luck   luck
	agents []agentState
	place  []run.Candidate // the same agents, as run.Place looks at them
	pools  []poolState
	lines  []line
	opened []int32 // the lines that are open
	live   []liveRun
	free   []int32
	nets   []netState
	events events
	tail   []readyJob // ready since the last turn
	order  int64
	runs   int64
	come   int // position of the next occurrence in Plan.occs
	made   int // by schedules that count from ends
	record record
	ids    []string
	trace  *trace // nil: nobody wants to know why

	recorded func(Attempt) (time.Duration, bool, bool) // nil: durations are drawn
	tell     func(Event)                               // nil: nobody listens
}

// liveRun is a run that has not ended.
type liveRun struct {
	node   *node
	net    int32
	occ    int32 // position in Plan.occs; -1: not of an occurrence that is reported
	rule   int32
	gen    uint32
	begun  bool
	number int64
	name   luck
	jobs   []liveJob
	from   int32 // trace: the step that released it; 0: none
}

// liveJob is what is in flight of a job.
type liveJob struct {
	ready   int64 // since when it waits for an agent
	ordered int64
	begun   int64
	agent   int32
	tried   int32 // attempts
	step    int32 // trace: of the attempt
	cause   int32 // trace: the step that made it ready
	waits   bool  // in a line
	flies   bool  // an attempt is open
	onPorts bool  // it waits on its agent for ports
	lost    bool  // nobody knows how its attempt ended: since ready
	verb    verb  // how its attempt will end, or its unknown end be decided
}

// netState is what the decisions about occurrences look at.
type netState struct {
	open    int32
	runs    []int32
	waiting []waiting // occurrences, in order
	looks   bool      // somebody looks at waiting now
}

// Simulator makes one for a plan.
func (p *Plan) Simulator() *Simulator {
	s := &Simulator{
		p: p, shapes: make([]*shape, len(p.shapes)), agents: make([]agentState, len(p.agents)), place: slices.Clone(p.agents),
		pools: make([]poolState, len(p.pools)), lines: make([]line, len(p.classes)), nets: make([]netState, len(p.nets)),
	}
	s.record.init(p)
	return s
}

// Replicate plays replication n, from 0.
func (s *Simulator) Replicate(n int) {
	s.reset(n)
	s.begin()
	s.turn()
	for s.advance() {
	}
	s.finish()
}

// advance plays all of the next instant; false: nothing more happens.
func (s *Simulator) advance() bool {
	at, ok := s.next()
	if !ok || at > s.p.horizon {
		return false
	}
	s.now = at
	for len(s.events.heap) > 0 && s.events.heap[0].at == at {
		s.happen(s.events.pop())
	}
	for ; s.come < len(s.p.occs) && s.p.occs[s.come].at == at; s.come++ {
		s.due(int32(s.come))
	}
	s.turn()
	return true
}

// next is the instant at which something happens next.
func (s *Simulator) next() (int64, bool) {
	switch heap, occ := s.events.heap, s.come; {
	case occ < len(s.p.occs) && (len(heap) == 0 || s.p.occs[occ].at < heap[0].at):
		return s.p.occs[occ].at, true
	case len(heap) > 0:
		return heap[0].at, true
	}
	return 0, false
}

func (s *Simulator) reset(n int) {
	s.now, s.order, s.runs, s.come, s.made = 0, 0, 0, 0, 0
	s.luck = luck(s.p.o.Seed).with(uint64(n))
	copy(s.place, s.p.agents)
	for i := range s.agents {
		s.agents[i].reset()
	}
	for i := range s.pools {
		s.pools[i].reset(s.p.pools[i].Size)
	}
	s.opened = s.opened[:0]
	for i := range s.lines {
		s.lines[i].reset()
		s.lines[i].last = s.p.turns[s.p.classes[i].want.Turns()]
	}
	for i := range s.nets {
		s.nets[i] = netState{runs: s.nets[i].runs[:0], waiting: s.nets[i].waiting[:0]}
	}
	s.live, s.free, s.tail = s.live[:0], s.free[:0], s.tail[:0]
	s.events = events{heap: s.events.heap[:0]}
	s.record.begin(n)
}

// shape returns the map of a shape.
func (s *Simulator) shape(at int) *shape {
	if s.shapes[at] == nil {
		s.shapes[at] = newShape(s.p.shapes[at])
	}
	return s.shapes[at]
}

// start makes a live run at a node. Those of a net are in netState of net.
func (s *Simulator) start(r liveRun, net int32) int32 {
	var at int32
	if n := len(s.free); n > 0 {
		at, s.free = s.free[n-1], s.free[:n-1]
	} else {
		at = int32(len(s.live))
		if len(s.live) < cap(s.live) {
			s.live = s.live[:at+1]
		} else {
			s.live = append(s.live, liveRun{})
		}
	}
	l := &s.live[at]
	s.runs++
	r.gen, r.jobs, r.number = l.gen+1, l.jobs, s.runs
	jobs := len(s.p.nets[r.net].jobs)
	if cap(r.jobs) < jobs {
		r.jobs = make([]liveJob, jobs)
	}
	r.jobs = r.jobs[:jobs]
	clear(r.jobs)
	*l = r
	s.nets[net].open++
	s.nets[net].runs = append(s.nets[net].runs, at)
	s.record.opened(s.now)
	return at
}

// release begins a run of an occurrence.
func (s *Simulator) release(occ int32) {
	o := &s.p.occs[occ]
	at := s.start(liveRun{node: s.shape(s.p.nets[o.net].shape).begun, net: o.net, occ: occ, rule: o.rule, name: s.luck.with(uint64(o.name)), from: s.freed(o.net)}, o.net)
	s.record.released(occ, s.now-max(o.due, 0))
	for _, job := range s.live[at].node.ready {
		s.ready(at, job, s.live[at].from)
	}
}

// freed is the step that ended what an occurrence of the net waited for.
func (s *Simulator) freed(net int32) int32 {
	if s.trace == nil {
		return 0
	}
	return s.trace.freed(net, s.now)
}

// ready puts a job in line.
func (s *Simulator) ready(at int32, job int, cause int32) {
	l := &s.live[at]
	j := &l.jobs[job]
	j.ready, j.waits, j.cause = s.now, true, cause
	s.tail = append(s.tail, readyJob{run: l.number, live: at, gen: l.gen, job: int32(job)})
}

// happen takes one event.
func (s *Simulator) happen(e event) {
	switch e.kind {
	case eventRested:
		s.rested(int(e.live))
		return
	case eventDue:
		s.dueAfterEnd(e)
		return
	case eventAgain:
		s.again(e.live)
		return
	case eventForgot:
		s.forgot(int(e.live), e.job, e.since)
		return
	case eventEnd, eventRetry, eventDecide:
	}
	l := &s.live[e.live]
	if l.gen != e.gen || l.jobs[e.job].tried != e.n {
		return // it was cancelled meanwhile
	}
	if e.kind == eventRetry {
		s.record.waited(l.occ, waitedRetry, s.now-l.jobs[e.job].ready)
		s.step(e.live, verbRetry, int(e.job))
		return
	}
	if e.kind == eventDecide {
		s.decided(e.live, int(e.job))
		return
	}
	s.end(e.live, int(e.job))
}

// step takes what follows from an input to a run.
func (s *Simulator) step(at int32, v verb, job int) {
	l := &s.live[at]
	e := s.shape(s.p.nets[l.net].shape).step(l.node, v, job)
	if e.refused {
		return
	}
	l.node = e.to
	cause := l.jobs[job].step
	for _, i := range e.ready {
		s.ready(at, i, cause)
	}
	for _, i := range e.retries {
		l.jobs[i].ready = s.now // it waits from now on
		s.events.push(event{at: s.now + int64(s.p.nets[l.net].jobs[i].delay), kind: eventRetry, live: at, gen: l.gen, job: int32(i), n: l.jobs[i].tried})
	}
	if e.ended {
		s.ended(at)
	}
}

// ended lets a run go, and looks at what waited for its end.
func (s *Simulator) ended(at int32) {
	l := &s.live[at]
	net := s.home(l.net)
	n := &s.nets[net]
	n.open--
	n.runs = slices.DeleteFunc(n.runs, func(o int32) bool { return o == at })
	l.gen++
	s.free = append(s.free, at)
	s.record.closed(l.occ, s.now)
	if s.trace != nil {
		s.trace.ended(net, s.now)
	}
	if rules := s.p.nets[net].rules; l.rule >= 0 && rules[l.rule].ByEnd() {
		s.afterEnd(net, l.rule)
	}
	s.again(net)
}

// home is where the open runs of a net are counted: an open run of an older version has a net of its own in the plan.
func (s *Simulator) home(net int32) int32 { return s.p.homes[net] }
