package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	// connecting is how long one target has for TCP: the cause of a dead path is known after it.
	connecting = 5 * time.Second
	// stagger is after how long without an answer the next target is dialled too, and the first one again: what the
	// system sends again it sends at ever longer intervals, and a path that has healed would be found late.
	stagger = time.Second
)

// ErrNoAnswer is why a dial failed to which nobody said anything: packets are dropped on the way, or the host is off.
var ErrNoAnswer = fault.New(fault.Unreachable, fmt.Sprintf("no answer within %v", connecting),
	"check the address, and that no firewall on the way drops this port")

// ending is what became of a round.
type ending int

const (
	moot   ending = iota // what it was for has come otherwise
	linked               // a link is up
	inVain               // no target gave one
)

// round dials targets once, in order: the next as soon as one fails, or says nothing for a while. The first link ends
// it, and so does giveUp, which is asked when something changes. There is never more than one link of a round:
// connections that are made at once wait for each other's handshake. connected says whether any was made.
func (w *watch) round(ctx context.Context, targets []Target, giveUp func() bool) (end ending, connected bool) {
	if len(targets) == 0 {
		w.failedWith(errNoTarget)
		return inVain, false
	}
	dialling, cancel := context.WithCancel(ctx)
	r := &round{watch: w, results: make(chan outcome), hands: make(chan struct{}, 1), legs: make([]*leg, len(targets))}
	for i, t := range targets {
		r.legs[i] = &leg{to: t}
	}
	l, end := r.run(ctx, dialling, giveUp)
	cancel()
	for r.under > 0 { // the one in its handshake may still be a link
		if o := r.take(); o.link != nil {
			l, end = o, linked
		}
	}
	if end == linked {
		w.serve(ctx, l.link, r.legs[l.leg].to)
	}
	return end, slices.ContainsFunc(r.legs, func(l *leg) bool { return l.connected.Load() })
}

// round is one go over targets.
type round struct {
	*watch
	results chan outcome
	hands   chan struct{} // held by the try that is in its handshake, and by a link for good

	legs  []*leg
	under int // tries under way
}

// leg is what a round knows of one of its targets.
type leg struct {
	to        Target
	begun     time.Time // zero: not yet
	last      time.Time // when the last try began
	settled   bool
	connected atomic.Bool // a try has its connection, and is in its handshake or waits for it
	open      func() (*Link, error)
	cancel    context.CancelFunc // ends its tries
}

// outcome is what became of one try.
type outcome struct {
	leg  int
	link *Link
	err  error
}

func (r *round) run(ctx, dialling context.Context, giveUp func() bool) (outcome, ending) {
	timer := time.NewTimer(stagger)
	defer timer.Stop()
	r.try(ctx, dialling, 0)
	for {
		select {
		case o := <-r.results:
			r.under--
			if o.link != nil {
				return o, linked
			}
			if ctx.Err() != nil {
				return o, moot
			}
			if !r.settle(o) {
				continue
			}
			if r.all() {
				return o, inVain
			}
			if i := r.fresh(); i >= 0 {
				r.try(ctx, dialling, i)
				timer.Reset(stagger)
			}
		case <-timer.C:
			if i := r.silent(); i >= 0 {
				r.try(ctx, dialling, i)
			}
			timer.Reset(stagger)
		case <-r.waker():
			if giveUp() {
				return outcome{}, moot
			}
		case <-ctx.Done():
			return outcome{}, moot
		}
	}
}

// take waits for a try that is under way.
func (r *round) take() outcome {
	o := <-r.results
	r.under--
	return o
}

// settle takes in that a target has failed. It is false for the second try of one that had failed already.
func (r *round) settle(o outcome) bool {
	l := r.legs[o.leg]
	if l.settled {
		return false
	}
	l.settled = true
	l.cancel() // its other tries
	r.tried(l.to, l.begun, o.err)
	r.failedWith(fmt.Errorf("dialling %s: %w", l.to, o.err))
	return true
}

// failedWith takes in why a dial was in vain, where that is what the dialler is about.
func (w *watch) failedWith(err error) {
	w.change(func(s *State) {
		if !s.Linked && !s.Resting {
			s.Err = err
		}
	})
}

