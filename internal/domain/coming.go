package domain

import (
	"context"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// coming is an occurrence that is due later, as it will be if nothing changes: what the rule has, with what people have said.
type coming struct {
	occurrence.Key
	due      time.Time
	moved    string
	decision occurrence.Decision
	reason   occurrence.Reason
	detail   string
	by       string
	span     int64
	stored   time.Time // due of its record; zero: it has none
}

// comingLimit bounds what one request looks ahead at.
const comingLimit = 200_000

// coming returns what is due in a window and is neither decided nor stored, by due; decisions, cursor and limit do not matter.
func (s *Service) coming(ctx context.Context, w *window) ([]coming, error) {
	since := s.cfg.Engine.Decided()
	if from := w.since.Add(-time.Nanosecond); from.After(since) {
		since = from
	}
	until := w.until.Add(-time.Nanosecond)
	if !until.After(since) {
		return nil, nil
	}
	stored, err := s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{Net: w.net, Folder: w.folder, Schedule: w.schedule, Since: s.cfg.Engine.Decided().Add(time.Microsecond), Limit: comingLimit})
	if err != nil {
		return nil, storeFault(err)
	}
	known := make(map[occurrence.Key]bool, len(stored))
	for i := range stored {
		known[stored[i].Key] = true
	}
	people, err := s.peoples(ctx, w)
	if err != nil {
		return nil, err
	}
	// A page needs no more than its limit and what falls away of it; who wants all gives no limit.
	limit := comingLimit
	if w.limit > 0 && w.after.Key.Net == "" && len(w.decisions)+len(w.reasons) == 0 {
		limit = min(limit, w.limit+1+len(stored)+people.count())
	}
	found := s.cfg.Engine.Upcoming(engine.UpcomingQuery{Since: since, Until: until, Net: w.net, Folder: w.folder, Schedule: w.schedule, Limit: limit})
	out := make([]coming, 0, len(found))
	for i := range found {
		if c := people.apply(&found[i]); !known[c.Key] && people.stays(&c, since, until) {
			s.undecided(&c)
			out = append(out, c)
		}
	}
	if more := people.added(s, known, since, until); len(more) > 0 || people.moved > 0 { // else they are in order
		for i := range more {
			s.undecided(&more[i])
		}
		out = append(out, more...)
		sortComing(out)
	}
	return out, nil
}

func sortComing(list []coming) {
	slices.SortFunc(list, func(a, b coming) int {
		return (&item{due: a.due, key: a.Key}).compare(&item{due: b.due, key: b.Key})
	})
}

// early returns what of a window has a record before it is due: what counts from the end of a run, and what people added. The record says that it
// is pending, and not what will become of it.
func (s *Service) early(ctx context.Context, w *window) ([]coming, error) {
	records, err := s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{
		Net: w.net, Folder: w.folder, Schedule: w.schedule, Since: w.since, Until: w.until, Limit: comingLimit,
		Decisions: []occurrence.Decision{occurrence.Pending}, Reasons: []occurrence.Reason{occurrence.NotYet},
	})
	if err != nil || len(records) == 0 {
		return nil, storeFault(err)
	}
	people, err := s.peoples(ctx, &window{net: w.net, folder: w.folder, schedule: w.schedule})
	if err != nil {
		return nil, err
	}
	out := make([]coming, 0, len(records))
	for i := range records {
		if now, ok := s.cfg.Engine.PendingWhy(records[i].Key); ok && now.Reason != occurrence.NotYet {
			continue // it has fallen due, and is looked at
		}
		c := people.ofRecord(&records[i])
		c.stored = records[i].Due
		s.undecided(&c)
		out = append(out, c)
	}
	return out, nil
}

