package forecast

import "time"

// Attempt names a try of a job of an occurrence.
type Attempt struct {
	Net, Schedule string
	Nominal       time.Time
	Job           string
	N             int
}

// Event is something that happened to an attempt: it was ordered, or it ended.
type Event struct {
	At time.Time
	Attempt
	Agent string
	Ended bool
}

// Replay plays a plan once with durations and failures that were recorded, and returns what happens in its order. Of an attempt that was
// not recorded it takes what it would expect.
func (p *Plan) Replay(recorded func(a Attempt) (took time.Duration, failed, known bool)) []Event {
	s := p.Simulator()
	s.recorded = recorded
	var out []Event
	s.tell = func(e Event) { out = append(out, e) }
	s.Replicate(0)
	return out
}

// attempt names the attempt of a job that is open.
func (s *Simulator) attempt(at int32, job int) Attempt {
	l := &s.live[at]
	n := &s.p.nets[l.net]
	a := Attempt{Net: n.name, Job: n.all[job].Name, N: int(l.jobs[job].tried)}
	if l.occ >= 0 {
		o := &s.p.occs[l.occ]
		a.Schedule, a.Nominal = s.p.scheduleOf(o).Name, time.Unix(0, o.nominal).UTC()
	}
	return a
}

// told tells of an attempt, where somebody listens.
func (s *Simulator) told(at int32, job int, ended bool) {
	if s.tell != nil {
		s.tell(Event{At: s.p.time(s.now), Attempt: s.attempt(at, job), Agent: s.place[s.live[at].jobs[job].agent].Name, Ended: ended})
	}
}