func (r *round) all() bool {
	return !slices.ContainsFunc(r.legs, func(l *leg) bool { return !l.settled })
}

// fresh is the first target that was not dialled yet; -1: none.
func (r *round) fresh() int {
	return slices.IndexFunc(r.legs, func(l *leg) bool { return l.begun.IsZero() })
}

// silent is the target to dial next where nobody answers: a fresh one, else the one that has waited longest.
func (r *round) silent() int {
	if i := r.fresh(); i >= 0 {
		return i
	}
	oldest := -1
	for i, l := range r.legs {
		if !l.settled && !l.connected.Load() && (oldest < 0 || l.last.Before(r.legs[oldest].last)) {
			oldest = i
		}
	}
	return oldest
}

// try dials a target, beside other tries of it and of others.
func (r *round) try(ctx, dialling context.Context, i int) {
	l, now := r.legs[i], time.Now()
	if l.begun.IsZero() {
		l.begun = now
		hurry, cancel := context.WithTimeoutCause(dialling, connecting, ErrNoAnswer)
		l.open, l.cancel = func() (*Link, error) { return r.open(ctx, hurry, l) }, cancel
		r.change(func(s *State) {
			if !s.Linked && !s.Resting {
				s.Address, s.Row = l.to.Address, l.to.Row
			}
		})
	}
	l.last = now
	r.under++
	go func() {
		link, err := l.open()
		r.results <- outcome{leg: i, link: link, err: err}
	}()
}

// open makes one link. It is only up once the other end has greeted: with TLS 1.3, a dialler's handshake ends before
// the other end has looked at its certificate. Until then nothing is sent, because closing a connection with unread
// bytes would lose the alert that tells why.
func (r *round) open(ctx, hurry context.Context, leg *leg) (*Link, error) {
	raw, err := r.Dial(hurry, leg.to)
	if err != nil {
		if hurry.Err() != nil {
			err = context.Cause(hurry)
		}
		return nil, err
	}
	leg.connected.Store(true)
	select {
	case r.hands <- struct{}{}:
	case <-hurry.Done():
		_ = raw.Close()
		return nil, fault.New(fault.Unreachable, "connected, but another target's handshake took all the time", "")
	}
	guarded := guardConn(raw, func() {})
	conn := tls.Client(guarded, r.TLS())
	if err := greeted(ctx, conn, r.options.Timing.Handshake); err != nil {
		_ = raw.Close()
		<-r.hands
		return nil, err
	}
	guarded.proved.Store(true)
	l, err := newLink(conn, leg.to, true, r.options)
	if err != nil {
		_ = conn.Close()
		<-r.hands
		return nil, err
	}
	return l, nil
}

// serve makes a link known and serves it beside what the dialler does.
func (w *watch) serve(ctx context.Context, l *Link, to Target) {
	w.mu.Lock()
	w.own = append(w.own, owned{link: l, to: to})
	w.state = State{Linked: true, Since: l.since, Address: to.Address, Row: to.Row}
	w.mu.Unlock()
	w.tried(to, l.since, nil)
	w.links.Go(func() {
		retire := time.AfterFunc(w.retire(l), func() { l.Close("making a new one before the peer's certificate expires") })
		l.live(ctx, w.onLink)
		retire.Stop()
		w.gone(l)
		w.signal()
	})
}

// gone forgets a link of the dialler's own that has ended.
func (w *watch) gone(l *Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.own = slices.DeleteFunc(w.own, func(o owned) bool { return o.link == l })
	if n := len(w.own); n > 0 {
		last := w.own[n-1]
		w.state = State{Linked: true, Since: last.link.since, Address: last.to.Address, Row: last.to.Row}
		return
	}
	w.state = State{Since: time.Now(), Address: w.state.Address, Row: w.state.Row, Err: l.Err()}
}

// retire returns after how long a link is made anew: shortly before the peer's certificate expires, by chance, because
// all agents of a server see the same certificate expire at the same instant.
func (w *watch) retire(l *Link) time.Duration {
	left := time.Until(l.cert.NotAfter)
	early := left / 10
	if w.backoff.Chance != nil {
		early = time.Duration(float64(early) * w.backoff.Chance())
	}
	return left - early
}
