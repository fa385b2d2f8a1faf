package forecast_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/forecast"
	"github.com/reeve-scheduler/reeve/internal/run"
)

// truth is how long a job really takes: its distribution is known to the test, and to the forecast only by what was seen of it.
type truth struct {
	kind   int
	middle float64 // seconds
}

func (d truth) draw(r *rand.Rand) time.Duration {
	s := d.middle
	switch d.kind {
	case 0: // as most jobs: lognormal
		s *= math.Exp(0.4 * r.NormFloat64())
	case 1: // at least so long, and then some: a shifted exponential
		s *= 0.6 + 0.4*r.ExpFloat64()
	case 2: // now and then there is more to do
		s *= 0.9 + 0.2*r.Float64()
		if r.IntN(6) == 0 {
			s *= 3
		}
	default: // anything in a range
		s *= 0.5 + r.Float64()
	}
	return time.Duration(s * float64(time.Second))
}

// TestNineteenOfTwentyEndsAreWithin makes worlds with known distributions, a history drawn of them, forecasts of that, and days that really
// happen: of their ends the 95 % interval must have between 93 and 97 %.
func TestNineteenOfTwentyEndsAreWithin(t *testing.T) {
	t.Parallel()
	inside, below, all := 0, 0, 0
	for world := range uint64(10) {
		chance := rand.New(rand.NewPCG(world, 7))
		truths := map[string]truth{}
		w := forecast.World{Now: monday.Add(-time.Hour), Agents: []run.Candidate{linked("x", 6), linked("y", 5)}}
		for i := range 40 {
			n := net(fmt.Sprintf("n%02d", i), daily(time.Duration(chance.IntN(90))*time.Minute), job("a"), job("b", after("a")), job("c", after("a")), job("d", after("b", "c")))
			for _, name := range []string{"a", "b", "c", "d"} {
				d := truth{chance.IntN(4), 60 + 600*chance.Float64()}
				truths[n.Name+name] = d
				var seen []time.Duration
				for range 60 {
					seen = append(seen, d.draw(chance))
				}
				n.History[name] = forecast.History{Took: forecast.Seen(seen...)}
			}
			w.Nets = append(w.Nets, n)
		}
		plan, err := forecast.New(w, forecast.Options{Days: 1, Replications: 300, Seed: world})
		if err != nil {
			t.Fatal(err)
		}
		sim := plan.Simulator()
		for n := range plan.Replications() {
			sim.Replicate(n)
		}
		expected := map[string]forecast.Item{}
		for _, it := range plan.Forecast(sim).Items {
			expected[it.Net] = it
		}
		for range 12 {
			ends := map[string]time.Time{}
			for _, e := range plan.Replay(func(a forecast.Attempt) (time.Duration, bool, bool) {
				return truths[a.Net+a.Job].draw(chance), false, true
			}) {
				ends[e.Net] = e.At
			}
			for name, end := range ends {
				all++
				it := expected[name]
				if !end.Before(it.Low) && !end.After(it.High) {
					inside++
				} else if end.Before(it.Low) {
					below++
				}
			}
		}
	}
	part := float64(inside) / float64(all)
	t.Logf("of %d ends %.2f %% are within, %.2f %% below", all, 100*part, 100*float64(below)/float64(all))
	if all != 10*12*40 || part < 0.93 || part > 0.97 {
		t.Errorf("of %d ends %.2f %% are within the interval of 95 %%", all, 100*part)
	}
}
