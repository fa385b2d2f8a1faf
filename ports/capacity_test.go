package ports_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// TestErlangTable is the table of the reference: ports needed by load and blocking.
func TestErlangTable(t *testing.T) {
	t.Parallel()
	blocking := []float64{0.01, 0.001, 0.0001, 1e-6}
	for load, want := range map[float64][]int{
		1: {5, 6, 7, 10}, 5: {11, 14, 16, 20}, 10: {18, 21, 24, 29}, 20: {30, 35, 39, 45}, 50: {64, 71, 77, 87}, 100: {117, 128, 137, 149},
		120: {138, 151, 160, 174}, 200: {221, 238, 249, 267}, 500: {527, 555, 574, 602}, 1000: {1029, 1072, 1100, 1141},
		2500: {2526, 2603, 2649, 2715}, 5000: {5010, 5133, 5202, 5297},
	} {
		for i, b := range blocking {
			if got := ports.Enough(load, b); got != want[i] {
				t.Errorf("Enough(%v, %v): got %d, want %d", load, b, got, want[i])
			}
			if ports.Blocking(want[i], load) > b || ports.Blocking(want[i]-1, load) <= b {
				t.Errorf("%d is not the smallest number for %v erlang and %v", want[i], load, b)
			}
		}
	}
}

// TestWorkedExamples are E1 to E5 of the reference: rate, duration, hold, and the ports for 1 %, for 0.1 %, and for
// 0.1 % without a hold. Its 0.1667 a second is 100 tasks in 10 minutes: with the rounded rate E1b needs one port more.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	s := time.Second
	for _, e := range []struct {
		name             string
		rate             float64
		d, h             time.Duration
		one, tenth, bare int
	}{
		{"E1", 1. / 6, 600 * s, 120 * s, 138, 151, 128},
		{"E1b", 1. / 6, 600 * s, 60 * s, 128, 139, 128},
		{"E2", 20, 5 * s, 120 * s, 2526, 2603, 128},
		{"E2b", 20, 5 * s, 60 * s, 1329, 1380, 128},
		{"E3", 2, 30 * s, 120 * s, 324, 344, 83},
		{"E4", 0.1, 3600 * s, 120 * s, 397, 421, 408},
		{"E5", 1, 1 * s, 120 * s, 139, 152, 6},
	} {
		c := ports.Capacity{Rate: e.rate, Duration: e.d, Blocking: 0.01}
		if got := ports.Size(c, e.h, "", false); got.ErlangB != e.one || got.Ports != e.one {
			t.Errorf("%s at 1 %%: got %+v, want %d", e.name, got, e.one)
		}
		c.Blocking = 0 // the default, 0.1 %
		if got := ports.Size(c, e.h, "", false); got.ErlangB != e.tenth || got.Ports != e.tenth {
			t.Errorf("%s at 0.1 %%: got %+v, want %d", e.name, got, e.tenth)
		}
		if got := ports.Size(c, 0, "", false); got.Ports != e.bare {
			t.Errorf("%s without a hold: got %+v, want %d", e.name, got, e.bare)
		}
	}
}

