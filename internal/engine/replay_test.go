package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// replayed is a day's nets: chains and forks that share few slots, with retries, failures, turns and overlaps.
const replayed = `net: a/chain
jobs:
  - {name: one, command: ["true"], agent: {labels: {site: n}}}
  - {name: two, command: ["true"], after: [one]}
  - {name: three, command: ["true"], after: [two], retry: {max: 2, delay: 7s}}
---
net: b/fork
jobs:
  - {name: split, command: ["true"]}
  - {name: left, command: ["true"], after: [split], agent: {names: [east, west], select: next}}
  - {name: right, command: ["true"], after: [split], agent: {names: [east, west], select: next}, retry: {max: 1}}
  - {name: join, command: ["true"], after: [left, right]}
  - {name: sorry, command: ["true"], after: [left, right], when: failure}
---
net: c/queue
jobs:
  - {name: slow, command: ["true"], agent: {name: west}}
  - {name: end, command: ["true"], after: [slow], when: always}
`

// recording is what a day's agents made up, and what they saw.
type recording struct {
	*world
	chance *rand.Rand
	ends   []ending
	took   map[forecast.Attempt]ending
	events []forecast.Event
}

type ending struct {
	at      time.Time
	attempt forecast.Attempt
	run     string
	agent   string
	id      string
	took    time.Duration
	failed  bool
}

// TestAForecastReplaysADay records a day of the engine, with durations and failures by chance, and replays it with these durations: the
// forecast's simulation must order and end the same attempts on the same agents at the same instants, in the same order.
func TestAForecastReplaysADay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		schedules := map[string]calendar.Schedule{
			"a/chain": cron("s", "*/7 * * * *"), "b/fork": cron("s", "*/5 * * * *"),
			"c/queue": cron("s", "*/3 * * * *", overlap(calendar.OverlapQueue), within(20*time.Minute)),
		}
		agents := []run.Candidate{
			{ID: "id-east", Name: "east", Linked: true, Slots: 2, Labels: map[string]string{"site": "n"}}, {ID: "id-north", Name: "north", Linked: true, Slots: 1, Labels: map[string]string{"site": "n"}}, {ID: "id-west", Name: "west", Linked: true, Slots: 2},
		}
		r := &recording{world: newWorld(t, day0.Add(time.Second)), chance: rand.New(rand.NewPCG(seed, 1)), took: map[forecast.Attempt]ending{}}
		r.agents.set(agents...)
		nets, err := jobfile.Parse("replayed", []byte(replayed))
		if err != nil {
			t.Fatal(err)
		}
		w := forecast.World{Now: r.wall, Agents: agents}
		for i := range nets {
			s := schedules[nets[i].Name]
			r.defineText(string(jobfile.Format(nets[i])), nets[i].Name, s)
			rule, problems := calendar.NewCompiler(r.zones, nil).Compile(nets[i].Name, s)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			w.Nets = append(w.Nets, forecast.Net{Name: nets[i].Name, Jobs: forecast.Jobs(&nets[i]), Rules: []forecast.Rule{rule}})
		}
		r.open()
		r.day(5 * time.Hour)
		plan, err := forecast.New(w, forecast.Options{Days: 1, Replications: 1})
		if err != nil {
			t.Fatal(err)
		}
		got := plan.Replay(func(a forecast.Attempt) (time.Duration, bool, bool) {
			e, ok := r.took[a]
			return e.took, e.failed, ok
		})
		got = slices.DeleteFunc(got, func(e forecast.Event) bool { return e.At.After(r.wall) })
		settled(r.events)
		settled(got)
		if len(r.events) < 500 {
			t.Fatalf("the day has %d events only", len(r.events))
		}
		for i := range r.events {
			if i >= len(got) || got[i] != r.events[i] {
				t.Fatalf("seed %d: event %d of %d:\n the engine: %v\nthe replay: %v", seed, i, len(r.events), r.events[i], got[min(i, len(got)-1)])
			}
		}
		if len(got) != len(r.events) {
			t.Fatalf("seed %d: %d events replayed, %d recorded", seed, len(got), len(r.events))
		}
	}
}

// settled orders what one commit ordered: it has no order of its own, and is sent run by run.
func settled(events []forecast.Event) {
	slices.SortStableFunc(events, func(a, b forecast.Event) int {
		if c := a.At.Compare(b.At); c != 0 || a.Ended || b.Ended {
			return c
		}
		return cmp.Or(cmp.Compare(a.Net, b.Net), a.Nominal.Compare(b.Nominal), cmp.Compare(a.Job, b.Job))
	})
}

// day lets time pass, and has the agents end what they were ordered to start.
func (r *recording) day(d time.Duration) {
	until := r.wall.Add(d)
	for r.wall.Before(until) {
		r.ordered()
		step := min(max(r.Sleep(), time.Microsecond), until.Sub(r.wall))
		if len(r.ends) > 0 {
			step = min(step, r.ends[0].at.Sub(r.wall))
		}
		r.wall, r.mono = r.wall.Add(step), r.mono+step
		if len(r.ends) > 0 && !r.ends[0].at.After(r.wall) {
			r.ended()
			continue
		}
		r.settle()
	}
	r.ordered()
}

// ordered takes the orders that were sent, and makes up how long each takes.
func (r *recording) ordered() {
	for {
		select {
		case c := <-r.agents.sent:
			st, err := r.store.Run(r.t.Context(), c.Order.Run)
			if err != nil {
				r.t.Fatal(err)
			}
			a := forecast.Attempt{Net: st.Net, Schedule: st.Schedule, Nominal: st.Nominal.UTC(), Job: c.Order.Job.Name, N: c.Order.N}
			// Microseconds, as the store keeps times, and so odd that no two things happen at once but by the clock.
			took := time.Duration(1+r.chance.Int64N(int64(9*time.Minute/time.Microsecond))) * time.Microsecond
			e := ending{at: r.wall.Add(took), attempt: a, run: c.Order.Run, agent: c.AgentID[len("id-"):], id: c.AgentID, took: took, failed: r.chance.IntN(4) == 0}
			r.took[a] = e
			r.events = append(r.events, forecast.Event{At: r.wall.UTC(), Attempt: a, Agent: e.agent})
			at, _ := slices.BinarySearchFunc(r.ends, e, func(x, y ending) int { return x.at.Compare(y.at) })
			r.ends = slices.Insert(r.ends, at, e)
		default:
			return
		}
	}
}

// ended reports the next end.
func (r *recording) ended() {
	e := r.ends[0]
	r.ends = r.ends[1:]
	r.events = append(r.events, forecast.Event{At: r.wall.UTC(), Attempt: e.attempt, Agent: e.agent, Ended: true})
	code := 0
	if e.failed {
		code = 1
	}
	r.do(func(ctx context.Context) error {
		end := run.Ended{Job: e.attempt.Job, N: e.attempt.N, StartedAt: r.wall.Add(-e.took), At: r.wall, ExitCode: &code}
		if errs := r.Report(ctx, e.id, []run.Report{{Run: e.run, Input: end}}); errs[0] != nil {
			return fmt.Errorf("reporting %v: %w", e.attempt, errs[0])
		}
		return nil
	})
}
