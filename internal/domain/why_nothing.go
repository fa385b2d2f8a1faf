package domain

import (
	"context"
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// aroundChange is how far from a change of clocks it may be meant: a person may mean a wall time by the offset before or after it.
const aroundChange = 3 * time.Hour

// nothing says why nothing was due, and explains what was or is due next to it.
func (x *netExplainer) nothing(ctx context.Context) error {
	x.state(stateNone)
	if len(x.rules) == 0 {
		return x.noSchedule(ctx)
	}
	var nearest *seen
	for i := range x.rules {
		r := &x.rules[i]
		x.notDue(ctx, r)
		before, after := r.around(x.from, x.to)
		for _, o := range []*calendar.Occurrence{before, after} {
			if o == nil || !r.covers(o.Due) {
				continue
			}
			away := o.Due.Sub(x.at).Abs()
			if away > whyNearest || nearest != nil && nearest.due.Sub(x.at).Abs() <= away {
				continue
			}
			if found, ok, err := x.look(ctx, x.key(r, o.Nominal), r); err != nil {
				return err
			} else if ok {
				nearest = &found
			}
		}
	}
	if nearest == nil {
		return nil
	}
	return x.one(ctx, nearest)
}

func (x *netExplainer) noSchedule(ctx context.Context) error {
	start := "reeve run start " + x.net
	spans, err := x.s.cfg.Store.Spans(ctx, store.SpanQuery{Net: x.net})
	if err != nil {
		return storeFault(err)
	}
	if len(spans) == 0 {
		x.add(WhyNoSchedule, time.Time{}, "nothing starts it: its definition has no schedules; people and programs do", start+", or add schedules to the net, then reeve net apply")
		return nil
	}
	last := spans[0]
	for _, span := range spans[1:] {
		if span.Until.After(last.Until) {
			last = span
		}
	}
	x.add(WhyNotInForce, last.Until, fmt.Sprintf("no schedule of it was in force: the last one, %s, was taken out of the net at %s", last.Schedule, stamp(last.Until)), start)
	return nil
}

// notDue says why a schedule had nothing at the instant: the wall time was taken away, a field leaves it out, or the rule has nothing.
func (x *netExplainer) notDue(ctx context.Context, r *spanRule) {
	name, written := r.span.Schedule, r.rule.Schedule()
	if x.taken(r) || x.jumped(ctx, r, written) {
		return
	}
	o := &seen{key: occurrence.Key{Net: x.net, Schedule: name}, by: r}
	if field, value := x.leftOut(ctx, r, written); field != "" {
		x.add(WhyLeftOut, time.Time{}, fmt.Sprintf("schedule %s leaves it out: %s is %s", name, field, value), x.orNow(o.edit("another "+field)))
		return
	}
	before, after := r.around(x.from, x.to)
	switch {
	case !r.covers(x.at) && attempted{r.rule}.has(x.from, x.to):
		x.add(WhyNotInForce, r.span.Since, fmt.Sprintf("schedule %s is in force as it is since %s, with version %d of the net; what it would have had before is no occurrence", name, stamp(r.span.Since), r.span.Version), "reeve run start "+x.net)
	case r.rule.ByEnd():
		x.add(string(occurrence.AwaitsEnd), time.Time{}, fmt.Sprintf("schedule %s counts %s from the end of each run: the next one is known when a run has ended", name, lengthText(written.Every)), "reeve run list --net "+x.net)
		x.open(ctx, string(occurrence.AwaitsEnd))
	case after == nil:
		x.add(WhyNever, time.Time{}, fmt.Sprintf("schedule %s is never due after that%s", name, lastText(before)), "change schedule "+name+" of "+x.net+", then reeve net apply")
	default:
		x.add(WhyNothing, time.Time{}, fmt.Sprintf("schedule %s (%s in %s) has nothing at that time%s; next at %s", name, ruleOnly(&written), written.Zone, lastText(before), x.both(r, after.Due)), x.make())
	}
}

func ruleOnly(s *calendar.Schedule) string {
	_, text := ruleText(s)
	return text
}

func lastText(before *calendar.Occurrence) string {
	if before == nil {
		return ""
	}
	return ": before at " + stamp(before.Due)
}

// both writes an instant in UTC and, where that differs, as the schedule's clocks show it.
func (x *netExplainer) both(r *spanRule, t time.Time) string {
	local := t.In(r.rule.Location()).Format("2006-01-02 15:04:05 -0700")
	if _, offset := t.In(r.rule.Location()).Zone(); offset == 0 {
		return stamp(t)
	}
	return stamp(t) + " (" + local + ")"
}

// make is the command by which something runs at the instant nevertheless.
func (x *netExplainer) make() string {
	if x.at.After(x.now) {
		return fmt.Sprintf("reeve agenda add %s --at %s --reason …", x.net, stamp(x.at))
	}
	return "reeve run start " + x.net
}

// orNow is how a schedule would be changed; where the instant is past, that helps only later ones.
func (x *netExplainer) orNow(edit string) string {
	if x.at.After(x.now) {
		return edit
	}
	return later("reeve run start "+x.net, edit)
}

// taken says that a wall time of the rule is no occurrence because clocks were changed, where that was so near the instant.
func (x *netExplainer) taken(r *spanRule) bool {
	any := false
	loc := r.rule.Location()
	for t := range r.rule.Taken(x.from.Add(-aroundChange), x.to.Add(aroundChange)) {
		if !x.means(t, loc) {
			continue
		}
		any = true
		o := &seen{key: occurrence.Key{Net: x.net, Schedule: r.span.Schedule}}
		if t.Reason == calendar.ReasonGap {
			x.add(string(t.Reason), time.Time{}, fmt.Sprintf("schedule %s: %s did not exist in %s, clocks were put forward over it, and dst_gap is skip", r.span.Schedule, t.Wall, loc), x.orNow(o.edit("dst_gap: next-valid, or shift,")))
			continue
		}
		x.add(string(t.Reason), time.Time{}, fmt.Sprintf("schedule %s: %s came twice in %s, and dst_overlap chooses the other pass", r.span.Schedule, t.Wall, loc), x.orNow(o.edit("dst_overlap: first, last or both")))
	}
	return any
}

// jumped says that clocks were put forward over a wall time of the rule, and when it is due instead. What the rule would lose, if it were to
// skip such times, is what its dst_gap has moved.
func (x *netExplainer) jumped(ctx context.Context, r *spanRule, written calendar.Schedule) bool {
	if written.Gap == calendar.GapSkip {
		return false
	}
	edited := written
	edited.Gap = calendar.GapSkip
	trial := x.try(ctx, r, edited)
	if trial.rule == nil {
		return false
	}
	loc := r.rule.Location()
	for t := range trial.rule.Taken(x.from.Add(-aroundChange), x.to.Add(aroundChange)) {
		if t.Reason != calendar.ReasonGap || !x.means(t, loc) {
			continue
		}
		nominal := t.At // the gap, and so the first instant after it
		if written.Gap == calendar.GapShift {
			wall, err := time.Parse("2006-01-02T15:04:05", t.Wall)
			if err != nil {
				continue
			}
			_, before := t.At.Add(-time.Second).In(loc).Zone()
			nominal = wall.Add(-time.Duration(before) * time.Second)
		}
		o, ok := r.rule.At(nominal)
		if !ok || !r.covers(o.Due) {
			continue
		}
		other := calendar.GapShift
		if written.Gap == calendar.GapShift {
			other = calendar.GapNextValid
		}
		edit := (&seen{key: occurrence.Key{Net: x.net, Schedule: r.span.Schedule}}).edit(fmt.Sprintf("dst_gap: skip, or %s,", other))
		due := "it is due at " + x.both(r, o.Due)
		if o.Suppressed != "" {
			due = "it would be due at " + x.both(r, o.Due) + ", and is suppressed: " + string(o.Suppressed)
		}
		x.add(string(calendar.ReasonGap), time.Time{}, fmt.Sprintf("schedule %s: %s did not exist in %s, clocks were put forward over it, and dst_gap is %s: %s", r.span.Schedule, t.Wall, loc, written.Gap, due), edit)
		return true
	}
	return false
}

// means reports whether the instant that was asked about is the wall time that was taken away, by any offset near it.
func (x *netExplainer) means(t calendar.Taken, loc *time.Location) bool {
	if x.in(t.At) {
		return true
	}
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := t.At.Add(near).In(loc).Zone()
		wall, err := time.Parse("2006-01-02T15:04:05", t.Wall)
		if err == nil && t.Reason == calendar.ReasonGap && x.in(wall.Add(-time.Duration(offset)*time.Second)) {
			return true
		}
	}
	return false
}