// TestSize goes through what may be known of a pool.
func TestSize(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for _, tt := range []struct {
		name    string
		c       ports.Capacity
		hold    time.Duration
		parity  ports.Parity
		pairs   bool
		want    ports.Sizing
		formula string
	}{
		{
			"the issue's example",
			ports.Capacity{Parallel: 10, Rate: 1},
			2 * minute, "", false,
			ports.Sizing{ParallelRate: 130, Ports: 130, Width: 130},
			"10 + ceil(1/s × 120s) = 130",
		},
		{
			"its tasks take 30 s: 10 of them cannot begin 1/s",
			ports.Capacity{Parallel: 10, Rate: 1, Duration: 30 * time.Second},
			2 * minute, "", false,
			ports.Sizing{Guaranteed: 50, ErlangB: 183, Burst: 50, ParallelRate: 130, Ports: 130, Width: 130},
			"10 + ceil(1/s × 120s) = 130",
		},
		{
			"E1 with its cap",
			ports.Capacity{Parallel: 100, Rate: 0.1667, Duration: 10 * minute},
			2 * minute, "", false,
			ports.Sizing{Guaranteed: 120, ErlangB: 151, Burst: 200, ParallelRate: 121, Ports: 151, Width: 151},
			"Erlang B: 120 erlang",
		},
		{
			"E2 with its cap",
			ports.Capacity{Parallel: 100, Rate: 20, Duration: 5 * time.Second},
			2 * minute, "", false,
			ports.Sizing{Guaranteed: 2500, ErlangB: 2603, Burst: 2500, ParallelRate: 2500, Ports: 2603, Width: 2603},
			"Erlang B: 2500 erlang (20/s × (5s + 120s)), 0.001 blocked: 2603",
		},
		{
			"only the cap and the duration",
			ports.Capacity{Parallel: 100, Duration: 10 * minute},
			2 * minute, "", false,
			ports.Sizing{Guaranteed: 120, Burst: 200, Ports: 120, Width: 120},
			"ceil(100 × (1 + 120s/600s)) = 120",
		},
		{"no hold", ports.Capacity{Parallel: 12}, 0, "", false, ports.Sizing{Guaranteed: 12, ParallelRate: 12, Ports: 12, Width: 12}, "12 at one time, and nothing is held"},
		{"even numbers only", ports.Capacity{Parallel: 12}, 0, ports.Even, false, ports.Sizing{Guaranteed: 12, ParallelRate: 12, Ports: 12, Width: 24}, "12 at one time"},
		{"even numbers, with the odd ones as pairs", ports.Capacity{Parallel: 12}, 0, ports.Even, true, ports.Sizing{Guaranteed: 12, ParallelRate: 12, Ports: 12, Width: 24}, "12 at one time"},
		{"products that are not what they look like", ports.Capacity{Parallel: 1, Rate: 0.1}, 30 * time.Second, "", false, ports.Sizing{ParallelRate: 4, Ports: 4, Width: 4}, "= 4"},
	} {
		got := ports.Size(tt.c, tt.hold, tt.parity, tt.pairs)
		if !strings.Contains(got.Formula, tt.formula) {
			t.Errorf("%s: the formula is %q, want %q in it", tt.name, got.Formula, tt.formula)
		}
		got.Formula = ""
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
		if err := tt.c.Check(tt.hold); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestBadCapacity: what nobody can have is refused at once, with what is wrong with it.
func TestBadCapacity(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		c    ports.Capacity
		hold time.Duration
		want string
	}{
		{ports.Capacity{}, 0, "neither parallel leases nor a rate"},
		{ports.Capacity{}, time.Minute, "neither parallel leases nor a rate"},
		{ports.Capacity{Parallel: -1}, 0, "parallel is -1"},
		{ports.Capacity{Parallel: math.MaxInt}, 0, "parallel is"},
		{ports.Capacity{Parallel: 10}, time.Minute, "the rate at which they begin"},
		{ports.Capacity{Rate: 1}, time.Minute, "how long a lease lasts"},
		{ports.Capacity{Rate: math.NaN(), Duration: 1}, 0, "the rate is NaN"},
		{ports.Capacity{Rate: math.Inf(1), Duration: 1}, 0, "the rate is +Inf"},
		{ports.Capacity{Rate: -1, Duration: 1}, 0, "the rate is -1"},
		{ports.Capacity{Rate: 1, Duration: -1}, 0, "the duration is -1ns"},
		{ports.Capacity{Rate: 1, Duration: math.MaxInt64}, 0, "at most ten years"},
		{ports.Capacity{Parallel: 1}, -1, "the hold is -1ns"},
		{ports.Capacity{Parallel: 1, Rate: 1}, math.MaxInt64, "at most ten years"},
		{ports.Capacity{Rate: 1, Duration: 1, Blocking: 1}, 0, "the blocking is 1"},
		{ports.Capacity{Rate: 1, Duration: 1, Blocking: math.NaN()}, 0, "the blocking is NaN"},
		{ports.Capacity{Rate: 1, Duration: 1, Blocking: -0.1}, 0, "the blocking is -0.1"},
		{ports.Capacity{Rate: 1e6, Duration: time.Hour}, time.Hour, "there are 65535"},
		{ports.Capacity{Rate: 5, Duration: 14400 * time.Second}, 0, "there are 65535"},
		{ports.Capacity{Parallel: 65535, Rate: 1}, time.Second, "it needs 65536 ports"},
		{ports.Capacity{Parallel: 1000, Duration: time.Nanosecond}, time.Hour, "there are 65535"},
	} {
		err := tt.c.Check(tt.hold)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check(%+v, %s): got %v, want %q in it", tt.c, tt.hold, err, tt.want)
		}
		if got := ports.Size(tt.c, tt.hold, "", false); got != (ports.Sizing{}) {
			t.Errorf("Size(%+v, %s): got %+v, want nothing", tt.c, tt.hold, got)
		}
	}
}

