package jobnet_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// calendars are those that the nets below may name.
func calendars(name string) (*calendar.Definition, bool) {
	week := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	switch name {
	case "work/days":
		return &calendar.Definition{
			Name: name, Week: week, Free: []calendar.Date{{Date: "12-25", Name: "Christmas"}, {Date: "01-01"}},
			Sets: []calendar.Set{{Name: "month-ends", Dates: []calendar.Date{{Date: "01-31"}, {Date: "03-31"}, {Date: "12-31"}}}, {Name: "no-day", Dates: []calendar.Date{{Date: "2026-05-05"}}, Difference: []string{"month-ends"}}},
		}, true
	case "work/empty":
		return &calendar.Definition{Name: name, Week: week, Sets: []calendar.Set{{Name: "nothing", Dates: []calendar.Date{{Date: "05-01"}}, Difference: []string{"may-day"}}, {Name: "may-day", Dates: []calendar.Date{{Date: "05-01"}}}}}, true
	}
	return nil, false
}

// good draws a net in which nothing is wrong: a chain or a diamond of jobs, and schedules of all kinds.
func good(r *rand.Rand) jobnet.Net {
	n := jobnet.Net{Name: fmt.Sprintf("seeded/net-%d", r.IntN(1000))}
	for i := range 2 + r.IntN(5) {
		j := jobnet.Defaults()
		j.Name, j.Command = fmt.Sprintf("j%d", i), []string{"true"}
		if i > 0 {
			j.After = []string{fmt.Sprintf("j%d", r.IntN(i))}
			j.When = []jobnet.When{jobnet.WhenSuccess, jobnet.WhenAlways, jobnet.WhenFailure}[r.IntN(3)]
		}
		j.Estimate = time.Duration(1+r.IntN(10)) * time.Minute
		if r.IntN(2) == 0 {
			j.Timeout = j.Estimate + time.Duration(r.IntN(30))*time.Minute
		}
		n.Jobs = append(n.Jobs, j)
	}
	for i := range 1 + r.IntN(4) {
		s := calendar.DefaultSchedule()
		s.Name = fmt.Sprintf("s%d", i)
		s.Zone = []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Tokyo"}[r.IntN(5)]
		rule(r, &s)
		dress(r, &s)
		n.Schedules = append(n.Schedules, s)
	}
	return n
}

func rule(r *rand.Rand, s *calendar.Schedule) {
	switch r.IntN(4) {
	case 0:
		s.Cron = []string{"0 3 * * *", "30 6 * * 1-5", "0 */4 * * *", "@daily", "0 0 1,15 * *", "15 2 29 2 *", "0 12 L * *"}[r.IntN(7)]
	case 1:
		s.Every = time.Duration(3+r.IntN(20)) * time.Hour
	case 2:
		s.Dates = []string{"2026-12-24T06:00", "2027-01-04", "2027-06-30T23:59:59"}
	default:
		s.Every, s.EveryBy = time.Duration(1+r.IntN(90))*time.Minute, calendar.EveryEnd
	}
}

// dress gives a schedule fields that change nothing about that it is due.
func dress(r *rand.Rand, s *calendar.Schedule) {
	if r.IntN(2) == 0 && s.EveryBy == calendar.EveryStart {
		s.Calendar, s.Shift = pick(r, "work/days", "work/days#month-ends"), pick(r, "run", "before", "after", "before 3")
		if s.Calendar == "work/days" {
			s.Shift = pick(r, "run", "after 2 within 10", "before within 5")
		}
	}
	if r.IntN(2) == 0 {
		s.MustEnd = 4 * time.Hour
		s.StartWithin = time.Hour
	}
	if r.IntN(3) == 0 && s.Cron != "" {
		s.Jitter = time.Minute
		s.Blackouts = []calendar.Blackout{{From: "22:00", Until: "23:30", Text: "backup"}, {From: "2026-12-24T00:00", Until: "2026-12-25T00:00"}}
	}
	if r.IntN(3) == 0 && len(s.Dates) == 0 {
		s.From, s.Until = "2026-01-01", "2040-01-01T00:00:00+02:00"
	}
	s.Overlap = []calendar.Overlap{calendar.OverlapAllow, calendar.OverlapSkip, calendar.OverlapQueue, calendar.OverlapReplace}[r.IntN(4)]
	s.Catchup = []calendar.Catchup{calendar.CatchupNone, calendar.CatchupLast, calendar.CatchupAll}[r.IntN(3)]
}

