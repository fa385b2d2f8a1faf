package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Override changes the agenda, and returns it as it was stored. Net, Schedule, Nominal, Kind and its fields, and Expires are the caller's. What it
// is about is stored as pending from then on.
func (e *Engine) Override(ctx context.Context, o occurrence.Override, by Act) (occurrence.Override, error) {
	o.By, o.Reason, o.State, o.ID, o.Rev, o.Ended = by.By, by.Reason, occurrence.OverrideActive, 0, 0, time.Time{}
	o.Nominal, o.From, o.To, o.Expires = instant(o.Nominal), instant(o.From), instant(o.To), instant(o.Expires)
	if o.Kind == occurrence.OverrideAdd {
		o.Schedule = occurrence.Manual
	}
	_, err := e.act(ctx, by.Audit, func(ctx context.Context, d *decision, _ *request) error {
		a := d.agenda
		o.Created = a.now
		if err := e.mayOverride(&o, a.now); err != nil {
			return err
		}
		switch {
		case o.Kind == occurrence.OverrideAdd:
			if err := e.added(ctx, d, o); err != nil {
				return err
			}
		case o.From.IsZero():
			if err := e.touched(ctx, d, o); err != nil {
				return err
			}
		}
		at := len(a.overrides)
		a.overrides = append(a.overrides, store.OverrideWrite{Override: o})
		a.reread[o.Net] = true
		a.received = append(a.received, func(got store.Receipt) { o.ID, o.Rev = got.Overrides[at], 1 })
		return nil
	})
	return o, err
}

// instant is a time as it is stored; zero stays zero.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// lastDay is the last one for which anything can be planned: schedules have nothing after it either.
const lastDay = "2199-12-31"

// tooFar reports whether an instant is after the last day.
func tooFar(t time.Time) bool { return t.UTC().Year() > 2199 }

// mayOverride refuses what could never do anything.
func (e *Engine) mayOverride(o *occurrence.Override, now time.Time) error {
	refuse := func(text, fix string) error { return fault.New(fault.Invalid, text, fix) }
	of := scheduleOf(o.Key)
	if to := o.To; tooFar(to) || o.Kind == occurrence.OverrideAdd && tooFar(o.Nominal) {
		if to.IsZero() {
			to = o.Nominal
		}
		return refuse(fmt.Sprintf("%s is too far away: nothing is planned after %s", to.UTC().Format(time.RFC3339), lastDay), "give a time until "+lastDay)
	}
	switch o.Kind {
	case occurrence.OverrideAdd:
		if !o.Nominal.After(now) {
			return refuse("what is added must be due in the future", "start a run of the net instead")
		}
	case occurrence.OverrideMove:
		if !o.To.After(now) {
			return refuse("an occurrence can only be moved into the future", "release it instead")
		}
	case occurrence.OverrideHold, occurrence.OverrideSkip:
		if o.Kind == occurrence.OverrideSkip && !o.From.IsZero() {
			return refuse("only one occurrence can be skipped", "pause the schedule instead")
		}
		if o.From.IsZero() == o.Nominal.IsZero() {
			return refuse("a hold is of one occurrence, or of all from a date", "give nominal or from")
		}
	default:
		return refuse(fmt.Sprintf("there is no override %q", o.Kind), "use add, move, skip or hold")
	}
	if o.Kind != occurrence.OverrideAdd && e.times.inForce(of) == nil {
		return noSchedule(of)
	}
	if !o.Expires.IsZero() && (!o.Expires.After(now) || o.Kind == occurrence.OverrideAdd && !o.Expires.After(o.Nominal)) {
		return refuse("it would expire before it could do anything", "give a later time, or none")
	}
	for _, other := range e.times.active {
		if other.State == occurrence.OverrideActive && other.Key == o.Key && other.Kind == o.Kind && other.From.Equal(o.From) {
			return fault.New(fault.Conflict, fmt.Sprintf("%s has done this before (override %d)", other.By, other.ID), "drop that one first")
		}
	}
	return nil
}

// added stores what a person adds as pending.
func (e *Engine) added(ctx context.Context, d *decision, o occurrence.Override) error {
	def, err := e.defs.of(ctx, o.Net, 0)
	if err != nil {
		return fault.New(fault.NotFound, noNet(o.Net, 0), "see `reeve net list`")
	}
	if _, err := run.New(def, run.Request{Params: o.Params}, d.agenda.now); err != nil {
		return err
	}
	if f, err := e.find(ctx, o.Key); err == nil {
		return alreadyIs(f.record, "give another time")
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	zone := calendar.DefaultSchedule().Zone
	e.file(d, occurrence.Record{
		Key: o.Key, Due: o.Nominal, Zone: zone, TZData: e.cfg.Zones.Version(), By: o.By, Decided: d.agenda.now,
		Decision: occurrence.Pending, Reason: occurrence.NotYet, Detail: because("added by "+o.By, o.Reason),
	}, o.Nominal)
	return nil
}

// touched stores an occurrence that a person changes as pending.
func (e *Engine) touched(ctx context.Context, d *decision, o occurrence.Override) error {
	f, err := e.find(ctx, o.Key)
	if err != nil {
		return err
	}
	rec := f.record
	switch {
	case rec.Decision != occurrence.Pending:
		return alreadyIs(rec, "")
	case rec.Rev != 0 && rec.Span == 0:
		return fault.New(fault.Conflict, fmt.Sprintf("occurrence %s: %s", keyText(o.Key), rec.Detail), "add one by hand instead")
	case !o.Expires.IsZero() && o.Kind != occurrence.OverrideHold && !o.Expires.After(rec.Due):
		return fault.New(fault.Invalid, "it would expire before the occurrence is due", "give a later time, or none")
	}
	if rec.Rev == 0 && rec.Decided.IsZero() {
		rec.Decided, rec.Detail = d.agenda.now, "it is due at "+rec.Due.UTC().Format(time.RFC3339)
	}
	again := rec.Due
	if o.Kind == occurrence.OverrideMove {
		again = o.To
	}
	e.file(d, rec, again)
	d.agenda.lookAgain = append(d.agenda.lookAgain, o.Key)
	return nil
}

// DropOverride takes one back that is active or stale. What it has added is cancelled.
func (e *Engine) DropOverride(ctx context.Context, id int64, by Act) (occurrence.Override, error) {
	var o occurrence.Override
	_, err := e.act(ctx, by.Audit, func(_ context.Context, d *decision, _ *request) error {
		t, a := &e.times, d.agenda
		var ok bool
		if o, ok = t.active[id]; !ok {
			return fault.New(fault.NotFound, fmt.Sprintf("there is no override %d that is active or stale", id), "see `reeve agenda`")
		}
		if w := t.pending[o.Key]; w != nil && o.Kind == occurrence.OverrideAdd {
			rec := w.Record
			rec.Decision, rec.Reason, rec.Detail = occurrence.Cancelled, occurrence.ByPerson, because("taken back by "+by.By, by.Reason)
			rec.By, rec.Decided = by.By, a.now
			e.file(d, rec, time.Time{})
		}
		e.endOverride(d, o, occurrence.OverrideDropped)
		a.lookAgain = append(a.lookAgain, t.heldBy(o)...)
		o.State, o.Ended = occurrence.OverrideDropped, a.now
		return nil
	})
	return o, err
}
