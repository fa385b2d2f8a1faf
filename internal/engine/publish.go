package engine

import (
	"log/slog"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// publish takes a committed decision into the board, orders what it orders, tells watchers and answers.
func (e *Engine) publish(d *decision, receipt store.Receipt) {
	var commands []run.Command
	orders := receipt.Orders
	e.turns.committed(d)
	var changes []Change
	for _, id := range d.order {
		dr := d.drafts[id]
		if !dr.dirty {
			continue
		}
		dr.state.Rev++
		e.board.put(dr.state, dr.def)
		orders = e.effects(id, dr, orders, &commands)
		changes = append(changes, Change{State: dr.state, Jobs: names(dr)})
	}
	if len(commands) > 0 {
		e.cfg.Dispatcher.Send(commands)
	}
	d.answer(nil)
	for _, c := range changes {
		e.cfg.Changed(c)
	}
}

// effects books the effects of a run and appends the commands that follow from them. It returns the orders that are left.
func (e *Engine) effects(id string, dr *draft, orders []store.Order, commands *[]run.Command) []store.Order {
	for _, eff := range dr.effects {
		switch eff := eff.(type) {
		case run.StartAttempt:
			e.board.opened(eff.AgentID, attemptKey{id, eff.Job, eff.N})
			if c, ok := e.command(dr.def, dr.state, orders[0]); ok {
				*commands = append(*commands, c)
			}
			orders = orders[1:]
		case run.CancelAttempt:
			if c, ok := e.command(dr.def, dr.state, orders[0]); ok {
				*commands = append(*commands, c)
			}
			orders = orders[1:]
		case run.CloseAttempt:
			e.board.closed(eff.AgentID, attemptKey{id, eff.Job, eff.N})
		}
	}
	return orders
}

// command makes what is sent of a stored order. ok is false where the order cannot be made any more.
func (e *Engine) command(def *run.Definition, s run.State, o store.Order) (run.Command, bool) {
	i, ok := def.Job(o.Job)
	if !ok {
		return run.Command{}, false
	}
	c := run.Command{AgentID: o.AgentID, Epoch: o.Epoch, Seq: o.Seq, Cancel: o.Cancel}
	if o.Cancel {
		c.Order = run.Order{Run: o.Run, Net: s.Net, Job: &def.Net.Jobs[i], N: o.N}
		return c, true
	}
	var err error
	if c.Order, err = run.Resolve(def, s, i); err != nil {
		e.cfg.Log.Error("making an order again", slog.String("run", o.Run), slog.String("job", o.Job), slog.Any("error", err))
		return run.Command{}, false
	}
	c.Order.N = o.N
	return c, true
}

func names(dr *draft) []string {
	at := make([]int, 0, len(dr.changed))
	for i := range dr.changed {
		at = append(at, i)
	}
	slices.Sort(at)
	out := make([]string, len(at))
	for k, i := range at {
		out[k] = dr.state.Jobs[i].Name
	}
	return out
}
