package forecast

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// Plan is a world in which it is known what is due. It is never changed. Instants are nanoseconds since from.
type Plan struct {
	o        Options
	from     time.Time
	until    int64 // what is due after it is not of this forecast
	released int64 // what is due after it is not simulated
	horizon  int64 // when a replication stops at the latest

	nets     []planNet
	homes    []int32   // of a net: where its open runs are counted; an open run of another version has a planNet of its own
	shapes   [][]Job   // the jobs of one net of each shape
	occs     []planned // by due, net and schedule
	agents   []run.Candidate
	classes  []class
	fits     [][]int32 // the classes that an agent fits
	pools    []Pool
	callback int // position in pools; -1: starts need no port
	runs     []Open
	turns    map[string]string
	decided  []Decision

	byHand     calendar.Schedule
	begun      int64 // how long the first day had lasted when the forecast began
	days       []Day
	suppressed int64
	notes      []string
}

// planNet is a net as the simulation looks at it.
type planNet struct {
	name  string
	all   []Job // as the world has them
	shape int
	jobs  []planJob
	show  bool
	rules []Rule
	basis Basis

	schedules []calendar.Schedule // of rules
	served    bool                // an agent for one of its first jobs is linked
}

// planJob is a job as the simulation looks at it.
type planJob struct {
	class   int32
	spread  spread
	mean    time.Duration
	timeout time.Duration
	delay   time.Duration
	codes   bool // only some exit codes are tried again
	ports   []planWish
}

// planned is an occurrence that will fall due, or has and waits.
type planned struct {
	at, due int64 // when it is looked at, and when it is due by its rule
	mustEnd int64 // 0: no such limit
	nominal int64 // nanoseconds since 1970
	name    luck
	net     int32
	rule    int32             // position in planNet.rules; -1: added by hand
	waits   occurrence.Reason // for what it has waited before the simulation looks at it; empty: it is looked at when it is due
}

// class is a selector of agents, which many jobs share.
type class struct {
	want   jobnet.Agent
	text   string
	lo, hi int32 // all agents that fit lie between
}

// New makes a plan: it applies the what-ifs, and finds all that is due. Errors are faults of kind Invalid that say what is possible.
func New(w World, o Options) (*Plan, error) {
	if o.Days < 1 || o.Days > MaxDays {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("a forecast of %d days is not possible", o.Days), fmt.Sprintf("give from 1 to %d days", MaxDays))
	}
	if o.Replications < 1 || o.Replications > 1000 {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("%d replications are not possible", o.Replications), "give from 1 to 1000; 100 is plenty")
	}
	o.Limit = cmp.Or(o.Limit, defaultLimit)
	o.Budget = cmp.Or(o.Budget, DefaultBudget)
	if o.Show == nil {
		o.Show = func(string) bool { return true }
	}
	if o.Known == nil {
		o.Known = func(string) bool { return true }
	}
	p := &Plan{o: o, from: w.Now.UTC().Truncate(time.Second), callback: -1, runs: w.Runs, turns: w.Turns, decided: w.Decided, byHand: calendar.DefaultSchedule()}
	p.byHand.Name = occurrence.Manual
	p.until = int64(o.Days) * int64(24*time.Hour)
	changes, err := readWhatIfs(&w, o.WhatIf, o.Known)
	if err != nil {
		return nil, err
	}
	changes.world(&w)
	p.addAgents(w.Agents)
	p.addPools(w.Pools)
	p.addNets(&w, changes)
	p.addOccurrences(&w, changes)
	p.noteWorld(&w)
	return p, nil
}

// Replications is how many replications make the forecast: fewer than were asked for where much is due.
func (p *Plan) Replications() int { return p.o.Replications }

func (p *Plan) time(at int64) time.Time { return p.from.Add(time.Duration(at)) }

func (p *Plan) offset(t time.Time) int64 { return int64(t.Sub(p.from)) }

func (p *Plan) addAgents(agents []run.Candidate) {
	p.agents = slices.Clone(agents)
	slices.SortFunc(p.agents, func(a, b run.Candidate) int { return cmp.Compare(a.Name, b.Name) })
	for i := range p.agents {
		p.agents[i].Running, p.agents[i].Callback = 0, ""
	}
	p.fits = make([][]int32, len(p.agents))
}

func (p *Plan) addPools(pools []Pool) {
	p.pools = slices.Clone(pools)
	for i := range p.pools {
		if p.pools[i].Agent == "" {
			p.callback = i
		}
	}
}

// pool finds the pool from which an agent's jobs lease; -1: it has none of this name.
func (p *Plan) pool(id, agent string) int {
	return slices.IndexFunc(p.pools, func(o Pool) bool { return o.ID == id && o.Agent == agent })
}

