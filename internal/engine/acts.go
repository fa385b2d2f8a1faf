package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// act does something in the engine's goroutine, and returns when it is committed. It may be called again where the commit met another's.
func (e *Engine) act(ctx context.Context, audit []store.AuditRecord, do func(ctx context.Context, d *decision, r *request) error) (run.State, error) {
	r := &request{act: do, audit: audit}
	if err := e.submit(ctx, r); err != nil {
		return run.State{}, err
	}
	return r.state, r.err
}

// ReleaseOccurrence starts what waits or is not due yet, or a missed one, which stays missed and names the run. Faults: NotFound, Conflict.
func (e *Engine) ReleaseOccurrence(ctx context.Context, key occurrence.Key, by Act) (run.State, error) {
	return e.act(ctx, by.Audit, func(ctx context.Context, d *decision, r *request) error {
		if err := e.room(); err != nil {
			return err
		}
		f, err := e.find(ctx, key)
		if err != nil {
			return err
		}
		rec := f.record
		switch {
		case rec.Decision == occurrence.Pending:
			return e.releaseByHand(ctx, d, r, f, by)
		case rec.Decision != occurrence.Missed:
			return alreadyIs(rec, "start a run of the net instead")
		case rec.RecoveredBy != "":
			return fault.New(fault.Conflict, fmt.Sprintf("occurrence %s was released as run %s", keyText(key), rec.RecoveredBy), "see `reeve run show "+rec.RecoveredBy+"`")
		}
		if rec, err = e.runFor(ctx, d, f, by); err != nil {
			return err
		}
		r.run = rec.RecoveredBy
		return e.amend(ctx, d, amended{f, rec})
	})
}

func (e *Engine) room() error {
	if why := e.Disk(); why != "" {
		return fault.New(fault.Disk, why, "make room; the server goes on by itself")
	}
	return nil
}

func alreadyIs(rec occurrence.Record, fix string) error {
	return fault.New(fault.Conflict, fmt.Sprintf("occurrence %s is %s (%s)", keyText(rec.Key), rec.Decision, rec.Reason), fix)
}

func keyText(k occurrence.Key) string {
	return fmt.Sprintf("%s/%s of %s", k.Net, k.Schedule, k.Nominal.UTC().Format(time.RFC3339))
}

