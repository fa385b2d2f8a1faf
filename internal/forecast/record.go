package forecast

import (
	"math"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// waited is what a run waits for.
type waited uint8

const (
	waitedNothing waited = iota
	waitedSlot
	waitedPort
	waitedRun // the run before it
	waitedRetry
	waitedHold
	waitedDecision // a person's, on an unknown end
	waitedKinds
)

// record keeps what a Simulator's replications came to: sums over them, and of each occurrence when it began and ended in each.
type record struct {
	p    *Plan
	unit int64 // of the instants in rows
	rows []row
	done int // replications

	late    []int32                // of each occurrence: in how many replications
	unended []int32                // in how many it had not ended when the replication did
	waits   [][waitedKinds]float64 // nanoseconds
	longest []slotWait             // the longest wait for a slot
	skipped int64                  // because a run was open
	lost    int64                  // their start window closed

	agents []load
	pools  []load
	starts []int64 // by pool: that waited
	days   []dayRecord
	open   int32
}

// row is one replication: instants in units, never and unended.
type row struct {
	n          int
	start, end []uint32
}

const (
	never   = math.MaxUint32     // it was not released
	unended = math.MaxUint32 - 1 // it had not ended when the replication did
)

// load is how much something is used: by hour, and at most.
type load struct {
	hours   []float64 // nanoseconds of use
	busy    float64   // nanoseconds of use while occurrences fall due
	peak    int       // of this replication
	peakAt  int64
	peaks   float64 // sum over replications
	highest int
	at      int64 // of the highest
}

type dayRecord struct {
	most  int32 // runs at one time in this replication
	mosts float64
	late  float64
}

const hoursKept = 31 * 24

func (r *record) init(p *Plan) {
	r.p = p
	r.unit = max(int64(time.Millisecond), p.horizon/(math.MaxUint32-16)+1)
	n := len(p.occs)
	r.late, r.unended, r.waits, r.longest = make([]int32, n), make([]int32, n), make([][waitedKinds]float64, n), make([]slotWait, n)
	hours := min(int((p.released+int64(time.Hour)-1)/int64(time.Hour)), hoursKept)
	loads := func(n int) []load {
		all := make([]load, n)
		for i := range all {
			all[i].hours = make([]float64, hours)
		}
		return all
	}
	r.agents, r.pools = loads(len(p.agents)), loads(len(p.pools))
	r.starts = make([]int64, len(p.pools))
	r.days = make([]dayRecord, len(p.days))
}

// begin begins replication n.
func (r *record) begin(n int) {
	one := row{n: n, start: make([]uint32, len(r.p.occs)), end: make([]uint32, len(r.p.occs))}
	for i := range one.end {
		one.start[i], one.end[i] = never, never
	}
	r.rows = append(r.rows, one)
	r.open = 0
	for i := range r.agents {
		r.agents[i].peak, r.agents[i].peakAt = 0, 0
	}
	for i := range r.pools {
		r.pools[i].peak, r.pools[i].peakAt = 0, 0
	}
	for i := range r.days {
		r.days[i].most = 0
	}
}

func (r *record) row() *row { return &r.rows[len(r.rows)-1] }

func (r *record) opened(now int64) {
	r.open++
	if d := r.p.day(now); d >= 0 {
		r.days[d].most = max(r.days[d].most, r.open)
	}
}

// pending notes that an occurrence has fallen due.
func (r *record) pending(occ int32) { r.row().end[occ] = unended }

func (r *record) missed(occ int32) {
	r.row().end[occ] = never
	r.lost++
}

func (r *record) suppressed(occ int32) {
	r.row().end[occ] = never
	r.skipped++
}

func (r *record) released(occ int32, after int64) {
	r.row().end[occ] = unended
	what := waitedRun
	if r.p.occs[occ].waits == occurrence.HeldBack {
		what = waitedHold
	}
	r.waited(occ, what, after)
}

func (r *record) started(occ int32, now int64) {
	if occ >= 0 {
		r.row().start[occ] = uint32(now / r.unit)
	}
}

// waited adds how long a run waited for something.
func (r *record) waited(occ int32, what waited, long int64) {
	if occ >= 0 && long > 0 {
		r.waits[occ][what] += float64(long)
	}
}

// slotWait is a wait for a slot of a class of agents.
type slotWait struct {
	long  int64
	class int32
}

// waitedFor notes for a slot of which class a run waited.
func (r *record) waitedFor(occ, class int32, long int64) {
	if occ >= 0 {
		r.longest[occ].keep(slotWait{long, class})
	}
}

// keep keeps the longer one, of two that are as long that of the first class: whoever looks first.
func (w *slotWait) keep(o slotWait) {
	if o.long > w.long || o.long == w.long && o.class < w.class {
		*w = o
	}
}

// closed notes the end of a run.
func (r *record) closed(occ int32, now int64) {
	r.open--
	if occ < 0 {
		return
	}
	r.row().end[occ] = uint32(now / r.unit)
	if o := &r.p.occs[occ]; o.mustEnd > 0 && now > o.mustEnd {
		r.isLate(occ)
	}
}

func (r *record) isLate(occ int32) {
	r.late[occ]++
	if d := r.p.day(r.p.occs[occ].at); d >= 0 {
		r.days[d].late++
	}
}

// reached notes that so many are in use now.
func (l *load) reached(n int, now int64) {
	if n > l.peak {
		l.peak, l.peakAt = n, now
	}
}

// used adds a use from an instant to another, hour by hour.
func (l *load) used(from, to, limit int64, n float64) {
	if from = max(from, 0); from < limit {
		l.busy += n * float64(min(to, limit)-from)
	}
	const hour = int64(time.Hour)
	for h := from / hour; h < int64(len(l.hours)) && h*hour < to; h++ {
		l.hours[h] += n * float64(min(to, (h+1)*hour)-max(from, h*hour))
	}
}

func (r *record) pool(pool, n int, now int64) { r.pools[pool].reached(n, now) }

func (r *record) poolWait(pool, n int, now int64) {
	r.starts[pool]++
	r.pools[pool].reached(n, now)
}

// held notes that ports were used, and kept from the next lease after it.
func (r *record) held(pool int, from, to int64, n int) {
	r.pools[pool].used(from, to, r.p.released, float64(n))
}

// finish closes a replication.
func (s *Simulator) finish() {
	r := &s.record
	for at := range s.live { // what is still in flight was used until now
		l := &s.live[at]
		for k := range l.jobs {
			j := &l.jobs[k]
			if j.flies {
				s.agents[j.agent].until(s, int(j.agent), j.ordered)
			}
			if j.onPorts {
				r.waited(l.occ, waitedPort, s.p.horizon-j.ordered)
			}
			if j.lost {
				r.waited(l.occ, waitedDecision, s.p.horizon-j.ready)
			}
		}
	}
	s.finishPools()
	end := r.row().end
	for occ := range end {
		if end[occ] != unended {
			continue
		}
		r.unended[occ]++
		if o := &s.p.occs[occ]; o.mustEnd > 0 && o.mustEnd < s.p.horizon {
			r.isLate(int32(occ))
		}
	}
	for i := range r.agents {
		r.agents[i].finish()
	}
	for i := range r.pools {
		r.pools[i].finish()
	}
	for i := range r.days {
		r.days[i].mosts += float64(r.days[i].most)
	}
	r.done++
}

func (l *load) finish() {
	l.peaks += float64(l.peak)
	if l.peak > l.highest {
		l.highest, l.at = l.peak, l.peakAt
	}
}

// agentState is an agent during a replication, beside what run.Place looks at.
type agentState struct {
	freed int32 // trace: the step that gave a slot back last
}

func (a *agentState) reset() { *a = agentState{} }

func (a *agentState) took(s *Simulator, agent int) {
	s.record.agents[agent].reached(s.place[agent].Running, s.now)
}

func (a *agentState) gave(s *Simulator, agent int, since int64, step int32) {
	a.freed = step
	s.record.agents[agent].used(since, s.now, s.p.released, 1)
}

func (a *agentState) until(s *Simulator, agent int, since int64) {
	s.record.agents[agent].used(since, s.p.horizon, s.p.released, 1)
}
