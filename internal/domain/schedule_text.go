package domain

import (
	"fmt"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// ruleText returns which of the four kinds of rule a schedule has, and how it is written.
func ruleText(s *calendar.Schedule) (kind, rule string) {
	switch {
	case s.Cron != "":
		return "cron", s.Cron
	case s.RRule != "":
		return "rrule", s.RRule
	case s.Every > 0:
		return "every", lengthText(s.Every)
	}
	return "dates", strings.Join(s.Dates, ", ")
}

// lengthText writes 24h0m0s as 24h.
func lengthText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// fieldsText writes the fields of a schedule that are not defaults, in one line. What the API has a field for is left out.
func fieldsText(s *calendar.Schedule) string {
	def := calendar.DefaultSchedule()
	var parts []string
	add := func(name, value, otherwise string) {
		if value != otherwise && value != "" {
			parts = append(parts, name+": "+value)
		}
	}
	length := func(name string, d time.Duration) {
		if d > 0 {
			add(name, lengthText(d), "")
		}
	}
	if s.Every > 0 {
		add("every_by", string(s.EveryBy), string(def.EveryBy))
	}
	add("working_days", strings.Join(s.WorkingDays, ", "), "")
	if s.Calendar != "" {
		add("shift", s.Shift, def.Shift)
		add("on_collision", string(s.OnCollision), string(def.OnCollision))
	}
	add("dst_gap", string(s.Gap), string(def.Gap))
	add("dst_overlap", string(s.Fold), string(def.Fold))
	add("catchup", string(s.Catchup), string(def.Catchup))
	add("overlap", string(s.Overlap), string(def.Overlap))
	length("start_within", s.StartWithin)
	length("must_end", s.MustEnd)
	length("jitter", s.Jitter)
	add("from", s.From, "")
	add("until", s.Until, "")
	for _, b := range s.Blackouts {
		add("blackout", strings.TrimSpace(fmt.Sprintf("%s to %s %s", b.From, b.Until, b.Text)), "")
	}
	return strings.Join(parts, "; ")
}

// awayText says how long it is from one instant to another, as people say it: the longer, the rounder. It is counted in seconds, which
// no two instants are too far apart for.
func awayText(from, to time.Time) string {
	const minute, hour, day = 60, 3600, 86400
	seconds := to.Unix() - from.Unix()
	if to.Nanosecond()-from.Nanosecond() >= int(time.Second/2) {
		seconds++
	} else if from.Nanosecond()-to.Nanosecond() > int(time.Second/2) {
		seconds--
	}
	switch {
	case seconds > 2*day:
		return fmt.Sprintf("%d days", seconds/day)
	case seconds > hour:
		return lengthText((time.Duration(seconds) * time.Second).Round(time.Minute))
	}
	return lengthText(time.Duration(seconds) * time.Second)
}
