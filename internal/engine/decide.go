package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// decision is what one turn decided, before it is committed.
type decision struct {
	requests   []*request
	drafts     map[string]*draft
	order      []string // ids of the drafts, in the order of the first input
	audit      []store.AuditRecord
	files      []store.Artifact
	dispatches int
	callbacks  int               // how many more starts have a callback port; -1: none needs one
	exhausted  string            // why there is none, where there is none
	turns      turns             // of the lists from which this decision has given jobs
	keys       map[string]string // the runs that this turn makes, by idempotency key
	agenda     *agenda
	made       map[string][]string // the runs that this turn makes, by net
	acted      bool                // a person has done something about occurrences
}

// draft is a run after the inputs of this turn.
type draft struct {
	def     *run.Definition
	before  run.State
	state   run.State
	changed map[int]bool
	effects []run.Effect
	key     string
	dirty   bool
	settled bool // what follows from its end is decided
}

// decide folds the requests into their runs, lets time pass, and places what is ready.
func (e *Engine) decide(ctx context.Context, requests []*request) *decision {
	now := e.cfg.Now()
	d := &decision{drafts: map[string]*draft{}, keys: map[string]string{}, agenda: newAgenda(now), made: map[string][]string{}}
	var later []*request
	for _, r := range requests {
		if r.act != nil && d.acted { // it asks the store, which does not know yet what this turn does
			later = append(later, r)
			continue
		}
		r.errs, r.err = nil, nil
		d.requests = append(d.requests, r)
		e.apply(ctx, d, r)
	}
	e.putBack(later)
	for _, id := range e.board.due(now) {
		if dr, err := e.draft(ctx, d, id); err == nil {
			dr.fold([]run.Input{run.Tick{}}, e)
		}
	}
	e.passTime(ctx, d)
	e.runsEnded(ctx, d)
	e.place(ctx, d)
	e.runsEnded(ctx, d) // a job that cannot be dispatched for good
	return d
}

// apply folds one request into its run.
func (e *Engine) apply(ctx context.Context, d *decision, r *request) {
	if r.act != nil {
		if r.err = r.act(ctx, d, r); r.err == nil {
			d.acted = true
			d.audit = append(d.audit, r.audit...)
		}
		return
	}
	var dr *draft
	if r.create != nil {
		if why := e.disk.Load(); why != nil {
			r.err = fault.New(fault.Disk, *why, "make room; the server goes on by itself")
			return
		}
		r.run = r.create.state.ID
		if key := r.create.key; key != "" {
			if twin, ok := d.keys[key]; ok { // ordered twice at once: both get the one run
				r.run = twin
				return
			}
			d.keys[key] = r.run
		}
		dr = &draft{def: r.create.def, state: r.create.state, changed: map[int]bool{}, key: r.create.key, dirty: true}
		d.add(r.run, dr)
		d.made[dr.state.Net] = append(d.made[dr.state.Net], r.run)
	} else {
		var err error
		if dr, err = e.draft(ctx, d, r.run); err != nil {
			r.err = err
			return
		}
	}
	inputs := r.inputs
	if r.agent != "" {
		inputs = own(dr, r)
	}
	errs := dr.fold(inputs, e)
	if r.agent == "" {
		r.errs = errs
	}
	for i, in := range inputs {
		if end, ok := in.(run.Ended); ok && errs[i] == nil {
			for _, a := range end.Artifacts {
				d.files = append(d.files, store.Artifact{Run: r.run, Job: end.Job, N: end.N, Name: a.Name, Size: a.Size, SHA256: a.SHA256})
			}
		}
	}
	applied := slices.Contains(errs, nil)
	if applied {
		d.audit = append(d.audit, r.audit...)
	}
}

// own keeps only the reports on attempts that were ordered from the agent that reports; it answers for the others.
func own(dr *draft, r *request) []run.Input {
	r.errs = make([]error, len(r.inputs))
	var kept []run.Input
	for i, in := range r.inputs {
		job, n := about(in)
		at, ok := dr.def.Job(job)
		switch {
		case !ok || n < 1 || n > len(dr.state.Jobs[at].Attempts):
			r.errs[i] = fault.Newf(fault.NotFound, "run %s has no attempt %s/%d", r.run, job, n)
		case dr.state.Jobs[at].Attempts[n-1].AgentID != r.agent:
			r.errs[i] = fault.Newf(fault.Forbidden, "attempt %s/%s/%d is not this agent's", r.run, job, n)
		default:
			kept = append(kept, in)
		}
	}
	return kept
}

