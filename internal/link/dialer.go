package link

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Target is one place to dial: an address, and the row of the plan by which it is dialled.
type Target struct {
	Row     string // a service's id
	Address string // HOST:PORT
	// Turn is its place in the order of dialling over both directions, from 1: a lower one takes over from a higher one.
	// 0: it has none, and any link that is up will do.
	Turn int
}

// String names the address, and the row where it is known.
func (t Target) String() string {
	if t.Row == "" {
		return t.Address
	}
	return t.Address + " (" + t.Row + ")"
}

// Choice says with which of its targets a round of a dialler begins.
type Choice string

// The choices of a process class.
const (
	First Choice = "first" // always the first
	Next  Choice = "next"  // the one after that with which the last round began
)

// Dialer keeps a link up to one of several targets, as long as nobody else does. Its fields are set before Run and not
// changed after.
type Dialer struct {
	// Targets returns where to dial, in the order to try. It is asked at each round, and while a link is up at each Wake.
	Targets func() []Target
	// Dial opens the connection; internal/socket does it, by the target's row of the plan. It may be called again for a
	// target, and for others, while it waits.
	Dial func(ctx context.Context, to Target) (net.Conn, error)
	// TLS returns the configuration of one dial: identity.Endpoint.ClientConfig.
	TLS func() *tls.Config
	// Up says which link carries everything now, whoever dialled it: the turn of its row (0: none), or that none is up.
	// Wake must be called when the answer changes. nil: only the dialler's own links count.
	Up func() (turn int, up bool)
	// Options of the link.
	Options Options
	// Backoff between rounds, with defaults for its zero fields.
	Backoff Backoff
	// Patience is how long a dialler whose best target has not the first turn leaves the dialling to the other end, after
	// a loss and at its start; default 2 s. A negative one is none.
	Patience time.Duration
	// Retake is how often targets with a better turn than the link that is up are tried, less a share by chance; default
	// 15 s.
	Retake time.Duration
	// Skip is how long a target that failed is left out, as long as there are others; default 0.
	Skip time.Duration
	// Choice is First if it is empty.
	Choice Choice

	mu     sync.Mutex
	state  State
	wake   chan struct{}
	hurry  bool // Wake was called
	urge   bool // Urge was called
	own    []owned
	states []TargetState
}

// owned is a live link of a dialler's own, oldest first.
type owned struct {
	link *Link
	to   Target
}

// Backoff says how long a dialler waits after a round in which no address gave a link: first Least, then twice as
// long each time up to Most, of which a share by chance is waited, so that a thousand agents do not come at once.
type Backoff struct {
	Least time.Duration // default 100 ms
	Most  time.Duration // default 15 s
	// Unconnected is the bound in place of Most while nobody even takes the connection: that costs the other end nothing,
	// and a path that heals is found at once. Default 1.5 s, less the time that the round took.
	Unconnected time.Duration
	Chance      func() float64 // in [0,1); nil: always the whole wait
}

func (b Backoff) withDefaults() Backoff {
	if b.Least <= 0 {
		b.Least = 100 * time.Millisecond
	}
	if b.Most < b.Least {
		b.Most = max(15*time.Second, b.Least)
	}
	if b.Unconnected <= 0 {
		b.Unconnected = 1500 * time.Millisecond
	}
	b.Unconnected = min(max(b.Unconnected, b.Least), b.Most)
	return b
}

// next returns the wait after so many rounds in vain: between half and the whole of the step.
func (b Backoff) next(rounds int, most time.Duration) time.Duration {
	step := b.Least
	for range rounds {
		if step *= 2; step >= most {
			step = most
			break
		}
	}
	return b.some(step)
}

// some returns between half and the whole of a step, by chance.
func (b Backoff) some(step time.Duration) time.Duration {
	if b.Chance == nil {
		return step
	}
	return step/2 + time.Duration(float64(step/2)*b.Chance())
}

// Wake makes the dialler look again at what is up and where to dial, and ends a wait between two rounds: the caller
// knows something that makes a link likely.
func (d *Dialer) Wake() {
	d.mu.Lock()
	d.hurry = true
	d.mu.Unlock()
	d.signal()
}

// Urge makes the dialler dial the target after the one in use at once, although a link is up: what was sent over that
// one is not acknowledged. Where there is one target, that is dialled anew. Urges that come faster than a new link can
// show what it is worth are one.
func (d *Dialer) Urge() {
	d.mu.Lock()
	d.urge = true
	d.mu.Unlock()
	d.signal()
}

func (d *Dialer) signal() {
	select {
	case d.waker() <- struct{}{}:
	default: // it is awake already, or has one to come
	}
}

func (d *Dialer) waker() chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wake == nil {
		d.wake = make(chan struct{}, 1)
	}
	return d.wake
}

// taken returns what was asked for since the last time.
func (d *Dialer) taken() (hurry, urge bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hurry, urge = d.hurry, d.urge
	d.hurry, d.urge = false, false
	return hurry, urge
}

// linked says which link carries everything now. An own link that the owner was not told of yet counts.
func (d *Dialer) linked() (turn int, up bool) {
	if d.Up != nil {
		if turn, up = d.Up(); up {
			return turn, true
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.own) == 0 {
		return 0, false
	}
	return d.own[len(d.own)-1].to.Turn, true
}

// errNoTarget is said where there is nothing to dial.
var errNoTarget = fault.New(fault.Unreachable, "dialling: no address is known", "")

// Run dials until ctx ends, and again whenever no link is up or a better one can be had. onLink is called for each link
// on a goroutine of its own; its context ends with the link. Links may overlap for a moment: of two, the owner keeps
// the newer. Run returns nil once ctx has ended and everything that it started is over.
func (d *Dialer) Run(ctx context.Context, onLink func(context.Context, *Link)) error {
	w := &watch{Dialer: d, options: d.Options.withDefaults(), backoff: d.Backoff.withDefaults(), onLink: onLink}
	w.begin(time.Now())
	for ctx.Err() == nil {
		w.rest(ctx, w.look(ctx))
	}
	w.links.Wait()
	return nil
}
