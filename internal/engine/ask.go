package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Start orders a run of a net.
type Start struct {
	Net     string
	Version int    // 0: the newest
	Key     string // makes the order safe to repeat: the same key gives the same run; may be empty
	run.Request
}

// StartRun makes a run and returns it when it is committed, its first jobs dispatched where agents are free.
func (e *Engine) StartRun(ctx context.Context, o Start, audit ...store.AuditRecord) (run.State, error) {
	def, err := e.defs.of(ctx, o.Net, o.Version)
	if errors.Is(err, store.ErrNotFound) {
		return run.State{}, fault.New(fault.NotFound, noNet(o.Net, o.Version), "see `reeve net list`")
	} else if err != nil {
		return run.State{}, err
	}
	s, err := run.New(def, o.Request, e.cfg.Now())
	if err != nil {
		return run.State{}, err
	}
	req := &request{run: o.ID, create: &creation{state: s, def: def, key: o.Key}, inputs: []run.Input{run.Begin{}}, audit: audit}
	return e.ask(ctx, req)
}

func noNet(net string, version int) string {
	if version == 0 {
		return "there is no net " + net
	}
	return fmt.Sprintf("net %s has no version %d", net, version)
}

// Apply gives a run one input and returns it when that is committed. An input that tells nothing new is no error.
func (e *Engine) Apply(ctx context.Context, id string, in run.Input, audit ...store.AuditRecord) (run.State, error) {
	return e.ask(ctx, &request{run: id, inputs: []run.Input{in}, audit: audit})
}

func (e *Engine) ask(ctx context.Context, r *request) (run.State, error) {
	if err := e.submit(ctx, r); err != nil {
		return run.State{}, err
	}
	if r.err != nil {
		return run.State{}, r.err
	}
	for _, err := range r.errs {
		if err != nil && !errors.Is(err, run.ErrKnown) {
			return run.State{}, err
		}
	}
	return r.state, nil
}

// Report takes what an agent says of its attempts and returns when it is committed: an error for each report, nil
// where it needs no more sending (also where it was known, or its run is gone).
func (e *Engine) Report(ctx context.Context, agentID string, reports []run.Report) []error {
	errs := make([]error, len(reports))
	byRun := map[string]*request{}
	places := map[string][]int{}
	var requests []*request
	for i, rep := range reports {
		r, ok := byRun[rep.Run]
		if !ok {
			r = &request{run: rep.Run, agent: agentID}
			byRun[rep.Run] = r
			requests = append(requests, r)
		}
		r.inputs = append(r.inputs, rep.Input)
		places[rep.Run] = append(places[rep.Run], i)
	}
	err := e.submit(ctx, requests...)
	for _, r := range requests {
		for k, i := range places[r.run] {
			switch {
			case err != nil:
				errs[i] = err
			case r.err != nil && !fault.Is(r.err, fault.NotFound):
				errs[i] = r.err
			case r.err == nil && k < len(r.errs) && fault.Is(r.errs[k], fault.Forbidden):
				errs[i] = r.errs[k]
			}
		}
	}
	return errs
}

// Outstanding returns the commands that an agent has not confirmed: orders whose start it has not reported, and cancels.
func (e *Engine) Outstanding(ctx context.Context, agentID string) ([]run.Command, error) {
	orders, err := e.cfg.Store.Orders(ctx, agentID)
	if err != nil {
		return nil, fmt.Errorf("reading open orders: %w", err)
	}
	var out []run.Command
	for _, o := range orders {
		if o.Epoch < e.epoch && !o.Cancel {
			continue // see fromBefore
		}
		s, def, ok := e.board.get(o.Run)
		if !ok {
			if s, err = e.cfg.Store.Run(ctx, o.Run); err != nil {
				continue // pruned: the agent's report of it will be acknowledged as such
			}
			if def, err = e.defs.of(ctx, s.Net, s.Version); err != nil {
				return nil, err
			}
		}
		i, ok := def.Job(o.Job)
		if !ok || o.N > len(s.Jobs[i].Attempts) {
			continue
		}
		if s.Jobs[i].Attempts[o.N-1].Status != run.Dispatched && !o.Cancel {
			continue
		}
		if c, ok := e.command(def, s, o); ok {
			out = append(out, c)
		}
	}
	return out, nil
}