// defect is one thing that is wrong. It makes the first schedule, or a job, a wrong one and returns the path of the problem.
type defect struct {
	name string
	seed func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string
}

// anew makes of s a schedule with this rule and nothing else.
func anew(s *calendar.Schedule, cron string) {
	name := s.Name
	*s = calendar.DefaultSchedule()
	s.Name, s.Cron = name, cron
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func defects() []defect {
	slow := func(n *jobnet.Net) { // a path that surely takes long
		n.Jobs[0].Estimate, n.Jobs[0].Timeout = 50*time.Minute, 0
	}
	return []defect{
		{"a window that closes before the jobs can end", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			slow(n)
			s.MustEnd = time.Duration(1+r.IntN(49)) * time.Minute
			return "must_end"
		}},
		{"an interval that is shorter than its runs", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			slow(n)
			anew(s, pick(r, "*/5 * * * *", "0,30 * * * *", "*/10 * * * * *"))
			s.Overlap = pick(r, calendar.OverlapQueue, calendar.OverlapSkip, calendar.OverlapReplace)
			return "overlap"
		}},
		{"an interval by every that is shorter than its runs", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			slow(n)
			anew(s, "")
			s.Every, s.Overlap = time.Duration(1+r.IntN(2900))*time.Second, calendar.OverlapQueue
			return "overlap"
		}},
		{"a zone that does not exist", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			s.Zone = pick(r, "Europe/Berln", "CEST", "Local", "Mars/Olympus", "europe/berlin", "UTC+2", "../etc/passwd")
			return "zone"
		}},
		{"a calendar that leaves no day", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "0 6 * * *")
			s.Calendar = "work/empty#nothing"
			return "calendar"
		}},
		{"days that are all free", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, pick(r, "0 6 * * SUN", "0 6 25 12 *", "30 4 * * 6,0"))
			s.Calendar = "work/days"
			return "calendar"
		}},
		{"dates that are all free", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "")
			s.Dates, s.Calendar = []string{"2026-12-25T06:00", "2027-01-01"}, "work/days"
			return "calendar"
		}},
		{"a day that does not exist", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, pick(r, "0 3 30 2 *", "0 3 31 4,6,9,11 *", "0 0 31 2 *"))
			return "cron"
		}},
		{"no cron at all", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, pick(r, "0 25 * * *", "60 * * * *", "* * *", "every day", "0 3 * * FOO", "@sometimes", "1-0 5-3-1 * * *"))
			return "cron"
		}},
		{"a beginning that is not before the end", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "0 6 * * *")
			s.From, s.Until = pick(r, "2027-01-01", "2026-06-01T06:00"), pick(r, "2026-06-01", "2026-01-01T00:00:00Z")
			return "until"
		}},
		{"no time between its bounds", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "0 6 1 1 *")
			s.From, s.Until = "2026-02-01", "2026-12-01"
			return "cron"
		}},
		{"a blackout over everything", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, pick(r, "0 6 * * *", "*/5 * * * *", "0 23 L * *"))
			s.Blackouts = pick(r,
				[]calendar.Blackout{{From: "00:00", Until: "12:00"}, {From: "12:00", Until: "00:00"}},
				[]calendar.Blackout{{From: "01-01T00:00", Until: "07-01T00:00"}, {From: "07-01T00:00", Until: "01-01T00:00"}})
			return "blackouts"
		}},
		{"a blackout that is none", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			s.Blackouts = []calendar.Blackout{{From: pick(r, "at night", "25:00", "2026-13-01T00:00"), Until: "06:00"}}
			return "blackouts"
		}},
		{"working days of no calendar", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "0 6 * * *")
			s.WorkingDays = []string{"1 of month"}
			return "working_days"
		}},
		{"a working day that no month has", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "0 6 * * *")
			s.Calendar, s.WorkingDays = "work/days", []string{pick(r, "30 of month", "-29 of month", "0 of month", "1 of week", "99 of quarter", "400 of year", "first")}
			return "working_days"
		}},
		{"a calendar that is nowhere", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "0 6 * * *")
			s.Calendar = pick(r, "work/day", "holidays/xx", "work/days#nobody", "#free")
			return "calendar"
		}},
		{"a shift that is none", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "0 6 * * *")
			s.Calendar, s.Shift = "work/days", pick(r, "nearest", "before x", "after 0", "before 2 within", "skip 3")
			return "shift"
		}},
		{"a shift of what is due each second", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "* * * * * *")
			s.Calendar, s.Shift, s.Jitter = "work/days", pick(r, "after", "before 2 within 5"), time.Minute
			return "shift"
		}},
		{"a blackout over everything that is shifted", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, pick(r, "*/5 * * * *", "0 7 * * *"))
			s.Calendar, s.Shift = "work/days", "after"
			s.Blackouts = []calendar.Blackout{{From: "00:00", Until: "12:00"}, {From: "12:00", Until: "00:00"}}
			return "blackouts"
		}},
		{"fields without what they are about", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "0 6 * * *")
			if r.IntN(2) == 0 {
				s.Shift = "before 2"
				return "shift"
			}
			s.EveryBy = calendar.EveryEnd
			return "every_by"
		}},
		{"two rules, or none", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			if r.IntN(2) == 0 {
				anew(s, "")
				return "cron"
			}
			anew(s, "0 6 * * *")
			s.Every = time.Hour
			return "every"
		}},
		{"a name that may not be", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			s.Name = pick(r, "manual", "", "Nightly", "2nd", "a b")
			return "name"
		}},
		{"dates that are none", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			anew(s, "")
			s.Dates = []string{"2026-12-24", pick(r, "2026-02-30", "24.12.2026", "2026-12-24T25:00", "tomorrow")}
			return "dates[1]"
		}},
		{"a word that is none", func(r *rand.Rand, n *jobnet.Net, s *calendar.Schedule) string {
			s.Overlap = "forbid"
			return "overlap"
		}},
	}
}

