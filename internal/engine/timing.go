package engine

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Scheduled is a schedule that is in force, compiled.
type Scheduled struct {
	Net     string
	Name    string
	Span    int64
	Version int // of the net, when the span began
	Since   time.Time
	TZData  string
	Rule    *calendar.Rule
	// Next is what falls due next and is not decided; false in HasNext: nothing ever will, or it is only known when a run has
	// ended (AwaitsEnd).
	Next      calendar.Occurrence
	HasNext   bool
	AwaitsEnd bool
}

// Upcoming is an occurrence that the rule of a schedule in force has. What people have changed of the agenda is not in it.
type Upcoming struct {
	Net      string
	Schedule string
	Span     int64
	Version  int
	calendar.Occurrence
}

// UpcomingQuery asks for occurrences with Since < Due <= Until. Limit 0 means 1000.
type UpcomingQuery struct {
	Since    time.Time
	Until    time.Time
	Net      string
	Folder   string // nets below it; "" all
	Schedule string
	Limit    int
}

// Waiting is a pending occurrence, and when it is looked at again at the latest; zero: when what it waits for comes.
type Waiting struct {
	occurrence.Record
	Again time.Time
}

// Act is who does something to occurrences and why, and what the audit trail says of it; it is committed with what is done.
type Act struct {
	By     string
	Reason string
	Audit  []store.AuditRecord
}

// Dismissal says what a person has seen and does not want to be done: one missed occurrence (Key), a range (by its id), or all that was
// missed of the nets that match and fell due before Until.
type Dismissal struct {
	Key      occurrence.Key
	Range    int64
	Net      string
	Folder   string
	Schedule string
	Until    time.Time
}

// Upcoming returns what rules have, by due, net, schedule and nominal, the suppressed ones among them. It only reads memory, and is safe for
// use by several goroutines at once, as all queries below.
func (e *Engine) Upcoming(q UpcomingQuery) []Upcoming {
	limit := q.Limit
	if limit <= 0 {
		limit = 1000
	}
	var found soonest
	for _, en := range e.times.inFolder(q.Net, q.Folder) {
		if q.Schedule != "" && q.Schedule != en.name {
			continue
		}
		for o := range en.rule.Between(later(q.Since, timeOf(en.since-1)), q.Until) {
			u := Upcoming{Net: en.net, Schedule: en.name, Span: en.span, Version: en.version, Occurrence: o}
			if len(found) < limit {
				heap.Push(&found, u)
				continue
			}
			if !u.before(&found[0]) {
				break // all that follow are later
			}
			found[0] = u
			heap.Fix(&found, 0)
		}
	}
	slices.SortFunc(found, func(a, b Upcoming) int {
		if a.before(&b) {
			return -1
		}
		return 1
	})
	return found
}

// soonest is a heap of what is due, the latest first: so that the latest of too many goes.
type soonest []Upcoming

func (s soonest) Len() int           { return len(s) }
func (s soonest) Less(i, j int) bool { return s[j].before(&s[i]) }
func (s soonest) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *soonest) Push(x any)        { *s = append(*s, x.(Upcoming)) }
func (s *soonest) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	*s = (*s)[:last]
	return x
}

func (u *Upcoming) before(other *Upcoming) bool {
	return cmp.Or(u.Due.Compare(other.Due), cmp.Compare(u.Net, other.Net), cmp.Compare(u.Schedule, other.Schedule), u.Nominal.Compare(other.Nominal)) < 0
}

// inFolder returns the schedules in force of a net ("": all) and below a folder.
func (t *times) inFolder(net, folder string) []*entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var all []*entry
	add := func(first *entry) {
		for en := first; en != nil; en = en.sibling {
			if en.until == 0 && (folder == "" || strings.HasPrefix(en.net, folder+"/")) {
				all = append(all, en)
			}
		}
	}
	if net != "" {
		add(t.nets[net])
		return all
	}
	for _, first := range t.nets {
		add(first)
	}
	return all
}

// Schedules returns the schedules in force of a net ("": all) and below a folder, by net and name.
func (e *Engine) Schedules(net, folder string) []Scheduled {
	entries := e.times.inFolder(net, folder)
	slices.SortFunc(entries, func(a, b *entry) int { return cmp.Or(cmp.Compare(a.net, b.net), cmp.Compare(a.name, b.name)) })
	all := make([]Scheduled, len(entries))
	for i, en := range entries {
		all[i] = e.scheduled(en)
	}
	return all
}

// InForce returns the schedules in force below a folder ("" all), in any order, without what they have next.
func (e *Engine) InForce(folder string) []Scheduled {
	entries := e.times.inFolder("", folder)
	all := make([]Scheduled, len(entries))
	for i, en := range entries {
		all[i] = Scheduled{Net: en.net, Name: en.name, Span: en.span, Version: en.version, Since: timeOf(en.since), TZData: en.tzdata, Rule: en.rule}
	}
	return all
}

