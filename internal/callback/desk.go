package callback

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// Listener is a listening socket.
type Listener = net.Listener

// Desk gives attempts their ports. Its methods may be called at once.
type Desk struct {
	cfg Config

	mu      sync.Mutex
	stock   stock
	calls   map[wire.Attempt]*call
	doors   map[*door]bool
	leasing int   // ports that are being leased, or given back
	shared  *door // the rendezvous; nil: the plan has none
	closed  bool
	hungry  bool // somebody was told that there is no port
	wake    chan struct{}
	work    sync.WaitGroup
}

// call is one attempt whose words are awaited, or come, on a port. Guarded by Desk.mu, but for what never changes.
type call struct {
	attempt wire.Attempt
	agent   string // node id
	token   string
	door    *door
	state   State
	since   time.Time
	until   time.Time // of Awaited: when it is given up
	wrong   int       // proofs of the right agent with a wrong token
	ended   bool      // its last word has come
	conn    net.Conn  // of Connected
	ready   chan struct{}
	err     error // of making it; read after ready is closed
}

// fallbackRendezvous is the plan's word for one port for all.
const fallbackRendezvous = "rendezvous"

// Open makes a desk on the plan's pool. What an earlier server of this host left in the ledger is kept for its attempts
// until they are announced again, or known to be over.
func Open(ctx context.Context, cfg Config) (*Desk, error) {
	cfg.Times = cfg.Times.withDefaults()
	d := &Desk{
		cfg: cfg, stock: stock{size: cfg.Request.Pool.Size, expected: map[wire.Attempt]bool{}, held: map[ports.Port]time.Time{}},
		calls: map[wire.Attempt]*call{}, doors: map[*door]bool{}, wake: make(chan struct{}, 1),
	}
	if cfg.Request.Pool.Fallback == fallbackRendezvous {
		if err := d.openShared(ctx); err != nil {
			return nil, err
		}
	}
	return d, d.look(ctx)
}

// openShared opens the one port of those attempts for which there is none of their own.
func (d *Desk) openShared(ctx context.Context) error {
	r := d.cfg.Request
	r.Name, r.Sticky, r.Owner = sharedName, true, ledger.Self(ownerKind, fallbackRendezvous)
	grant, err := d.lease(ctx, r)
	if err != nil {
		return fmt.Errorf("opening the rendezvous port of pool %s: %w", r.Pool.ID, err)
	}
	return d.openDoor(grant, nil)
}

// Free implements fleet.Callbacks: with a rendezvous there is always one; it costs those who share it nothing but the port.
func (d *Desk) Free() (int, string) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shared != nil {
		return -1, ""
	}
	n, next := d.stock.free(d.used(), now)
	if n > 0 {
		return n, ""
	}
	d.hungry = true
	d.nudge()
	return 0, d.stock.text(d.cfg.Request.Pool.ID, d.used(), next, now)
}

// used is how many ports this desk has, or is about to have or to give back. The lock is held.
func (d *Desk) used() int { return len(d.doors) + d.leasing }

// Expect implements fleet.Callbacks.
func (d *Desk) Expect(a wire.Attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls[a] == nil {
		d.stock.expected[a] = true
	}
}

// Withdraw implements fleet.Callbacks.
func (d *Desk) Withdraw(a wire.Attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(a)
}

// drop takes an attempt out of those that are expected; whoever waits for its port is told. The lock is held.
func (d *Desk) drop(a wire.Attempt) {
	if d.stock.expected[a] {
		delete(d.stock.expected, a)
		d.freed()
	}
}

