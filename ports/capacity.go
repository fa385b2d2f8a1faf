package ports

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// DefaultBlocking is the part of requests that may find a pool full, where nobody says another.
const DefaultBlocking = 0.001

const (
	maxPool     = math.MaxUint16 // numbers that there are
	maxSeconds  = 10 * 366 * 24 * 3600
	minBlocking = 1e-12
	rounding    = 1e-9 // relative: 0.1 × 30 is 3, and not the 4 that its floating point product rounds up to
)

// Sizing is how many ports a pool needs, counted in five ways. A figure is 0 where nothing was said that it is made of.
//
// In the formulas P leases run at one time, R begin in a second, each lasts D, and a released port is held for H.
type Sizing struct {
	// Guaranteed is ceil(P (1 + H/D)): P leases that follow one another without a gap, their ends spread over time.
	// Leases that all begin at one instant need Burst.
	Guaranteed int
	// ErlangB is the smallest number of ports that turns away at most the part Blocking of leases that begin at
	// random, R a second: the load is R (D + H) erlang. Only the mean of D matters.
	ErlangB int
	// Burst is P ceil((D + H)/T): P leases begin at one instant, and again after each T. T is P/R, and at least D, since
	// no more than P run; without R it is D.
	Burst int
	// ParallelRate is P + ceil(R H): at most P run, and no time as long as H sees more than R H of them begin.
	ParallelRate int
	// Ports is the answer: the largest of Guaranteed, ErlangB and ParallelRate, as far as they are known. Where R is
	// more than P leases of D can reach, P/D is taken for the rate of ErlangB.
	Ports int
	// Width is how many numbers a range needs for that many leases: twice as many where only even or only odd
	// numbers are used, or where each lease has a second port.
	Width int
	// Formula is how Ports was found, with its values, for people.
	Formula string
}

// Check reports what is wrong with a capacity and a hold: a negative value, one that is no number, nothing to count
// from, or a load that all ports together do not carry.
func (c Capacity) Check(hold time.Duration) error {
	_, err := c.size(hold, "", false)
	return err
}

// Size counts the ports that a pool needs. A capacity that Check refuses gives the zero Sizing. A zero Blocking is
// DefaultBlocking.
func Size(c Capacity, hold time.Duration, p Parity, pairs bool) Sizing {
	s, err := c.size(hold, p, pairs)
	if err != nil {
		return Sizing{}
	}
	return s
}

func (c Capacity) size(hold time.Duration, p Parity, pairs bool) (Sizing, error) {
	if err := c.bounds(hold); err != nil {
		return Sizing{}, err
	}
	blocking := c.Blocking
	if blocking == 0 {
		blocking = DefaultBlocking
	}
	parallel, d, h := float64(c.Parallel), c.Duration.Seconds(), hold.Seconds()
	var s Sizing
	ports, tooMany := 0.0, 0.0
	take := func(n float64, formula string) int {
		tooMany = max(tooMany, n)
		if n > ports {
			ports, s.Formula = n, formula
		}
		return int(min(n, maxPool+1))
	}
	if c.Parallel > 0 && (c.Duration > 0 || hold == 0) {
		n, formula := parallel, fmt.Sprintf("%d at one time, and nothing is held", c.Parallel)
		if hold > 0 {
			n = ceil(parallel * (1 + h/d))
			formula = fmt.Sprintf("ceil(%d × (1 + %s/%s)) = %.0f", c.Parallel, seconds(h), seconds(d), n)
		}
		s.Guaranteed = take(n, formula)
	}
	if c.Rate > 0 && c.Duration > 0 {
		rate := c.Rate
		if c.Parallel > 0 {
			rate = min(rate, parallel/d)
		}
		load := c.Rate * (d + h)
		s.ErlangB = Enough(load, blocking)
		if carried := rate * (d + h); carried <= maxPool {
			n := Enough(carried, blocking)
			take(float64(n), fmt.Sprintf("Erlang B: %s erlang (%s/s × (%s + %s)), %s blocked: %d", figure(carried), figure(rate), seconds(d), seconds(h), figure(blocking), n))
		} else {
			tooMany = max(tooMany, carried)
		}
	}
	if c.Parallel > 0 && (c.Rate > 0 || hold == 0) {
		n := parallel + ceil(c.Rate*h)
		s.ParallelRate = take(n, fmt.Sprintf("%d + ceil(%s/s × %s) = %.0f", c.Parallel, figure(c.Rate), seconds(h), n))
	}
	if ports == 0 && tooMany == 0 {
		return Sizing{}, c.missing()
	}
	if tooMany > maxPool {
		return Sizing{}, fmt.Errorf("it needs %.0f ports, and there are %d: shorten the hold, or lower the rate", tooMany, maxPool)
	}
	s.Burst = c.burst(d, h)
	s.Ports = int(ports)
	s.Width = s.Ports
	if p != "" || pairs {
		s.Width *= 2
	}
	return s, nil
}

