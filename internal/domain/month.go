package domain

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const timesOfDay = 5

// MonthOf implements api.Agenda. What the rules say is shown; what became of it is in the agenda.
func (s *Service) MonthOf(ctx context.Context, net, schedule string, month time.Time) ([]api.MonthDay, error) {
	if _, err := s.may(ctx, access.View, folderOf(net)); err != nil {
		return nil, err
	}
	if y := month.Year(); y < 1970 || y > 2200 {
		return nil, fault.Newf(fault.Invalid, "the year %d is none that schedules have", y)
	}
	first := calendar.DayOf(month.Year(), month.Month(), 1)
	last := calendar.DayOf(month.Year(), month.Month()+1, 1) - 1
	rules, err := s.rulesOfMonth(ctx, net, schedule, first, last)
	if err != nil {
		return nil, err
	}
	out := make([]api.MonthDay, 0, last-first+1)
	for d := first; d <= last; d++ {
		out = append(out, monthDay(rules, d))
	}
	return out, nil
}

// ruleInForce is a rule with the time in which it is, or was, in force.
type ruleInForce struct {
	rule  *calendar.Rule
	days  *calendar.Days // nil: it has no calendar
	free  *calendar.Rule // the same without its shift: what it has on free days; nil: it shifts nothing
	since time.Time
	until time.Time // zero: it is in force
}

// rulesOfMonth returns the rules that were or are in force in some days, oldest first.
func (s *Service) rulesOfMonth(ctx context.Context, net, schedule string, first, last calendar.Day) ([]ruleInForce, error) {
	midnight := func(d calendar.Day) time.Time { return time.Unix(int64(d)*86400, 0).UTC() }
	spans, err := s.cfg.Store.Spans(ctx, store.SpanQuery{Net: net, Schedule: schedule, Since: midnight(first - 2), Until: midnight(last + 2)})
	if err != nil {
		return nil, storeFault(err)
	}
	if len(spans) == 0 { // before it came into force: what it would have been is of use, too
		sch, err := s.inForce(net, schedule)
		if err != nil {
			return nil, err
		}
		if spans, err = s.cfg.Store.Spans(ctx, store.SpanQuery{IDs: []int64{sch.Span}}); err != nil {
			return nil, storeFault(err)
		}
	}
	var out []ruleInForce
	for i := range spans {
		rule, ok := s.ruleOfSpan(ctx, spans[i].ID, occurrence.Key{Net: net, Schedule: schedule})
		if !ok {
			continue
		}
		r := ruleInForce{rule: rule, since: spans[i].Since, until: spans[i].Until}
		if ref := spans[i].Rule.Calendar; ref != "" {
			if days, problems := calendar.Resolve(ref, s.calendarsOf(ctx, &spans[i])); len(problems) == 0 {
				r.days = days
			}
			r.free = s.unshifted(ctx, &spans[i])
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, fault.New(fault.NotFound, fmt.Sprintf("what schedule %s of net %s was then cannot be worked out any more", schedule, net), "")
	}
	return out, nil
}

// unshifted makes the rule of a span as it is without its shift; nil: free days move nothing.
func (s *Service) unshifted(ctx context.Context, span *occurrence.Span) *calendar.Rule {
	written := span.Rule
	if !strings.HasPrefix(written.Shift, "before") && !strings.HasPrefix(written.Shift, "after") {
		return nil
	}
	written.Shift = "run"
	rule, problems := calendar.NewCompiler(s.cfg.Zones, s.calendarsOf(ctx, span)).Compile(span.Net, written)
	if len(problems) > 0 {
		return nil
	}
	return rule
}

// shiftedAway says to which days the calendar has shifted what the rule has between two instants of a free day.
func (r *ruleInForce) shiftedAway(d calendar.Day, begin, end time.Time) string {
	why, seen := "", 0
	if r.free == nil || r.days == nil || r.days.Working(d) {
		return why
	}
	for o := range r.free.Between(begin.Add(-time.Microsecond), end.Add(-time.Microsecond)) {
		if seen++; seen > 50 {
			break
		}
		at, ok := r.rule.At(o.Nominal)
		if to := r.rule.Day(at.Due); ok && at.Suppressed == "" && to != d {
			why = joined(why, "shifted to "+to.String())
		}
	}
	return why
}

// monthDay says what the rules have on a business day, and why they have nothing else.
func monthDay(rules []ruleInForce, d calendar.Day) api.MonthDay {
	out := api.MonthDay{Day: d.String(), Working: true, Times: []time.Time{}}
	last := &rules[len(rules)-1]
	inForce, away := false, ""
	for i := range rules {
		r := &rules[i]
		begin, end := r.rule.Bounds(d)
		begin = laterOf(begin, r.since)
		if !r.until.IsZero() {
			end = earlierOf(end, r.until)
		}
		if !end.After(begin) {
			continue
		}
		inForce, last = true, r
		n := countBetween(r.rule, begin, end)
		out.Due += n.All - n.Suppressed()
		out.Suppressed += n.Suppressed()
		out.Why = joined(out.Why, firstTimes(&out, r, begin, end))
		away = joined(away, r.shiftedAway(d, begin, end))
	}
	if last.days != nil {
		out.Working = last.days.Working(d)
		out.Why = joined(last.days.Why(d), out.Why)
	}
	out.Why = joined(out.Why, away)
	switch {
	case !inForce && d < last.rule.Day(last.since):
		out.Why = joined(out.Why, "it is in force since "+stamp(last.since))
	case !inForce:
		out.Why = joined(out.Why, "it was in force until "+stamp(last.until))
	case out.Due == 0 && out.Suppressed == 0 && away == "":
		out.Why = joined(out.Why, "the rule has nothing on this day")
	}
	return out
}

// firstTimes adds the first times of a day, and says which rule moved or suppressed something of it.
func firstTimes(out *api.MonthDay, r *ruleInForce, begin, end time.Time) string {
	why, seen := "", 0
	for o := range r.rule.Between(begin.Add(-time.Microsecond), end.Add(-time.Microsecond)) {
		if seen++; seen > 50 {
			break
		}
		if o.Suppressed != "" {
			why = joined(why, "suppressed: "+string(o.Suppressed))
			continue
		}
		if o.Moved == calendar.ReasonShift {
			why = joined(why, "moved here from "+r.rule.Day(o.Nominal).String())
		} else if o.Moved != "" && o.Moved != calendar.ReasonJitter {
			why = joined(why, string(o.Moved))
		}
		if len(out.Times) < timesOfDay {
			out.Times = append(out.Times, o.Due.In(r.rule.Location()))
		}
	}
	return why
}

// joined appends one part of a sentence to others, once.
func joined(text, more string) string {
	switch {
	case more == "" || text == more:
		return text
	case text == "":
		return more
	case len(text) > len(more) && text[len(text)-len(more):] == more:
		return text
	}
	return text + "; " + more
}
