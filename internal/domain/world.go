package domain

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
)

// What is looked at of the past, at most.
const (
	pastAttempts = 60
	pastTime     = 20 * time.Second // then the nets that are left are taken without their history
	pastFresh    = 30 * time.Minute // for how long a net's history is not read again
	pendingMost  = 100_000
)

// world reads what a forecast starts from, once. The notes say what of it was left out.
func (s *Service) world(ctx context.Context) (forecast.World, []string, error) {
	now := s.cfg.Now()
	w := forecast.World{Now: now, Agents: s.cfg.Fleet.Candidates(), Turns: map[string]string{}}
	unread, err := s.worldNets(ctx, &w, now)
	if err != nil {
		return w, nil, storeFault(err)
	}
	if err := s.worldRuns(ctx, &w); err != nil {
		return w, nil, storeFault(err)
	}
	if err := s.worldPending(ctx, &w); err != nil {
		return w, nil, storeFault(err)
	}
	if w.Changes, err = s.cfg.Store.Overrides(ctx, "", []occurrence.OverrideState{occurrence.OverrideActive}, pendingMost); err != nil {
		return w, nil, storeFault(err)
	}
	if w.Pauses, err = s.cfg.Store.Pauses(ctx); err != nil {
		return w, nil, storeFault(err)
	}
	if err := s.worldTurns(ctx, &w); err != nil {
		return w, nil, storeFault(err)
	}
	w.Pools = worldPools(&w, s.cfg.Plan)
	var notes []string
	if unread > 0 {
		notes = append(notes, fmt.Sprintf("the history of %d nets was not read: there was no time; it is kept, and the next forecast reads more", unread))
	}
	if why := s.cfg.Engine.Held(); why != "" {
		notes = append(notes, "the domain starts nothing now ("+why+"): the forecast takes it to go on at once")
	}
	if why := s.cfg.Engine.Disk(); why != "" {
		notes = append(notes, "the server starts nothing now ("+why+"): the forecast takes it to go on at once")
	}
	return w, notes, nil
}

// worldNets reads the nets that have schedules in force, with their history.
func (s *Service) worldNets(ctx context.Context, w *forecast.World, now time.Time) (unread int, err error) {
	rules := map[string][]forecast.Rule{}
	for _, sch := range s.cfg.Engine.Schedules("", "") {
		rules[sch.Net] = append(rules[sch.Net], ruleOf(&sch))
	}
	versions, err := s.cfg.Store.ListNets(ctx, "")
	if err != nil {
		return 0, err
	}
	begun := time.Now() // the real clock: it bounds what this costs
	for _, v := range versions {
		if len(rules[v.Name]) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		def, err := s.ahead.past.definition(ctx, s.cfg.Store, v)
		if err != nil {
			return 0, err
		}
		history, ok, err := s.ahead.past.history(ctx, s.cfg.Store, v.Name, now, time.Since(begun) < pastTime)
		if err != nil {
			return 0, err
		}
		if !ok {
			unread++
		}
		w.Nets = append(w.Nets, forecast.Net{Definition: def, Rules: rules[v.Name], History: history})
	}
	return unread, nil
}

// ruleOf is a schedule's rule. Of one that counts from ends the engine knows what comes next.
func ruleOf(sch *engine.Scheduled) forecast.Rule {
	if !sch.Rule.ByEnd() {
		return sch.Rule
	}
	return chained{Rule: sch.Rule, next: sch.Next, known: sch.HasNext}
}

type chained struct {
	*calendar.Rule
	next  calendar.Occurrence
	known bool
}

// Between has what comes next, if it is known.
func (c chained) Between(since, until time.Time) iter.Seq[calendar.Occurrence] {
	return func(yield func(calendar.Occurrence) bool) {
		if c.known && c.next.Due.After(since) && !c.next.Due.After(until) {
			yield(c.next)
		}
	}
}

// worldRuns reads the open runs with the versions that they run.
func (s *Service) worldRuns(ctx context.Context, w *forecast.World) error {
	states, err := s.cfg.Store.OpenRuns(ctx)
	if err != nil {
		return err
	}
	for i := range states {
		v, err := s.cfg.Store.Net(ctx, states[i].Net, states[i].Version)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		def, err := s.ahead.past.definition(ctx, s.cfg.Store, v)
		if err != nil {
			return err
		}
		w.Runs = append(w.Runs, forecast.Open{State: states[i], Definition: def})
	}
	return nil
}

