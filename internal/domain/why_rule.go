package domain

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// The reasons that are no occurrence's: why nothing was due of a net at all.
const (
	WhyNoSchedule = "no_schedule"
	WhyNotInForce = "not_in_force"
	WhyNever      = "never_due"
	WhyNothing    = "nothing_due"
	WhyLeftOut    = "left_out"
)

// NothingDue returns every reason for which nothing was due of a net, with what it means, for reference pages. With those of the packages
// occurrence and run they are all that why can give; the list is closed.
func NothingDue() [][2]string {
	return [][2]string{
		{WhyNoSchedule, "the net has no schedules: a person or a program starts it"},
		{WhyNotInForce, "the schedule was applied later, or was taken out of the net before"},
		{WhyNever, "the schedule is never due again"},
		{WhyNothing, "the rule has nothing at that time; what it has before and after is said"},
		{WhyLeftOut, "a field of the schedule leaves it out: from, until or working_days"},
		{string(calendar.ReasonGap), "the wall time did not exist, because clocks were put forward over it; dst_gap says what became of it"},
		{string(calendar.ReasonOverlap), "the wall time came twice, because clocks were put back, and dst_overlap chooses the other pass"},
	}
}

// byRule explains what its own schedule suppresses: the smallest change by which the rule lets it go is found by trying.
func (x *netExplainer) byRule(ctx context.Context, o *seen, reason occurrence.Reason, how string) {
	text, fix := o.subject()+": "+how, o.edit("another rule")
	if o.by == nil {
		x.add(string(reason), o.since(), text+" by its schedule", x.instead(o))
		return
	}
	switch reason { //nolint:exhaustive // the schedule itself has no other reasons
	case occurrence.Calendar:
		more := ""
		if more, fix = x.freeDay(ctx, o); more != "" {
			text += ": " + more
		}
	case occurrence.Blackout:
		if b := x.blackoutOf(ctx, o); b != nil {
			text += fmt.Sprintf(": it falls into the blackout from %s until %s%s", b.From, b.Until, reasonText(b.Text))
			fix = fmt.Sprintf("take the blackout from %s until %s out of schedule %s of %s, then reeve net apply", b.From, b.Until, o.key.Schedule, x.net)
			if o.rec != nil && strings.IndexByte(b.From, '-') == len("2026") { // it does not come again
				fix = ""
			}
		}
	case occurrence.Collision:
		text += x.collidesWith(ctx, o)
		fix = o.edit("on_collision: both")
	}
	if o.rec != nil {
		fix = later(x.instead(o), fix)
	}
	x.add(string(reason), o.since(), text, fix)
}

// freeDay says why the day of an occurrence is free, and what would let it go.
func (x *netExplainer) freeDay(ctx context.Context, o *seen) (text, fix string) {
	written := o.by.rule.Schedule()
	day := o.by.rule.Day(o.key.Nominal)
	why := "it is no working day"
	if days, problems := calendar.Resolve(written.Calendar, x.s.calendarsOf(ctx, &o.by.span)); len(problems) == 0 {
		why = days.Why(day)
	}
	name, _, _ := strings.Cut(written.Calendar, "#")
	text = fmt.Sprintf("%s is free by calendar %s (%s), and shift is %s", day, written.Calendar, why, written.Shift)
	for _, shift := range []string{"run", "before", "after"} {
		edited := written
		edited.Shift = shift
		if at, ok := x.trial(ctx, o, edited).at(o.key.Nominal); ok && at.Suppressed == "" {
			if o.rec != nil { // the day is past
				return text, o.edit("shift: " + shift)
			}
			return text, o.edit("shift: "+shift) + "; or " + workingDay(name, day)
		}
	}
	if o.rec != nil {
		return text, ""
	}
	return text, workingDay(name, day)
}

func workingDay(name string, day calendar.Day) string {
	return fmt.Sprintf("make %s a working day: reeve calendar export %s, put it under work, then reeve net apply", day, name)
}

// blackoutOf finds the blackout without which the occurrence would be released.
func (x *netExplainer) blackoutOf(ctx context.Context, o *seen) *calendar.Blackout {
	written := o.by.rule.Schedule()
	for i := range written.Blackouts {
		edited := written
		edited.Blackouts = append(append([]calendar.Blackout{}, written.Blackouts[:i]...), written.Blackouts[i+1:]...)
		if at, ok := x.trial(ctx, o, edited).at(o.key.Nominal); ok && at.Suppressed != calendar.ReasonBlackout {
			return &written.Blackouts[i]
		}
	}
	return nil
}

// collidesWith names the earlier occurrence that was shifted to the same due.
func (x *netExplainer) collidesWith(ctx context.Context, o *seen) string {
	edited := o.by.rule.Schedule()
	edited.OnCollision = calendar.CollisionBoth
	at, ok := x.trial(ctx, o, edited).at(o.key.Nominal)
	if !ok {
		return ": a shift brought it to the due of an earlier one"
	}
	for other := range o.by.rule.Between(at.Due.Add(-time.Microsecond), at.Due) {
		if other.Suppressed == "" {
			return fmt.Sprintf(": a shift brings it to %s, as it does with that of nominal %s, and on_collision is one", stamp(at.Due), stamp(other.Nominal))
		}
	}
	return fmt.Sprintf(": a shift brings it to %s, as another one, and on_collision is one", stamp(at.Due))
}

// attempted is a rule that was made by way of trial; nil: the edited schedule is none.
type attempted struct{ rule *calendar.Rule }

func (a attempted) at(nominal time.Time) (calendar.Occurrence, bool) {
	if a.rule == nil {
		return calendar.Occurrence{}, false
	}
	return a.rule.At(nominal)
}

// has reports whether the rule has something that is due in a stretch.
func (a attempted) has(from, to time.Time) bool {
	if a.rule == nil {
		return false
	}
	for o := range a.rule.Between(from.Add(-time.Microsecond), to.Add(-time.Microsecond)) {
		if o.Suppressed == "" {
			return true
		}
	}
	return false
}

func (x *netExplainer) trial(ctx context.Context, o *seen, edited calendar.Schedule) attempted {
	return x.try(ctx, o.by, edited)
}

// try compiles an edited schedule of a span.
func (x *netExplainer) try(ctx context.Context, r *spanRule, edited calendar.Schedule) attempted {
	rule, problems := calendar.NewCompiler(x.s.cfg.Zones, x.s.calendarsOf(ctx, &r.span)).Compile(x.net, edited)
	if len(problems) > 0 {
		return attempted{}
	}
	return attempted{rule}
}