// burst is P ceil((D + H)/T); 0 where D is not known.
func (c Capacity) burst(d, h float64) int {
	switch {
	case c.Parallel == 0 || c.Duration == 0:
		return 0
	case c.Rate > 0:
		return int(float64(c.Parallel) * ceil((d+h)/max(float64(c.Parallel)/c.Rate, d)))
	}
	return int(float64(c.Parallel) * ceil((d+h)/d))
}

// missing says what must be known before anything can be counted.
func (c Capacity) missing() error {
	switch {
	case c.Parallel > 0:
		return errors.New("with a hold, parallel leases need the rate at which they begin, or how long they last")
	case c.Rate > 0:
		return errors.New("with a rate, it must be known how long a lease lasts, or how many run in parallel")
	}
	return errors.New("neither parallel leases nor a rate are given")
}

// bounds refuses values that no pool can have, so that all arithmetic below stays small.
func (c Capacity) bounds(hold time.Duration) error {
	switch {
	case c.Parallel < 0 || c.Parallel > maxPool:
		return fmt.Errorf("parallel is %d; it is a number from 1 to %d", c.Parallel, maxPool)
	case !(c.Rate >= 0 && c.Rate <= 1e6): // in this form NaN is refused too
		return fmt.Errorf("the rate is %v a second; it is more than 0 and at most a million", c.Rate)
	case c.Duration < 0 || c.Duration.Seconds() > maxSeconds:
		return fmt.Errorf("the duration is %s; it is more than 0 and at most ten years", c.Duration)
	case hold < 0 || hold.Seconds() > maxSeconds:
		return fmt.Errorf("the hold is %s; it is at least 0 and at most ten years", hold)
	case c.Blocking != 0 && !(c.Blocking >= minBlocking && c.Blocking < 1):
		return fmt.Errorf("the blocking is %v; it is a part of the requests, from %g to less than 1, such as 0.001", c.Blocking, minBlocking)
	}
	return nil
}

// Blocking is the part of requests that find all of n ports busy under a load in erlang (Erlang B). No ports turn
// everything away, and no load is never turned away by a port. More ports than there are count as all of them.
func Blocking(n int, load float64) float64 {
	b, load := 1.0, max(load, 0)
	for i := 1; i <= min(n, maxPool); i++ { // the recurrence B(i) = A B(i-1) / (i + A B(i-1)), which no factorial can overflow
		b = load * b / (float64(i) + load*b)
	}
	return b
}

// Enough is the smallest number of ports that turns away at most the given part of the requests; 65536, one more
// than there are, if no number does.
func Enough(load, blocking float64) int {
	b := 1.0
	for n := 1; n <= maxPool; n++ {
		b = load * b / (float64(n) + load*b)
		if b <= blocking {
			return n
		}
	}
	return maxPool + 1
}

// LoadOf is the load in erlang that n ports carry while they turn away the given part of the requests.
func LoadOf(n int, blocking float64) float64 {
	low, high := 0.0, float64(max(n, 0))/(1-min(max(blocking, 0), 0.999))
	for range 60 { // halving: the answer is then as exact as a float64
		if middle := (low + high) / 2; Blocking(n, middle) > blocking {
			high = middle
		} else {
			low = middle
		}
	}
	return low
}

// Ceiling is the highest rate a second that n ports can sustain, whatever the order of things: each lease keeps a port
// for its duration and the hold. It is +Inf where both are 0.
func Ceiling(n int, duration, hold time.Duration) float64 {
	return float64(n) / (duration + hold).Seconds()
}

// ceil rounds up, and forgives the error of a floating point product.
func ceil(x float64) float64 { return math.Ceil(x - rounding*max(1, math.Abs(x))) }

// Fit is where a pool would lie if it had so many numbers: down from its highest one or up from its lowest. It returns
// false for a pool that has no numbers, or several ranges, or not so much room.
func (p ResolvedPool) Fit(width int) (Range, bool) {
	if len(p.Ranges) != 1 || width < 1 || width > maxPool {
		return Range{}, false
	}
	first, last := int(p.Ranges[0].First), int(p.Ranges[0].Last)
	if p.Down {
		first = last - width + 1
	} else {
		last = first + width - 1
	}
	if first < 1 || last > maxPool {
		return Range{}, false
	}
	return Range{Port(first), Port(last)}, true
}

// seconds prints a length of time as the formulas have it.
func seconds(s float64) string { return figure(s) + "s" }

// figure prints a value as a person would write it.
func figure(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
