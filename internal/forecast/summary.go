package forecast

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Simulate makes a forecast in one go. Who wants several processors, or to stop in between, makes the Plan and asks for
// replications one by one.
func Simulate(w World, o Options) (Forecast, error) {
	p, err := New(w, o)
	if err != nil {
		return Forecast{}, err
	}
	s := p.Simulator()
	for n := range p.Replications() {
		s.Replicate(n)
	}
	return p.Forecast(s), nil
}

// Forecast sums up what the simulators' replications came to. Each of Replications must have been played once, by whomever. The simulators
// are of no use afterwards.
func (p *Plan) Forecast(sims ...*Simulator) Forecast {
	r := p.merge(sims)
	f := Forecast{
		From: p.from, Until: p.time(p.until), Simulated: p.time(p.released), Replications: r.done,
		Suppressed: p.suppressed, Notes: slices.Clone(p.notes), Days: slices.Clone(p.days),
	}
	for i := range f.Days {
		f.Occurrences += f.Days[i].Occurrences
		f.Days[i].Runs, f.Days[i].Late = r.days[i].mosts/float64(r.done), r.days[i].late/float64(r.done)
	}
	if n := float64(r.skipped) / float64(r.done); n > 0 {
		f.Occurrences -= int64(n)
		f.Suppressed += int64(n)
		f.Notes = append(f.Notes, fmt.Sprintf("in the mean %s occurrences are suppressed because a run of their net is open", number(n)))
	}
	if n := float64(r.lost) / float64(r.done); n > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("in the mean %s occurrences are missed because their start window closes", number(n)))
	}
	chosen := p.chosen(r)
	for _, occ := range chosen {
		f.Items = append(f.Items, p.item(r, occ))
	}
	f.Agents, f.Pools = p.agentLoads(r), p.poolLoads(r)
	p.noteResult(r, &f)
	if worst, ok := p.worst(r); ok {
		f.Critical = p.critical(r, worst)
	}
	return f
}

func number(n float64) string {
	if n >= 10 || n == float64(int64(n)) {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.1f", n)
}

// merge adds the records of several simulators up, in that of the first: they are as large as what was simulated.
func (p *Plan) merge(sims []*Simulator) *record {
	if len(sims) == 0 {
		r := &record{done: 1}
		r.init(p)
		return r
	}
	r := &sims[0].record
	for _, s := range sims[1:] {
		o := &s.record
		r.rows = append(r.rows, o.rows...)
		r.done += o.done
		r.skipped += o.skipped
		r.lost += o.lost
		for i := range r.late {
			r.late[i] += o.late[i]
			r.unended[i] += o.unended[i]
			for k := range r.waits[i] {
				r.waits[i][k] += o.waits[i][k]
			}
			r.longest[i].keep(o.longest[i])
		}
		for i := range r.agents {
			r.agents[i].add(&o.agents[i])
		}
		for i := range r.pools {
			r.pools[i].add(&o.pools[i])
			r.starts[i] += o.starts[i]
		}
		for i := range r.days {
			r.days[i].mosts += o.days[i].mosts
			r.days[i].late += o.days[i].late
		}
	}
	slices.SortFunc(r.rows, func(a, b row) int { return a.n - b.n })
	r.done = max(r.done, 1)
	return r
}

func (l *load) add(o *load) {
	for h := range l.hours {
		l.hours[h] += o.hours[h]
	}
	l.busy += o.busy
	l.peaks += o.peaks
	if o.highest > l.highest || o.highest == l.highest && o.at < l.at {
		l.highest, l.at = o.highest, o.at
	}
}

// chosen is which occurrences are reported: those most likely late first, then by due.
func (p *Plan) chosen(r *record) []int32 {
	var all []int32
	for i := range p.occs {
		if p.nets[p.occs[i].net].show {
			all = append(all, int32(i))
		}
	}
	slices.SortFunc(all, func(a, b int32) int { return cmp.Or(cmp.Compare(r.late[b], r.late[a]), cmp.Compare(a, b)) })
	return all[:min(len(all), p.o.Limit)]
}

// worst is the occurrence whose critical path is told: that most likely late, then that which waits longest, then that which takes longest.
func (p *Plan) worst(r *record) (int32, bool) {
	best, found := int32(0), false
	score := func(i int32) (late int32, waits float64) {
		for _, w := range r.waits[i] {
			waits += w
		}
		return r.late[i], waits
	}
	for i := range p.occs {
		if !p.nets[p.occs[i].net].show || r.unended[i] == int32(r.done) {
			continue
		}
		late, waits := score(int32(i))
		bestLate, bestWaits := score(best)
		if !found || late > bestLate || late == bestLate && waits > bestWaits {
			best, found = int32(i), true
		}
	}
	return best, found
}

// item sums up an occurrence over the replications.
func (p *Plan) item(r *record, occ int32) Item {
	o := &p.occs[occ]
	n := &p.nets[o.net]
	it := Item{Net: n.name, Schedule: p.schedule(o), Due: p.time(o.due), Basis: n.basis, Late: float64(r.late[occ]) / float64(r.done)}
	it.Open = float64(r.unended[occ]) / float64(r.done)
	if o.mustEnd > 0 {
		it.MustEnd = p.time(o.mustEnd)
	}
	var starts, ends []int64
	for i := range r.rows {
		start, end := r.rows[i].start[occ], r.rows[i].end[occ]
		if end == never {
			continue
		}
		starts, ends = append(starts, p.instant(r, start)), append(ends, p.instant(r, end))
	}
	if len(ends) == 0 {
		it.Start, it.End, it.Low, it.High = it.Due, it.Due, it.Due, it.Due
		it.Waits = "nothing: it is not released (overlap, or its start window closes)"
		return it
	}
	slices.Sort(starts)
	slices.Sort(ends)
	it.Start, it.End = p.time(quantile(starts, 0.5)), p.time(quantile(ends, 0.5))
	it.Low, it.High = p.time(quantile(ends, 0.025)), p.time(quantile(ends, 0.975))
	it.Waits = p.waits(r, occ)
	return it
}

func (p *Plan) instant(r *record, at uint32) int64 {
	if at >= unended {
		return p.horizon
	}
	return int64(at) * r.unit
}

func (p *Plan) schedule(o *planned) string {
	if o.rule < 0 {
		return "manual"
	}
	return p.nets[o.net].schedules[o.rule].Name
}

// quantile is below which a part u of all further values is expected, of n sorted ones: the k-th is that for k/(n+1).
func quantile(sorted []int64, u float64) int64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	at := u * float64(n+1)
	switch {
	case at <= 1:
		return sorted[0]
	case at >= float64(n):
		return sorted[n-1]
	}
	k := int(at)
	return sorted[k-1] + int64((at-float64(k))*float64(sorted[k]-sorted[k-1]))
}

