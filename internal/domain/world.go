package domain

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// pendingMost bounds how much of what waits and of what people changed is looked at.
const pendingMost = 100_000

// world reads what a forecast starts from, once. The notes say what of it was left out.
func (s *Service) world(ctx context.Context) (forecast.World, []string, error) {
	w := forecast.World{Now: s.cfg.Now(), Agents: s.cfg.Engine.Agents(), Turns: map[string]string{}}
	notes, err := s.worldNets(ctx, &w)
	if err != nil {
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
	if why := s.cfg.Engine.Held(); why != "" {
		notes = append(notes, "the domain starts nothing now ("+why+"): the forecast takes it to go on at once")
	}
	if why := s.cfg.Engine.Disk(); why != "" {
		notes = append(notes, "the server starts nothing now ("+why+"): the forecast takes it to go on at once")
	}
	return w, notes, nil
}

// worldNets reads the nets that have schedules in force, with their history, and the runs that are open.
func (s *Service) worldNets(ctx context.Context, w *forecast.World) (notes []string, err error) {
	past := &s.ahead.past
	past.mu.Lock()
	defer past.mu.Unlock()
	rules := map[string][]forecast.Rule{}
	for _, sch := range s.cfg.Engine.Schedules("", "") {
		rules[sch.Net] = append(rules[sch.Net], ruleOf(&sch))
	}
	newest, err := s.cfg.Store.ListNets(ctx, "")
	if err != nil {
		return nil, err
	}
	open, err := s.cfg.Store.OpenRuns(ctx)
	if err != nil {
		return nil, err
	}
	var asked []netAt
	for _, v := range newest {
		if len(rules[v.Name]) > 0 {
			asked = append(asked, netAt{v.Name, v.Version})
		}
	}
	scheduled := len(asked)
	for i := range open {
		asked = append(asked, netAt{open[i].Net, open[i].Version})
	}
	if past.defs == nil {
		past.defs, past.took = map[netAt][]forecast.Job{}, map[string]netPast{}
	}
	defer func() { past.end(w, asked) }()
	if err := past.learn(ctx, s.cfg.Store, slices.Clone(asked)); err != nil {
		return nil, err
	}
	for _, at := range asked[:scheduled] {
		w.Nets = append(w.Nets, forecast.Net{Name: at.net, Jobs: past.defs[at], Rules: rules[at.net]})
	}
	for i := range open {
		if jobs, ok := past.defs[asked[scheduled+i]]; ok {
			w.Runs = append(w.Runs, forecast.Open{State: open[i], Jobs: jobs})
		}
	}
	left, much, err := past.read(ctx, s.cfg.Store, w.Nets, w.Now)
	if err != nil {
		return nil, err
	}
	for i := range w.Nets {
		var decided []forecast.Decision
		w.Nets[i].History, decided = past.history(w.Nets[i].Name, w.Nets[i].Jobs)
		if len(w.Decided) < pastDecided {
			w.Decided = append(w.Decided, decided...)
		}
	}
	if much {
		notes = append(notes, fmt.Sprintf("there is more history than one forecast reads: it rests on the newest %d jobs that ran, and for nets that are not among them on the last %d attempts", pastJobs, pastFew))
	}
	if left > 0 {
		notes = append(notes, fmt.Sprintf("the history of %d nets was not read: there was no time; what is read is kept, and the next forecast reads on", left))
	}
	return notes, nil
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
		for k := range w.Nets[i].Jobs {
			list := w.Nets[i].Jobs[k].Agent.Turns()
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
			out = append(out, worldPool(&plan.Pools[i], ""))
			break
		}
	}
	wished := map[string]bool{}
	for i := range w.Nets {
		for k := range w.Nets[i].Jobs {
			for _, p := range w.Nets[i].Jobs[k].Ports {
				wished[p.Pool] = true
			}
		}
	}
	for i := range plan.Pools {
		p := &plan.Pools[i]
		if !wished[p.ID] || p.Status == ports.Inactive {
			continue
		}
		for _, a := range w.Agents {
			out = append(out, worldPool(p, a.Name))
		}
	}
	return out
}

// worldPool is a pool of the plan as a forecast has it, by the ledger's rules. Firewalls on the way, which may have it hold for longer, are not
// in a plan.
func worldPool(p *ports.ResolvedPool, agent string) forecast.Pool {
	hold, _ := ledger.HoldOf(*p, nil)
	out := forecast.Pool{
		ID: p.ID, Agent: agent, Size: p.Size, Hold: hold, Pair: 1, Pairs: agent != "" && p.Pair.ID != "" && !p.Pair.Optional,
		Sticky: agent != "" && p.Sticky.Key != "", Kept: p.Lease.TTL,
	}
	// Where the second number of a pair could be the first of another, it is one less to be had.
	if p.Pair.ID != "" && p.Parity == "" && slices.ContainsFunc(p.Ranges, func(r ports.Range) bool { return int(r.Last)-int(r.First) >= max(p.Pair.Delta, -p.Pair.Delta) }) {
		out.Pair = 2
	}
	return out
}
