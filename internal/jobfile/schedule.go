package jobfile

import (
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// schedule is the written form of calendar.Schedule.
type schedule struct {
	Name        string     `field:"name" required:"yes" pattern:"^[a-z][a-z0-9-]*$" max:"63" doc:"The schedule's name, once in a net. manual is the name of what is added by hand."`
	Cron        string     `field:"cron" form:"a line of cron in quotes, as \"30 2 * * *\"" doc:"A line of cron: minute, hour, day of the month, month, day of the week; with six fields seconds come first. L, W, # and H (spread by the names), names of months and days, and macros as @daily. Exactly one of cron, rrule, every and dates."`
	RRule       string     `field:"rrule" form:"a rule of RFC 5545, as FREQ=DAILY" doc:"A rule of RFC 5545, as FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1. It begins at from."`
	Every       duration   `field:"every" doc:"Elapsed time, at least 1s: by start on a grid that begins at from, or by end."`
	EveryBy     string     `field:"every_by" enum:"start,end" default:"start" doc:"From where every counts: from the start before, or from the end of the run before."`
	Dates       []string   `field:"dates" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$" doc:"Fixed days and times of the zone, as 2026-12-24T06:00; a day alone means its midnight."`
	WorkingDays []string   `field:"working_days" form:"a day as 3 of month, -1 of quarter or 10 of year" pattern:"^-?[1-9][0-9]* of (month|quarter|year)$" doc:"Only on these working days of the calendar, as 1 of month or -1 of quarter, which is the last."`
	Zone        string     `field:"zone" form:"the name of a time zone, as Europe/Berlin" default:"UTC" doc:"The time zone, as Europe/Berlin, by the time zone database that comes with Reeve."`
	Calendar    string     `field:"calendar" doc:"The calendar whose working days count, or CALENDAR#SET."`
	Shift       string     `field:"shift" form:"skip, run, before or after" pattern:"^(skip|run|(before|after)( [1-9][0-9]*)?( within [1-9][0-9]*)?)$" default:"skip" doc:"What becomes of an occurrence on a free day: skip, run, or before or after, which may say how many working days and within how many days, as after 2 within 5."`
	OnCollision string     `field:"on_collision" enum:"one,both" default:"one" doc:"What happens where a shift brings two to the same time: one of them counts, or both."`
	Gap         string     `field:"dst_gap" enum:"next-valid,skip,shift" default:"next-valid" doc:"What becomes of a time that does not exist because clocks are put forward: at the first instant after the gap, never, or later by the length of the gap."`
	Fold        string     `field:"dst_overlap" enum:"first,last,both" default:"first" doc:"Which of the two instants of a time that comes twice, because clocks are put back."`
	Catchup     string     `field:"catchup" enum:"none,last,all" default:"none" doc:"Which of the occurrences that fell due while no server could decide are released afterwards."`
	Overlap     string     `field:"overlap" enum:"allow,skip,queue,replace" default:"allow" doc:"What happens to an occurrence while a run of the net is open: it is released too, suppressed, released when that has ended, or that is cancelled first."`
	StartWithin duration   `field:"start_within" doc:"How long after its time an occurrence may still be released; absent: without a limit, but then what falls due while no server can decide is caught up by catchup alone."`
	MustEnd     duration   `field:"must_end" doc:"How long after its time its run must have ended; one that has not is late."`
	Jitter      duration   `field:"jitter" doc:"Each occurrence is later by an amount below this, always the same for the same occurrence."`
	From        string     `field:"from" form:"a day or a time, as 2026-01-01 or 2026-01-01T06:00" doc:"Nothing before this: 2026-01-01, 2026-01-01T06:00 in the zone, or with an offset."`
	Until       string     `field:"until" form:"a day or a time, as 2026-01-01 or 2026-01-01T06:00" doc:"Nothing at or after this."`
	Blackouts   []blackout `field:"blackouts" doc:"Times in which occurrences are suppressed."`
}

type blackout struct {
	From  string `field:"from" form:"a time, as 22:00, 12-24T18:00 or 2026-12-24T18:00" required:"yes" doc:"When it begins, in the zone: 2026-12-24T18:00, each year at 12-24T18:00, or each day at 22:00."`
	Until string `field:"until" form:"a time, as 22:00, 12-24T18:00 or 2026-12-24T18:00" required:"yes" doc:"When it ends, in the same form."`
	Text  string `field:"text" doc:"Why, for people."`
}

// defaultSchedule is the schedule that a definition changes field by field.
func defaultSchedule() schedule { return fromSchedule(calendar.DefaultSchedule()) }

func fromSchedule(s calendar.Schedule) schedule {
	out := schedule{
		Name: s.Name, Cron: s.Cron, RRule: s.RRule, Every: duration(s.Every), EveryBy: string(s.EveryBy), Dates: s.Dates, WorkingDays: s.WorkingDays,
		Zone: s.Zone, Calendar: s.Calendar, Shift: s.Shift, OnCollision: string(s.OnCollision), Gap: string(s.Gap), Fold: string(s.Fold),
		Catchup: string(s.Catchup), Overlap: string(s.Overlap), StartWithin: duration(s.StartWithin), MustEnd: duration(s.MustEnd),
		Jitter: duration(s.Jitter), From: s.From, Until: s.Until,
	}
	for _, b := range s.Blackouts {
		out.Blackouts = append(out.Blackouts, blackout(b))
	}
	return out
}

func (s schedule) schedule() calendar.Schedule {
	out := calendar.Schedule{
		Name: s.Name, Cron: s.Cron, RRule: s.RRule, Every: time.Duration(s.Every), EveryBy: calendar.EveryBy(s.EveryBy), Dates: s.Dates, WorkingDays: s.WorkingDays,
		Zone: s.Zone, Calendar: s.Calendar, Shift: s.Shift, OnCollision: calendar.Collision(s.OnCollision), Gap: calendar.Gap(s.Gap), Fold: calendar.Fold(s.Fold),
		Catchup: calendar.Catchup(s.Catchup), Overlap: calendar.Overlap(s.Overlap), StartWithin: time.Duration(s.StartWithin), MustEnd: time.Duration(s.MustEnd),
		Jitter: time.Duration(s.Jitter), From: s.From, Until: s.Until,
	}
	for _, b := range s.Blackouts {
		out.Blackouts = append(out.Blackouts, calendar.Blackout(b))
	}
	return out
}