// Announce implements fleet.Callbacks.
func (d *Desk) Announce(ctx context.Context, agentID string, a wire.Attempt) (wire.Callback, error) {
	d.mu.Lock()
	c := d.calls[a]
	if c == nil && !d.closed {
		c = &call{attempt: a, agent: agentID, state: Awaited, since: time.Now(), ready: make(chan struct{})}
		d.calls[a] = c
		delete(d.stock.expected, a)
		d.leasing++
		d.mu.Unlock()
		d.make(ctx, c)
	} else {
		d.mu.Unlock()
	}
	if c == nil {
		return wire.Callback{}, &Busy{Text: "this server is stopping", Wait: time.Second}
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
		return wire.Callback{}, context.Cause(ctx)
	}
	if c.err != nil {
		return wire.Callback{}, c.err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c.until = time.Now().Add(d.cfg.Times.Patience)
	d.nudge()
	return wire.Callback{Addresses: d.cfg.Addresses(c.door.lease.Port), Token: c.token}, nil
}

// make leases the port of a call and listens there.
func (d *Desk) make(ctx context.Context, c *call) {
	err := d.open(ctx, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	defer close(c.ready)
	if c.door == nil {
		d.leasing--
	}
	if err != nil {
		c.err = err
		delete(d.calls, c.attempt)
	}
}

// await puts a call to a door. The lock is held.
func (d *Desk) await(c *call, dr *door, token string) {
	d.leasing--
	c.door, c.token, c.until = dr, token, time.Now().Add(d.cfg.Times.Patience)
	dr.calls[c.attempt] = c
}

// open finds a door for a call: one of its own, else the rendezvous.
func (d *Desk) open(ctx context.Context, c *call) error {
	r := d.cfg.Request
	// The name keeps its number over a restart of this server: who was told it before finds it there.
	r.Name, r.Sticky, r.Owner = leaseName(c.attempt), true, ledger.Self(ownerKind, c.attempt.Run+"/"+c.attempt.Job)
	r.Owner.Attempt = c.attempt.N
	grant, err := d.lease(ctx, r)
	var refused *ledger.Refusal
	switch {
	case err == nil:
		return d.openDoor(grant, c)
	case d.shared != nil:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.await(c, d.shared, newToken())
		return nil
	case errors.As(err, &refused) && refused.Outcome == ledger.Exhausted:
		return d.exhausted(ctx, refused)
	}
	return &Busy{Text: "no port of the pool " + r.Pool.ID + " can be leased: " + err.Error(), Wait: 2 * time.Second}
}

// lease leases a port; where the number that the name had is another's now, a new one.
func (d *Desk) lease(ctx context.Context, r ledger.Request) (ledger.Grant, error) {
	grant, err := d.cfg.Book.Lease(ctx, r)
	var refused *ledger.Refusal
	if err == nil || !errors.As(err, &refused) || refused.Outcome == ledger.Exhausted {
		return grant, err
	}
	all, lerr := d.cfg.Book.Leases(ctx)
	if lerr != nil {
		return grant, err
	}
	for _, l := range all {
		if l.Name == r.Name && l.Pool == r.Pool.ID && l.State == ledger.Planned {
			d.cfg.Log.Warn("a callback port is another's now; the attempt gets a new one", slog.Int("port", int(l.Port)), slog.Any("cause", err))
			if ferr := d.cfg.Book.Forget(ctx, l.ID, l.Fence, "another has the number"); ferr == nil {
				return d.cfg.Book.Lease(ctx, r)
			}
		}
	}
	return grant, err
}

// exhausted takes in that the ledger has no port, whatever the picture said.
func (d *Desk) exhausted(ctx context.Context, refused *ledger.Refusal) error {
	if err := d.look(ctx); err != nil {
		d.cfg.Log.Warn("looking at the leases of the callback pool", slog.Any("error", err))
	}
	wait := lookAgain
	if !refused.Until.IsZero() {
		wait = min(max(refused.Until.Sub(d.cfg.Book.Now()), 0)+holdSlack, lookAgain)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stock.until, d.hungry = time.Now().Add(wait), true
	d.nudge()
	return &Busy{Text: "no port of the pool " + d.cfg.Request.Pool.ID + " is free: all of " + refused.Numbers + " are in use or held", Wait: wait}
}

const (
	lookAgain = 2 * time.Second      // the ledger is looked at again where others have leases of the pool
	holdSlack = 2 * time.Millisecond // after the end of a hold: the ledger's clock is another one
)

// look takes the picture of the pool anew from the ledger.
func (d *Desk) look(ctx context.Context) error {
	all, err := d.cfg.Book.Leases(ctx)
	if err != nil {
		return fmt.Errorf("reading the leases of pool %s: %w", d.cfg.Request.Pool.ID, err)
	}
	shift := time.Now().Add(holdSlack).Sub(d.cfg.Book.Now())
	d.mu.Lock()
	defer d.mu.Unlock()
	// What is kept for an attempt's name is the attempt's: it comes again, or settle gives it back.
	d.stock.look(all, d.cfg.Request.Pool.ID, shift)
	return nil
}

// Ended implements fleet.Callbacks. An attempt that is on its own connection ends that itself: its output may still come.
func (d *Desk) Ended(a wire.Attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(a)
	c := d.calls[a]
	if c == nil || c.door == nil {
		return
	}
	c.ended = true
	if c.state == Awaited {
		d.over(c, "the attempt has ended")
	}
}

// Show returns what is known of an attempt's port.
func (d *Desk) Show(a wire.Attempt) (Call, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls[a]
	if c == nil || c.door == nil {
		return Call{}, false
	}
	return Call{Port: c.door.lease.Port, State: c.state, Since: c.since, Shared: c.door.shared}, true
}

// over ends a call and, where it was the only one, gives its port back. The lock is held.
func (d *Desk) over(c *call, why string) {
	if d.calls[c.attempt] != c {
		return
	}
	delete(d.calls, c.attempt)
	delete(c.door.calls, c.attempt)
	if !c.door.shared {
		d.closeDoor(c.door, why)
	} else if c.conn != nil {
		dismiss(c.conn)
	}
}

// freed tells whoever waits for a port. The lock is held.
func (d *Desk) freed() {
	if d.hungry {
		d.hungry = false
		go d.cfg.Freed()
	}
}

func (d *Desk) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

const (
	ownerKind  = "callback"
	sharedName = "callback/" + fallbackRendezvous
	maxName    = 120 // the ledger takes a little more
)

// leaseName is what an attempt's port is called in the ledger.
func leaseName(a wire.Attempt) string {
	whole := fmt.Sprintf("callback/%s/%s/%d", a.Run, a.Job, a.N)
	if len(whole) <= maxName {
		return whole
	}
	sum := sha256.Sum256([]byte(whole))
	return whole[:maxName-33] + "~" + hex.EncodeToString(sum[:16])
}

// ownerAttempt is the attempt that a lease's owner names; false for another's.
func ownerAttempt(o ledger.Owner) (wire.Attempt, bool) {
	run, job, ok := strings.Cut(o.ID, "/")
	return wire.Attempt{Run: run, Job: job, N: o.Attempt}, ok && o.Kind == ownerKind && o.Attempt > 0
}

const tokenBits = 128

// tokenOf is the one-time token of a lease: the plan's, where it asks for one that is long enough.
func tokenOf(l ledger.Lease) string {
	if len(l.Nonce) >= tokenBits/4 {
		return l.Nonce
	}
	return newToken()
}

func newToken() string {
	b := make([]byte, tokenBits/8)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
