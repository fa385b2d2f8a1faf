package jobnet

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// manual is the schedule of what is added by hand; no schedule of a net may take its name.
const manual = "manual"

// schedules checks what can be said of schedules without a time zone database and calendars; Schedules checks the rest.
func (c *checker) schedules() {
	if len(c.net.Schedules) > MaxSchedules {
		c.add("schedules", "a net has at most %d schedules, this one has %d", MaxSchedules, len(c.net.Schedules))
		return
	}
	seen := map[string]int{}
	for i := range c.net.Schedules {
		s := &c.net.Schedules[i]
		path := fmt.Sprintf("schedules[%d]", i)
		other, twice := seen[s.Name]
		switch {
		case s.Name == "":
			c.add(path+".name", "a schedule needs a name")
		case !isJobName(s.Name):
			c.add(path+".name", "%q is not a name for a schedule: small letters, digits and '-', beginning with a letter, at most %d", clip(s.Name), MaxName)
		case s.Name == manual:
			c.add(path+".name", "manual is the schedule of what people add by hand: take another name")
		case twice:
			c.add(path+".name", "there are two schedules named %q: the other one is schedules[%d]", s.Name, other)
		}
		if !twice {
			seen[s.Name] = i
		}
		for _, p := range scheduleProblems(s) {
			c.add(path+"."+p.Field, "%s", p.Message)
		}
	}
}

// scheduleProblems returns what is wrong with the fields of one schedule, its name aside.
func scheduleProblems(s *calendar.Schedule) []calendar.Problem {
	f := &fields{schedule: s}
	f.rule()
	f.fits()
	f.choices()
	f.amounts()
	return f.problems
}

// fields looks at the fields of one schedule.
type fields struct {
	schedule *calendar.Schedule
	problems []calendar.Problem
}

func (f *fields) add(field, format string, args ...any) {
	f.problems = append(f.problems, calendar.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// rule checks that there is one rule, and that its text is no longer than a rule needs.
func (f *fields) rule() {
	s := f.schedule
	var given []string
	for _, one := range []struct {
		name string
		is   bool
	}{{"cron", s.Cron != ""}, {"rrule", s.RRule != ""}, {"every", s.Every != 0}, {"dates", len(s.Dates) > 0}} {
		if one.is {
			given = append(given, one.name)
		}
	}
	switch len(given) {
	case 0:
		f.add("cron", "a schedule needs a rule: one of cron, rrule, every and dates")
	case 1:
	default:
		f.add(given[1], "a schedule has one rule, this one has %s: make a schedule of each", strings.Join(given, " and "))
	}
	if s.Every != 0 && (s.Every < time.Second || s.Every > maxDays*24*time.Hour) {
		f.add("every", "every goes from 1s to %d days", maxDays)
	}
	for _, one := range []struct{ name, text string }{{"cron", s.Cron}, {"rrule", s.RRule}, {"zone", s.Zone}, {"calendar", s.Calendar}} {
		if len(one.text) > MaxRule || !utf8.ValidString(one.text) {
			f.add(one.name, "%s is text of at most %d bytes", one.name, MaxRule)
		}
	}
	for _, list := range []struct {
		name string
		size int
	}{{"dates", len(s.Dates)}, {"working_days", len(s.WorkingDays)}, {"blackouts", len(s.Blackouts)}} {
		if list.size > MaxDates {
			f.add(list.name, "at most %d entries, here are %d", MaxDates, list.size)
		}
	}
	if s.Zone == "" {
		f.add("zone", "zone is the name of a time zone, as Europe/Berlin, or UTC")
	}
}

// fits checks that no field is given that the others leave without a meaning.
func (f *fields) fits() {
	s := f.schedule
	if s.EveryBy == calendar.EveryEnd && s.Every == 0 {
		f.add("every_by", "every_by is about every, and this schedule has none")
	}
	if s.Calendar != "" {
		return
	}
	if s.Shift != calendar.DefaultSchedule().Shift {
		f.add("shift", "shift is about days that a calendar has free, and this schedule has no calendar")
	}
	if len(s.WorkingDays) > 0 {
		f.add("working_days", "working days are those of a calendar, and this schedule has none: add calendar: NAME")
	}
	if s.OnCollision == calendar.CollisionBoth {
		f.add("on_collision", "on_collision is about a calendar's shift, and this schedule has no calendar")
	}
}

// choices checks the fields that take one of a few words.
func (f *fields) choices() {
	s := f.schedule
	choice(f, "every_by", s.EveryBy, calendar.EveryStart, calendar.EveryEnd)
	choice(f, "on_collision", s.OnCollision, calendar.CollisionOne, calendar.CollisionBoth)
	choice(f, "dst_gap", s.Gap, calendar.GapNextValid, calendar.GapSkip, calendar.GapShift)
	choice(f, "dst_overlap", s.Fold, calendar.FoldFirst, calendar.FoldLast, calendar.FoldBoth)
	choice(f, "catchup", s.Catchup, calendar.CatchupNone, calendar.CatchupLast, calendar.CatchupAll)
	choice(f, "overlap", s.Overlap, calendar.OverlapAllow, calendar.OverlapSkip, calendar.OverlapQueue, calendar.OverlapReplace)
}

func choice[T ~string](f *fields, field string, got T, known ...T) {
	if slices.Contains(known, got) {
		return
	}
	words := make([]string, len(known))
	for i := range known {
		words[i] = string(known[i])
	}
	last := len(words) - 1
	f.add(field, "%q is not one of %s and %s%s", clip(string(got)), strings.Join(words[:last], ", "), words[last], Suggest(string(got), slices.Values(words)))
}

// amounts checks the durations.
func (f *fields) amounts() {
	s := f.schedule
	for _, one := range []struct {
		name string
		d    time.Duration
	}{{"start_within", s.StartWithin}, {"must_end", s.MustEnd}, {"jitter", s.Jitter}} {
		if one.d < 0 || one.d > maxDays*24*time.Hour {
			f.add(one.name, "a duration here goes from 0s to %d days", maxDays)
		}
	}
	for i, b := range s.Blackouts {
		if len(b.Text) > MaxDescription || !utf8.ValidString(b.Text) || strings.Contains(b.Text, "\x00") {
			f.add(fmt.Sprintf("blackouts[%d].text", i), "a reason is text of at most %d bytes", MaxDescription)
		}
	}
}
