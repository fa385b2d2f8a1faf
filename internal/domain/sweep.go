package domain

import (
	"context"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	sweepWindow = 24 * time.Hour
	sweepEvery  = time.Minute
	sweepShare  = 100 // of the time between sweeps, one part of so many is spent on them
	sweepTime   = 5 * time.Minute
	// sweepLongest is the longest time between two sweeps that are asked for.
	sweepLongest = time.Hour
)

// sweep is what was found when the sums of all schedules were made, over the last day.
type sweep struct {
	counts   map[occurrence.Decision]int64
	expected int64
	broken   []scheduleKey // whose sums do not hold
	missed   int64         // and neither recovered nor dismissed, of any age
	checked  int64         // schedules
}

// sweeps keeps the newest sweep. One is made when somebody asks and the newest is old: nobody waits for it but the first, and however many
// schedules there are, it takes a hundredth of a processor at most.
type sweeps struct {
	mu      sync.Mutex
	last    *sweep
	failed  error
	next    time.Time
	running chan struct{} // closed when the one that runs has ended; nil: none runs
}

// swept returns the newest sweep.
func (s *Service) swept(ctx context.Context) (*sweep, error) {
	w := &s.sweeps
	w.mu.Lock()
	running := w.running
	// A clock that was put back must not put off the next sweep.
	if now := s.cfg.Now(); running == nil && (w.last == nil || !now.Before(w.next) || w.next.Sub(now) > sweepLongest) {
		running = make(chan struct{})
		w.running = running
		go s.sweepOnce(context.WithoutCancel(ctx), now, running)
	}
	last := w.last
	w.mu.Unlock()
	if last != nil {
		return last, nil
	}
	select {
	case <-running:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return nil, w.failed
	}
	return w.last, nil
}

func (s *Service) sweepOnce(ctx context.Context, began time.Time, running chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	defer close(running)
	found, err := s.sweep(ctx)
	w := &s.sweeps
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.failed = nil, err
	now := s.cfg.Now()
	w.next = now.Add(max(sweepEvery, min(sweepShare*now.Sub(began), sweepLongest)))
	if err == nil {
		w.last = found
	}
}

// tally is what a sweep knows of one schedule.
type tally struct {
	counts map[occurrence.Decision]int64
	early  int64
	ranges []occurrence.Range
}

// sweep makes the sums of all schedules over the day that ends where everything is decided.
func (s *Service) sweep(ctx context.Context) (*sweep, error) {
	through := s.through()
	begin, end := through.Add(-sweepWindow), through.Add(tick)
	known, err := s.tallied(ctx, begin, end)
	if err != nil {
		return nil, err
	}
	out := &sweep{counts: map[occurrence.Decision]int64{}}
	err = s.eachSchedule(ctx, store.SpanQuery{Since: begin, Until: end}, func(spans []occurrence.Span) error {
		k := scheduleKey{spans[0].Net, spans[0].Schedule}
		pieces, _ := s.pieces(ctx, spans)
		a := occurrence.Account{Begin: begin, End: end, Through: through, Pieces: pieces}
		if t := known[k]; t != nil {
			a.Before, a.Early, a.Ranges = t.counts, t.early, t.ranges
			delete(known, k)
		}
		_, _, torn := a.Torn()
		sum := a.Sum()
		if torn || !sum.Holds {
			var err error
			if sum, err = s.sumOf(ctx, k.net, k.name, a); err != nil {
				return err
			}
		}
		out.add(k, sum)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for k, t := range known {
		if k.name == occurrence.Manual {
			a := occurrence.Account{Pieces: []occurrence.Piece{{}}, Before: t.counts}
			out.add(k, a.Sum())
		}
	}
	missed, err := s.missedOf(ctx, "", "", "")
	for _, n := range missed {
		out.missed += n
	}
	return out, err
}

func (w *sweep) add(k scheduleKey, sum occurrence.Sum) {
	w.checked++
	w.expected += sum.Expected
	w.counts[occurrence.Released] += sum.Released
	w.counts[occurrence.Missed] += sum.Missed
	w.counts[occurrence.Suppressed] += sum.Suppressed
	w.counts[occurrence.Cancelled] += sum.Cancelled
	w.counts[occurrence.Pending] += sum.Pending
	if !sum.Holds {
		w.broken = append(w.broken, k)
	}
}

// tallied reads what became of all schedules, at once.
func (s *Service) tallied(ctx context.Context, begin, end time.Time) (map[scheduleKey]*tally, error) {
	tallies, err := s.cfg.Store.Tallies(ctx, store.OccurrenceQuery{Since: begin, Until: end})
	if err != nil {
		return nil, storeFault(err)
	}
	ranges, err := s.cfg.Store.Ranges(ctx, store.OccurrenceQuery{Since: begin.Add(-nearby), Until: end.Add(nearby)})
	if err != nil {
		return nil, storeFault(err)
	}
	known := map[scheduleKey]*tally{}
	of := func(net, name string) *tally {
		k := scheduleKey{net, name}
		if known[k] == nil {
			known[k] = &tally{counts: map[occurrence.Decision]int64{}}
		}
		return known[k]
	}
	for i := range tallies {
		t := of(tallies[i].Net, tallies[i].Schedule)
		t.counts[tallies[i].Decision] += tallies[i].Count
		t.early += tallies[i].Early
	}
	for i := range ranges {
		t := of(ranges[i].Net, ranges[i].Schedule)
		t.ranges = append(t.ranges, ranges[i])
	}
	return known, nil
}
