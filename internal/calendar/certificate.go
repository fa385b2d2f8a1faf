package calendar

import (
	"fmt"
	"strings"
	"time"
)

// Certificate returns how an occurrence came about, step by step, for people: the wall time that the rule means, the fields for
// gaps and overlaps, the calendar's word on its day, shift, jitter.
func (r *Rule) Certificate(o Occurrence) []string {
	n := o.Nominal.Unix()
	steps := []string{r.meant(n)}
	if text := r.resolved(n); text != "" {
		steps = append(steps, text)
	}
	due := n
	if r.days != nil {
		var text []string
		if text, due = r.judged(n); len(text) > 0 {
			steps = append(steps, text...)
		}
	}
	if o.Suppressed == ReasonCalendar {
		return append(steps, "it is suppressed: calendar")
	}
	if late := r.late(due); late > 0 {
		steps = append(steps, fmt.Sprintf("jitter up to %s makes it %s later", r.jitter, late))
	}
	final := instant(due).Add(r.late(due))
	switch o.Suppressed {
	case ReasonBlackout:
		steps = append(steps, "it is suppressed: "+r.blackoutText(final))
	case ReasonCollision:
		steps = append(steps, fmt.Sprintf("it is suppressed: an earlier occurrence is due at %s, too, and on_collision is one", r.local(due)))
	case "", ReasonCalendar, ReasonGap, ReasonOverlap, ReasonShift, ReasonJitter:
		steps = append(steps, "it is due at "+o.Due.In(r.zone.loc).Format(time.RFC3339Nano))
	}
	return steps
}

func (r *Rule) local(n int64) string { return instant(n).In(r.zone.loc).Format(time.RFC3339) }

// written is the rule as it stands in the net.
func (r *Rule) written() string {
	s := r.schedule
	switch {
	case s.Cron != "":
		return fmt.Sprintf("cron %q", s.Cron)
	case s.RRule != "":
		return fmt.Sprintf("rrule %q", s.RRule)
	case s.Every > 0 && r.ByEnd():
		return fmt.Sprintf("every %s by end", s.Every)
	case s.Every > 0:
		return fmt.Sprintf("every %s", s.Every)
	}
	return "dates"
}

// meant says which wall time, or which place of a grid, the rule means.
func (r *Rule) meant(n int64) string {
	text := r.written()
	if len(r.schedule.WorkingDays) > 0 {
		text += " on working day " + strings.Join(r.schedule.WorkingDays, ", ")
	}
	z, ok := r.walls()
	if !ok {
		return fmt.Sprintf("%s means %s", text, r.local(n))
	}
	walls := z.meaning(n)
	switch len(walls) {
	case 0:
		return fmt.Sprintf("%s does not have %s", text, r.local(n))
	case 1:
		return fmt.Sprintf("%s means %s in %s", text, wallText(walls[0]), r.schedule.Zone)
	}
	return fmt.Sprintf("%s means %s to %s in %s", text, wallText(walls[0]), wallText(walls[len(walls)-1]), r.schedule.Zone)
}

// walls returns the rule's wall times, if it has such.
func (r *Rule) walls() (zoned, bool) {
	all := r.nominals
	if days, ok := all.(onDays); ok {
		all = days.all
	}
	z, ok := all.(zoned)
	return z, ok
}

// meaning returns the wall times that come to an instant: one that is shown then, or the first and the last of those that are in
// the gap before it.
func (z zoned) meaning(n int64) []int64 {
	var gap []int64
	pieces := z.timeline.pieces
	for i := from(pieces, n); i < len(pieces) && pieces[i].start <= n; i++ {
		p := &pieces[i]
		w := n + p.lo - p.start
		switch {
		case n >= p.end || !z.has(p, n):
		case p.kind == piecePlain:
			return []int64{w}
		case p.kind == pieceShift:
			gap = append(gap, w)
		default:
			first, _ := z.walls.next(p.lo, p.hi)
			gap = append(gap, first)
			for last := first; ; { // of a rule of every second these are some thousands
				next, ok := z.walls.next(last+1, p.hi)
				if !ok {
					if last > first {
						gap = append(gap, last)
					}
					break
				}
				last = next
			}
		}
	}
	return gap
}

// resolved says what the fields for gaps and overlaps did; empty: the wall time is one instant.
func (r *Rule) resolved(n int64) string {
	z, ok := r.walls()
	if !ok {
		return ""
	}
	i := r.zone.index(n)
	if z.moved(n) == ReasonGap {
		for i > 0 && r.zone.segments[i].offset < r.zone.segments[i-1].offset {
			i--
		}
		at := r.zone.segments[i].start
		before := at + r.zone.segments[max(0, i-1)].offset
		return fmt.Sprintf("clocks are put forward from %s to %s, so that it does not exist; dst_gap %s makes it %s",
			clock(before), clock(at+r.zone.segments[i].offset), r.schedule.Gap, r.local(n))
	}
	w := r.zone.wall(n)
	var all []string
	first := r.zone.index(w - near/2)
	for j := first; j < len(r.zone.segments) && r.zone.segments[j].start < w+near/2; j++ {
		if m := w - r.zone.segments[j].offset; m >= r.zone.segments[j].start && m < r.zone.end(j) {
			all = append(all, r.local(m))
		}
	}
	if len(all) < 2 {
		return ""
	}
	text := fmt.Sprintf("clocks are put back, so that it comes %d times: %s; ", len(all), strings.Join(all, ", "))
	if c, ok := z.walls.(*cron); ok && c.everyHour {
		return text + "its hour is * or */n, so each counts"
	}
	return text + fmt.Sprintf("dst_overlap %s", r.schedule.Fold)
}

func clock(w int64) string { return instant(w).Format("2006-01-02 15:04:05") }

// judged says what the calendar makes of it, and when it is due then.
func (r *Rule) judged(n int64) ([]string, int64) {
	d := r.day(n)
	day := fmt.Sprintf("calendar %s: business day %s, %s", r.schedule.Calendar, Day(d), r.days.Why(Day(d)))
	switch {
	case r.days.Working(Day(d)):
		return []string{day}, n
	case r.shift.kind == shiftRun:
		return []string{day, "shift run: it is due all the same"}, n
	case r.shift.kind == shiftSkip:
		return []string{day}, n
	}
	to, ok := r.target(d)
	if !ok {
		return []string{day, fmt.Sprintf("shift %s: there is no such working day within %d days", r.schedule.Shift, r.shift.within)}, n
	}
	due := r.shifted(n, to-d)
	return []string{day, fmt.Sprintf("shift %s: to %s, %s", r.schedule.Shift, Day(to), r.local(due))}, due
}

func (r *Rule) blackoutText(t time.Time) string {
	w := r.zone.wall(t.Unix())
	for i := range r.blackouts {
		if r.blackouts[i].has(w) {
			b := r.schedule.Blackouts[i]
			text := fmt.Sprintf("blackout from %s until %s", b.From, b.Until)
			if b.Text != "" {
				text += " (" + b.Text + ")"
			}
			return text
		}
	}
	return "blackout"
}