// Lose says that nothing can be known of the open attempts of an agent: it was silent past its deadline (fenced), or removed.
func (e *Engine) Lose(ctx context.Context, agentID string, reason run.Reason, detail string, at time.Time) error {
	e.board.mu.RLock()
	var keys []attemptKey
	for k := range e.board.open[agentID] {
		keys = append(keys, k)
	}
	e.board.mu.RUnlock()
	var requests []*request
	for _, k := range keys {
		requests = append(requests, &request{run: k.run, inputs: []run.Input{run.Unknown{Job: k.job, N: k.n, At: at, Reason: reason, Detail: detail}}})
	}
	return e.submit(ctx, requests...)
}

// Open returns how many attempts are open on an agent.
func (e *Engine) Open(agentID string) int { return e.board.running(agentID) }

// Agents returns every agent of the domain with what is known of it now; how much it runs is not filled in.
func (e *Engine) Agents() []run.Candidate { return e.cfg.Dispatcher.Candidates() }

// OpenRun returns an open run from memory.
func (e *Engine) OpenRun(id string) (run.State, bool) {
	s, _, ok := e.board.get(id)
	return s, ok
}

// Ordered reports whether an attempt is ordered, and its start not confirmed.
func (e *Engine) Ordered(id, job string, n int) bool {
	s, def, ok := e.board.get(id)
	if !ok {
		return false
	}
	i, ok := def.Job(job)
	return ok && n >= 1 && n <= len(s.Jobs[i].Attempts) && s.Jobs[i].Attempts[n-1].Status == run.Dispatched
}

// Counts returns how many open runs and jobs there are by state, as "run.running" and "job.waiting".
func (e *Engine) Counts() map[string]int {
	e.board.mu.RLock()
	defer e.board.mu.RUnlock()
	counts := map[string]int{}
	for _, o := range e.board.runs {
		counts["run."+string(o.state.Status)]++
		for i := range o.state.Jobs {
			counts["job."+string(o.state.Jobs[i].Status)]++
		}
	}
	return counts
}

// SetHeld stops (why) or lets go on ("") the starting of attempts in the whole domain. It is durable when it returns.
func (e *Engine) SetHeld(ctx context.Context, why string, audit store.AuditRecord) error {
	current, err := e.cfg.Store.Setting(ctx, "held")
	if err != nil {
		return fmt.Errorf("reading whether the domain is held: %w", err)
	}
	_, err = e.cfg.Store.Commit(ctx, store.Batch{
		Epoch:    e.epoch,
		Settings: []store.Setting{{Name: "held", Value: why, Rev: current.Rev}},
		Audit:    []store.AuditRecord{audit},
	})
	if err != nil {
		return fmt.Errorf("storing whether the domain is held: %w", err)
	}
	if why == "" {
		e.held.Store(nil)
	} else {
		e.held.Store(&why)
	}
	e.Kick()
	return nil
}

// Held returns why the domain starts nothing, "" where it does.
func (e *Engine) Held() string { return value(e.held.Load()) }

// Disk returns why nothing new is accepted, "" where there is room.
func (e *Engine) Disk() string { return value(e.disk.Load()) }

// SetDisk is told by whoever watches the disk.
func (e *Engine) SetDisk(why string) {
	e.setDisk(why)
	if why == "" {
		e.Kick()
	}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Epoch returns the epoch in which this engine decides.
func (e *Engine) Epoch() int64 { return e.epoch }

// Definition returns a version of a net (0: the newest) as the engine has it.
func (e *Engine) Definition(ctx context.Context, net string, version int) (*run.Definition, error) {
	return e.defs.of(ctx, net, version)
}
