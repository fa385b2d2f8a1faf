package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// The bounds of what definitions can make an agent dial.
const (
	maxTries        = 16               // connects at once
	maxDestinations = 1024             // that are remembered
	therePatience   = 5 * time.Second  // how long one that took a connection counts as there; longer than the pause of a server
	tryAgain        = time.Second      // after the first connect in vain; doubled up to tryRarely
	tryRarely       = 15 * time.Second //
	forgetAfter     = 10 * time.Minute // since an order needed it
	maxTold         = 3                // destinations in one sentence
)

// scout looks whether the destinations that orders need take connections. It keeps nothing of an order: the server asks
// again for as long as it is open, and each time what is due is tried. Orders that need the same share one connect.
type scout struct {
	reach func() func(ctx context.Context, address string) error // nil from it: the plan has no row for it
	now   func() time.Time

	slots chan struct{}
	mu    sync.Mutex
	ctx   context.Context //nolint:containedctx // that of Run: a connect outlives the request that began it
	group *sync.WaitGroup
	known map[string]*destination
}

// destination is HOST:PORT and what was last seen of it.
type destination struct {
	wanted time.Time     // when an order last needed it
	under  chan struct{} // closed when the connect that is under way has ended; nil: none is
	there  time.Time     // when it last took a connection
	away   time.Time     // since when it does not; zero: it does, or nothing is known yet
	why    error         // what the last connect in vain said
	next   time.Time     // not before
	pause  backoff
}

func newScout(reach func() func(context.Context, string) error, now func() time.Time) *scout {
	return &scout{reach: reach, now: now, slots: make(chan struct{}, maxTries), known: map[string]*destination{}}
}

// Run lets connects be begun until ctx ends, and then waits for those under way.
func (s *scout) Run(ctx context.Context) error {
	var group sync.WaitGroup
	s.mu.Lock()
	s.ctx, s.group = ctx, &group
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.group = nil
	s.mu.Unlock()
	group.Wait()
	return nil
}

// lack takes out the orders that need what is not there, and says so of each.
func (c *commander) lack(ctx context.Context, cmd *wire.Commands) (refused []wire.Refusal) {
	needs := func(o wire.Order) bool { return len(o.Needs) > 0 && !c.begun(o.Attempt) }
	var needing []wire.Order
	for _, o := range cmd.Orders {
		if needs(o) {
			needing = append(needing, o)
		}
	}
	under := c.scout.begin(needing)
	if len(needing) == len(cmd.Orders) { // nobody else waits for the answer
		c.scout.await(ctx, under)
	}
	cmd.Orders = slices.DeleteFunc(cmd.Orders, func(o wire.Order) bool {
		if !needs(o) {
			return false
		}
		r := c.scout.judge(o)
		if r != nil {
			refused = append(refused, *r)
		}
		return r != nil
	})
	return refused
}

// begin tries what the orders need and is due, and returns what is under way.
func (s *scout) begin(orders []wire.Order) []<-chan struct{} {
	if len(orders) == 0 {
		return nil
	}
	reach := s.reach()
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var under []<-chan struct{}
	for _, o := range orders {
		for _, address := range o.Needs {
			d := s.of(address, now)
			if d == nil {
				continue
			}
			d.wanted = now
			if d.under == nil && reach != nil && s.group != nil && now.Sub(d.there) >= therePatience && !now.Before(d.next) {
				d.under = make(chan struct{})
				ctx, done := s.ctx, d.under
				s.group.Go(func() { s.try(ctx, reach, address, d, done) })
			}
			if d.under != nil {
				under = append(under, d.under)
			}
		}
	}
	return under
}

// of returns what is known of an address; nil: there are too many to know of one more.
func (s *scout) of(address string, now time.Time) *destination {
	d, ok := s.known[address]
	if ok {
		return d
	}
	if len(s.known) >= maxDestinations {
		for other, d := range s.known {
			if d.under == nil && now.Sub(d.wanted) >= forgetAfter {
				delete(s.known, other)
			}
		}
	}
	if len(s.known) >= maxDestinations {
		return nil
	}
	d = &destination{pause: backoff{first: tryAgain, most: tryRarely}}
	s.known[address] = d
	return d
}

// try connects once.
func (s *scout) try(ctx context.Context, reach func(context.Context, string) error, address string, d *destination, done chan struct{}) {
	defer close(done)
	var err error
	select {
	case s.slots <- struct{}{}:
		err = reach(ctx, address)
		<-s.slots
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	d.under = nil
	switch {
	case err == nil:
		d.there, d.away, d.why, d.next = now, time.Time{}, nil, time.Time{}
		d.pause.reset()
	case ctx.Err() != nil: // it says nothing of the destination
	default:
		if d.away.IsZero() {
			d.away = now
		}
		d.why, d.there, d.next = err, time.Time{}, now.Add(d.pause.wait())
	}
}

// await waits a moment for connects.
func (s *scout) await(ctx context.Context, under []<-chan struct{}) {
	if len(under) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, orderPatience)
	defer cancel()
	for _, done := range under {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// judge says why an order cannot be started for want of what it needs; nil: all of it was there a moment ago.
func (s *scout) judge(o wire.Order) *wire.Refusal {
	if s.reach() == nil {
		return &wire.Refusal{
			Attempt: o.Attempt, Final: true, Reason: "needs",
			Detail: "the port plan has no row by which an agent connects to what definitions name: a flow from it with carries: [out]",
		}
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var away []string
	waits := ""
	for _, address := range o.Needs {
		d, ok := s.known[address]
		switch {
		case !ok:
			away = append(away, address+"/tcp is not tried yet: orders on this agent need too many different destinations")
		case !d.away.IsZero():
			away = append(away, fmt.Sprintf("%s/tcp is not there since %s: %v", address, d.away.UTC().Format(time.RFC3339), d.why))
		case now.Sub(d.there) >= therePatience:
			waits = address
		}
	}
	switch {
	case len(away) > maxTold:
		return &wire.Refusal{Attempt: o.Attempt, Reason: "needs", Detail: fmt.Sprintf("%s; and %d more", strings.Join(away[:maxTold], "; "), len(away)-maxTold)}
	case len(away) > 0:
		return &wire.Refusal{Attempt: o.Attempt, Reason: "needs", Detail: strings.Join(away, "; ")}
	case waits != "":
		return &wire.Refusal{Attempt: o.Attempt, Reason: "delivery", Detail: "it is being looked whether " + waits + "/tcp is there"}
	}
	return nil
}