// worldPending reads the occurrences that wait.
func (s *Service) worldPending(ctx context.Context, w *forecast.World) error {
	q := store.OccurrenceQuery{Decisions: []occurrence.Decision{occurrence.Pending}, Limit: 1000}
	for len(w.Pending) < pendingMost {
		page, err := s.cfg.Store.Occurrences(ctx, q)
		if err != nil {
			return err
		}
		w.Pending = append(w.Pending, page...)
		if len(page) < q.Limit {
			return nil
		}
		last := &page[len(page)-1]
		q.After = store.OccurrenceCursor{Due: last.Due, Key: last.Key}
	}
	return nil
}

// worldTurns reads whose turn it is where agents take turns.
func (s *Service) worldTurns(ctx context.Context, w *forecast.World) error {
	for i := range w.Nets {
		for k := range w.Nets[i].Definition.Net.Jobs {
			list := w.Nets[i].Definition.Net.Jobs[k].Agent.Turns()
			if _, known := w.Turns[list]; list == "" || known {
				continue
			}
			setting, err := s.cfg.Store.Setting(ctx, engine.TurnSetting+list)
			if err != nil {
				return err
			}
			w.Turns[list] = setting.Value
		}
	}
	return nil
}

// worldPools returns the pools of the plan: that on which attempts call back, and for each agent those that jobs lease from.
func worldPools(w *forecast.World, plan ports.Compiled) []forecast.Pool {
	var out []forecast.Pool
	for _, f := range plan.Dials("callback", ports.Agent, ports.Server) {
		if i := slices.IndexFunc(plan.Pools, func(p ports.ResolvedPool) bool { return p.ID == f.Service && p.Status != ports.Inactive }); i >= 0 {
			out = append(out, forecast.Pool{ID: f.Service, Size: plan.Pools[i].Size, Hold: plan.Pools[i].Hold.Min})
			break
		}
	}
	wished := map[string]bool{}
	for i := range w.Nets {
		for k := range w.Nets[i].Definition.Net.Jobs {
			for _, p := range w.Nets[i].Definition.Net.Jobs[k].Ports {
				wished[p.Pool] = true
			}
		}
	}
	for _, p := range plan.Pools {
		if !wished[p.ID] || p.Status == ports.Inactive {
			continue
		}
		for _, a := range w.Agents {
			out = append(out, forecast.Pool{ID: p.ID, Agent: a.Name, Size: p.Size, Hold: p.Hold.Min})
		}
	}
	return out
}

// pasts keeps what was read of nets, so that a forecast after a forecast need not read it again.
type pasts struct {
	mu   sync.Mutex
	defs map[string]*run.Definition // by name and version
	took map[string]netPast
}

type netPast struct {
	read    time.Time
	history map[string]forecast.History
}

// definition parses a version of a net, whose text may not have been read yet.
func (p *pasts) definition(ctx context.Context, st store.Nets, v store.NetVersion) (*run.Definition, error) {
	key := fmt.Sprintf("%s@%d", v.Name, v.Version)
	p.mu.Lock()
	defer p.mu.Unlock()
	if def, ok := p.defs[key]; ok {
		return def, nil
	}
	if v.Text == "" {
		var err error
		if v, err = st.Net(ctx, v.Name, v.Version); err != nil {
			return nil, err
		}
	}
	nets, err := jobfile.Parse(v.Name, []byte(v.Text))
	if err != nil || len(nets) != 1 {
		return nil, fmt.Errorf("reading stored net %s version %d: %w", v.Name, v.Version, errors.Join(err))
	}
	const most = 100_000
	if p.defs == nil || len(p.defs) > most {
		p.defs = map[string]*run.Definition{}
	}
	def := run.Define(&nets[0], v.Version)
	p.defs[key] = def
	return def, nil
}

// history returns how the jobs of a net went lately. Where nothing fresh is kept and it may not be read now, what is kept is good enough.
func (p *pasts) history(ctx context.Context, st store.Archive, net string, now time.Time, read bool) (map[string]forecast.History, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept, ok := p.took[net]
	if ok && now.Sub(kept.read).Abs() < pastFresh || !read {
		return maps.Clone(kept.history), ok, nil
	}
	past, err := st.Past(ctx, net, pastAttempts)
	if err != nil {
		return nil, false, err
	}
	kept = netPast{read: now, history: map[string]forecast.History{}}
	for job, j := range past {
		h := forecast.History{Took: j.Took}
		if all := len(j.Took) + j.Failed; all > 0 {
			h.Failed = float64(j.Failed) / float64(all)
		}
		kept.history[job] = h
	}
	if p.took == nil {
		p.took = map[string]netPast{}
	}
	p.took[net] = kept
	return maps.Clone(kept.history), true, nil
}