// waits says for what an occurrence mostly waits; waits of less than a second in the mean are not worth a word.
func (p *Plan) waits(r *record, occ int32) string {
	most := waitedNothing
	for k := range r.waits[occ] {
		if r.waits[occ][k] > r.waits[occ][most] {
			most = waited(k)
		}
	}
	if r.waits[occ][most] < float64(time.Second)*float64(r.done) {
		if 2*int(r.unended[occ]) > r.done {
			return "its end: an agent that fits is missing, or it is held"
		}
		return ""
	}
	switch most {
	case waitedSlot:
		return "a slot (" + p.classes[r.longest[occ].class].text + ")"
	case waitedPort:
		return "a port"
	case waitedRun:
		return "the run before it"
	case waitedRetry:
		return "a retry"
	case waitedHold:
		return "a person's hold"
	case waitedDecision:
		return "a decision about an unknown end"
	case waitedNothing, waitedKinds:
	}
	return ""
}

func (p *Plan) hours(r *record, l *load) []float64 {
	out := make([]float64, len(l.hours))
	for h := range l.hours {
		out[h] = l.hours[h] / float64(r.done) / float64(time.Hour)
	}
	return out
}

func (p *Plan) agentLoads(r *record) []AgentLoad {
	out := make([]AgentLoad, len(p.agents))
	for i := range p.agents {
		l, a := &r.agents[i], &p.agents[i]
		out[i] = AgentLoad{Name: a.Name, Slots: a.Slots, Peak: l.peaks / float64(r.done), At: p.time(l.at), Hours: p.hours(r, l)}
		if all := float64(a.Slots) * float64(p.released) * float64(r.done); all > 0 {
			out[i].Busy = l.busy / all
		}
	}
	return out
}

func (p *Plan) poolLoads(r *record) []PoolLoad {
	out := make([]PoolLoad, len(p.pools))
	for i := range p.pools {
		l, o := &r.pools[i], &p.pools[i]
		out[i] = PoolLoad{
			ID: o.ID, Agent: o.Agent, Size: o.Size, Peak: l.peaks / float64(r.done), At: p.time(l.at),
			Waits: float64(r.starts[i]) / float64(r.done), Hours: p.hours(r, l),
		}
	}
	return out
}

// noteResult says what a reader might not see in the tables.
func (p *Plan) noteResult(r *record, f *Forecast) {
	for _, l := range f.Pools {
		if l.Waits > 0 {
			name := "pool " + l.ID
			if l.Agent != "" {
				name += " of agent " + l.Agent
			}
			f.Notes = append(f.Notes, fmt.Sprintf("%s has %d ports, and %s are wanted at once (in use, at rest after their use, or waited for): %s starts wait; see `reeve ports size`",
				name, l.Size, number(l.Peak), number(l.Waits)))
		}
	}
	open := 0
	for i := range r.unended {
		if r.unended[i] > 0 {
			open++
		}
	}
	if open > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("%d occurrences had not ended in every replication when it was stopped (%s); their ends are later than shown", open, clock(p.time(p.horizon))))
	}
}