func (e *Engine) releaseByHand(ctx context.Context, d *decision, r *request, f *found, by Act) error {
	rec := f.record
	overrides := e.times.overridesOf(rec)
	var params map[string]string
	for i := range overrides {
		if overrides[i].Kind == occurrence.OverrideAdd {
			params = overrides[i].Params
		}
	}
	rec.By = by.By
	def, err := e.startFor(ctx, d, &rec, params)
	if err != nil {
		return err
	}
	rec.Decision, rec.Reason, rec.Detail, rec.Decided = occurrence.Released, occurrence.ByHand, because("released by "+by.By, by.Reason), d.agenda.now
	rec.Version = def.Version
	if f.entry != nil {
		if within := f.entry.rule.Schedule().MustEnd; within > 0 {
			rec.MustEnd = later(rec.Due, d.agenda.now).Add(within)
		}
	}
	r.run = rec.Run
	e.file(d, rec, time.Time{})
	e.useOverrides(d, overrides)
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// CancelOccurrence takes away what waits, or what has not fallen due.
func (e *Engine) CancelOccurrence(ctx context.Context, key occurrence.Key, by Act) (occurrence.Record, error) {
	var rec occurrence.Record
	_, err := e.act(ctx, by.Audit, func(ctx context.Context, d *decision, _ *request) error {
		f, err := e.find(ctx, key)
		if err != nil {
			return err
		}
		if rec = f.record; rec.Decision != occurrence.Pending {
			return alreadyIs(rec, "only what waits or is not due yet can be cancelled")
		}
		rec.Decision, rec.Reason, rec.Detail = occurrence.Cancelled, occurrence.ByPerson, because("cancelled by "+by.By, by.Reason)
		rec.By, rec.Decided = by.By, d.agenda.now
		e.file(d, rec, time.Time{})
		for _, o := range e.times.overridesOf(rec) {
			if o.From.IsZero() {
				e.endOverride(d, o, occurrence.OverrideDropped)
			}
		}
		if f.entry != nil && f.entry.rule.ByEnd() {
			e.follow(d, f.entry, d.agenda.now)
		}
		d.agenda.lookAgain = append(d.agenda.lookAgain, e.pendingOf(d.agenda, scheduleOf(key), occurrence.Queued)...)
		return nil
	})
	return rec, err
}

// dismissAtOnce is how many records one commit dismisses at most.
const dismissAtOnce = 500

// Dismiss says of what was missed that nothing is to be done. It returns how many occurrences that were.
func (e *Engine) Dismiss(ctx context.Context, what Dismissal, by Act) (int64, error) {
	if what.Key.Net != "" {
		return e.dismissOne(ctx, what.Key, by)
	}
	all, audit := int64(0), by.Audit
	for {
		n, left := int64(0), false
		_, err := e.act(ctx, audit, func(ctx context.Context, d *decision, _ *request) error {
			var err error
			n, left, err = e.dismissMany(ctx, d, what, by)
			return err
		})
		if all += n; err != nil || !left {
			return all, err
		}
		audit = nil // the first commit has it
	}
}

func (e *Engine) dismissOne(ctx context.Context, key occurrence.Key, by Act) (int64, error) {
	_, err := e.act(ctx, by.Audit, func(ctx context.Context, d *decision, _ *request) error {
		f, err := e.find(ctx, key)
		if err != nil {
			return err
		}
		rec := f.record
		switch {
		case rec.Decision != occurrence.Missed:
			return alreadyIs(rec, "only what was missed can be dismissed")
		case !rec.Dismissed.IsZero() || rec.RecoveredBy != "":
			return fault.New(fault.Conflict, "occurrence "+keyText(key)+" was dismissed or released before", "")
		}
		rec.Dismissed, rec.DismissedBy = d.agenda.now, by.By
		return e.amend(ctx, d, amended{f, rec})
	})
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// dismissMany dismisses what a person was shown, at most as much as one commit takes; left: there is more.
func (e *Engine) dismissMany(ctx context.Context, d *decision, what Dismissal, by Act) (n int64, left bool, err error) {
	q := store.OccurrenceQuery{Net: what.Net, Folder: what.Folder, Schedule: what.Schedule, Until: what.Until, Undismissed: true, Limit: dismissAtOnce}
	ranges, err := e.cfg.Times.Ranges(ctx, q)
	if err != nil {
		return 0, false, fmt.Errorf("reading what was missed: %w", err)
	}
	for _, r := range ranges {
		if what.Range != 0 && r.ID != what.Range || what.Range == 0 && !what.Until.IsZero() && !r.Last.Before(what.Until) {
			continue
		}
		r.Dismissed, r.DismissedBy = d.agenda.now, by.By
		d.agenda.ranges = append(d.agenda.ranges, store.RangeWrite{Range: r})
		n += r.Count
	}
	if what.Range != 0 {
		if n == 0 {
			return 0, false, fault.New(fault.NotFound, fmt.Sprintf("there is no range %d that was missed and not dismissed", what.Range), "")
		}
		return n, false, nil
	}
	records, err := e.cfg.Times.Occurrences(ctx, q)
	if err != nil {
		return 0, false, fmt.Errorf("reading what was missed: %w", err)
	}
	for _, rec := range records {
		rec.Dismissed, rec.DismissedBy = d.agenda.now, by.By
		d.agenda.recovered = append(d.agenda.recovered, store.OccurrenceWrite{Record: rec, Recovered: true})
		n++
	}
	return n, len(records) == dismissAtOnce, nil
}

// Pause pauses a schedule until a time (zero: until Resume).
func (e *Engine) Pause(ctx context.Context, net, schedule string, until time.Time, by Act) (occurrence.Pause, error) {
	var p occurrence.Pause
	_, err := e.act(ctx, by.Audit, func(_ context.Context, d *decision, _ *request) error {
		k := scheduleKey{net, schedule}
		if e.times.inForce(k) == nil {
			return noSchedule(k)
		}
		if !until.IsZero() && !until.After(d.agenda.now) {
			return fault.New(fault.Invalid, "the pause would end in the past", "give a time that is to come, or none")
		}
		p = occurrence.Pause{Net: net, Schedule: schedule, By: by.By, Reason: by.Reason, Since: d.agenda.now, Until: until}
		if old, ok := e.times.pauses[k]; ok {
			p.Since, p.Rev = old.Since, old.Rev
		}
		d.agenda.pauses = append(d.agenda.pauses, store.PauseWrite{Pause: p})
		d.agenda.reread[net] = true
		return nil
	})
	return p, err
}

func noSchedule(k scheduleKey) error {
	return fault.New(fault.NotFound, fmt.Sprintf("net %s has no schedule %s in force", k.net, k.name), "see `reeve schedule list`")
}

// Resume ends a pause. What fell due in it stays suppressed.
func (e *Engine) Resume(ctx context.Context, net, schedule string, by Act) error {
	_, err := e.act(ctx, by.Audit, func(_ context.Context, d *decision, _ *request) error {
		p, ok := e.times.pauses[scheduleKey{net, schedule}]
		if !ok {
			return fault.New(fault.Conflict, fmt.Sprintf("schedule %s of net %s is not paused", schedule, net), "")
		}
		d.agenda.pauses = append(d.agenda.pauses, store.PauseWrite{Pause: p, Delete: true})
		d.agenda.reread[net] = true
		return nil
	})
	return err
}

// Rescheduled must be called after every commit that wrote spans of these nets, or versions of them: they are read anew, what waits and is no
// occurrence any more is cancelled, and overrides of such are stale. It returns when that is committed.
func (e *Engine) Rescheduled(ctx context.Context, nets []string) error {
	_, err := e.act(ctx, nil, func(ctx context.Context, d *decision, _ *request) error {
		e.defs.renew(nets)
		if err := e.reread(ctx, slices.Clone(nets)); err != nil {
			return err
		}
		e.redefine(d, nets)
		return nil
	})
	return err
}

// redefine keeps what waits of some nets where their newer definition still has it, and cancels the rest; what is not due yet only when it is
// due, for it may come back until then. Overrides of what is gone are stale, and active again where it has come back.
func (e *Engine) redefine(d *decision, nets []string) {
	t := &e.times
	some := map[string]bool{}
	for _, net := range nets {
		some[net] = true
	}
	for _, rec := range t.pendingOfNets(some) {
		if rec.Schedule != occurrence.Manual {
			e.redefineOne(d, rec)
		}
	}
	for _, o := range t.active {
		if !some[o.Net] || o.Kind == occurrence.OverrideAdd {
			continue
		}
		en := t.inForce(scheduleOf(o.Key))
		there := en != nil
		if there && o.From.IsZero() {
			var has calendar.Occurrence
			has, there = en.rule.At(o.Nominal)
			there = there && has.Suppressed == "" || en.rule.ByEnd() && e.spanOf(d, o.Key) == en.span
		}
		switch {
		case !there && o.State == occurrence.OverrideActive:
			e.endOverride(d, o, occurrence.OverrideStale)
		case there && o.State == occurrence.OverrideStale:
			e.revive(d, o)
		}
	}
}

// spanOf returns the span of what waits, as this turn has it; 0: it does not wait, or no rule has it.
func (e *Engine) spanOf(d *decision, k occurrence.Key) int64 {
	if f := d.agenda.records[k]; f != nil {
		if f.Decision != occurrence.Pending {
			return 0
		}
		return f.Span
	}
	if w := e.times.pending[k]; w != nil {
		return w.Span
	}
	return 0
}

// revive makes an override active again whose occurrence has come back, unless that was decided meanwhile.
func (e *Engine) revive(d *decision, o occurrence.Override) {
	switch w := e.times.pending[o.Key]; {
	case !o.Expires.IsZero() && !d.agenda.now.Before(o.Expires):
		e.endOverride(d, o, occurrence.OverrideExpired)
	case !o.From.IsZero() || w != nil:
		e.endOverride(d, o, occurrence.OverrideActive)
	}
}

func (e *Engine) redefineOne(d *decision, rec occurrence.Record) {
	en := e.times.inForce(scheduleOf(rec.Key))
	if en != nil && en.span == rec.Span {
		return
	}
	if en != nil && en.rule.ByEnd() {
		e.redefineByEnd(d, en, rec)
		return
	}
	var o calendar.Occurrence
	there, why := false, "the net has no schedule "+rec.Schedule+" any more"
	if en != nil {
		o, there = en.rule.At(rec.Nominal)
		there, why = there && o.Suppressed == "", "the schedule was changed, and does not have it any more"
	}
	switch {
	case !there && rec.Due.After(d.agenda.now):
		rec.Span, rec.Reason, rec.Detail = 0, occurrence.NotYet, why // its span ended before it was due: no rule has it now
		e.file(d, rec, rec.Due)
		return
	case !there:
		e.cancelled(d, rec, why)
		return
	}
	rec.Span = en.span
	if rec.Reason == occurrence.NotYet && rec.Due.After(d.agenda.now) {
		rec.Due = o.Due
	}
	e.file(d, rec, rec.Due)
	d.agenda.lookAgain = append(d.agenda.lookAgain, rec.Key)
}

// redefineByEnd has what waits of a rule by end go on by the rule in force: at another time, where that counts otherwise from the same end.
func (e *Engine) redefineByEnd(d *decision, en *entry, rec occurrence.Record) {
	now, s := d.agenda.now, en.rule.Schedule()
	end := now
	for old := e.times.nets[rec.Net]; old != nil; old = old.sibling {
		if old.span == rec.Span && old.rule.ByEnd() {
			was := old.rule.Schedule()
			if was.Every == s.Every || !rec.Due.After(now) {
				rec.Span = en.span
				e.file(d, rec, rec.Due)
				d.agenda.lookAgain = append(d.agenda.lookAgain, rec.Key)
				return
			}
			end = later(rec.Nominal.Add(-was.Every), now.Add(-s.Every))
		}
	}
	rec.Span = 0
	e.cancelled(d, rec, "the schedule was changed, and counts anew")
	e.follow(d, en, end)
}

// pendingOfNets returns what waits of some nets, by due.
func (t *times) pendingOfNets(some map[string]bool) []occurrence.Record {
	var all []*waiter
	for k, w := range t.pending {
		if some[k.Net] {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, byDue)
	records := make([]occurrence.Record, len(all))
	for i, w := range all {
		records[i] = w.Record
	}
	return records
}
