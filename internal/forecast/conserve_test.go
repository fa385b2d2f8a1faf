package forecast

import (
	"fmt"
	"iter"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// dues is a rule with a list of instants.
type dues struct {
	s  calendar.Schedule
	at []time.Time
}

func (d dues) Schedule() calendar.Schedule { return d.s }
func (d dues) ByEnd() bool                 { return false }
func (d dues) AfterEnd(time.Time) (calendar.Occurrence, bool) {
	return calendar.Occurrence{}, false
}

func (d dues) Between(since, until time.Time) iter.Seq[calendar.Occurrence] {
	return func(yield func(calendar.Occurrence) bool) {
		for _, at := range d.at {
			if at.After(since) && !at.After(until) && !yield(calendar.Occurrence{Nominal: at, Due: at}) {
				return
			}
		}
	}
}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// anyWorld draws a world: nets of random shapes with random schedules, agents with slots and labels, and pools of ports.
func anyWorld(t *rapid.T) World {
	w := World{Now: noon}
	agents := rapid.IntRange(1, 4).Draw(t, "agents")
	for i := range agents {
		w.Agents = append(w.Agents, run.Candidate{
			ID: fmt.Sprint("id", i), Name: fmt.Sprint("agent", i), Linked: i == 0 || rapid.Bool().Draw(t, "linked"), Slots: rapid.IntRange(1, 3).Draw(t, "slots"),
			Labels: map[string]string{"odd": fmt.Sprint(i % 2)},
		})
		w.Pools = append(w.Pools, Pool{
			ID: "p", Agent: fmt.Sprint("agent", i), Size: rapid.IntRange(1, 3).Draw(t, "ports"), Hold: time.Duration(rapid.IntRange(0, 90).Draw(t, "hold")) * time.Second,
			Pair: rapid.IntRange(1, 2).Draw(t, "pairs"), Sticky: rapid.IntRange(0, 4).Draw(t, "sticky pool") == 0, Kept: time.Duration(rapid.SampledFrom([]int{0, 30, 600}).Draw(t, "kept")) * time.Second,
		})
	}
	for range rapid.IntRange(0, 3).Draw(t, "decided") {
		w.Decided = append(w.Decided, Decision{
			After: time.Duration(rapid.IntRange(0, 900).Draw(t, "after")) * time.Second, As: rapid.SampledFrom([]run.Status{run.Succeeded, run.Failed, ""}).Draw(t, "as"),
		})
	}
	if rapid.Bool().Draw(t, "callback") {
		w.Pools = append(w.Pools, Pool{ID: "c", Size: rapid.IntRange(1, 5).Draw(t, "callbacks"), Hold: time.Duration(rapid.IntRange(0, 60).Draw(t, "rest")) * time.Second})
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "nets") {
		n := &jobnet.Net{Name: fmt.Sprint("net", i)}
		history := map[string]History{}
		for k := range rapid.IntRange(1, 5).Draw(t, "jobs") {
			j := jobnet.Defaults()
			j.Name, j.Command = fmt.Sprint("job", k), []string{"x"}
			for p := range k {
				if rapid.IntRange(0, 2).Draw(t, "after") == 0 {
					j.After = append(j.After, fmt.Sprint("job", p))
				}
			}
			if len(j.After) > 0 {
				j.When = rapid.SampledFrom([]jobnet.When{jobnet.WhenSuccess, jobnet.WhenSuccess, jobnet.WhenFailure, jobnet.WhenAlways}).Draw(t, "when")
			}
			j.Retry = jobnet.Retry{Max: rapid.IntRange(0, 2).Draw(t, "retries"), Delay: time.Duration(rapid.IntRange(0, 50).Draw(t, "delay")) * time.Second}
			switch rapid.IntRange(0, 4).Draw(t, "agent") {
			case 0:
				j.Agent.Labels = map[string]string{"odd": "0"}
			case 1:
				j.Agent.Names = []string{"agent0", fmt.Sprint("agent", agents-1)}
				j.Agent.Select = jobnet.SelectNext
			}
			if rapid.IntRange(0, 3).Draw(t, "wish") == 0 {
				j.Ports = []jobnet.PortWish{{Name: "p", Pool: "p", Sticky: rapid.Bool().Draw(t, "sticky")}}
				if rapid.Bool().Draw(t, "pair") {
					j.Ports[0].Pair = "q"
				}
			}
			var took []time.Duration
			for range rapid.IntRange(1, 6).Draw(t, "seen") {
				took = append(took, time.Duration(rapid.IntRange(0, 400).Draw(t, "took"))*time.Second)
			}
			part := func(what string) float64 { return rapid.Float64Range(0, 0.5).Draw(t, what) }
			history[j.Name] = History{Took: Seen(took...), Failed: part("fails"), Final: part("final"), Unknown: part("unknown")}
			j.OnUnknown = rapid.SampledFrom([]jobnet.OnUnknown{jobnet.UnknownHold, jobnet.UnknownFail, jobnet.UnknownRerun}).Draw(t, "on unknown")
			j.Rerunnable = j.OnUnknown == jobnet.UnknownRerun
			if rapid.IntRange(0, 3).Draw(t, "codes") == 0 {
				j.Retry.Codes = []int{7}
			}
			if rapid.IntRange(0, 4).Draw(t, "limited") == 0 {
				j.Timeout = time.Duration(rapid.IntRange(1, 400).Draw(t, "timeout")) * time.Second
			}
			n.Jobs = append(n.Jobs, j)
		}
		s := calendar.DefaultSchedule()
		s.Name = "s"
		s.Overlap = rapid.SampledFrom([]calendar.Overlap{calendar.OverlapAllow, calendar.OverlapSkip, calendar.OverlapQueue, calendar.OverlapReplace}).Draw(t, "overlap")
		if rapid.IntRange(0, 3).Draw(t, "window") == 0 {
			s.StartWithin = time.Duration(rapid.IntRange(1, 600).Draw(t, "within")) * time.Second
		}
		r := dues{s: s}
		at := noon
		for range rapid.IntRange(1, 12).Draw(t, "dues") {
			at = at.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "gap")) * time.Second)
			r.at = append(r.at, at)
		}
		w.Nets = append(w.Nets, Net{Name: n.Name, Jobs: Jobs(n), Rules: []Rule{r}, History: history})
	}
	return w
}

