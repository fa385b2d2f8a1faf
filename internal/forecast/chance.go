package forecast

import (
	"math"
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
	seen    Durations // shared with whoever knows the history: never changed
	scale   float64   // what-if: a factor of all of them
	wide    float64   // where little was seen: a factor between 1/wide and wide, on a scale of powers
	failed  float64   // part of the attempts
	final   float64   // part of those that failed
	unknown float64   // part of the attempts
	basis   Basis
}

const (
	plenty       = 8    // so many durations speak for themselves
	fewWide      = 1.3  // a few durations
	estimateWide = 1.25 // somebody said how long
	guessWide    = 2.0
)

// history makes a spread of what was seen.
func history(h History) spread {
	s := spread{seen: h.Took, scale: 1, basis: FromHistory, wide: 1}
	if len(s.seen) < plenty {
		s.wide = fewWide
	}
	return s
}

// said makes a spread around one duration.
func said(d time.Duration, basis Basis) spread {
	s := spread{seen: Seen(d), scale: 1, basis: basis, wide: estimateWide}
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
		v = s.nth(0)
	case p < 1:
		v = max(s.nth(0)+s.gap(0)*math.Log(p), s.nth(0)/2)
	case p >= float64(n):
		v = s.nth(n-1) - s.gap(n-1)*math.Log(float64(n+1)-p)
	default:
		k := int(p)
		v = s.nth(k-1) + (p-float64(k))*(s.nth(k)-s.nth(k-1))
	}
	if s.wide > 1 {
		v *= math.Pow(s.wide, 2*l.with(2).unit()-1)
	}
	return s.whole(v)
}

func (s *spread) nth(k int) float64 { return float64(s.seen[k]) }

// whole is a duration of so many seconds, scaled. Its microseconds are all that what was seen is good for.
func (s *spread) whole(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds*s.scale*1e6)) * time.Microsecond
}

// gap is the mean distance between the few durations at one end: 0, or the last position.
func (s *spread) gap(end int) float64 {
	n := len(s.seen)
	few := min(max(n/10, 2), n-1)
	if end == 0 {
		return (s.nth(few) - s.nth(0)) / float64(few)
	}
	return (s.nth(n-1) - s.nth(n-1-few)) / float64(few)
}

// mean is what it takes on the average.
func (s *spread) mean() time.Duration {
	sum := 0.0
	for _, d := range s.seen {
		sum += float64(d)
	}
	if len(s.seen) == 0 {
		return 0
	}
	return s.whole(sum / float64(len(s.seen)))
}

// outcome draws how an attempt ends, unless its time-out comes first.
func (s *spread) outcome(l luck) verb {
	switch u := l.with(3).unit(); {
	case u < s.failed && l.with(4).unit() < s.final:
		return verbFinal
	case u < s.failed:
		return verbFailed
	case u < s.failed+s.unknown:
		return verbUnknown
	}
	return verbGood
}
