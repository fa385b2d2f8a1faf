package ports_test

import (
	"cmp"
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// lease is what the counting agent sees of one: when it began, and when its port is free again.
type lease struct{ begin, free float64 }

// busiest is the counting agent: how many ports these leases keep busy at the worst moment.
func busiest(leases []lease) int {
	type change struct {
		at float64
		by int
	}
	var changes []change
	for _, l := range leases {
		changes = append(changes, change{l.begin, 1}, change{l.free, -1})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	now, most := 0, 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}

// TestCountedSizes (F45) lets a counting agent go through what each formula assumes: no formula may say fewer ports
// than were busy at once, and each must be reached, or it would waste them. Times are whole numbers, so that two
// events of one instant are of one instant.
func TestCountedSizes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(45, 45))
	for range 300 {
		parallel, gap, hold := 1+r.IntN(30), 1+r.IntN(20), 1+r.IntN(400)
		d := parallel * (1 + r.IntN(30)) // a whole number of seconds between two ends
		c := ports.Capacity{Parallel: parallel, Duration: time.Duration(d) * time.Second}
		held := time.Duration(hold) * time.Second

		spread := ports.Size(c, held, "", false)
		if got := busiest(slots(parallel, d, hold, d/parallel)); got != spread.Guaranteed {
			t.Fatalf("%d leases of %d s, ends spread, hold %d: %d ports were busy, Guaranteed is %d", parallel, d, hold, got, spread.Guaranteed)
		}
		if got := busiest(slots(parallel, d, hold, 0)); got != spread.Burst {
			t.Fatalf("%d leases of %d s at one instant, hold %d: %d ports were busy, Burst is %d", parallel, d, hold, got, spread.Burst)
		}

		c = ports.Capacity{Parallel: parallel, Rate: 1 / float64(gap)}
		paced := ports.Size(c, held, "", false)
		if got := busiest(pacedLeases(r, parallel, gap, hold)); got > paced.ParallelRate {
			t.Fatalf("%d parallel, one each %d s, hold %d: %d ports were busy, ParallelRate is %d", parallel, gap, hold, got, paced.ParallelRate)
		}
		if got := busiest(worstPaced(parallel, gap, hold)); got != paced.ParallelRate {
			t.Fatalf("%d parallel, one each %d s, hold %d: at worst %d ports were busy, ParallelRate is %d", parallel, gap, hold, got, paced.ParallelRate)
		}
	}
}

// slots are parallel rows of leases without a gap, each row a step later than the one before.
func slots(parallel, d, hold, step int) []lease {
	var out []lease
	for i := range parallel {
		for k := range 3 + hold/d + 2 {
			begin := i*step + k*d
			out = append(out, lease{float64(begin), float64(begin + d + hold)})
		}
	}
	return out
}

// pacedLeases begin one each gap, or later if parallel of them run; how long they last is chance.
func pacedLeases(r *rand.Rand, parallel, gap, hold int) []lease {
	var out []lease
	ends := make([]int, parallel)
	for now := 0; now < 3000; now += gap {
		slices.Sort(ends)
		now = max(now, ends[0])
		end := now + r.IntN(parallel*gap*2+1)
		ends[0] = end
		out = append(out, lease{float64(now), float64(end + hold)})
	}
	return out
}

// worstPaced fills all slots with long leases that end together; then short ones begin at the full rate.
func worstPaced(parallel, gap, hold int) []lease {
	var out []lease
	end := parallel * gap
	for i := range parallel {
		out = append(out, lease{float64(i * gap), float64(end + hold)})
	}
	for now := end; now < end+hold; now += gap {
		out = append(out, lease{float64(now), float64(now + hold + 1)})
	}
	return out
}

// frees is a heap of the instants at which ports become free.
type frees []float64

func (f frees) Len() int           { return len(f) }
func (f frees) Less(i, j int) bool { return f[i] < f[j] }
func (f frees) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *frees) Push(x any)        { *f = append(*f, x.(float64)) }
func (f *frees) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}

// simulate sends requests that arrive by chance, rate a second, to n ports, and returns the part that was turned away.
func simulate(r *rand.Rand, n int, rate float64, busy func() float64, requests int) float64 {
	var ports frees
	now, refused := 0.0, 0
	for i := -requests / 5; i < requests; i++ { // the first ones fill the pool, and are not counted
		now += r.ExpFloat64() / rate
		for len(ports) > 0 && ports[0] <= now {
			heap.Pop(&ports)
		}
		switch {
		case len(ports) < n:
			heap.Push(&ports, now+busy())
		case i >= 0:
			refused++
		}
	}
	return float64(refused) / float64(requests)
}

// TestSimulatedBlocking (P6, F45) compares Erlang B with a simulation, for durations that are fixed, exponential and
// heavy-tailed: only their mean may matter. 3 sigma of independent rounds.
func TestSimulatedBlocking(t *testing.T) {
	t.Parallel()
	const n, rate, hold, d = 101, 0.6, 120.0, 30.0 // 90 erlang: 2.35 % are turned away
	want := ports.Blocking(n, rate*(d+hold))
	if math.Abs(want-0.0235) > 0.0001 {
		t.Fatalf("Blocking(101, 90): got %v, want 0.0235", want)
	}
	for name, duration := range map[string]func(r *rand.Rand) float64{
		"fixed":        func(*rand.Rand) float64 { return d },
		"exponential":  func(r *rand.Rand) float64 { return d * r.ExpFloat64() },
		"heavy-tailed": func(r *rand.Rand) float64 { return d * math.Exp(1.5*r.NormFloat64()-1.125) }, // log-normal
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(101, 90))
			var rounds []float64
			for range 40 {
				rounds = append(rounds, simulate(r, n, rate, func() float64 { return duration(r) + hold }, 20_000))
			}
			mean, sigma := spread(rounds)
			if math.Abs(mean-want) > 3*sigma {
				t.Errorf("%.3f %% were turned away, want %.3f %% (sigma %.3f %%)", 100*mean, 100*want, 100*sigma)
			}
		})
	}
}

// spread returns the mean of independent values and its standard error.
func spread(v []float64) (mean, sigma float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sigma += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(sigma / float64(len(v)-1) / float64(len(v)))
}

// TestSimulatedAnswer: a pool of Ports numbers turns away no more than Blocking, with a cap and without.
func TestSimulatedAnswer(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []ports.Capacity{
		{Rate: 0.1667, Duration: 10 * time.Minute, Blocking: 0.01}, {Rate: 2, Duration: 30 * time.Second, Blocking: 0.01}, {Rate: 1, Duration: time.Second, Blocking: 0.02},
	} {
		const hold = 2 * time.Minute
		s := ports.Size(c, hold, "", false)
		var rounds []float64
		for range 20 {
			busy := func() float64 { return c.Duration.Seconds()*r.ExpFloat64() + hold.Seconds() }
			rounds = append(rounds, simulate(r, s.Ports, c.Rate, busy, 20_000))
		}
		if mean, sigma := spread(rounds); mean > c.Blocking+3*sigma {
			t.Errorf("%+v: %d ports turned away %.3f %%, want at most %.3f %% (sigma %.3f %%)", c, s.Ports, 100*mean, 100*c.Blocking, 100*sigma)
		}
	}
}