// addNets prepares the nets, and those of runs that are open: they go on with the version that they began with.
func (p *Plan) addNets(w *World, changes *whatIfs) {
	shapes, classes, sticks := map[string]int{}, map[string]int32{}, map[string]int32{}
	guess := guessOf(w.Nets)
	add := func(name string, jobs []Job, h map[string]History) {
		sig := signature(jobs)
		at, ok := shapes[sig]
		if !ok {
			at = len(p.shapes)
			shapes[sig] = at
			p.shapes = append(p.shapes, jobs)
		}
		n := planNet{name: name, all: jobs, shape: at, show: p.o.Show(name), basis: FromHistory, jobs: make([]planJob, len(jobs))}
		for i := range jobs {
			j := &jobs[i]
			n.jobs[i] = planJob{
				class: p.class(j.Agent, classes), spread: spreadOf(j, h, guess), timeout: j.Timeout, delay: j.Retry.Delay, codes: len(j.Retry.Codes) > 0,
				ports: wishesOf(name, j, sticks),
			}
			changes.duration(name, j.Name, &n.jobs[i].spread)
			n.jobs[i].mean = n.jobs[i].spread.mean()
			n.basis = worse(n.basis, n.jobs[i].spread.basis)
			n.served = n.served || len(j.After) == 0 && p.linked(n.jobs[i].class)
		}
		p.nets = append(p.nets, n)
	}
	histories := make(map[string]map[string]History, len(w.Nets))
	homes := make(map[string]int32, len(w.Nets))
	for i := range w.Nets {
		homes[w.Nets[i].Name] = int32(i)
		p.homes = append(p.homes, int32(i))
		histories[w.Nets[i].Name] = w.Nets[i].History
		add(w.Nets[i].Name, w.Nets[i].Jobs, w.Nets[i].History)
		p.nets[i].rules = w.Nets[i].Rules
		for _, r := range w.Nets[i].Rules {
			p.nets[i].schedules = append(p.nets[i].schedules, r.Schedule())
		}
	}
	for i := range w.Runs {
		name := w.Runs[i].State.Net
		if _, ok := homes[name]; !ok {
			homes[name] = int32(len(p.nets))
		}
		p.homes = append(p.homes, homes[name])
		add(name, w.Runs[i].Jobs, histories[name])
	}
	p.noteDurations(len(w.Nets), guess)
}

// class finds the class of a selector, or makes it.
func (p *Plan) class(want jobnet.Agent, known map[string]int32) int32 {
	key := fmt.Sprintf("%s skip %s", run.Selector(want), want.Skip)
	if at, ok := known[key]; ok {
		return at
	}
	at := int32(len(p.classes))
	known[key] = at
	c := class{want: want, text: run.Selector(want), lo: math.MaxInt32}
	for i := range p.agents {
		one := []run.Candidate{{Name: p.agents[i].Name, Labels: p.agents[i].Labels, Desk: p.agents[i].Desk, Linked: true, Slots: 1}}
		if fit, _, _ := run.Place(want, one, run.Moment{}); fit == 0 {
			p.fits[i] = append(p.fits[i], at)
			c.lo, c.hi = min(c.lo, int32(i)), int32(i+1)
		}
	}
	c.lo = min(c.lo, c.hi)
	p.classes = append(p.classes, c)
	return at
}

// linked reports whether an agent of a class is linked.
func (p *Plan) linked(class int32) bool {
	c := &p.classes[class]
	for i := c.lo; i < c.hi; i++ {
		if p.agents[i].Linked && slices.Contains(p.fits[i], class) {
			return true
		}
	}
	return false
}

// spreadOf takes the best that is known of how long a job takes.
func spreadOf(j *Job, known map[string]History, guess time.Duration) spread {
	h := known[j.Name]
	var s spread
	switch {
	case len(h.Took) > 0:
		s = history(h)
	case j.Estimate > 0:
		s = said(j.Estimate, FromEstimate)
	default:
		s = said(guess, FromGuess)
	}
	s.failed, s.final, s.unknown = h.Failed, h.Final, h.Unknown
	return s
}

// guessOf is the median of what all other jobs take; a minute where nothing is known of any.
func guessOf(nets []Net) time.Duration {
	var all []time.Duration
	for i := range nets {
		for k := range nets[i].Jobs {
			j := &nets[i].Jobs[k]
			if h := nets[i].History[j.Name]; len(h.Took) > 0 {
				all = append(all, time.Duration(float64(h.Took[len(h.Took)/2])*float64(time.Second)))
			} else if j.Estimate > 0 {
				all = append(all, j.Estimate)
			}
		}
	}
	if len(all) == 0 {
		return time.Minute
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func worse(a, b Basis) Basis {
	order := []Basis{FromHistory, FromEstimate, FromGuess}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// bound fits the simulation to the budget, by the jobs that are due in each hour: fewer replications first, then a nearer horizon.
func (p *Plan) bound(hours []int) {
	all := 0
	for _, n := range hours {
		all += n
	}
	if all*p.o.Replications > p.o.Budget {
		asked := p.o.Replications
		p.o.Replications = min(max(p.o.Budget/all, min(fewest, asked)), asked)
		if p.o.Replications < asked {
			p.notes = append(p.notes, fmt.Sprintf("so much is due that it is played %d times, not %d", p.o.Replications, asked))
		}
	}
	p.released = p.until
	most := p.o.Budget / p.o.Replications
	for h, n := range hours {
		if most -= n; most < 0 {
			p.released = max(int64(h)*int64(time.Hour)-1, 0)
			p.notes = append(p.notes, fmt.Sprintf("what is due after %s is counted and not played: it is too much", clock(p.time(p.released))))
			break
		}
	}
	p.horizon = p.released + max(int64(24*time.Hour), p.released/4)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
