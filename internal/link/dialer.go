package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Target is one place to dial: an address, and the row of the plan by which it is dialled.
type Target struct {
	Row     string // a service's id
	Address string // HOST:PORT
}

// String names the address, and the row where it is known.
func (t Target) String() string {
	if t.Row == "" {
		return t.Address
	}
	return t.Address + " (" + t.Row + ")"
}

// Dialer keeps one link up to one of several targets. Its fields are set before Run and not changed after.
type Dialer struct {
	// Targets returns where to dial, in the order to try. It is asked at each round.
	Targets func() []Target
	// Dial opens the connection; internal/socket does it, by the target's row of the plan.
	Dial func(ctx context.Context, to Target) (net.Conn, error)
	// TLS returns the configuration of one dial: identity.Endpoint.ClientConfig.
	TLS func() *tls.Config
	// Options of the link.
	Options Options
	// Backoff between rounds, with defaults for its zero fields.
	Backoff Backoff

	mu    sync.Mutex
	state State
	wake  chan struct{}
}

// Backoff says how long a dialler waits after a round in which no address gave a link: first Least, then twice as
// long each time up to Most, of which a share by chance is waited, so that a thousand agents do not come at once.
type Backoff struct {
	Least  time.Duration  // default 100 ms
	Most   time.Duration  // default 15 s
	Chance func() float64 // in [0,1); nil: always the whole wait
}

func (b Backoff) withDefaults() Backoff {
	if b.Least <= 0 {
		b.Least = 100 * time.Millisecond
	}
	if b.Most < b.Least {
		b.Most = max(15*time.Second, b.Least)
	}
	return b
}

// next returns the wait after so many rounds in vain: between half and the whole of the step.
func (b Backoff) next(rounds int) time.Duration {
	step := b.Least
	for range rounds {
		if step *= 2; step >= b.Most {
			step = b.Most
			break
		}
	}
	if b.Chance == nil {
		return step
	}
	return step/2 + time.Duration(float64(step/2)*b.Chance())
}

// connecting is how long one address has for TCP, before the next is tried.
const connecting = 10 * time.Second

// State is what a dialler is doing, for why and for people.
type State struct {
	Linked  bool
	Since   time.Time // since when it is so
	Address string    // that the link goes to, or that was last dialled
	Row     string    // of the plan, by which it was dialled
	Rounds  int       // rounds in vain since the last link
	Err     error     // the last error; nil if there was none since the link came up
	Next    time.Time // when the next round begins; zero while linked or dialling
}

// State returns what the dialler is doing. It may be called at any time.
func (d *Dialer) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Wake ends a wait between two rounds at once: the caller knows something that makes a link likely.
func (d *Dialer) Wake() {
	select {
	case d.waker() <- struct{}{}:
	default: // it is awake already, or has one to come
	}
}

// Run dials until ctx ends, and again whenever the link has ended. onLink is called for each link; its context ends
// with the link. Run returns nil once ctx has ended and everything that it started is over.
func (d *Dialer) Run(ctx context.Context, onLink func(context.Context, *Link)) error {
	options, backoff := d.Options.withDefaults(), d.Backoff.withDefaults()
	d.change(func(s *State) { s.Since = time.Now() })
	for rounds := 0; ctx.Err() == nil; {
		l, err := d.round(ctx, options)
		if err == nil {
			up := time.Now()
			retire := time.AfterFunc(d.retire(l, backoff), func() { l.Close("making a new one before the peer's certificate expires") })
			l.live(ctx, onLink)
			retire.Stop()
			d.down(l.Err())
			if time.Since(up) >= backoff.Most { // one that always breaks at once must not be dialled in a tight loop
				rounds = 0
			}
		}
		if ctx.Err() != nil {
			break
		}
		pause := backoff.next(rounds)
		rounds++
		d.change(func(s *State) { s.Rounds, s.Next = rounds, time.Now().Add(pause) })
		d.rest(ctx, pause)
	}
	return nil
}

