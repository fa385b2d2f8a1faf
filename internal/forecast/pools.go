package forecast

import (
	"slices"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// poolState is a pool of ports during a replication.
type poolState struct {
	size    int
	used    int
	resting int
	waiting []portWait // attempts that were ordered and wait on their agent
	freed   int32      // trace: the step that gave a port back last
}

type portWait struct {
	live int32
	gen  uint32
	job  int32
}

func (p *poolState) reset(size int) { *p = poolState{size: size, waiting: p.waiting[:0]} }

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
	for _, w := range wishes {
		if pool := s.p.pool(w.Pool, agent); pool >= 0 && s.pools[pool].left() < wanted(wishes, w.Pool) {
			j.onPorts = true
			s.pools[pool].waiting = append(s.pools[pool].waiting, portWait{at, l.gen, int32(job)})
			s.record.poolWait(pool, s.pools[pool].used+s.pools[pool].resting+len(s.pools[pool].waiting), s.now)
			return
		}
	}
	for _, w := range wishes {
		if pool := s.p.pool(w.Pool, agent); pool >= 0 {
			s.pools[pool].take(s, pool, ports(w.Pair))
		}
	}
	s.record.waited(l.occ, waitedPort, s.now-j.ordered)
	if s.trace != nil && s.now > j.ordered {
		s.trace.leased(s, j)
	}
	j.onPorts = false
	s.begins(at, job)
}

// wanted is how many numbers of a pool a job takes at once.
func wanted(wishes []jobnet.PortWish, pool string) int {
	n := 0
	for _, w := range wishes {
		if w.Pool == pool {
			n += ports(w.Pair)
		}
	}
	return n
}

// ports is how many numbers a wish is: one, and that of its pair.
func ports(pair string) int {
	if pair != "" {
		return 2
	}
	return 1
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
	for _, w := range s.p.nets[l.net].jobs[job].ports {
		if pool := s.p.pool(w.Pool, agent); pool >= 0 {
			s.pools[pool].freed = j.step
			s.rest(pool, ports(w.Pair), j.begun)
		}
	}
}

// rest keeps ports that were used since an instant away from the next lease, for as long as their pool says.
func (s *Simulator) rest(pool, n int, since int64) {
	p := &s.pools[pool]
	hold := int64(s.p.pools[pool].Hold)
	s.record.held(pool, since, s.now+hold, n)
	p.used -= n
	if hold <= 0 {
		s.offer(pool)
		return
	}
	p.resting += n
	for range n {
		s.events.push(event{at: s.now + hold, kind: eventRested, live: int32(pool)})
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