// TestNothingIsLostAndNothingIsGivenTwice looks at a simulation after every instant: no agent has more attempts than slots and no pool more leases
// than ports, each of what is in flight is known once, and in the end every occurrence is released, suppressed, missed or still waits.
func TestNothingIsLostAndNothingIsGivenTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, err := New(anyWorld(t), Options{Days: 1, Replications: 2, Seed: rapid.Uint64().Draw(t, "seed")})
		if err != nil {
			t.Fatal(err)
		}
		s := p.Simulator()
		s.reset(rapid.IntRange(0, 1).Draw(t, "replication"))
		s.begin()
		for steps := 0; s.advance(); steps++ {
			bounds(t, s)
			if steps > 100_000 {
				t.Fatal("it does not end")
			}
		}
		conserved(t, s)
	})
}

// bounds checks what is in use against what there is.
func bounds(t *rapid.T, s *Simulator) {
	flying := make([]int, len(s.place))
	leased := make([]int, len(s.pools))
	names := map[[2]int32]bool{}
	for at := range s.live {
		l := &s.live[at]
		for k := range l.jobs {
			j := &l.jobs[k]
			if !j.flies {
				continue
			}
			flying[j.agent]++
			if s.p.callback >= 0 {
				leased[s.p.callback]++
			}
			if !j.onPorts {
				for _, wish := range s.p.nets[l.net].jobs[k].ports {
					pool := s.p.pool(wish.pool, s.p.agents[j.agent].Name)
					if !s.p.pools[pool].sticks(&wish) {
						leased[pool] += s.p.pools[pool].numbers(&wish)
						continue
					}
					of := [2]int32{int32(pool), wish.name}
					if names[of] || !s.pools[pool].sticks[wish.name].busy {
						t.Fatalf("at %v: a sticky port is had twice, or is not known to be: %+v", time.Duration(s.now), s.pools[pool].sticks[wish.name])
					}
					names[of] = true
				}
			}
		}
	}
	for i := range s.place {
		if a := &s.place[i]; a.Running != flying[i] || flying[i] > a.Slots || flying[i] > 0 && !a.Linked {
			t.Fatalf("at %v: agent %s (linked %v) has %d attempts on %d slots, and says %d", time.Duration(s.now), a.Name, a.Linked, flying[i], a.Slots, a.Running)
		}
	}
	for i := range s.pools {
		busy := 0
		for _, had := range s.pools[i].sticks {
			leased[i] += had.numbers
			if had.busy {
				busy++
			}
		}
		for of := range names {
			if of[0] == int32(i) {
				busy--
			}
		}
		if busy != 0 {
			t.Fatalf("at %v: %d sticky ports are taken by nobody", time.Duration(s.now), busy)
		}
		if o := &s.pools[i]; o.used != leased[i] || o.left() < 0 || o.resting < 0 {
			t.Fatalf("at %v: pool %s has %d leases and %d at rest of %d ports, and %d attempts have some", time.Duration(s.now), s.p.pools[i].ID, o.used, o.resting, o.size, leased[i])
		}
	}
}

