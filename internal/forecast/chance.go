package forecast

import (
	"math"
	"slices"
	"time"
)

// luck is a source of chance that is known by a name: numbers hashed one into the other. It is the finalizer of SplitMix64 (Steele, Lea
// and Flood, "Fast splittable pseudorandom number generators", 2014), which is enough for simulations and for nothing else.
type luck uint64

func (l luck) with(name uint64) luck {
	x := uint64(l) + 0x9e3779b97f4a7c15*(name+1)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return luck(x ^ x>>31)
}

// text hashes a text into l (FNV-1a).
func (l luck) text(s string) luck {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return l.with(h)
}

// unit is a number in (0, 1).
func (l luck) unit() float64 { return (float64(uint64(l)>>11) + 0.5) / (1 << 53) }

// spread is how long a job takes: what was seen, or what was said, as a distribution that can be asked for any part of it.
type spread struct {
	seen   []float64 // nanoseconds, sorted
	wide   float64   // where little was seen: a factor between 1/wide and wide, on a scale of powers
	failed float64   // part of the attempts
	basis  Basis
}

const (
	plenty       = 8    // so many durations speak for themselves
	fewWide      = 1.3  // a few durations
	estimateWide = 1.25 // somebody said how long
	guessWide    = 2.0
)

// history makes a spread of what was seen.
func history(h History) spread {
	s := spread{seen: make([]float64, len(h.Took)), failed: h.Failed, basis: FromHistory, wide: 1}
	for i, d := range h.Took {
		s.seen[i] = float64(max(d, 0))
	}
	slices.Sort(s.seen)
	if len(s.seen) < plenty {
		s.wide = fewWide
	}
	return s
}

// said makes a spread around one duration.
func said(d time.Duration, basis Basis) spread {
	s := spread{seen: []float64{float64(d)}, basis: basis, wide: estimateWide}
	if basis == FromGuess {
		s.wide = guessWide
	}
	return s
}

// at returns the duration below which a part u of all next ones is expected. Of n durations that were seen, the next one is below the k-th with
// probability k/(n+1), whatever the distribution is; so there is a part beyond the longest that was ever seen, and one below the shortest.
// These tails fall off as those of an exponential distribution with the mean gap of the outermost few.
func (s *spread) at(l luck) time.Duration {
	n := len(s.seen)
	u := l.with(1).unit()
	var v float64
	switch p := u * float64(n+1); {
	case n == 0:
		return 0
	case n == 1:
		v = s.seen[0]
	case p < 1:
		v = max(s.seen[0]+s.gap(0)*math.Log(p), s.seen[0]/2)
	case p >= float64(n):
		v = s.seen[n-1] - s.gap(n-1)*math.Log(float64(n+1)-p)
	default:
		k := int(p)
		v = s.seen[k-1] + (p-float64(k))*(s.seen[k]-s.seen[k-1])
	}
	if s.wide > 1 {
		v *= math.Pow(s.wide, 2*l.with(2).unit()-1)
	}
	return time.Duration(v)
}

// gap is the mean distance between the few durations at one end: 0, or the last position.
func (s *spread) gap(end int) float64 {
	n := len(s.seen)
	few := min(max(n/10, 2), n-1)
	if end == 0 {
		return (s.seen[few] - s.seen[0]) / float64(few)
	}
	return (s.seen[n-1] - s.seen[n-1-few]) / float64(few)
}

// mean is what it takes on the average.
func (s *spread) mean() time.Duration {
	sum := 0.0
	for _, d := range s.seen {
		sum += d
	}
	if len(s.seen) == 0 {
		return 0
	}
	return time.Duration(sum / float64(len(s.seen)))
}

// scale makes all of it longer by a factor.
func (s *spread) scale(by float64) {
	seen := make([]float64, len(s.seen))
	for i, d := range s.seen {
		seen[i] = d * by
	}
	s.seen = seen
}