// round tries each address once, in order.
func (d *Dialer) round(ctx context.Context, options Options) (*Link, error) {
	d.change(func(s *State) { s.Next = time.Time{} })
	targets := d.Targets()
	if len(targets) == 0 {
		err := fault.New(fault.Unreachable, "dialling: no address is known", "")
		d.change(func(s *State) { s.Err = err })
		return nil, err
	}
	var last error
	for _, to := range targets {
		d.change(func(s *State) { s.Address, s.Row = to.Address, to.Row })
		l, err := d.open(ctx, to, options)
		if err == nil {
			d.change(func(s *State) { *s = State{Linked: true, Since: l.since, Address: to.Address, Row: to.Row} })
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		last = fmt.Errorf("dialling %s: %w", to, err)
		d.change(func(s *State) { s.Err = last })
	}
	return nil, last
}

// open makes one link. It is only up once the other end has greeted: with TLS 1.3, a dialler's handshake ends before
// the other end has looked at its certificate. Until then nothing is sent, because closing a connection with unread
// bytes would lose the alert that tells why.
func (d *Dialer) open(ctx context.Context, to Target, options Options) (*Link, error) {
	hurry, cancel := context.WithTimeoutCause(ctx, connecting, fault.Newf(fault.Unreachable, "no answer within %v", connecting))
	defer cancel()
	raw, err := d.Dial(hurry, to)
	if err != nil {
		if hurry.Err() != nil {
			err = context.Cause(hurry)
		}
		return nil, err
	}
	guarded := guardConn(raw, func() {})
	conn := tls.Client(guarded, d.TLS())
	if err := greeted(ctx, conn, options.Timing.Handshake); err != nil {
		_ = raw.Close()
		return nil, err
	}
	guarded.proved.Store(true)
	l, err := newLink(conn, to.Row, true, options)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return l, nil
}

// greeted does the handshake and waits for the other end's first byte.
func greeted(ctx context.Context, conn *tls.Conn, within time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fault.Newf(fault.Unreachable, "no handshake within %v", within))
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return broken(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer stop()
	var first [1]byte
	_, err := io.ReadFull(conn, first[:])
	var alert *net.OpError
	switch {
	case err == nil && first[0] == greeting:
		return nil
	case err == nil:
		return fault.Newf(fault.Unreachable, "handshake: greeting %d, expected %d", first[0], greeting)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return &fault.Error{
			Kind: fault.Forbidden, Msg: "handshake: the other end refused this node's certificate", Err: err,
			Fix: "its log has the reason; compare the clocks of both machines; if the node was removed, join it again",
		}
	default:
		return broken(err)
	}
}

// broken says what a handshake broke with. What already has a kind, and says what to do, keeps it.
func broken(err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return fmt.Errorf("handshake: %w", err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return &fault.Error{Kind: fault.Unreachable, Msg: "handshake: the other end closed the connection", Err: err, Fix: "it may be stopping, or have too many connections"}
	default:
		return &fault.Error{Kind: fault.Unreachable, Msg: "handshake", Err: err, Fix: "check that the address is that of a Reeve node"}
	}
}

// retire returns after how long a link is made anew: shortly before the peer's certificate expires, by chance, because
// all agents of a server see the same certificate expire at the same instant.
func (d *Dialer) retire(l *Link, backoff Backoff) time.Duration {
	left := time.Until(l.cert.NotAfter)
	early := left / 10
	if backoff.Chance != nil {
		early = time.Duration(float64(early) * backoff.Chance())
	}
	return left - early
}

func (d *Dialer) down(err error) {
	d.change(func(s *State) { *s = State{Since: time.Now(), Address: s.Address, Row: s.Row, Err: err} })
}

func (d *Dialer) change(how func(*State)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	how(&d.state)
}

func (d *Dialer) waker() chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wake == nil {
		d.wake = make(chan struct{}, 1)
	}
	return d.wake
}

func (d *Dialer) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.waker():
	case <-ctx.Done():
	}
}