// leftOut finds the one field without which the rule would have had something at the instant.
func (x *netExplainer) leftOut(ctx context.Context, r *spanRule, written calendar.Schedule) (field, value string) {
	tries := []struct {
		field, value string
		edit         func(*calendar.Schedule)
	}{
		{"from", written.From, func(s *calendar.Schedule) { s.From = "" }},
		{"until", written.Until, func(s *calendar.Schedule) { s.Until = "" }},
		{"working_days", fmt.Sprint(written.WorkingDays), func(s *calendar.Schedule) { s.WorkingDays = nil }},
	}
	for _, try := range tries {
		if try.value == "" || try.value == "[]" {
			continue
		}
		edited := written
		try.edit(&edited)
		if x.try(ctx, r, edited).has(x.from, x.to) {
			return try.field, try.value
		}
	}
	return "", ""
}

// around returns what the rule has before and after a stretch, as far as it can be seen; suppressed ones count too.
func (r *spanRule) around(from, to time.Time) (before, after *calendar.Occurrence) {
	for _, back := range []time.Duration{time.Hour, 26 * time.Hour, 32 * 24 * time.Hour, 370 * 24 * time.Hour, 4 * 366 * 24 * time.Hour} {
		if r.rule.Count(from.Add(-back), from.Add(-time.Microsecond)).All == 0 {
			continue
		}
		for o := range r.rule.Between(from.Add(-back), from.Add(-time.Microsecond)) {
			before = &o
		}
		break
	}
	if o, ok := r.rule.Next(to.Add(-time.Microsecond)); ok {
		after = &o
	}
	return before, after
}