// comingOf returns one occurrence that is to come.
func (s *Service) comingOf(ctx context.Context, key occurrence.Key) (coming, bool, error) {
	w := &window{net: key.Net, schedule: key.Schedule}
	people, err := s.peoples(ctx, w)
	if err != nil {
		return coming{}, false, err
	}
	for _, c := range people.byHand {
		if sameKey(c.Key, key) {
			m := manual(c)
			s.undecided(&m)
			return m, true, nil
		}
	}
	sch, ok := s.cfg.Engine.RuleOf(key.Net, key.Schedule)
	if !ok {
		return coming{}, false, nil
	}
	o, ok := sch.Rule.At(key.Nominal)
	if !ok || !o.Due.After(s.cfg.Engine.Decided()) {
		return coming{}, false, nil
	}
	c := people.apply(&engine.Upcoming{Net: key.Net, Schedule: key.Schedule, Span: sch.Span, Occurrence: o})
	s.undecided(&c)
	return c, true, nil
}

// undecided says of what has fallen due and has no decision that the server's disk is full, where it is: nothing is decided then.
func (s *Service) undecided(c *coming) {
	if why := s.cfg.Engine.Disk(); why != "" && c.decision == occurrence.Pending && c.reason == occurrence.NotYet && !c.due.After(s.cfg.Now()) {
		c.reason, c.detail = occurrence.DiskFull, why
	}
}

// peoples is what people have said about what is to come.
type peoples struct {
	single map[occurrence.Key][]occurrence.Override
	from   map[scheduleKey][]occurrence.Override
	byHand []occurrence.Override
	moved  int
	paused func(net, name string) (occurrence.Pause, bool)
}

func (s *Service) peoples(ctx context.Context, w *window) (*peoples, error) {
	overrides, err := s.cfg.Store.Overrides(ctx, w.net, []occurrence.OverrideState{occurrence.OverrideActive}, 0)
	if err != nil {
		return nil, storeFault(err)
	}
	p := &peoples{single: map[occurrence.Key][]occurrence.Override{}, from: map[scheduleKey][]occurrence.Override{}, paused: s.cfg.Engine.PausedNow}
	for _, o := range overrides {
		if w.folder != "" && !within(w.folder, o.Net) || w.schedule != "" && o.Schedule != w.schedule {
			continue
		}
		switch {
		case o.Kind == occurrence.OverrideAdd:
			p.byHand = append(p.byHand, o)
		case o.Nominal.IsZero():
			k := scheduleKey{o.Net, o.Schedule}
			p.from[k] = append(p.from[k], o)
		default:
			p.single[o.Key] = append(p.single[o.Key], o)
			if o.Kind == occurrence.OverrideMove {
				p.moved++
			}
		}
	}
	return p, nil
}

// within reports whether a net stands below a folder.
func within(folder, net string) bool {
	at := folderOf(net)
	return at == folder || len(at) > len(folder) && at[:len(folder)] == folder && at[len(folder)] == '/'
}

func (p *peoples) count() int { return p.moved + len(p.byHand) }

// apply is what will become of an occurrence as things are: the order of what is asked is that of occurrence.Decide.
func (p *peoples) apply(u *engine.Upcoming) coming {
	c := coming{
		Key: occurrence.Key{Net: u.Net, Schedule: u.Schedule, Nominal: u.Nominal}, due: u.Due, moved: string(u.Moved), span: u.Span,
		decision: occurrence.Pending, reason: occurrence.NotYet,
	}
	if u.Suppressed != "" {
		c.decision, c.reason = occurrence.Suppressed, occurrence.Reason(u.Suppressed)
		return c
	}
	overrides := p.single[c.Key]
	for i := range overrides {
		if o := &overrides[i]; o.Kind == occurrence.OverrideMove && inForce(o, u.Due) {
			c.due, c.moved, c.by, c.detail = o.To, movedByHand, o.By, "moved by "+o.By+": "+o.Reason
		}
	}
	if pause, ok := p.paused(u.Net, u.Schedule); ok && !c.due.Before(pause.Since) && (pause.Until.IsZero() || c.due.Before(pause.Until)) {
		c.decision, c.reason, c.by, c.detail = occurrence.Suppressed, occurrence.Paused, pause.By, "the schedule is paused by "+pause.By+reasonText(pause.Reason)
		return c
	}
	for _, o := range slices.Concat(overrides, p.from[scheduleKey{u.Net, u.Schedule}]) {
		switch {
		case o.Kind == occurrence.OverrideSkip && inForce(&o, c.due):
			c.decision, c.reason, c.by, c.detail = occurrence.Cancelled, occurrence.ByPerson, o.By, "to be skipped: "+o.By+reasonText(o.Reason)
			return c
		case o.Kind == occurrence.OverrideHold && inForce(&o, c.due) && (o.From.IsZero() || !c.due.Before(o.From)):
			c.reason, c.by, c.detail = occurrence.HeldBack, o.By, "held by "+o.By+reasonText(o.Reason)
		}
	}
	return c
}

