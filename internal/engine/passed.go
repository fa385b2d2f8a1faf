package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// passed takes what a turn has decided of occurrences into memory: it is committed, or there was nothing to store.
func (e *Engine) passed(ctx context.Context, d *decision, receipt store.Receipt) {
	t, a := &e.times, d.agenda
	for _, f := range a.received {
		f(receipt)
	}
	t.mu.Lock()
	for _, f := range slices.Concat(a.fired, a.gapped) {
		f.entry.decided, f.entry.next = f.decided, f.next
		if !f.gone {
			t.queue.put(f.entry)
		}
		t.forgetDone(f.entry)
	}
	t.redefined = t.redefined[a.redefined:]
	t.chains = t.chains[a.chained:]
	e.passGap(a)
	t.passRecords(a)
	t.look = append(t.look[a.looked:], a.lookAgain...)
	t.sortLook()
	if !a.through.IsZero() {
		t.through = a.through
	}
	if a.marks != nil {
		t.marks = *a.marks
		t.marks.Rev++
	}
	clear(t.taken)
	clear(t.free)
	for net := range a.reread {
		e.readPeople(ctx, net)
	}
	for _, f := range a.after {
		f()
	}
	t.more = len(t.look) > 0 || len(t.gaps) > 0 || len(t.chains) > 0 || len(t.redefined) > 0
	t.mu.Unlock()
	e.tell(d)
}

// passGap lets go of an outage of which everything is decided.
func (e *Engine) passGap(a *agenda) {
	t := &e.times
	if len(t.gaps) == 0 || !t.gaps[0].begun {
		return
	}
	if g := t.gaps[0]; len(a.gapped) < len(g.todo) {
		g.todo = g.todo[len(a.gapped):]
		return
	}
	t.gaps = slices.Delete(t.gaps, 0, 1)
}

// passRecords keeps what waits, and forgets what was decided.
func (t *times) passRecords(a *agenda) {
	for _, k := range a.order {
		f := a.records[k]
		if f.Decision == occurrence.Pending {
			rec := f.Record
			if f.write {
				rec.Rev++
			}
			t.wait(rec, f.again)
			continue
		}
		t.settle(k)
		if en := t.of(scheduleOf(k), f.Due); en != nil && !en.rule.ByEnd() && f.Due.UnixMicro() > en.decided {
			t.decided(k) // before its time
		}
		if f.Run != "" && !f.MustEnd.IsZero() {
			t.mustEnd[f.Run] = f.MustEnd
			t.alarms.set(f.MustEnd, alarm{run: f.Run})
		}
	}
}

// forgetDone lets go of what an entry has passed.
func (t *times) forgetDone(en *entry) {
	of := scheduleKey{en.net, en.name}
	for nominal := range t.done[of] {
		if o, ok := en.rule.At(timeOf(nominal)); !ok || o.Due.UnixMicro() <= en.decided {
			delete(t.done[of], nominal)
		}
	}
	if len(t.done[of]) == 0 {
		delete(t.done, of)
	}
}

