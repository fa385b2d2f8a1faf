package forecast

import "slices"

// poolState is a pool of ports during a replication.
type poolState struct {
	size    int
	used    int // kept ones of sticky names too
	resting int
	waiting []portWait      // attempts that were ordered and wait on their agent
	sticks  map[int32]stick // by name: what has a number that nobody else may have
	freed   int32           // trace: the step that gave a port back last
}

// stick is a number that stays with a name.
type stick struct {
	numbers int
	first   int64 // since when the name has it
	granted int64 // to the attempt that had it last
	freed   int64 // when that gave it back
	busy    bool  // an attempt has it
}

type portWait struct {
	live int32
	gen  uint32
	job  int32
}

// planWish is a port that a job wants.
type planWish struct {
	pool   string
	pair   bool
	sticky bool
	name   int32 // of the number, where it is sticky
}

// wishesOf returns what a job wants of pools. The names of its numbers are those that the keeper leases them by (package jobports).
func wishesOf(net string, j *Job, names map[string]int32) []planWish {
	if len(j.Ports) == 0 {
		return nil
	}
	out := make([]planWish, len(j.Ports))
	for i, w := range j.Ports {
		name := net + "/" + j.Name + "/" + w.Name
		if _, ok := names[name]; !ok {
			names[name] = int32(len(names))
		}
		out[i] = planWish{pool: w.Pool, pair: w.Pair != "", sticky: w.Sticky, name: names[name]}
	}
	return out
}

// sticks reports whether what a wish is given stays with its name.
func (o *Pool) sticks(w *planWish) bool { return w.sticky || o.Sticky }

// numbers is how many of a pool a wish takes.
func (o *Pool) numbers(w *planWish) int {
	if w.pair || o.Pairs {
		return max(o.Pair, 1)
	}
	return 1
}

func (p *poolState) reset(size int) {
	clear(p.sticks)
	*p = poolState{size: size, waiting: p.waiting[:0], sticks: p.sticks}
}

func (p *poolState) left() int { return p.size - p.used - p.resting }

func (p *poolState) take(s *Simulator, at, n int) {
	p.used += n
	s.record.pool(at, p.used+p.resting+len(p.waiting), s.now)
}

// lease takes the ports that an attempt wants, or has it wait for them on its agent, as the keeper does: all or none.
func (s *Simulator) lease(at int32, job int) {
	l := &s.live[at]
	j := &l.jobs[job]
	wishes := s.p.nets[l.net].jobs[job].ports
	if len(wishes) == 0 {
		s.begins(at, job)
		return
	}
	agent := s.p.agents[j.agent].Name
	if pool := s.short(wishes, agent); pool >= 0 {
		j.onPorts = true
		s.pools[pool].waiting = append(s.pools[pool].waiting, portWait{at, l.gen, int32(job)})
		s.record.poolWait(pool, s.pools[pool].used+s.pools[pool].resting+len(s.pools[pool].waiting), s.now)
		return
	}
	s.takePorts(wishes, agent)
	s.record.waited(l.occ, waitedPort, s.now-j.ordered)
	if s.trace != nil && s.now > j.ordered {
		s.trace.leased(s, j)
	}
	j.onPorts = false
	s.begins(at, job)
}

// short is a pool that cannot give all that a job wants of it now; -1: there is none.
func (s *Simulator) short(wishes []planWish, agent string) int {
	for i := range wishes {
		pool := s.p.pool(wishes[i].pool, agent)
		if pool < 0 {
			continue
		}
		p, o, wanted := &s.pools[pool], &s.p.pools[pool], 0
		for k := range wishes {
			w := &wishes[k]
			if w.pool != wishes[i].pool {
				continue
			}
			had, kept := p.sticks[w.name]
			switch kept = kept && o.sticks(w); {
			case kept && had.busy: // whoever has the number must give it back, however many others there are
				return pool
			case !kept:
				wanted += o.numbers(w)
			}
		}
		if wanted > p.left() {
			return pool
		}
	}
	return -1
}

