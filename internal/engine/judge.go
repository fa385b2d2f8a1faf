package engine

import (
	"context"
	"errors"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// consider decides an occurrence that has fallen due, unless it has a record.
func (e *Engine) consider(ctx context.Context, d *decision, c considered) {
	key := c.record.Key
	if !e.times.done[scheduleOf(key)][key.Nominal.UnixMicro()] && e.times.pending[key] == nil && d.agenda.records[key] == nil {
		e.decideOne(ctx, d, c)
	}
}

// again looks anew at an occurrence that waits.
func (e *Engine) again(ctx context.Context, d *decision, key occurrence.Key) {
	t, a := &e.times, d.agenda
	var rec occurrence.Record
	switch f, w := a.records[key], t.pending[key]; {
	case f != nil:
		rec = f.Record
	case w != nil:
		rec = w.Record
	}
	if rec.Decision != occurrence.Pending {
		return
	}
	a.budget--
	if rec.Schedule != occurrence.Manual && rec.Span == 0 { // no rule has it since its definition was changed
		if rec.Due.After(a.now) {
			e.file(d, rec, rec.Due)
		} else {
			e.cancelled(d, rec, rec.Detail)
		}
		return
	}
	c := considered{record: rec, occurrence: calendar.Occurrence{Nominal: rec.Nominal, Due: rec.Due}}
	if rec.Schedule != occurrence.Manual {
		if c.entry = t.entryOf(rec); c.entry == nil {
			e.cancelled(d, rec, "its schedule is not in force any more")
			return
		}
	}
	e.decideOne(ctx, d, c)
}

// entryOf returns the schedule that a record came from, or the one that has taken its place; nil: none.
func (t *times) entryOf(r occurrence.Record) *entry {
	for en := t.nets[r.Net]; en != nil; en = en.sibling {
		if en.span == r.Span {
			return en
		}
	}
	return t.inForce(scheduleOf(r.Key))
}

// cancelled files that what waited is no occurrence any more.
func (e *Engine) cancelled(d *decision, rec occurrence.Record, why string) {
	rec.Decision, rec.Reason, rec.Detail, rec.Decided = occurrence.Cancelled, occurrence.Changed, why, d.agenda.now
	e.file(d, rec, time.Time{})
}

// movedByHand is what Record.Moved says of an occurrence that a person moved.
const movedByHand = calendar.Reason("override")

// decideOne decides an occurrence, files its record, and makes its run where it is released.
func (e *Engine) decideOne(ctx context.Context, d *decision, c considered) {
	a, rec := d.agenda, c.record
	s := e.situation(ctx, d, c)
	v := occurrence.Decide(s)
	rec.Decision, rec.Reason, rec.Detail = v.Decision, v.Reason, v.Detail
	if v.By != "" {
		rec.By = v.By
	}
	if moved(s.Overrides) != nil {
		rec.Moved = movedByHand
	}
	first := rec.Decided.IsZero() || c.record.Reason == occurrence.NotYet || c.record.Reason == occurrence.DomainHeld
	if v.Decision != occurrence.Pending || first && v.Reason != c.record.Reason {
		rec.Decided = a.now // of a pending one: since when it waits
	}
	if v.Decision == occurrence.Released {
		e.release(ctx, d, &rec, s)
	}
	e.file(d, rec, v.Again)
	if rec.Decision != occurrence.Pending {
		e.useOverrides(d, s.Overrides)
	}
	if c.entry == nil {
		return
	}
	switch {
	case v.Cancel:
		e.cancelOpen(ctx, d, rec.Key, s.Open)
		for _, k := range e.pendingOf(a, scheduleOf(rec.Key), occurrence.Queued) {
			if k != rec.Key {
				e.again(ctx, d, k) // a newer one has taken its place
			}
		}
	case v.Reason == occurrence.DomainHeld:
		e.boundHeld(ctx, d, c.entry)
	case c.entry.rule.ByEnd() && rec.Decision != occurrence.Pending && rec.Decision != occurrence.Released:
		e.follow(d, c.entry, a.now)
	}
}

// boundHeld decides the oldest of a schedule that waits for the domain, where more wait than can ever be caught up: what becomes of it
// does not depend any more on when the domain goes on.
func (e *Engine) boundHeld(ctx context.Context, d *decision, en *entry) {
	keys := e.pendingOf(d.agenda, scheduleKey{en.net, en.name}, occurrence.DomainHeld)
	if len(keys) <= calendar.CatchupLimit {
		return
	}
	rec := e.waiterOf(d.agenda, keys[0]).Record
	e.decideOne(ctx, d, considered{
		record: rec, entry: en, occurrence: calendar.Occurrence{Nominal: rec.Nominal, Due: rec.Due}, placed: true, released: true,
		outage: &occurrence.Outage{Until: d.agenda.now, Cause: occurrence.Held, Text: value(e.held.Load())}, later: calendar.CatchupLimit,
	})
}

// release makes the run of an occurrence, in the same commit as its record.
func (e *Engine) release(ctx context.Context, d *decision, rec *occurrence.Record, s occurrence.Situation) {
	var params map[string]string
	due := rec.Due
	for i := range s.Overrides {
		switch o := &s.Overrides[i]; o.Kind {
		case occurrence.OverrideAdd:
			params = o.Params
		case occurrence.OverrideMove:
			due = o.To
		case occurrence.OverrideSkip, occurrence.OverrideHold:
		}
	}
	def, err := e.startFor(ctx, d, rec, params)
	if err != nil {
		rec.Decision, rec.Reason, rec.Detail = occurrence.Cancelled, occurrence.Changed, "its run could not be made: "+err.Error()
		return
	}
	rec.Version = def.Version
	if s.Schedule.MustEnd > 0 {
		rec.MustEnd = due.Add(s.Schedule.MustEnd)
	}
}

// startFor makes the run of an occurrence and begins it. Where the store has one by the occurrence's key already, it is that. An error says that
// the definition cannot be run; where the store does not tell, the whole agenda has failed.
func (e *Engine) startFor(ctx context.Context, d *decision, rec *occurrence.Record, params map[string]string) (*run.Definition, error) {
	def, err := e.defs.of(ctx, rec.Net, 0)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, fault.New(fault.NotFound, "there is no net "+rec.Net, "")
	case err != nil && !errors.Is(err, errDefinition):
		d.agenda.failed = err
		return &run.Definition{}, nil
	case err != nil:
		return nil, err
	}
	if id, ok := e.times.taken[runKey(rec.Key)]; ok {
		rec.Run = id
		return def, nil
	}
	if rec.Run, err = e.cfg.NewRunID(); err != nil {
		d.agenda.failed = err
		return def, nil
	}
	by := "schedule"
	if rec.By != "" {
		by = rec.By
	}
	state, err := run.New(def, run.Request{ID: rec.Run, Params: params, Schedule: rec.Schedule, Nominal: rec.Nominal, By: by}, d.agenda.now)
	if err != nil {
		rec.Run = ""
		return nil, err
	}
	dr := &draft{def: def, state: state, changed: map[int]bool{}, key: runKey(rec.Key), dirty: true}
	d.agenda.budget -= releaseCost - 1
	d.add(rec.Run, dr)
	d.made[rec.Net] = append(d.made[rec.Net], rec.Run)
	dr.fold([]run.Input{run.Begin{}}, e)
	return def, nil
}

// runKey is the idempotency key of an occurrence's run.
func runKey(k occurrence.Key) string { return runKeyPrefix + store.OccurrenceID(k) }

const runKeyPrefix = "occurrence "

// cancelOpen cancels the runs in whose place an occurrence comes.
func (e *Engine) cancelOpen(ctx context.Context, d *decision, key occurrence.Key, open []string) {
	for _, id := range open {
		if dr, err := e.draft(ctx, d, id); err == nil && dr.state.Cancel == "" {
			dr.fold([]run.Input{run.Cancel{By: "schedule " + key.Net + "/" + key.Schedule}}, e)
		}
	}
}