// TestSizeOfAnything (P6, F45): whatever is asked, the answer is no figure that breaks the rules, and never takes long.
func TestSizeOfAnything(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 45))
	for range 1500 {
		c := ports.Capacity{
			Parallel: r.IntN(1 << r.IntN(20)), Rate: math.Exp(r.NormFloat64() * 4), Duration: time.Duration(r.Int64N(1 << (r.IntN(62) + 1))),
			Blocking: math.Exp(-r.ExpFloat64() * 5),
		}
		hold := time.Duration(r.Int64N(1 << (r.IntN(50) + 1)))
		s := ports.Size(c, hold, ports.Even, r.IntN(2) == 0)
		if (c.Check(hold) == nil) != (s != ports.Sizing{}) {
			t.Fatalf("%+v, hold %s: Check says %v, and the size is %+v", c, hold, c.Check(hold), s)
		}
		if s.Ports < s.Guaranteed || s.Ports < s.ParallelRate || s.Ports > math.MaxUint16 || s.Width != 2*s.Ports || s.ErlangB > math.MaxUint16+1 {
			t.Fatalf("%+v, hold %s: %+v", c, hold, s)
		}
	}
}

// TestErlangAgainstTheDefinition (P6) compares the recurrence with the definition (A^N/N!) / sum of A^k/k!, computed in
// numbers of 300 digits.
func TestErlangAgainstTheDefinition(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 6))
	for range 60 {
		load := math.Exp(r.Float64() * 8)
		n := 1 + r.IntN(int(2*load)+20)
		want := definition(n, load)
		if got := ports.Blocking(n, load); math.Abs(got-want) > 1e-9 || want > 1e-300 && math.Abs(got/want-1) > 1e-9 {
			t.Errorf("Blocking(%d, %v): got %v, want %v", n, load, got, want)
		}
	}
	for n, want := range map[int]float64{-1: 1, 0: 1} {
		if got := ports.Blocking(n, 5); got != want {
			t.Errorf("Blocking(%d, 5): got %v, want %v", n, got, want)
		}
	}
	if got := ports.Blocking(3, 0); got != 0 {
		t.Errorf("no load is turned away: %v", got)
	}
	if got, want := ports.Blocking(math.MaxInt, 10), ports.Blocking(math.MaxUint16, 10); got != want {
		t.Errorf("more ports than there are: got %v, want %v", got, want)
	}
}

func definition(n int, load float64) float64 {
	const bits = 1000
	a := new(big.Float).SetPrec(bits).SetFloat64(load)
	term := new(big.Float).SetPrec(bits).SetInt64(1)
	sum := new(big.Float).SetPrec(bits).SetInt64(1)
	for k := 1; k <= n; k++ {
		term.Mul(term, a)
		term.Quo(term, new(big.Float).SetPrec(bits).SetInt64(int64(k)))
		sum.Add(sum, term)
	}
	b, _ := term.Quo(term, sum).Float64()
	return b
}

// TestLoadAndCeiling are the other way round, with the reference's examples: the 101 callback ports of arcserve, and a
// passive range of 20.
func TestLoadAndCeiling(t *testing.T) {
	t.Parallel()
	s := time.Second
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.0006*max(1, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	near("101 ports, 30 s and 120 s, 1 %", ports.LoadOf(101, 0.01)/150, 0.567)
	near("their ceiling", ports.Ceiling(101, 30*s, 120*s), 0.673)
	near("without hold", ports.LoadOf(101, 0.01)/30, 2.833)
	near("20 ports, 120 s hold", ports.Ceiling(20, 0, 120*s), 0.167)
	for _, n := range []int{1, 7, 500, 65535} {
		if got := ports.Blocking(n, ports.LoadOf(n, 0.003)); math.Abs(got-0.003) > 1e-9 {
			t.Errorf("LoadOf(%d): its blocking is %v", n, got)
		}
	}
	if got := ports.LoadOf(-5, 0.1); got != 0 {
		t.Errorf("LoadOf(-5): got %v, want 0", got)
	}
}
