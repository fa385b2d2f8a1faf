package jobnet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// Schedules makes a check of what Check cannot know: whether zones and calendars are there, whether a schedule is ever due, and
// whether its jobs can do in time what it asks of them. The check is not safe for several goroutines at once.
func Schedules(zones *calendar.Zones, lookup calendar.Lookup) func(*Net) []Problem {
	compiler := calendar.NewCompiler(zones, lookup)
	return func(n *Net) []Problem {
		c := &checker{net: n}
		if len(n.Schedules) > MaxSchedules {
			return nil // Check says so
		}
		for i := range n.Schedules {
			c.schedule(fmt.Sprintf("schedules[%d]", i), &n.Schedules[i], compiler)
		}
		return c.problems
	}
}

// schedule compiles a schedule, and looks at what its rule asks of the net.
func (c *checker) schedule(path string, s *calendar.Schedule, compiler *calendar.Compiler) {
	if len(scheduleProblems(s)) > 0 {
		return // Check has them, and what follows from them would be noise
	}
	rule, problems := compiler.Compile(c.net.Name, *s)
	if len(problems) == 1 && len(s.WorkingDays) > 0 && problems[0].Field != "working_days" {
		without := *s
		without.WorkingDays = nil
		if _, still := compiler.Compile(c.net.Name, without); len(still) == 0 {
			problems[0] = calendar.Problem{Field: "working_days", Message: fmt.Sprintf("it is never due: %s never has such a working day at a time of its rule", s.Calendar)}
		}
	}
	for _, p := range problems {
		c.add(path+"."+p.Field, "%s", p.Message)
	}
	if len(problems) > 0 {
		return
	}
	if why := nothing(rule); why != "" {
		field := ".calendar"
		text := fmt.Sprintf("every day on which it is due is free in %s, so nothing would ever be released", s.Calendar)
		if why != calendar.ReasonCalendar {
			field, text = ".blackouts", "its blackouts cover every time at which it is due, so nothing would ever be released"
		}
		c.add(path+field, "%s", text)
		return
	}
	least, chain := CriticalPath(c.net)
	if least <= 0 || len(c.problems) >= maxProblems {
		return
	}
	names := make([]string, len(chain))
	for k, i := range chain {
		names[k] = c.net.Jobs[i].Name
	}
	if s.MustEnd > 0 && least > s.MustEnd {
		c.add(path+".must_end", "by their estimates the jobs take at least %s (%s), so that each run would be late after %s: make must_end longer",
			short(least), strings.Join(clipList(names), ", then "), short(s.MustEnd))
	}
	c.pace(path, s, rule, least)
}

// pace finds a schedule that is due more often than its runs can end, where runs are not to overlap.
func (c *checker) pace(path string, s *calendar.Schedule, rule *calendar.Rule, least time.Duration) {
	if s.Overlap == calendar.OverlapAllow || rule.ByEnd() {
		return
	}
	first, ok := rule.Next(firstDay())
	if !ok {
		return
	}
	const horizon = 28 * 24 * time.Hour
	counts := rule.Count(first.Due.Add(-time.Microsecond), first.Due.Add(horizon))
	due := counts.All - counts.Suppressed()
	// A schedule that is due for a moment and then rests catches up; so what counts is the mean, over the time from its first to its last.
	if due < 3 || time.Duration(due) <= horizon/least {
		return
	}
	becomes := map[calendar.Overlap]string{
		calendar.OverlapSkip:    "so most of its occurrences would always be suppressed",
		calendar.OverlapQueue:   "so its queue would only ever grow",
		calendar.OverlapReplace: "so most of its runs would be cancelled by the next one before they end",
	}[s.Overlap]
	c.add(path+".overlap", "by their estimates the jobs take at least %s, and it is due every %s on average: with overlap: %s a run must have ended before the next one, %s",
		short(least), short((horizon / time.Duration(due-1)).Round(time.Second)), s.Overlap, becomes)
}

// firstDay is where a search for a rule's first occurrence begins.
func firstDay() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// nothing says by what a rule suppresses all its occurrences itself; empty: it does not.
func nothing(rule *calendar.Rule) calendar.Reason {
	begin := firstDay()
	end := begin.AddDate(100, 0, 0)
	const enough = 5000
	seen := 0
	var why calendar.Reason
	for o := range rule.Between(begin, end) {
		if o.Suppressed == "" {
			return ""
		}
		if why == "" || o.Suppressed == calendar.ReasonBlackout {
			why = o.Suppressed
		}
		if seen++; seen == enough {
			if counts := rule.Count(begin, end); counts.All > counts.Suppressed() {
				return ""
			}
			return why
		}
	}
	return why
}

// clipList shortens a long list for a message.
func clipList(names []string) []string {
	const most = 8
	if len(names) <= most {
		return names
	}
	return append(slices.Clone(names[:most-2]), "…", names[len(names)-1])
}
