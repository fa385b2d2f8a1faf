package engine

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// considered is an occurrence that is to be decided: its record as it is until now, and the schedule that it comes from.
type considered struct {
	record     occurrence.Record
	entry      *entry // nil: it was added by hand
	occurrence calendar.Occurrence
	placed     bool // outage and later say how it lies in an outage; else that is found out
	outage     *occurrence.Outage
	later      int64
	released   bool // it is decided as if the domain were not held
}

// situation gathers what the decision on an occurrence looks at.
func (e *Engine) situation(ctx context.Context, d *decision, c considered) occurrence.Situation {
	t, a, rec := &e.times, d.agenda, c.record
	schedule := calendar.DefaultSchedule()
	if c.entry != nil {
		schedule = c.entry.rule.Schedule()
	}
	s := occurrence.Situation{
		Key: rec.Key, Occurrence: c.occurrence, Schedule: &schedule, Now: a.now, Held: value(e.held.Load()), Disk: value(e.disk.Load()),
		Since: rec.Decided, Waits: rec.Reason, Overrides: t.overridesOf(rec),
	}
	if p, ok := t.pauses[scheduleOf(rec.Key)]; ok {
		s.Pause = &p
	}
	if c.released {
		s.Held = ""
	}
	s.Outage, s.Later = c.outage, c.later
	if !c.placed {
		e.placeInOutage(&s, c)
	}
	if schedule.Overlap != calendar.OverlapAllow {
		s.Open = e.openRuns(d, rec.Net)
		self := &waiter{Record: rec}
		for _, k := range e.pendingOf(a, scheduleOf(rec.Key), occurrence.Queued) {
			switch {
			case k == rec.Key:
			case byDue(e.waiterOf(a, k), self) < 0:
				s.Queued++
			default:
				s.Newer = s.Newer || rec.Reason == occurrence.Queued
			}
		}
	}
	if s.Agent = schedule.StartWithin <= 0; !s.Agent {
		s.Agent, s.AgentText = e.linked(ctx, d, rec.Net)
	}
	return s
}

// placeInOutage says whether an occurrence fell due in an outage, or while the domain was held.
func (e *Engine) placeInOutage(s *occurrence.Situation, c considered) {
	t, rec := &e.times, c.record
	waits := !rec.Decided.IsZero()
	switch {
	case waits && rec.Reason == occurrence.DomainHeld:
		if s.Held == "" {
			why := e.heldWhy
			if why == "" {
				why = rec.Detail // it was held by a server that has ended since
			}
			s.Outage = &occurrence.Outage{Until: s.Now, Cause: occurrence.Held, Text: why}
			s.Later = t.laterHeld(rec)
		}
	case !waits || rec.Reason == occurrence.NotYet:
		due := rec.Due
		if o := moved(s.Overrides); o != nil {
			due = o.To
		}
		if s.Outage = t.outageOf(due); s.Outage != nil && c.entry != nil {
			n := c.entry.rule.Count(due, s.Outage.Until)
			s.Later = n.All - n.Suppressed()
		}
	}
}

// laterHeld counts what waits for the domain after an occurrence of the same schedule.
func (t *times) laterHeld(rec occurrence.Record) int64 {
	n, self := int64(0), &waiter{Record: rec}
	for _, w := range t.waits[scheduleOf(rec.Key)] {
		if w.Reason == occurrence.DomainHeld && byDue(w, self) > 0 {
			n++
		}
	}
	return n
}

// linked reports whether for each first job of a net's newest version an agent that fits is linked.
func (e *Engine) linked(ctx context.Context, d *decision, net string) (bool, string) {
	def, err := e.defs.of(ctx, net, 0)
	if err != nil {
		return true, "" // the release says what is wrong
	}
	if d.agenda.agents == nil {
		d.agenda.agents = e.cfg.Dispatcher.Candidates()
	}
	for i := range def.Net.Jobs {
		if len(def.Predecessors(i)) > 0 {
			continue
		}
		if ok, why := run.Linked(def.Net.Jobs[i].Agent, d.agenda.agents); !ok {
			return false, "job " + def.Net.Jobs[i].Name + ": " + why
		}
	}
	return true, ""
}

// moved returns the override that moves an occurrence; nil: none does.
func moved(overrides []occurrence.Override) *occurrence.Override {
	for i := range overrides {
		if overrides[i].Kind == occurrence.OverrideMove {
			return &overrides[i]
		}
	}
	return nil
}

// overridesOf returns the active overrides that concern an occurrence.
func (t *times) overridesOf(rec occurrence.Record) []occurrence.Override {
	var all []occurrence.Override
	for _, id := range t.changed[scheduleOf(rec.Key)] {
		o, ok := t.active[id]
		if ok && o.State == occurrence.OverrideActive && (o.Nominal.Equal(rec.Nominal) || !o.From.IsZero() && !rec.Due.Before(o.From)) {
			all = append(all, o)
		}
	}
	return all
}

// openRuns returns the runs of a net that have not ended, as this turn has them.
func (e *Engine) openRuns(d *decision, net string) []string {
	var open []string
	for _, id := range e.board.openOf(net) {
		if dr, ok := d.drafts[id]; !ok || stillOpen(dr.state.Status) {
			open = append(open, id)
		}
	}
	for _, id := range d.made[net] {
		if stillOpen(d.drafts[id].state.Status) {
			open = append(open, id)
		}
	}
	return open
}

func stillOpen(s run.Status) bool { return !s.Ended() || s == run.Lost }
