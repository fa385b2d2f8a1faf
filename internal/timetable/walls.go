package timetable

import (
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// manner is what a source does when clocks change.
type manner int

const (
	// cron, a line whose minute or hour begins with a star: it goes by real time. What is missing is missing, what comes twice
	// is started twice (cronie src/cron.c, Debian's cron 3.0pl1: "wildcard jobs").
	realTime manner = iota
	// cron, a line with fixed times: one start for each matching minute that a change of less than three hours skipped, right
	// after it; nothing again in a repeated hour. A larger change is a new time: nothing is made up for.
	fixedTime
	// systemd: what is missing is missing, and of a wall time that comes twice only the first is started, also by expressions
	// for every hour (systemd-analyze calendar --iterations shows it).
	firstOnly
)

// made is how far clocks may be put forward for cron to make up for what was skipped.
const made = 3 * time.Hour

// walls are the wall times of a source: an expression that is read in UTC, where every wall time is there once.
type walls struct {
	schedule calendar.Schedule // cron or rrule; its zone is not looked at
	days     func(calendar.Day) bool
	zone     string
	manner   manner
}

// foreseen reports whether there is anything to play.
func (w walls) foreseen() bool { return w.zone != "" }

// starts returns the instants, unix seconds, at which the source starts it: since < t <= until. A start that it makes twice at
// one instant is there twice.
func (w walls) starts(c *calendar.Compiler, zones *calendar.Zones, since, until time.Time) []int64 {
	loc, ok := zones.Location(w.zone)
	if !ok {
		return nil
	}
	s := w.schedule
	s.Zone, s.Gap, s.Fold, s.From, s.Until, s.Jitter = "UTC", calendar.GapSkip, calendar.FoldFirst, "", "", 0
	if s.RRule != "" {
		s.From = "1970-01-01"
	}
	rule, problems := c.Compile("source", s)
	if len(problems) > 0 {
		return nil // never due
	}
	var out []int64
	const reach = 50 * time.Hour // a wall time is within two days and a bit of the instant of its number in UTC
	for o := range rule.Between(since.Add(-reach), until.Add(reach)) {
		if w.days != nil && !w.days(calendar.Day(o.Nominal.Unix()/86400)) {
			continue
		}
		out = append(out, w.resolve(loc, o.Nominal.Unix())...)
	}
	slices.Sort(out)
	return slices.DeleteFunc(out, func(t int64) bool { return t <= since.Unix() || t > until.Unix() })
}

// resolve returns the instants for one wall time.
func (w walls) resolve(loc *time.Location, wall int64) []int64 {
	at := instants(loc, wall)
	switch {
	case len(at) == 0 && w.manner == fixedTime:
		t, gap := gapAt(loc, wall)
		if gap > 0 && gap < made {
			return []int64{t}
		}
	case len(at) > 1 && w.manner != realTime:
		return at[:1]
	}
	return at
}

// instants returns, in order, the instants that show a wall time: each offset in use around it is tried.
func instants(loc *time.Location, wall int64) []int64 {
	var out []int64
	for _, o := range offsets(loc, wall) {
		t := wall - o
		if _, now := time.Unix(t, 0).In(loc).Zone(); int64(now) == o && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

// offsets returns the offsets in use within two days of a wall time.
func offsets(loc *time.Location, wall int64) []int64 {
	var out []int64
	at := time.Unix(wall-50*3600, 0).In(loc)
	for at.Unix() < wall+50*3600 {
		_, o := at.Zone()
		out = append(out, int64(o))
		next := change(at)
		if next.IsZero() {
			break
		}
		at = next
	}
	return out
}

// change returns when the offset in use ends; zero: never. What Go says of the end of a leap year lies a day before it
// (time.Time.ZoneBounds, where the zone's rule for years to come is used): then it is a day later.
func change(at time.Time) time.Time {
	_, next := at.ZoneBounds()
	if !next.IsZero() && !next.After(at) {
		next = at.Add(24 * time.Hour)
	}
	return next
}

// gapAt returns the first instant after the gap in which a wall time is missing, and how long the gap is.
func gapAt(loc *time.Location, wall int64) (int64, time.Duration) {
	at := time.Unix(wall-50*3600, 0).In(loc)
	for {
		next := change(at)
		if next.IsZero() || next.Unix() > wall+50*3600 {
			return 0, 0
		}
		_, before := next.Add(-time.Second).Zone()
		_, after := next.Zone()
		if wall >= next.Unix()+int64(before) && wall < next.Unix()+int64(after) {
			return next.Unix(), time.Duration(after-before) * time.Second
		}
		at = next
	}
}
