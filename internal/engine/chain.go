package engine

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Of a rule by end only one occurrence is known at a time: it is stored as pending until it is due, so that a restart has it. The next one is
// stored in the commit in which its run ends.

// beginChains finds the next occurrence of rules by end that were read since the last turn.
func (e *Engine) beginChains(ctx context.Context, d *decision) {
	t, a := &e.times, d.agenda
	for _, en := range t.chains {
		a.chained++
		of := scheduleKey{en.net, en.name}
		open, err := e.runsOf(ctx, of)
		if err != nil {
			a.failed = err
			return
		}
		if en.gone || len(t.waits[of]) > 0 || open {
			continue
		}
		known, err := e.cfg.Times.Occurrences(ctx, store.OccurrenceQuery{Net: en.net, Schedule: en.name, Since: timeOf(en.since).Add(-time.Second)})
		if err != nil {
			a.failed = err
			return
		}
		if len(known) > 0 {
			e.follow(d, en, a.now)
			continue
		}
		e.foresee(d, en, firstOf(en))
	}
}

// runsOf reports whether a run of a schedule is open.
func (e *Engine) runsOf(ctx context.Context, of scheduleKey) (bool, error) {
	for _, id := range e.board.openOf(of.net) {
		s, _, ok := e.board.get(id)
		if !ok { // unknown: it is not on the board
			var err error
			if s, err = e.cfg.Store.Run(ctx, id); err != nil {
				return false, err
			}
		}
		if s.Schedule == of.name {
			return true, nil
		}
	}
	return false, nil
}

// follow stores the occurrence that follows an end: of the rule in force, where another has taken the entry's place.
func (e *Engine) follow(d *decision, en *entry, end time.Time) {
	if en.until != 0 {
		if en = e.times.inForce(scheduleKey{en.net, en.name}); en == nil {
			return
		}
	}
	if o, ok := en.rule.AfterEnd(end); ok {
		e.foresee(d, en, o)
	}
}

func (e *Engine) foresee(d *decision, en *entry, o calendar.Occurrence) {
	rec := fresh(en, o).record
	rec.Decision, rec.Reason, rec.Detail, rec.Decided = occurrence.Pending, occurrence.NotYet, "the schedule counts from the end of the run before it", d.agenda.now
	if e.times.pending[rec.Key] == nil && d.agenda.records[rec.Key] == nil {
		e.file(d, rec, rec.Due)
	}
}

// firstOf returns the first occurrence of a rule by end: at its From, or when it came into force.
func firstOf(en *entry) calendar.Occurrence {
	since := timeOf(en.since)
	if o, ok := en.rule.Next(since.Add(-time.Second)); ok {
		return o
	}
	at := since.Truncate(time.Second)
	if at.Before(since) {
		at = at.Add(time.Second)
	}
	return calendar.Occurrence{Nominal: at, Due: at}
}

// runsEnded lets what follows from the ends of this turn's runs be decided in the same commit: what was queued behind them, and the next
// occurrence of a rule by end.
func (e *Engine) runsEnded(ctx context.Context, d *decision) {
	for i := 0; i < len(d.order); i++ { // it may grow
		dr := d.drafts[d.order[i]]
		if dr.settled || !dr.dirty || stillOpen(dr.state.Status) || dr.before.ID != "" && !stillOpen(dr.before.Status) {
			continue
		}
		dr.settled = true
		e.runEnded(ctx, d, dr.state)
	}
}

func (e *Engine) runEnded(ctx context.Context, d *decision, s run.State) {
	if e.disk.Load() != nil {
		return // what is pending is looked at when there is room
	}
	t := &e.times
	for en := t.nets[s.Net]; en != nil; en = en.sibling {
		if en.until != 0 {
			continue
		}
		if en.rule.ByEnd() && s.Schedule == en.name {
			e.follow(d, en, s.Ended)
		}
		for _, k := range e.pendingOf(d.agenda, scheduleKey{en.net, en.name}, occurrence.Queued) {
			e.again(ctx, d, k)
			if f := d.agenda.records[k]; f == nil || f.Decision == occurrence.Pending {
				break // and all behind it
			}
		}
	}
}
