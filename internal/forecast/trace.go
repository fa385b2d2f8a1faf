package forecast

// trace remembers every attempt of a replication with what it waited for, so that one can walk back from an end to what decided it.
type trace struct {
	steps []traceStep     // from 1; 0 is none
	last  map[int32]int32 // the last step of the newest run of a net that ended now
	when  map[int32]int64
	ends  map[int32]int32 // occurrence → the step with which its run ended
	now   int32           // the step that ended last
}

type traceStep struct {
	net, job     int32
	occ          int32
	ready, start int64 // when it could go, and when it had a slot and its ports
	end          int64
	slot         int32 // the step that freed the slot or the port that it waited for; 0: none
	from         int32 // the step that made it ready; 0: it was due
	why          waited
}

func newTrace() *trace {
	return &trace{steps: make([]traceStep, 1), last: map[int32]int32{}, when: map[int32]int64{}, ends: map[int32]int32{}}
}

// ordered notes an attempt when it has its slot.
func (t *trace) ordered(s *Simulator, at int32, job int, blocked waited) int32 {
	l := &s.live[at]
	j := &l.jobs[job]
	step := traceStep{net: l.net, job: int32(job), occ: l.occ, ready: j.ready, start: s.now, end: -1, from: j.cause}
	if s.now > j.ready {
		step.why = blocked
		step.slot = s.agents[j.agent].freed
		if blocked == waitedPort && s.p.callback >= 0 {
			step.slot = s.pools[s.p.callback].freed
		}
	}
	t.steps = append(t.steps, step)
	return int32(len(t.steps) - 1)
}

// leased notes that an attempt has the ports that it waited for.
func (t *trace) leased(s *Simulator, j *liveJob) {
	step := &t.steps[j.step]
	step.why, step.start = waitedPort, s.now
	for i := range s.pools {
		if s.p.pools[i].Agent == s.p.agents[j.agent].Name && s.pools[i].freed != 0 {
			step.slot = s.pools[i].freed
		}
	}
}

// done notes the end of an attempt.
func (t *trace) done(step int32, now int64) {
	t.steps[step].end = now
	t.now = step
	if occ := t.steps[step].occ; occ >= 0 && step > 0 {
		t.ends[occ] = step
	}
}

// ended notes that a run of a net has ended, with the step that ended last.
func (t *trace) ended(net int32, now int64) {
	t.last[net], t.when[net] = t.now, now
}

// freed is the step that ended the run for which an occurrence of the net waited.
func (t *trace) freed(net int32, now int64) int32 {
	if t.when[net] == now {
		return t.last[net]
	}
	return 0
}

// path walks back from the end of an occurrence's run to what was due.
func (t *trace) path(occ int32) []traceStep {
	const most = 40 // what is further away decides little
	var out []traceStep
	at := t.ends[occ]
	for at > 0 && len(out) < most {
		step := t.steps[at]
		out = append(out, step)
		switch {
		case step.slot > 0 && step.slot != at:
			at = step.slot
		default:
			at = step.from
		}
	}
	return out
}
