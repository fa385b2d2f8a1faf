package forecast

import (
	"cmp"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// addOccurrences finds all that falls due, with what people changed of it: it counts first, so that what is more than can be simulated
// is never gathered.
func (p *Plan) addOccurrences(w *World, changes *whatIfs) {
	for d := p.from.Truncate(24 * time.Hour); d.Before(p.time(p.until)); d = d.Add(24 * time.Hour) {
		p.days = append(p.days, Day{Begin: d})
	}
	p.begun = int64(p.from.Sub(p.days[0].Begin))
	hours := make([]int, p.until/int64(time.Hour)+1) // jobs
	ch := changesOf(w)
	p.each(w, changes, &ch, p.until, func(o planned, suppressed bool) {
		if suppressed {
			p.suppressed++
			return
		}
		p.days[p.day(o.at)].Occurrences++
		hours[o.at/int64(time.Hour)] += max(len(p.nets[o.net].jobs), 2) // what is kept of a run costs as much as two jobs
	})
	p.bound(hours)
	p.each(w, changes, &ch, p.released, func(o planned, suppressed bool) {
		if !suppressed {
			p.occs = append(p.occs, o)
		}
	})
	slices.SortFunc(p.occs, func(a, b planned) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.net, b.net), cmp.Compare(a.rule, b.rule), cmp.Compare(a.due, b.due))
	})
}

// each calls f for every occurrence that goes on at or before an instant, and for those that are suppressed.
func (p *Plan) each(w *World, changes *whatIfs, ch *changed, until int64, f func(o planned, suppressed bool)) {
	for i := range w.Nets {
		if changes.without[p.nets[i].name] {
			continue
		}
		for k := range w.Nets[i].Rules {
			p.eachOf(w.Now, p.time(until), &planned{net: int32(i), rule: int32(k)}, ch, f)
		}
		p.eachWaiting(w, int32(i), until, ch, f)
	}
}

// eachOf goes through what a schedule has due.
func (p *Plan) eachOf(now, until time.Time, of *planned, ch *changed, f func(o planned, suppressed bool)) {
	r, s := p.nets[of.net].rules[of.rule], p.scheduleOf(of)
	key := scheduleKey{p.nets[of.net].name, s.Name}
	name, plain := luck(p.o.Seed).text(key.net).text(key.schedule), ch.plain(key)
	for o := range r.Between(now, until) {
		if o.Suppressed != "" {
			f(*of, true)
			continue
		}
		one := *of
		one.nominal = o.Nominal.UnixNano()
		one.name = name.with(uint64(one.nominal))
		at, due := o.Due, o.Due
		if !plain {
			if ch.waits[occurrence.Key{Net: key.net, Schedule: key.schedule, Nominal: o.Nominal}] {
				continue
			}
			var ok bool
			if at, due, one.waits, ok = ch.decided(situation(key, o, s)); !ok || at.After(until) {
				f(one, true)
				continue
			}
		}
		f(p.placed(one, at, due), false)
	}
}

// eachWaiting goes through what fell due earlier and waits, and what people added.
func (p *Plan) eachWaiting(w *World, net int32, until int64, ch *changed, f func(o planned, suppressed bool)) {
	name := p.nets[net].name
	for _, r := range ch.pending[name] {
		o := planned{net: net, rule: p.rule(net, r.Schedule), nominal: r.Nominal.UnixNano(), name: luck(p.o.Seed).text(name).text(r.Schedule).with(uint64(r.Nominal.UnixNano()))}
		sit := situation(scheduleKey{name, r.Schedule}, calendar.Occurrence{Nominal: r.Nominal, Due: r.Due}, p.scheduleOf(&o))
		sit.Now, sit.Since, sit.Waits = w.Now, r.Due, r.Reason
		at, due, waits, ok := ch.decided(sit)
		if !ok {
			continue // held, or its window closes before anything can be done
		}
		o.waits = waits
		if o = p.placed(o, at, due); o.at <= until {
			f(o, false)
		}
	}
	for _, a := range ch.added[name] {
		o := planned{net: net, rule: -1, nominal: a.Nominal.UnixNano(), name: luck(p.o.Seed).text(name).text(occurrence.Manual).with(uint64(a.Nominal.UnixNano()))}
		if o = p.placed(o, a.Nominal, a.Nominal); o.at <= until && !ch.waits[a.Key] {
			f(o, false)
		}
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

// placed is an occurrence that is looked at at an instant and due at another.
func (p *Plan) placed(o planned, at, due time.Time) planned {
	o.at, o.due = max(p.offset(at), 0), p.offset(due)
	if end := p.scheduleOf(&o).MustEnd; end > 0 {
		o.mustEnd = o.due + int64(end)
	}
	return o
}

// day is the position of an instant's day; what is beyond the last is counted there.
func (p *Plan) day(at int64) int {
	return min(max(int((at+p.begun)/int64(24*time.Hour)), 0), len(p.days)-1)
}
