package forecast

import (
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// changed is what people changed of what is due, and what waits, by what it is about.
type changed struct {
	single  map[occurrence.Key][]occurrence.Override // skip, move and hold of one
	from    map[scheduleKey][]occurrence.Override    // holds of all from a date
	added   map[string][]occurrence.Override
	pauses  map[scheduleKey]occurrence.Pause
	pending map[string][]occurrence.Record
	waits   map[occurrence.Key]bool
}

type scheduleKey struct{ net, schedule string }

func changesOf(w *World) changed {
	c := changed{
		single: map[occurrence.Key][]occurrence.Override{}, from: map[scheduleKey][]occurrence.Override{}, added: map[string][]occurrence.Override{},
		pauses: map[scheduleKey]occurrence.Pause{}, pending: map[string][]occurrence.Record{}, waits: map[occurrence.Key]bool{},
	}
	for _, o := range w.Changes {
		switch key := (scheduleKey{o.Net, o.Schedule}); {
		case o.State != occurrence.OverrideActive:
		case o.Kind == occurrence.OverrideAdd:
			c.added[o.Net] = append(c.added[o.Net], o)
		case !o.From.IsZero():
			c.from[key] = append(c.from[key], o)
		default:
			c.single[o.Key] = append(c.single[o.Key], o)
		}
	}
	for _, p := range w.Pauses {
		c.pauses[scheduleKey{p.Net, p.Schedule}] = p
	}
	for _, r := range w.Pending {
		if r.Decision == occurrence.Pending && !r.Due.After(w.Now) {
			c.pending[r.Net] = append(c.pending[r.Net], r)
			c.waits[r.Key] = true // it is not to be found once more by its rule
		}
	}
	return c
}

// plain reports whether nobody has changed anything of a schedule.
func (c *changed) plain(key scheduleKey) bool {
	_, paused := c.pauses[key]
	return !paused && len(c.from[key]) == 0 && len(c.single) == 0 && len(c.waits) == 0
}

// decided is when an occurrence goes on to the simulation, with what people changed of it: at an instant, having waited for a reason; or never.
func (c *changed) decided(s occurrence.Situation) (at, due time.Time, waits occurrence.Reason, ok bool) {
	key := scheduleKey{s.Key.Net, s.Key.Schedule}
	if p, paused := c.pauses[key]; paused {
		s.Pause = &p
	}
	s.Overrides = append(append([]occurrence.Override(nil), c.single[s.Key]...), c.from[key]...)
	s.Agent = true // whether there is one, and whether a run is open, is seen in the simulation
	due = s.Occurrence.Due
	for range 4 { // moved, held until, and then its window: more can not come of it
		v := occurrence.Decide(s)
		switch {
		case v.Decision == occurrence.Released:
			return s.Now, due, s.Waits, true
		case v.Decision != occurrence.Pending || v.Again.IsZero():
			return time.Time{}, time.Time{}, "", false
		}
		if v.Reason == occurrence.NotYet {
			due = v.Again
		}
		if s.Since.IsZero() {
			s.Since = s.Now
		}
		s.Now, s.Waits = v.Again, v.Reason
	}
	return time.Time{}, time.Time{}, "", false
}

// situation is what decides an occurrence where nothing but people stands in its way.
func situation(key scheduleKey, o calendar.Occurrence, s *calendar.Schedule) occurrence.Situation {
	return occurrence.Situation{
		Key: occurrence.Key{Net: key.net, Schedule: key.schedule, Nominal: o.Nominal}, Occurrence: o, Schedule: s, Now: o.Due, Open: nil,
	}
}