func about(in run.Input) (string, int) {
	switch in := in.(type) {
	case run.Started:
		return in.Job, in.N
	case run.Ended:
		return in.Job, in.N
	case run.NeverStarted:
		return in.Job, in.N
	case run.Unknown:
		return in.Job, in.N
	case run.Deferred:
		return in.Job, in.N
	}
	return "", 0
}

// draft returns the run as this turn has it, reading it from the board or the store.
func (e *Engine) draft(ctx context.Context, d *decision, id string) (*draft, error) {
	if dr, ok := d.drafts[id]; ok {
		return dr, nil
	}
	s, def, ok := e.board.get(id)
	if !ok {
		var err error
		if s, err = e.cfg.Store.Run(ctx, id); errors.Is(err, store.ErrNotFound) {
			return nil, fault.New(fault.NotFound, "there is no run "+id, "see `reeve run list`")
		} else if err != nil {
			return nil, fault.Wrap(fault.Internal, "reading run "+id, err)
		}
		if def, err = e.defs.of(ctx, s.Net, s.Version); err != nil {
			return nil, err
		}
	}
	dr := &draft{def: def, before: s, state: s, changed: map[int]bool{}}
	d.add(id, dr)
	return dr, nil
}

func (d *decision) add(id string, dr *draft) {
	d.drafts[id] = dr
	d.order = append(d.order, id)
}

// fold applies inputs to the draft and returns an error for each.
func (dr *draft) fold(ins []run.Input, e *Engine) []error {
	out := run.Fold(dr.def, dr.state, ins, e.cfg.Now())
	for _, err := range out.Errors {
		dr.dirty = dr.dirty || err == nil
	}
	dr.state = out.State
	for _, i := range out.Changed {
		dr.changed[i] = true
	}
	dr.effects = append(dr.effects, out.Effects...)
	return out.Errors
}

// place gives ready jobs to agents, oldest first, as long as there are free slots.
func (e *Engine) place(ctx context.Context, d *decision) {
	for _, id := range d.order {
		dr := d.drafts[id]
		for i := range dr.changed {
			if dr.state.Jobs[i].Status == run.Ready {
				e.board.ready.add(readyJob{id, i})
			}
		}
	}
	e.board.ready.sortTail()
	if e.board.ready.empty() || e.held.Load() != nil || e.disk.Load() != nil {
		return
	}
	agents := e.candidates(d)
	d.callbacks, d.exhausted = e.cfg.Dispatcher.CallbackPorts()
	d.spare(agents)
	refused := map[string]bool{} // selectors that found no agent in this turn
	if noneFree(agents) {
		e.board.ready.tail = len(e.board.ready.jobs)
		return
	}
	e.board.ready.each(func(rj readyJob) (stay, more bool) {
		before := d.dispatches
		stay = e.placeOne(ctx, d, rj, agents, refused)
		return stay, d.dispatches == before || !noneFree(agents)
	})
}

// candidates returns the agents with what is open on each after this turn's closes.
func (e *Engine) candidates(d *decision) []run.Candidate {
	agents := e.cfg.Dispatcher.Candidates()
	delta := map[string]int{}
	for _, id := range d.order {
		for _, eff := range d.drafts[id].effects {
			if c, ok := eff.(run.CloseAttempt); ok && e.board.isOpen(c.AgentID, attemptKey{id, c.Job, c.N}) {
				delta[c.AgentID]--
			}
		}
	}
	for i := range agents {
		agents[i].Running = e.board.running(agents[i].ID) + delta[agents[i].ID]
	}
	return agents
}

// placeOne tries to dispatch one ready job; it reports whether the job must stay in the queue.
func (e *Engine) placeOne(ctx context.Context, d *decision, rj readyJob, agents []run.Candidate, refused map[string]bool) bool {
	dr, drafted := d.drafts[rj.run]
	var state *run.State
	var def *run.Definition
	if drafted {
		state, def = &dr.state, dr.def
	} else if s, known, ok := e.board.get(rj.run); ok {
		state, def = &s, known
	} else {
		return false
	}
	if rj.job >= len(state.Jobs) || state.Jobs[rj.job].Status != run.Ready {
		return false
	}
	want := def.Net.Jobs[rj.job].Agent
	key := ""
	if !want.Any() {
		key = run.Selector(want)
	}
	if refused[key] {
		return true
	}
	now, ok := e.moment(ctx, d, want)
	if !ok {
		return true
	}
	at, _, _ := run.Place(want, agents, now)
	if at < 0 {
		refused[key] = true
		return true
	}
	dr, err := e.draft(ctx, d, rj.run)
	if err != nil {
		return false
	}
	agents[at].Running++
	d.took(want, agents[at].Name, e.turns)
	if d.callbacks > 0 {
		d.callbacks--
		d.spare(agents)
	}
	dr.fold([]run.Input{run.Dispatch{Job: state.Jobs[rj.job].Name, Agent: agents[at].Name, AgentID: agents[at].ID}}, e)
	d.dispatches++
	return false
}