// takePorts leases what a job wants, of an agent's pools.
func (s *Simulator) takePorts(wishes []planWish, agent string) {
	for i := range wishes {
		w := &wishes[i]
		pool := s.p.pool(w.pool, agent)
		if pool < 0 {
			continue
		}
		p, n := &s.pools[pool], s.p.pools[pool].numbers(w)
		if !s.p.pools[pool].sticks(w) {
			p.take(s, pool, n)
			continue
		}
		had, kept := p.sticks[w.name]
		if !kept {
			had = stick{numbers: n, first: s.now}
			p.take(s, pool, n)
		}
		had.granted, had.busy = s.now, true
		if p.sticks == nil {
			p.sticks = map[int32]stick{}
		}
		p.sticks[w.name] = had
	}
}

// unlease gives the ports of an attempt back.
func (s *Simulator) unlease(at int32, job int) {
	l := &s.live[at]
	j := &l.jobs[job]
	if j.onPorts {
		j.onPorts = false
		return
	}
	agent := s.p.agents[j.agent].Name
	wishes := s.p.nets[l.net].jobs[job].ports
	for i := range wishes {
		w := &wishes[i]
		pool := s.p.pool(w.pool, agent)
		if pool < 0 {
			continue
		}
		s.pools[pool].freed = j.step
		if s.p.pools[pool].sticks(w) {
			s.keep(pool, w.name)
		} else {
			s.rest(pool, s.p.pools[pool].numbers(w), j.begun)
		}
	}
}

// keep leaves a number with its name, as the ledger does: for as long as the pool says, and then it rests.
func (s *Simulator) keep(pool int, name int32) {
	p := &s.pools[pool]
	had := p.sticks[name]
	had.busy, had.freed = false, s.now
	p.sticks[name] = had
	if kept := int64(s.p.pools[pool].Kept); kept > 0 {
		s.events.push(event{at: max(had.granted+kept, s.now), kind: eventForgot, live: int32(pool), job: name, since: had.granted})
	}
	s.offer(pool)
}

// forgot takes a number from a name that has not had it for as long as its pool keeps it. It has rested since it was given back.
func (s *Simulator) forgot(pool int, name int32, granted int64) {
	p := &s.pools[pool]
	had, kept := p.sticks[name]
	if !kept || had.busy || had.granted != granted {
		return // it was given out again
	}
	delete(p.sticks, name)
	s.restUntil(pool, had.numbers, had.first, had.freed+int64(s.p.pools[pool].Hold))
}

// rest keeps ports that were used since an instant away from the next lease, for as long as their pool says.
func (s *Simulator) rest(pool, n int, since int64) {
	s.restUntil(pool, n, since, s.now+int64(s.p.pools[pool].Hold))
}

func (s *Simulator) restUntil(pool, n int, since, until int64) {
	p := &s.pools[pool]
	s.record.held(pool, since, max(until, s.now), n)
	p.used -= n
	if until <= s.now {
		s.offer(pool)
		return
	}
	p.resting += n
	for range n {
		s.events.push(event{at: until, kind: eventRested, live: int32(pool)})
	}
}

// rested takes back one port that has rested.
func (s *Simulator) rested(pool int) {
	s.pools[pool].resting--
	s.offer(pool)
}

// offer lets those go on that wait for a port.
func (s *Simulator) offer(pool int) {
	if pool == s.p.callback {
		for c := range s.lines {
			s.open(int32(c))
		}
		return
	}
	p := &s.pools[pool]
	waiting := slices.Clone(p.waiting)
	p.waiting = p.waiting[:0]
	for _, w := range waiting {
		if l := &s.live[w.live]; l.gen == w.gen && l.jobs[w.job].onPorts {
			s.lease(w.live, int(w.job))
		}
	}
}

// finishPools counts the use of numbers that names still have when a replication ends.
func (s *Simulator) finishPools() {
	for i := range s.pools {
		for _, had := range s.pools[i].sticks {
			s.record.held(i, had.first, s.p.horizon, had.numbers)
		}
	}
}

// wantPorts notes how many callback ports are wanted while there is none: one for each job that has a slot to go to.
func (s *Simulator) wantPorts() {
	ready, slots := 0, 0
	for i := range s.lines {
		ready += len(s.lines[i].jobs) - s.lines[i].head
	}
	for i := range s.place {
		if a := &s.place[i]; a.Linked && !a.Drained {
			slots += max(a.Slots-a.Running, 0)
		}
	}
	pool := &s.pools[s.p.callback]
	s.record.pool(s.p.callback, pool.used+pool.resting+min(ready, slots), s.now)
}
