package engine

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// useOverrides ends the overrides of an occurrence that was decided: they did what they say, save a hold that had to let it go because it had
// expired. One that holds all from a date goes on.
func (e *Engine) useOverrides(d *decision, overrides []occurrence.Override) {
	for i := range overrides {
		o, state := overrides[i], occurrence.OverrideUsed
		if o.Kind == occurrence.OverrideHold && !o.Expires.IsZero() && !d.agenda.now.Before(o.Expires) {
			state = occurrence.OverrideExpired
		}
		if o.From.IsZero() {
			e.endOverride(d, o, state)
		}
	}
}

func (e *Engine) endOverride(d *decision, o occurrence.Override, state occurrence.OverrideState) {
	a := d.agenda
	for _, w := range a.overrides {
		if w.Override.ID == o.ID {
			return
		}
	}
	if o.State, o.Ended = state, a.now; state == occurrence.OverrideActive {
		o.Ended = time.Time{}
	}
	a.overrides = append(a.overrides, store.OverrideWrite{Override: o})
	a.reread[o.Net] = true
}

// ring looks at the alarms that are not about what waits: overrides that expire, pauses that end, runs that had to end.
func (e *Engine) ring(d *decision) {
	t, a := &e.times, d.agenda
	for _, r := range a.rung {
		switch {
		case r.run != "":
			if _, ok := t.mustEnd[r.run]; ok {
				a.late = append(a.late, r.run)
			}
		case r.override != 0:
			o, ok := t.active[r.override]
			if !ok || o.State != occurrence.OverrideActive || o.Expires.IsZero() || a.now.Before(o.Expires) {
				continue
			}
			if t.undecided(r.at) {
				a.after = append(a.after, func() { t.alarms.set(a.now.Add(lookEach), r) })
				continue
			}
			e.endOverride(d, o, occurrence.OverrideExpired)
			a.lookAgain = append(a.lookAgain, t.heldBy(o)...)
		case r.pause.net != "":
			p, ok := t.pauses[r.pause]
			if !ok || p.Until.IsZero() || a.now.Before(p.Until) {
				continue
			}
			if t.undecided(r.at) {
				a.after = append(a.after, func() { t.alarms.set(a.now.Add(lookEach), r) })
				continue
			}
			a.pauses = append(a.pauses, store.PauseWrite{Pause: p, Delete: true})
			a.reread[p.Net] = true
		}
	}
}

// undecided reports whether something that was due before an instant is not decided yet: until then what people said of it matters.
func (t *times) undecided(at int64) bool {
	return len(t.gaps) > 0 || len(t.queue) > 0 && t.queue[0].next <= at
}

// heldBy returns what waits because of an override.
func (t *times) heldBy(o occurrence.Override) []occurrence.Key {
	if o.From.IsZero() {
		return []occurrence.Key{o.Key}
	}
	var keys []occurrence.Key
	for _, w := range t.waits[scheduleOf(o.Key)] {
		if w.Reason == occurrence.HeldBack {
			keys = append(keys, w.Key)
		}
	}
	return keys
}

// readPeople reads what people have changed of a net, after a commit that has changed it.
func (e *Engine) readPeople(ctx context.Context, net string) {
	t := &e.times
	pauses, err := e.cfg.Times.Pauses(ctx)
	if err == nil {
		var overrides []occurrence.Override
		if overrides, err = e.cfg.Times.Overrides(ctx, net, livingOverrides(), 0); err == nil {
			t.takePauses(pauses)
			t.dropOverrides(net)
			t.takeOverrides(overrides)
			return
		}
	}
	e.cfg.Log.Error("reading what people have changed of the agenda", slog.String("net", net), slog.Any("error", fmt.Errorf("after it was stored: %w", err)))
}