// tell says after a commit which runs are late, and of which nets something was decided.
func (e *Engine) tell(d *decision) {
	t, a := &e.times, d.agenda
	for _, id := range d.order {
		if dr := d.drafts[id]; dr.dirty && !stillOpen(dr.state.Status) {
			t.mu.Lock()
			delete(t.mustEnd, id)
			delete(t.late, id)
			t.mu.Unlock()
		}
	}
	for _, id := range a.late {
		s, _, ok := e.board.get(id)
		if _, open := t.mustEnd[id]; !open || t.late[id] {
			continue
		}
		t.mu.Lock()
		t.late[id] = true
		t.mu.Unlock()
		if ok {
			e.cfg.Changed(Change{State: s, Late: true})
		}
	}
	if e.cfg.Decided == nil {
		return
	}
	nets := map[string]bool{}
	for _, k := range a.order {
		nets[k.Net] = true
	}
	for _, r := range a.ranges {
		nets[r.Range.Net] = true
	}
	for _, r := range a.recovered {
		nets[r.Record.Net] = true
	}
	for net := range a.reread {
		nets[net] = true
	}
	if len(nets) > 0 {
		e.cfg.Decided(sortedKeys(nets))
	}
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// nextWake returns when something about occurrences has to be looked at; zero: nothing is known.
func (t *times) nextWake(now time.Time) time.Time {
	if t.more {
		return now
	}
	next := int64(0)
	if len(t.queue) > 0 {
		next = t.queue[0].next
	}
	if len(t.alarms) > 0 && (next == 0 || t.alarms[0].at < next) {
		next = t.alarms[0].at
	}
	return timeOf(next)
}

// meet reads anew what another has changed meanwhile.
func (e *Engine) meet(ctx context.Context, d *decision, noun string) {
	t, a := &e.times, d.agenda
	nets := map[string]bool{}
	for _, k := range a.order {
		nets[k.Net] = true
	}
	for _, f := range slices.Concat(a.fired, a.gapped) {
		nets[f.net] = true
	}
	for net := range a.reread {
		nets[net] = true
	}
	var err error
	switch noun {
	case "span":
		err = e.reread(ctx, sortedKeys(nets))
	case "pause", "override":
		t.mu.Lock()
		for net := range nets {
			e.readPeople(ctx, net)
		}
		t.mu.Unlock()
	case "occurrence":
		err = e.meetRecords(ctx, a)
	}
	if err != nil {
		e.cfg.Log.Error("reading what another has decided", slog.String("noun", noun), slog.Any("error", err))
	}
}

// meetRecords reads the records that the store has of what was to be stored as new: another server was faster, or a changed rule is due again
// for an instant that was decided by the older one, in a record or in a range.
func (e *Engine) meetRecords(ctx context.Context, a *agenda) error {
	t := &e.times
	for _, k := range a.order {
		if f := a.records[k]; !f.write || f.Rev != 0 {
			if err := e.meetPending(ctx, k); err != nil {
				return err
			}
			continue
		}
		known, err := e.cfg.Times.Occurrences(ctx, store.OccurrenceQuery{Net: k.Net, Schedule: k.Schedule, Nominal: k.Nominal, Limit: 1})
		if err != nil {
			return err
		}
		if len(known) == 0 {
			if err := e.meetRange(ctx, k); err != nil {
				return err
			}
			continue
		}
		t.mu.Lock()
		if r := known[0]; r.Decision == occurrence.Pending {
			t.wait(r, r.Due)
		} else {
			t.decided(k)
		}
		t.mu.Unlock()
	}
	return nil
}

// meetRange notes whether a range stands for what was to be stored as new.
func (e *Engine) meetRange(ctx context.Context, k occurrence.Key) error {
	f, err := e.findInRange(ctx, k)
	if err != nil && !errors.Is(err, errNoSpan) && !fault.Is(err, fault.Conflict) {
		return err
	}
	t := &e.times
	t.mu.Lock()
	defer t.mu.Unlock()
	if f != nil {
		t.decided(k)
	} else { // also where what a range was counted with cannot be read any more: none is lost for it
		t.free[k] = true
	}
	return nil
}

// meetPending reads a record anew that waits as far as memory knows.
func (e *Engine) meetPending(ctx context.Context, k occurrence.Key) error {
	t := &e.times
	if t.pending[k] == nil {
		return nil
	}
	known, err := e.cfg.Times.Occurrences(ctx, store.OccurrenceQuery{Net: k.Net, Schedule: k.Schedule, Nominal: k.Nominal, Limit: 1})
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(known) == 0:
		t.settle(k)
	case known[0].Decision == occurrence.Pending:
		t.wait(known[0], known[0].Due)
	default:
		t.settle(k)
		t.decided(k)
	}
	return nil
}

// meetRun notes the run that the store has for an occurrence of which it has no record; false: the key is not an occurrence's.
func (t *times) meetRun(ctx context.Context, s Store, key string) bool {
	if !strings.HasPrefix(key, runKeyPrefix) || t.taken[key] != "" {
		return false
	}
	id, err := s.RunByKey(ctx, key)
	if err != nil {
		return false
	}
	t.taken[key] = id
	return true
}

// rereadMarks reads how far an outage is decided, after another has written it.
func (e *Engine) rereadMarks(ctx context.Context) {
	marks, err := e.cfg.Store.Setting(ctx, outageSetting)
	if err != nil {
		e.cfg.Log.Error("reading how far an outage is decided", slog.Any("error", err))
		return
	}
	e.times.marks = marks
}
