package forecast

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLuckIsEven counts how often parts of the unit are hit, and that names that differ a little have nothing in common.
func TestLuckIsEven(t *testing.T) {
	t.Parallel()
	const n, parts = 200_000, 20
	var hits [parts]int
	both := 0.0
	for i := range uint64(n) {
		u := luck(7).with(i).unit()
		if u <= 0 || u >= 1 {
			t.Fatalf("%v is not within the unit", u)
		}
		hits[int(u*parts)]++
		both += (u - 0.5) * (luck(7).with(i+1).unit() - 0.5)
	}
	chi := 0.0
	for _, h := range hits {
		chi += math.Pow(float64(h)-n/parts, 2) / (n / parts)
	}
	if chi > 43.8 { // 19 degrees of freedom, one in a thousand
		t.Errorf("chi² is %.1f over %v", chi, hits)
	}
	if correlation := both / n * 12; math.Abs(correlation) > 0.01 {
		t.Errorf("neighbours go together: %.4f", correlation)
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	ten := []int64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}
	for u, want := range map[float64]int64{0.5: 55, 0: 10, 1: 100, 0.025: 10, 0.975: 100, 2.0 / 11: 20, 2.5 / 11: 25} {
		if got := quantile(ten, u); got != want {
			t.Errorf("quantile %v: got %d, want %d", u, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: got %d", got)
	}
}

// TestSpreadsStayWithinReason draws from anything that may have been seen.
func TestSpreadsStayWithinReason(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var took []time.Duration
		least, most := time.Duration(math.MaxInt64), time.Duration(0)
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			d := time.Duration(rapid.Int64Range(0, int64(300*time.Hour)).Draw(t, "took"))
			took = append(took, d)
			least, most = min(least, d), max(most, d)
		}
		s := history(History{Took: Seen(took...)})
		for i := range uint64(200) {
			got := s.at(luck(rapid.Uint64().Draw(t, "seed")).with(i))
			if got+time.Microsecond < least/3 || got < 0 || got > 100*most+time.Second {
				t.Fatalf("%v of durations from %v to %v", got, least, most)
			}
		}
		if mean := s.mean(); mean < least-least/1e6-time.Microsecond || mean > most+most/1e6+time.Microsecond {
			t.Fatalf("mean %v of durations from %v to %v", mean, least, most)
		}
	})
}
