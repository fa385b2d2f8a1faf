package forecast_test

import (
	"fmt"
	"iter"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// grid is a rule that is due at each step of elapsed time: what a test needs of a schedule, and nothing else.
type grid struct {
	s     calendar.Schedule
	first time.Time
	step  time.Duration
}

func (g grid) Schedule() calendar.Schedule { return g.s }
func (g grid) ByEnd() bool                 { return g.s.EveryBy == calendar.EveryEnd }

func (g grid) AfterEnd(end time.Time) (calendar.Occurrence, bool) {
	at := end.Add(g.step)
	return calendar.Occurrence{Nominal: at, Due: at}, true
}

func (g grid) Between(since, until time.Time) iter.Seq[calendar.Occurrence] {
	return func(yield func(calendar.Occurrence) bool) {
		at := g.first
		if d := since.Sub(at); d >= 0 {
			at = at.Add((d/g.step + 1) * g.step)
		}
		for ; !at.After(until); at = at.Add(g.step) {
			if !yield(calendar.Occurrence{Nominal: at, Due: at}) || g.ByEnd() {
				return
			}
		}
	}
}

// daily is a schedule that is due each day at a time after midnight.
func daily(after time.Duration, change ...func(*calendar.Schedule)) forecast.Rule {
	s := calendar.DefaultSchedule()
	s.Name = "daily"
	for _, c := range change {
		c(&s)
	}
	return grid{s: s, first: monday.Add(after), step: 24 * time.Hour}
}

func job(name string, change ...func(*jobnet.Job)) jobnet.Job {
	j := jobnet.Defaults()
	j.Name, j.Command = name, []string{"true"}
	for _, c := range change {
		c(&j)
	}
	return j
}

func after(names ...string) func(*jobnet.Job) { return func(j *jobnet.Job) { j.After = names } }

func takes(d time.Duration) func(*jobnet.Job) { return func(j *jobnet.Job) { j.Estimate = d } }

func net(name string, rule forecast.Rule, jobs ...jobnet.Job) forecast.Net {
	return forecast.Net{Name: name, Jobs: forecast.Jobs(&jobnet.Net{Name: name, Jobs: jobs}), Rules: []forecast.Rule{rule}, History: map[string]forecast.History{}}
}

func linked(name string, slots int) run.Candidate {
	return run.Candidate{ID: "id-" + name, Name: name, Linked: true, Slots: slots}
}

// many is a world of n daily nets with three jobs each, spread over the day, on 20 agents.
func many(n int) forecast.World {
	w := forecast.World{Now: monday.Add(-time.Second)}
	took := make([]time.Duration, 20)
	for i := range took {
		took[i] = time.Duration(20+i) * time.Second
	}
	for i := range 20 {
		w.Agents = append(w.Agents, linked(fmt.Sprintf("agent-%02d", i), 10))
	}
	for i := range n {
		at := time.Duration(i%1440) * time.Minute
		one := net(fmt.Sprintf("net-%05d", i), daily(at, func(s *calendar.Schedule) { s.MustEnd = 5 * time.Minute }), job("a"), job("b", after("a")), job("c", after("b")))
		for _, name := range []string{"a", "b", "c"} {
			one.History[name] = forecast.History{Took: forecast.Seen(took...), Failed: 0.01}
		}
		w.Nets = append(w.Nets, one)
	}
	return w
}