// spare marks the agents once no callback port is left: as with slots, a start is ordered only where it can have its own.
func (d *decision) spare(agents []run.Candidate) {
	if d.callbacks != 0 {
		return
	}
	for i := range agents {
		agents[i].Callback = callbackText(d.exhausted)
	}
}

// callbackText says that no callback port is free, also where this turn has just given the last one.
func callbackText(why string) string {
	if why == "" {
		return "every port of the callback pool has just been given"
	}
	return why
}

func noneFree(agents []run.Candidate) bool {
	for i := range agents {
		if agents[i].Linked && agents[i].Callback == "" && agents[i].Running < agents[i].Slots {
			return false
		}
	}
	return true
}

// Waits says why a ready job is not dispatched now.
func (e *Engine) Waits(want jobnet.Agent) (run.Reason, string) {
	if why := e.held.Load(); why != nil {
		return run.ReasonDomainHeld, *why
	}
	if why := e.disk.Load(); why != nil {
		return run.ReasonDisk, *why
	}
	agents := e.cfg.Dispatcher.Candidates()
	for i := range agents {
		agents[i].Running = e.board.running(agents[i].ID)
	}
	if free, why := e.cfg.Dispatcher.CallbackPorts(); free == 0 {
		for i := range agents {
			agents[i].Callback = callbackText(why)
		}
	}
	now := e.cfg.Now()
	at, reason, text := run.Place(want, agents, run.Moment{Now: now})
	switch {
	case at >= 0 && want.Turns() != "":
		text = "about to be dispatched to the " + run.Selector(want)
	case at >= 0:
		text = "about to be dispatched to " + agents[at].Name
	}
	if over := run.PassedOver(want, agents, now); over != "" {
		text += "; " + over
	}
	return reason, text
}

// PassedOver says which agents of a job's list come behind the others now, until when, and why; empty: none.
func (e *Engine) PassedOver(want jobnet.Agent) string {
	return run.PassedOver(want, e.cfg.Dispatcher.Candidates(), e.cfg.Now())
}

func (d *decision) empty() bool {
	for _, dr := range d.drafts {
		if dr.dirty {
			return false
		}
	}
	return d.agenda.empty()
}

// batch is the decision as the store takes it.
func (d *decision) batch(epoch, lastSpan int64) store.Batch {
	b := store.Batch{Epoch: epoch, Audit: d.audit, Files: d.files}
	for _, s := range d.turns {
		b.Settings = append(b.Settings, s)
	}
	for _, id := range d.order {
		dr := d.drafts[id]
		if !dr.dirty {
			continue
		}
		changed := make([]int, 0, len(dr.changed))
		for i := range dr.changed {
			changed = append(changed, i)
		}
		slices.Sort(changed)
		b.Runs = append(b.Runs, store.RunWrite{State: dr.state, Changed: changed, Effects: dr.effects, Key: dr.key})
	}
	d.agenda.into(&b, lastSpan)
	return b
}

// answer ends the requests: with err those that were to be committed, with what was decided those that were refused.
func (d *decision) answer(err error) {
	for _, r := range d.requests {
		if dr, ok := d.drafts[r.run]; ok {
			r.state = dr.state
		}
		if r.err == nil && err != nil {
			r.err = err
		}
		close(r.done)
	}
}

// withoutStarts answers requests for new runs with the disk's state and returns the others.
func (d *decision) withoutStarts(requests []*request) []*request {
	var rest []*request
	for _, r := range requests {
		if r.create == nil {
			rest = append(rest, r)
			continue
		}
		r.fail(fault.New(fault.Disk, "no room on the server's disk: nothing new is accepted", "make room; the server goes on by itself"))
	}
	return rest
}

// withoutKey answers the requests whose idempotency key is taken with the run that took it, and returns the others.
func (d *decision) withoutKey(ctx context.Context, s Store, key string) []*request {
	var rest []*request
	for _, r := range d.requests {
		if r.create == nil || r.create.key != key {
			rest = append(rest, r)
			continue
		}
		id, err := s.RunByKey(ctx, key)
		if err == nil {
			r.state, err = s.Run(ctx, id)
		}
		r.err = err
		close(r.done)
	}
	return rest
}
