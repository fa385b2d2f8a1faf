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
	t := &timing{compiler: calendar.NewCompiler(zones, lookup)}
	return func(n *Net) []Problem {
		if len(n.Schedules) > MaxSchedules {
			return nil // Check says so
		}
		t.checker = &checker{net: n}
		for i := range n.Schedules {
			t.schedule(fmt.Sprintf("schedules[%d]", i), &n.Schedules[i])
		}
		return t.problems
	}
}

// What is looked at closely, of one file. What lies beyond is taken without: a file may hold tens of thousands of schedules.
const (
	closeLooks = 2000
	longLook   = 10   // a look at a hundred years is as much as ten at a month
	shiftedDay = 1440 // how often a schedule that is shifted may be due on a day, where each has to be looked at
)

// timing checks the schedules of nets.
type timing struct {
	*checker
	compiler *calendar.Compiler
	looks    int
}

// look reports whether there may be one more close look.
func (t *timing) look(effort int) bool {
	t.looks += effort
	return t.looks <= closeLooks
}

// schedule compiles a schedule, and looks at what its rule asks of the net.
func (t *timing) schedule(path string, s *calendar.Schedule) {
	said := scheduleProblems(s) // by Check
	if slices.ContainsFunc(said, func(p calendar.Problem) bool { return p.Field == "dates" || p.Field == "blackouts" }) {
		return // they may be too many to be looked at
	}
	rule, problems := t.compiler.Compile(t.net.Name, *s)
	problems = slices.DeleteFunc(problems, func(p calendar.Problem) bool {
		return slices.ContainsFunc(said, func(q calendar.Problem) bool { return p.Field == q.Field })
	})
	if len(problems) == 1 && len(s.WorkingDays) > 0 && !strings.HasPrefix(problems[0].Field, "working_days") {
		without := *s
		without.WorkingDays = nil
		if _, still := t.compiler.Compile(t.net.Name, without); len(still) == 0 {
			problems[0] = calendar.Problem{Field: "working_days", Message: fmt.Sprintf("it is never due: %s never has such a working day at a time of its rule", s.Calendar)}
		}
	}
	for _, p := range problems {
		t.add(path+"."+p.Field, "%s", p.Message)
	}
	if len(problems)+len(said) > 0 {
		return
	}
	if s.Shifts() && (len(s.Blackouts) > 0 || s.Jitter > 0) && crowded(rule) {
		t.add(path+".shift", "it is due more than %d times on a day, and has blackouts or jitter: what of it would be shifted cannot be counted in time; use skip or run", shiftedDay)
		return
	}
	if why := t.nothing(rule); why != "" {
		field, text := t.never(s, why)
		t.add(path+"."+field, "%s", text)
		return
	}
	least, chain := CriticalPath(t.net)
	if least <= 0 || len(t.problems) >= maxProblems {
		return
	}
	names := make([]string, len(chain))
	for k, i := range chain {
		names[k] = t.net.Jobs[i].Name
	}
	if s.MustEnd > 0 && least > s.MustEnd {
		t.add(path+".must_end", "by their estimates the jobs take at least %s (%s), so that each run would be late after %s: make must_end longer",
			short(least), strings.Join(clipList(names), ", then "), short(s.MustEnd))
	}
	t.pace(path, s, rule, least)
}

// never says what keeps a schedule from ever being released, and in which field.
func (t *timing) never(s *calendar.Schedule, why calendar.Reason) (field, text string) {
	if why != calendar.ReasonCalendar {
		return "blackouts", "its blackouts cover every time at which it is due, so nothing would ever be released"
	}
	free := fmt.Sprintf("every day on which it is due is free in %s, so nothing would ever be released", s.Calendar)
	without, _, limited := strings.Cut(s.Shift, " within ")
	if !limited {
		return "calendar", free
	}
	edited := *s
	edited.Shift = without
	rule, problems := t.compiler.Compile(t.net.Name, edited)
	if len(problems) > 0 {
		return "calendar", free
	}
	const enough = 200
	most, seen := 0, 0
	for o := range rule.Between(firstDay(), firstDay().AddDate(100, 0, 0)) {
		if o.Suppressed == "" {
			most = max(most, int(rule.Day(o.Due)-rule.Day(o.Nominal)), int(rule.Day(o.Nominal)-rule.Day(o.Due)))
		}
		if seen++; seen == enough {
			break
		}
	}
	if most == 0 {
		return "calendar", free
	}
	return "shift", fmt.Sprintf("every day on which it is due is free, and its shift %s finds no working day in %s, so nothing would ever be released: write %s within %d, or no limit", s.Shift, s.Calendar, without, most)
}

// pace finds a schedule that is due more often than its runs can end, where runs are not to overlap.
func (t *timing) pace(path string, s *calendar.Schedule, rule *calendar.Rule, least time.Duration) {
	if s.Overlap == calendar.OverlapAllow || rule.ByEnd() || s.Shifts() && !t.look(1) {
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
	t.add(path+".overlap", "by their estimates the jobs take at least %s, and it is due every %s on average: with overlap: %s a run must have ended before the next one, %s",
		short(least), short((horizon / time.Duration(due-1)).Round(time.Second)), s.Overlap, becomes)
}

// firstDay is where a search for a rule's first occurrence begins.
func firstDay() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// crowded reports whether a rule has more on its first day than may be shifted: each of its days is like the first.
func crowded(rule *calendar.Rule) bool {
	first, ok := rule.Next(firstDay())
	if !ok {
		return false
	}
	seen := 0
	for range rule.Between(first.Due.Add(-time.Microsecond), first.Due.Add(24*time.Hour-time.Microsecond)) {
		if seen++; seen > shiftedDay {
			return true
		}
	}
	return false
}

// nothing says by what a rule suppresses all its occurrences itself; empty: it does not.
func (t *timing) nothing(rule *calendar.Rule) calendar.Reason {
	begin := firstDay()
	end := begin.AddDate(100, 0, 0)
	const enough = 200
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
			return t.count(rule, begin, end, why)
		}
	}
	return why
}

// count is nothing for a rule that has very many occurrences. Those that are shifted take long to count; but what suppresses them all
// is a blackout, and those come again each year, or a limit that their shift never meets, and then each has to be looked at.
func (t *timing) count(rule *calendar.Rule, begin, end time.Time, why calendar.Reason) calendar.Reason {
	s := rule.Schedule()
	if s.Shifts() {
		if why != calendar.ReasonBlackout {
			return t.walk(rule, begin, end, why)
		}
		end = begin.AddDate(0, 0, 400)
	}
	if !t.look(longLook) {
		return ""
	}
	if counts := rule.Count(begin, end); counts.All > counts.Suppressed() {
		return ""
	}
	return why
}

// walk is count for what is due at most weekly.
func (t *timing) walk(rule *calendar.Rule, begin, end time.Time, why calendar.Reason) calendar.Reason {
	const enough = 100 * 54
	if !t.look(10 * longLook) {
		return ""
	}
	seen := 0
	for o := range rule.Between(begin, end) {
		if seen++; o.Suppressed == "" || seen > enough {
			return ""
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