// conserved checks that everything that was due is accounted for, and that what has ended has ended whole.
func conserved(t *rapid.T, s *Simulator) {
	waiting, open := 0, 0
	for i := range s.nets {
		waiting += len(s.nets[i].waiting)
		open += int(s.nets[i].open)
		if len(s.nets[i].runs) != int(s.nets[i].open) {
			t.Fatalf("net %d has %d runs open and lists %v", i, s.nets[i].open, s.nets[i].runs)
		}
	}
	ended, unfinished := 0, 0
	for occ, end := range s.record.row().end {
		switch {
		case end < unended:
			ended++
			if start := s.record.row().start[occ]; start < unended && start > end {
				t.Fatalf("occurrence %d started at %d and ended at %d", occ, start, end)
			}
		case end == unended:
			unfinished++
		}
	}
	if got := ended + waiting + open + int(s.record.skipped) + int(s.record.lost); got != len(s.p.occs) {
		t.Fatalf("of %d occurrences %d ended, %d are open, %d wait, %d are suppressed and %d missed", len(s.p.occs), ended, open, waiting, s.record.skipped, s.record.lost)
	}
	if unfinished != waiting+open {
		t.Fatalf("%d are not finished, and %d wait or are open", unfinished, waiting+open)
	}
	if s.p.horizon > s.now && open > 0 { // all has come to rest: what is open has nothing that could go on
		for i := range s.live {
			for k := range s.live[i].jobs {
				if s.live[i].jobs[k].flies && !s.live[i].jobs[k].onPorts {
					t.Fatalf("run %d has an attempt that never ends", i)
				}
			}
		}
	}
}

// TestTheSameSeedIsTheSameForecast also where several goroutines share the replications, in any order.
func TestTheSameSeedIsTheSameForecast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		o := Options{Days: 1, Replications: 9, Seed: rapid.Uint64().Draw(t, "seed")}
		one, err := Simulate(w, o)
		if err != nil {
			t.Fatal(err)
		}
		p, err := New(w, o)
		if err != nil {
			t.Fatal(err)
		}
		sims := []*Simulator{p.Simulator(), p.Simulator(), p.Simulator()}
		for n := o.Replications - 1; n >= 0; n-- {
			sims[rapid.IntRange(0, 2).Draw(t, "by")].Replicate(n)
		}
		two := p.Forecast(sims...)
		if got, want := fmt.Sprint(two.Items, two.Critical, two.Notes), fmt.Sprint(one.Items, one.Critical, one.Notes); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		if !reflect.DeepEqual(one.Days, two.Days) {
			t.Fatalf("days: %v and %v", one.Days, two.Days)
		}
	})
}
