//go:build linux

package fault_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// outage is a time in which no server was there for certain to decide: from before it was killed until it answered again.
type outage struct{ from, until time.Time }

func (o outage) has(t time.Time) bool { return !t.Before(o.from) && !t.After(o.until) }

// pass lets real time go by.
func (w *witness) pass(d time.Duration) { w.reach(1<<30, d) }

// relinked is how long after a server's return its agent may not be linked: it dials again with pauses.
const relinked = 20 * time.Second

// R9, R20: a server is killed, or told to end, ten times around the seconds at which schedules are due. Every second of the
// schedule is decided once, what is missed was due while no server was there, and what is released was started once: the
// seconds are counted here, and the starts by the witness.
func TestStopsAroundFiringSeconds(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	w := newWitness(t)
	e.agent("north", 60)
	e.apply(fmt.Sprintf(`net: fault/clock
env: {witness: %q}
schedules:
  - {name: all, cron: "* * * * * *", catchup: all}
  - {name: none, cron: "*/2 * * * * *"}
  - {name: window, cron: "1/2 * * * * *", start_within: 2s}
jobs:
  - name: write
    command: [sh, -c, 'echo "START $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT" >>"$witness"']
`, w.file))
	random := rand.New(rand.NewPCG(5, 2026))
	w.pass(time.Second)
	began := time.Now().UTC().Truncate(time.Second)
	var outages []outage
	for range max(10, *rounds) {
		w.pass(time.Duration(500+random.IntN(1500)) * time.Millisecond)
		o := outage{from: time.Now()}
		e.server.end(t, []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[random.IntN(2)])
		w.pass(time.Duration(random.IntN(3000)) * time.Millisecond)
		e.serve()
		o.until = time.Now()
		outages = append(outages, o)
	}
	e.linked("north")
	w.pass(2 * time.Second)
	ended := time.Now().UTC().Truncate(time.Second).Add(-time.Second)

	for _, s := range []struct {
		name    string
		due     func(second int) bool
		decides string // what becomes of those in an outage
	}{
		{"all", func(int) bool { return true }, "released"},
		{"none", func(s int) bool { return s%2 == 0 }, "missed"},
		{"window", func(s int) bool { return s%2 == 1 }, ""},
	} {
		decided := e.occurrences("fault/clock", s.name, began, ended)
		want := 0
		for at := began; at.Before(ended); at = at.Add(time.Second) {
			if !s.due(at.Second()) {
				continue
			}
			want++
			o, ok := decided[at]
			if !ok {
				t.Errorf("%s: %s was not decided", s.name, at.Format(time.TimeOnly))
				continue
			}
			away, agentAway := false, false
			for _, out := range outages {
				away = away || out.has(at)
				agentAway = agentAway || at.After(out.from) && at.Before(out.until.Add(relinked))
			}
			switch {
			case s.name == "window" && agentAway && (value(o.Reason) == "no_agent" || value(o.Reason) == "waited"):
				// The server was back, and the agent not yet: the window says how long that is waited for.
			case o.Decision == "missed" && (!away || value(o.Reason) != "server_down"):
				t.Errorf("%s: %s is missed (%s), and a server was there: %v", s.name, at.Format(time.TimeOnly), value(o.Reason), !away)
			case o.Decision == "missed" && s.decides == "released", o.Decision != "missed" && o.Decision != "released":
				t.Errorf("%s: %s is %s (%s)", s.name, at.Format(time.TimeOnly), o.Decision, value(o.Reason))
			case o.Decision == "released" && !away && value(o.Reason) != "due":
				t.Errorf("%s: %s is released for %s, and a server was there", s.name, at.Format(time.TimeOnly), value(o.Reason))
			}
		}
		if len(decided) != want {
			t.Errorf("%s: %d occurrences are stored, %d seconds were due", s.name, len(decided), want)
		}
		e.startedOnce(w, decided)
	}
	out, _, code := e.run("occurrence", "balance", "fault/clock")
	if code != 0 {
		t.Errorf("the sums do not hold: exit code %d\n%s", code, out)
	}
}

// occurrences returns what was decided of a schedule, since <= nominal < until, by nominal. One that is there twice fails the test.
func (e *estate) occurrences(net, schedule string, since, until time.Time) map[time.Time]api.Occurrence {
	e.t.Helper()
	all := map[time.Time]api.Occurrence{}
	q := api.OccurrenceQuery{Net: net, Schedule: schedule, Since: since, Until: until, Limit: 500}
	for {
		page, err := e.api.ListOccurrences(e.t.Context(), q)
		if err != nil {
			e.t.Fatal(err)
		}
		for _, o := range page.Occurrences {
			at := o.Nominal.UTC()
			if _, twice := all[at]; twice {
				e.t.Errorf("%s %s at %s is there twice", net, schedule, at)
			}
			all[at] = o
		}
		if page.Next == nil {
			return all
		}
		q.After = *page.Next
	}
}

// startedOnce waits until the runs of what was released have ended, and holds them against the witness.
func (e *estate) startedOnce(w *witness, decided map[time.Time]api.Occurrence) {
	e.t.Helper()
	for at, o := range decided {
		if o.Decision != "released" {
			if o.Run != nil {
				e.t.Errorf("%s at %s is %s and has the run %s", o.Schedule, at.Format(time.TimeOnly), o.Decision, *o.Run)
			}
			continue
		}
		if o.Run == nil {
			e.t.Errorf("%s at %s is released without a run", o.Schedule, at.Format(time.TimeOnly))
			continue
		}
		if r := e.settled(*o.Run, 90*time.Second); r.State != "succeeded" || r.Nominal == nil || !r.Nominal.Equal(at) {
			e.t.Errorf("run %s of %s at %s: %s, nominal %v", r.ID, o.Schedule, at.Format(time.TimeOnly), r.State, r.Nominal)
		}
	}
	all, _, _ := w.read()
	for key, s := range all {
		if s.starts != 1 {
			e.t.Errorf("the witness saw %d starts of %s", s.starts, strings.ReplaceAll(key, " ", "/"))
		}
	}
}
