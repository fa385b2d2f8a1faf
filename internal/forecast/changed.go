package forecast

import (
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// changed is what people changed of what is due, and what waits, by what it is about.
type changed struct {
	skipped  map[occurrence.Key]bool
	moved    map[occurrence.Key]time.Time
	added    map[string][]occurrence.Override
	holds    map[[2]string][]occurrence.Override // that hold all from a date
	pauses   map[[2]string]occurrence.Pause
	pending  map[string][]occurrence.Record
	lastEnds map[string]time.Time
}

func changesOf(w *World) changed {
	c := changed{
		skipped: map[occurrence.Key]bool{}, moved: map[occurrence.Key]time.Time{}, added: map[string][]occurrence.Override{},
		holds: map[[2]string][]occurrence.Override{}, pauses: map[[2]string]occurrence.Pause{}, pending: map[string][]occurrence.Record{}, lastEnds: w.LastEnds,
	}
	for _, o := range w.Changes {
		if o.State != occurrence.OverrideActive {
			continue
		}
		switch o.Kind {
		case occurrence.OverrideSkip:
			c.skipped[o.Key] = true
		case occurrence.OverrideMove:
			c.moved[o.Key] = o.To
		case occurrence.OverrideAdd:
			c.added[o.Net] = append(c.added[o.Net], o)
		case occurrence.OverrideHold:
			c.hold(o)
		}
	}
	for _, p := range w.Pauses {
		c.pauses[[2]string{p.Net, p.Schedule}] = p
	}
	for _, r := range w.Pending {
		if r.Decision == occurrence.Pending && r.Reason != occurrence.HeldBack {
			c.pending[r.Net] = append(c.pending[r.Net], r)
			c.skipped[r.Key] = true // it is not to be found once more by its rule
		}
	}
	return c
}

// hold takes a hold as long as it stands: what is held until it expires falls due then.
func (c *changed) hold(o occurrence.Override) {
	if !o.From.IsZero() {
		key := [2]string{o.Net, o.Schedule}
		c.holds[key] = append(c.holds[key], o)
		return
	}
	if o.Expires.IsZero() {
		c.skipped[o.Key] = true
		return
	}
	c.moved[o.Key] = o.Expires
}

// dropped reports whether an occurrence will not be released, by its rule or because a person says so.
func (c *changed) dropped(key [2]string, o calendar.Occurrence) bool {
	if o.Suppressed != "" || c.skipped[occurrence.Key{Net: key[0], Schedule: key[1], Nominal: o.Nominal}] {
		return true
	}
	if p, ok := c.pauses[key]; ok && (p.Until.IsZero() || o.Due.Before(p.Until)) {
		return true
	}
	for _, h := range c.holds[key] {
		if !o.Due.Before(h.From) && (h.Expires.IsZero() || o.Due.Before(h.Expires)) {
			return true
		}
	}
	return false
}