func reasonText(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

func inForce(o *occurrence.Override, at time.Time) bool {
	return o.Expires.IsZero() || at.Before(o.Expires)
}

// ofRecord is what will become of an occurrence that a person has touched before it was due: it has a record already.
func (p *peoples) ofRecord(r *occurrence.Record) coming {
	if r.Schedule == occurrence.Manual {
		for i := range p.byHand {
			if sameKey(p.byHand[i].Key, r.Key) {
				return manual(p.byHand[i])
			}
		}
	}
	c := p.apply(&engine.Upcoming{
		Net: r.Net, Schedule: r.Schedule, Span: r.Span, Occurrence: calendar.Occurrence{Nominal: r.Nominal, Due: r.Due, Moved: r.Moved},
	})
	return c
}

// stays reports whether what a person may have moved is still due in the window.
func (p *peoples) stays(c *coming, since, until time.Time) bool {
	return c.moved != movedByHand || c.due.After(since) && !c.due.After(until)
}

// added returns what no rule has in the window: what was added by hand, and what was moved into it from elsewhere.
func (p *peoples) added(s *Service, known map[occurrence.Key]bool, since, until time.Time) []coming {
	var out []coming
	for _, o := range p.byHand {
		if c := manual(o); !known[c.Key] && c.due.After(since) && !c.due.After(until) {
			out = append(out, c)
		}
	}
	for key, overrides := range p.single {
		for _, o := range overrides {
			if o.Kind != occurrence.OverrideMove || known[key] || !o.To.After(since) || o.To.After(until) {
				continue
			}
			sch, ok := s.cfg.Engine.RuleOf(key.Net, key.Schedule)
			if !ok {
				continue
			}
			at, ok := sch.Rule.At(key.Nominal)
			if !ok || at.Due.After(since) && !at.Due.After(until) { // that one is in the list already
				continue
			}
			if c := p.apply(&engine.Upcoming{Net: key.Net, Schedule: key.Schedule, Span: sch.Span, Occurrence: at}); p.stays(&c, since, until) && c.moved == movedByHand {
				out = append(out, c)
			}
		}
	}
	return out
}

// manual is what a person has added.
func manual(o occurrence.Override) coming {
	return coming{
		Key: occurrence.Key{Net: o.Net, Schedule: occurrence.Manual, Nominal: o.Nominal}, due: o.Nominal,
		decision: occurrence.Pending, reason: occurrence.NotYet, by: o.By, detail: "added by " + o.By + reasonText(o.Reason),
	}
}

func (s *Service) showComing(c *coming) api.Occurrence {
	out := api.Occurrence{
		Kind: kindOccurrence, Net: c.Net, Schedule: c.Schedule, Count: 1, Nominal: c.Nominal.UTC(), Due: c.due.UTC(), Zone: "UTC", Moved: opt(c.moved),
		Decision: string(c.decision), Reason: opt(string(c.reason)), Detail: opt(c.detail), By: opt(c.by),
	}
	if sch, ok := s.cfg.Engine.RuleOf(c.Net, c.Schedule); ok {
		written := sch.Rule.Schedule()
		out.Zone, out.TZData = written.Zone, sch.TZData
	}
	return out
}