func check(n *jobnet.Net) []jobnet.Problem {
	return append(jobnet.Check(n), jobnet.Schedules(calendar.Builtin(), calendars)(n)...)
}

// A file of very many schedules that take long to look at is checked all the same, and in bounded time.
func TestManySchedulesAreChecked(t *testing.T) {
	t.Parallel()
	check := jobnet.Schedules(calendar.Builtin(), calendars)
	found := 0
	for i := range 2 {
		n := good(rand.New(rand.NewPCG(uint64(i), 3)))
		n.Schedules = nil
		for k := range jobnet.MaxSchedules {
			s := calendar.DefaultSchedule()
			s.Name, s.Cron, s.Calendar, s.Shift, s.Overlap = fmt.Sprintf("s%d", k), "0 * * * *", "work/days", "after", calendar.OverlapQueue
			s.Blackouts = []calendar.Blackout{{From: "00:00", Until: "12:00"}, {From: "12:00", Until: "00:00"}}
			n.Schedules = append(n.Schedules, s)
		}
		found += len(check(&n))
	}
	if found < 100 || found > 200 {
		t.Errorf("got %d problems", found)
	}
}

// Of 200 nets in each of which one thing is wrong, each is found, at its place; and one that is good has no problem.
func TestSeededDefects(t *testing.T) {
	t.Parallel()
	all := defects()
	found := 0
	for i := range uint64(200) {
		r := rand.New(rand.NewPCG(i, 1))
		n := good(r)
		d := all[int(i)%len(all)]
		at := r.IntN(len(n.Schedules))
		path := fmt.Sprintf("schedules[%d].%s", at, d.seed(r, &n, &n.Schedules[at]))
		problems := check(&n)
		if !slices.ContainsFunc(problems, func(p jobnet.Problem) bool { return strings.HasPrefix(p.Path, path) && p.Message != "" }) {
			t.Errorf("net %d, %s: want a problem at %s, got %v\n%+v", i, d.name, path, problems, n.Schedules[at])
			continue
		}
		found++
	}
	t.Logf("%d of 200 were found, of %d kinds", found, len(all))
	for i := range uint64(200) {
		n := good(rand.New(rand.NewPCG(i, 2)))
		if problems := check(&n); problems != nil {
			t.Errorf("good net %d: got %v\n%+v", i, problems, n.Schedules)
		}
	}
}