// RuleOf returns a schedule that is in force.
func (e *Engine) RuleOf(net, schedule string) (Scheduled, bool) {
	e.times.mu.RLock()
	en := e.times.inForce(scheduleKey{net, schedule})
	e.times.mu.RUnlock()
	if en == nil {
		return Scheduled{}, false
	}
	return e.scheduled(en), true
}

func (e *Engine) scheduled(en *entry) Scheduled {
	t := &e.times
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := Scheduled{Net: en.net, Name: en.name, Span: en.span, Version: en.version, Since: timeOf(en.since), TZData: en.tzdata, Rule: en.rule}
	if !en.rule.ByEnd() {
		if en.next != 0 {
			for o := range en.rule.Between(timeOf(en.next-1), timeOf(en.next)) {
				s.Next, s.HasNext = o, true
				break
			}
		}
		return s
	}
	for _, w := range t.waits[scheduleKey{en.net, en.name}] {
		if w.Reason == occurrence.NotYet {
			s.Next, s.HasNext = calendar.Occurrence{Nominal: w.Nominal, Due: w.Due}, true
			break
		}
	}
	s.AwaitsEnd = !s.HasNext
	return s
}

// OpenRunsOf returns the ids of a net's runs that have not ended, unknown ones too, oldest first.
func (e *Engine) OpenRunsOf(net string) []string { return e.board.openOf(net) }

// PendingWhy returns an occurrence that has fallen due or that a person has touched, and waits, with the reason; false: it does not wait.
func (e *Engine) PendingWhy(key occurrence.Key) (Waiting, bool) {
	t := &e.times
	t.mu.RLock()
	defer t.mu.RUnlock()
	w, ok := t.pending[key]
	if !ok {
		return e.undecided(key)
	}
	return Waiting{Record: w.Record, Again: w.again}, true
}

// undecided says why something that is due has no record yet: the disk is full, or the engine is about to decide it.
func (e *Engine) undecided(key occurrence.Key) (Waiting, bool) {
	en := e.times.inForce(scheduleOf(key))
	if en == nil || en.next == 0 || en.rule.ByEnd() {
		return Waiting{}, false
	}
	o, ok := en.rule.At(key.Nominal)
	if !ok || o.Due.UnixMicro() < en.next || o.Due.After(e.cfg.Now()) {
		return Waiting{}, false
	}
	w := Waiting{Record: fresh(en, o).record}
	w.Decision, w.Reason, w.Detail = occurrence.Pending, occurrence.NotYet, "it is about to be decided"
	if why := e.Disk(); why != "" {
		w.Reason, w.Detail = occurrence.DiskFull, why
	}
	return w, true
}

// PausedNow returns a schedule's pause that is in force; false: it is not paused.
func (e *Engine) PausedNow(net, schedule string) (occurrence.Pause, bool) {
	now := e.cfg.Now()
	e.times.mu.RLock()
	defer e.times.mu.RUnlock()
	p, ok := e.times.pauses[scheduleKey{net, schedule}]
	return p, ok && (p.Until.IsZero() || now.Before(p.Until))
}

// Decided returns the instant through which everything that is due was decided or stored as pending. Conservation holds up to it.
func (e *Engine) Decided() time.Time {
	t, now := &e.times, e.cfg.Now()
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.gaps) > 0 {
		return t.through
	}
	through := now.Round(0).UTC()
	if len(t.queue) > 0 && t.queue[0].next <= through.UnixMicro() {
		through = timeOf(t.queue[0].next - 1)
	}
	return later(through, t.through)
}

// Late returns by when an open run had to end, and whether that is over; zero: it has no such limit.
func (e *Engine) Late(id string) (mustEnd time.Time, late bool) {
	now := e.cfg.Now()
	e.times.mu.RLock()
	defer e.times.mu.RUnlock()
	mustEnd = e.times.mustEnd[id]
	return mustEnd, !mustEnd.IsZero() && !now.Before(mustEnd)
}

// openLate reads by when the open runs of schedules have to end.
func (e *Engine) openLate(ctx context.Context) error {
	for id, o := range e.board.runs {
		s := o.state
		if s.Schedule == "" {
			continue
		}
		records, err := e.cfg.Times.Occurrences(ctx, store.OccurrenceQuery{Net: s.Net, Schedule: s.Schedule, Nominal: s.Nominal, Limit: 1})
		if err != nil {
			return fmt.Errorf("reading by when run %s has to end: %w", id, err)
		}
		if len(records) > 0 && records[0].Run == id && !records[0].MustEnd.IsZero() {
			e.times.mustEnd[id] = records[0].MustEnd
			e.times.alarms.set(records[0].MustEnd, alarm{run: id})
		}
	}
	return nil
}
