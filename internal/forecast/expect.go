package forecast

import (
	"cmp"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// addOccurrences finds all that falls due, with what people changed of it.
func (p *Plan) addOccurrences(w *World, changes *whatIfs) {
	p.days = make([]Day, 0, p.o.Days+1)
	for d := p.from.Truncate(24 * time.Hour); d.Before(p.time(p.until)); d = d.Add(24 * time.Hour) {
		p.days = append(p.days, Day{Begin: d})
	}
	p.begun = int64(p.from.Sub(p.days[0].Begin))
	ch := changesOf(w)
	for i := range w.Nets {
		if changes.without[p.nets[i].name] {
			continue
		}
		for k := range w.Nets[i].Rules {
			p.addRule(w.Now, int32(i), int32(k), &ch)
		}
		p.addPending(w, int32(i), &ch)
	}
	slices.SortFunc(p.occs, func(a, b planned) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.net, b.net), cmp.Compare(a.rule, b.rule), cmp.Compare(a.due, b.due))
	})
}

// addRule adds what a schedule has due. Of one that has more than can be simulated the rest is only counted.
func (p *Plan) addRule(now time.Time, net, rule int32, ch *changed) {
	r, s := p.nets[net].rules[rule], &p.nets[net].schedules[rule]
	key := scheduleKey{p.nets[net].name, s.Name}
	name := luck(p.o.Seed).text(key.net).text(key.schedule)
	most, kept, plain := p.o.Budget/fewest, 0, ch.plain(key)
	for o := range r.Between(now, p.time(p.until)) {
		at, due, waits, ok := o.Due, o.Due, occurrence.Reason(""), o.Suppressed == ""
		if !plain && ok {
			if ch.waits[occurrence.Key{Net: key.net, Schedule: key.schedule, Nominal: o.Nominal}] {
				continue
			}
			at, due, waits, ok = ch.decided(situation(key, o, s))
		}
		switch {
		case !ok:
			p.suppressed++
		case kept > most:
			p.count(due)
		default:
			kept++
			p.add(planned{net: net, rule: rule, waits: waits, name: name.with(uint64(o.Nominal.UnixNano()))}, at, due)
		}
	}
}

// addPending adds what fell due earlier and waits, and what people added.
func (p *Plan) addPending(w *World, net int32, ch *changed) {
	name := p.nets[net].name
	for _, r := range ch.pending[name] {
		o := planned{net: net, rule: p.rule(net, r.Schedule), name: luck(p.o.Seed).text(name).text(r.Schedule).with(uint64(r.Nominal.UnixNano()))}
		s := p.scheduleOf(&o)
		sit := situation(scheduleKey{name, r.Schedule}, calendar.Occurrence{Nominal: r.Nominal, Due: r.Due}, s)
		sit.Now, sit.Since, sit.Waits = w.Now, r.Due, r.Reason
		at, due, waits, ok := ch.decided(sit)
		if !ok {
			continue // held, or its window closes before anything can be done
		}
		o.waits = waits
		p.add(o, at, due)
	}
	for _, a := range ch.added[name] {
		if ch.waits[a.Key] {
			continue
		}
		o := planned{net: net, rule: -1, name: luck(p.o.Seed).text(name).text(occurrence.Manual).with(uint64(a.Nominal.UnixNano()))}
		p.add(o, a.Nominal, a.Nominal)
	}
}

// rule finds a schedule of a net; -1: it has none of this name.
func (p *Plan) rule(net int32, schedule string) int32 {
	return int32(slices.IndexFunc(p.nets[net].schedules, func(s calendar.Schedule) bool { return s.Name == schedule }))
}

// scheduleOf returns what the schedule of an occurrence says; of one that was added by hand, that it runs beside others.
func (p *Plan) scheduleOf(o *planned) *calendar.Schedule {
	if o.rule < 0 {
		return &p.byHand
	}
	return &p.nets[o.net].schedules[o.rule]
}

// add adds one occurrence that is looked at at an instant and due at another.
func (p *Plan) add(o planned, at, due time.Time) {
	o.at, o.due = max(p.offset(at), 0), p.offset(due)
	if o.at > p.until {
		return
	}
	if end := p.scheduleOf(&o).MustEnd; end > 0 {
		o.mustEnd = o.due + int64(end)
	}
	p.occs = append(p.occs, o)
	p.count(at)
}

// count counts an occurrence on its day.
func (p *Plan) count(at time.Time) {
	p.days[p.day(p.offset(at))].Occurrences++
}

// day is the position of an instant's day; what is beyond the last is counted there.
func (p *Plan) day(at int64) int {
	return min(max(int((at+p.begun)/int64(24*time.Hour)), 0), len(p.days)-1)
}
