package ledger

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// maxTogether is how many ports one call can lease.
const maxTogether = 256

// Lease leases one port. The grant's sockets are bound and listen, and the lease is on the disk. The error is a
// *Refusal that says what is in the way.
func (l *Ledger) Lease(ctx context.Context, r Request) (Grant, error) {
	all, err := l.LeaseAll(ctx, []Request{r})
	if err != nil {
		return Grant{}, err
	}
	return all[0], nil
}

// LeaseAll leases several ports, all or none (F10). Numbers that are asked for come first, then those that stick to
// names, then those that the pools choose (F09); the grants stand in the order of the requests. It waits only if every
// request says so.
func (l *Ledger) LeaseAll(ctx context.Context, all []Request) ([]Grant, error) {
	if len(all) == 0 || len(all) > maxTogether {
		return nil, &Refusal{Outcome: BadRequest, Text: fmt.Sprintf("%d leases were asked for at once; 1 to %d can be", len(all), maxTogether)}
	}
	wait := true
	wanted := map[string]int{}
	wishes := make([]*wish, len(all))
	for i := range all {
		r := &all[i]
		if err := r.check(); err != nil {
			return nil, err
		}
		wishes[i] = l.shapes.wish(r)
		wanted[r.Pool.ID]++
		if n := wishes[i].count; n < wanted[r.Pool.ID] {
			return nil, &Refusal{
				Outcome: BadRequest, Pool: r.Pool.ID, Name: r.Name,
				Text: fmt.Sprintf("%d leases of pool %s were asked for, and all of it (%s) can give %d", wanted[r.Pool.ID], r.Pool.ID, written(r.Pool), n),
			}
		}
		wait = wait && r.Wait
	}
	for tries := 0; ; tries++ {
		grants, err := l.try(ctx, wishes)
		var refused *Refusal
		if !errors.As(err, &refused) {
			return grants, err
		}
		if tries < settleTries && len(refused.look) > 0 && l.settle(ctx) == nil {
			continue
		}
		if wait && refused.passes() {
			if l.pause(ctx, refused.Until) == nil {
				continue
			}
		}
		l.name(refused)
		return nil, err
	}
}

// passes reports whether time alone may change the answer.
func (r *Refusal) passes() bool {
	switch r.Outcome {
	case Exhausted, IsHeld, Ours, ForeignTaken:
		return true
	case IsFree, OutsideRange, NoPermission, NotLocal, IsReserved, OtherHost, BadRequest, NoPool, NoLease, Fenced, NoRoom, LockStuck, IsDamaged, NewerFormat:
	}
	return false
}

// A program that is just being started has copies of all sockets of its parent for a moment, also of those that the
// parent has closed: what is found taken is asked again, once that is over.
const (
	settleTries = 3
	settleTime  = 10 * time.Millisecond
)

func (l *Ledger) settle(ctx context.Context) error { return rest(ctx, settleTime) }

// lookAgain bounds how long a waiting request sleeps: what other processes give back, nobody tells it.
const lookAgain = 100 * time.Millisecond

// pause waits until something may have become free; the error is that of the context.
func (l *Ledger) pause(ctx context.Context, until time.Time) error {
	d := lookAgain
	if !until.IsZero() && l.opts.Clock == nil {
		// The ledger's time and the system's differ by a constant: what is left is the same in both.
		d = min(d, max(until.Sub(l.Now()), time.Millisecond))
	}
	return rest(ctx, d)
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// try grants all requests, or none.
func (l *Ledger) try(ctx context.Context, all []*wish) ([]Grant, error) {
	grants := make([]Grant, len(all))
	refused := true
	err := l.join(ctx, &decision{netns: all[0].at.netns, change: func(c *change) error {
		if c.now.Sub(l.swept) >= sweepEvery {
			l.sweep(c, sweepSome, func(*Lease) bool { return true })
		}
		var done []staged
		for _, i := range order(c.table, all) {
			g, err := l.grant(c, all[i])
			if err != nil {
				c.unset(done)
				return err
			}
			grants[i] = g
			done = append(done, c.last())
		}
		refused = false
		return nil
	}})
	if err != nil {
		for _, g := range grants {
			g.Close()
			if !refused {
				// It may stand in the file, and nobody was told: it ends, as far as that can still be written.
				_ = l.give(context.WithoutCancel(ctx), g.Lease.ID, g.Lease.Fence, giving{reason: "it could not be made durable", keep: true})
			}
		}
		return nil, err
	}
	return grants, nil
}

// order returns the requests as they are decided: fixed numbers, then known names, then the rest.
func order(t *table, all []*wish) []int {
	rank := func(i int) int {
		r := all[i]
		switch {
		case r.Port != 0:
			return 0
		case r.key() != "" && t.sticks[stick{r.Pool.ID, r.identity("")}] != "":
			return 1
		}
		return 2
	}
	is := make([]int, len(all))
	for i := range is {
		is[i] = i
	}
	slices.SortStableFunc(is, func(a, b int) int { return rank(a) - rank(b) })
	return is
}

// grant decides one request: which number, and its sockets.
func (l *Ledger) grant(c *change, r *wish) (Grant, error) {
	p := r.at
	known, err := l.known(c, r)
	if err != nil {
		return Grant{}, err
	}
	var (
		port    ports.Port
		sockets []Socket
	)
	switch {
	case known != nil && r.Port != 0 && r.Port != known.Port:
		held := known.clone()
		err = &Refusal{
			Outcome: BadRequest, Pool: r.Pool.ID, Name: r.Name, Port: r.Port, Holder: &held,
			Text: fmt.Sprintf("port %d was asked for, and the name %s has %d: release it first", r.Port, r.Name, known.Port),
		}
	case known != nil:
		port, sockets, err = l.again(c, r, p, known)
	case r.Port != 0:
		port = r.Port
		sockets, err = l.exactly(c, r, p, port, "")
	default:
		port, sockets, err = l.any(c, r, p)
	}
	if err != nil {
		return Grant{}, err
	}
	lease := l.newLease(c, r, p, port)
	if known != nil {
		lease.ID = known.ID // the same lease, under a new fence
	}
	c.set(lease)
	return Grant{Lease: lease.clone(), Sockets: sockets, ledger: l.dir}, nil
}

func (l *Ledger) newLease(c *change, r *wish, p place, port ports.Port) Lease {
	c.fence++
	lease := Lease{
		ID: newID(), Fence: c.fence, Name: r.Name, Key: r.key(), Plan: r.Plan, Hash: r.Hash, Pool: r.Pool.ID, Protocol: r.Pool.Protocol,
		Address: p.address, Netns: p.netns, Port: port, Owner: r.Owner, Granted: c.now, Renewed: c.now, TTL: r.ttl(),
	}
	if lease.Key != "" {
		lease.Stick = r.identity("")
	}
	if r.paired() {
		lease.Pair, lease.PairName = ports.Port(int(port)+r.Pool.Pair.Delta), r.pairName()
	}
	lease.HoldFor, lease.HoldReason = HoldOf(r.Pool, r.Boxes)
	if bits := r.Pool.Lease.Nonce; bits > 0 {
		lease.Nonce = hex.EncodeToString(random((min(bits, 512) + 7) / 8))
	}
	lease.State = lease.working()
	return lease
}

func newID() string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(random(10)))
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

// known returns the lease that the request's name already has in the pool; nil if there is none, or if it may have
// another number. The error names the holder of a number that is in use.
func (l *Ledger) known(c *change, r *wish) (*Lease, error) {
	if r.key() == "" {
		return nil, nil
	}
	id, ok := c.sticks[stick{r.Pool.ID, r.identity("")}]
	if !ok {
		return nil, nil
	}
	known := c.leases[id]
	if known.State.live() && known.Owner.PID != 0 {
		c.judge(known, l.opts.Alive(known.Owner), false)
		known = c.leases[id]
	}
	refuse := func(o Outcome) (*Lease, error) {
		held := known.clone()
		return nil, &Refusal{Outcome: o, Pool: r.Pool.ID, Name: r.Name, Port: known.Port, Holder: &held, Until: known.due()}
	}
	switch {
	case known.State.live():
		return refuse(Ours)
	case known.Owner.Host != r.Owner.Host && r.Pool.Sticky.HostChange != "allow":
		return refuse(OtherHost)
	}
	copied := known.clone()
	return &copied, nil
}

// again gives a name its number back.
func (l *Ledger) again(c *change, r *wish, p place, known *Lease) (ports.Port, []Socket, error) {
	sockets, err := l.exactly(c, r, p, known.Port, known.ID)
	var refused *Refusal
	if err == nil || !errors.As(err, &refused) || r.Pool.Sticky.OnBusy != "next" {
		return known.Port, sockets, err
	}
	switch refused.Outcome {
	case ForeignTaken, Ours, IsHeld, OutsideRange, IsReserved:
		return l.any(c, r, p)
	case IsFree, NoPermission, NotLocal, Exhausted, OtherHost, BadRequest, NoPool, NoLease, Fenced, NoRoom, LockStuck, IsDamaged, NewerFormat:
	}
	return known.Port, nil, err
}

// exactly gives one number. The lease own does not stand in its way.
func (l *Ledger) exactly(c *change, r *wish, p place, port ports.Port, own string) ([]Socket, error) {
	refusal := &Refusal{Pool: r.Pool.ID, Name: r.Name, Port: port, Numbers: written(r.Pool), at: p}
	all := r.numbers(port)
	for _, n := range all {
		switch {
		case !r.mask.has(port):
			refusal.Outcome = OutsideRange
			return nil, refusal
		case r.fixed.has(n):
			refusal.Outcome, refusal.Port = IsReserved, n
			return nil, refusal
		}
		if err := l.vacant(c, p, n, own, refusal); err != nil {
			return nil, err
		}
	}
	sockets, err := l.bind(r, p, port)
	if errors.Is(err, socket.ErrInUse) {
		c.blocked(l, &r.Request, p, err)
		refusal.Outcome, refusal.Port = ForeignTaken, busyPort(err)
		refusal.look = []ports.Port{refusal.Port}
		return nil, refusal
	}
	if err != nil {
		return nil, bindRefusal(refusal, err)
	}
	c.unblock(p, all)
	return sockets, nil
}

// vacant refuses a number that another lease has. An owner that is gone does not count.
func (l *Ledger) vacant(c *change, p place, port ports.Port, own string, refusal *Refusal) error {
	for _, holder := range c.holders(p, port) {
		if holder.ID == own || holder.State == Blocked || holder.State == Leaked {
			continue // binding tells
		}
		if holder.State.live() && holder.Owner.PID != 0 {
			c.judge(holder, l.opts.Alive(holder.Owner), false)
			if holder = c.leases[holder.ID]; holder == nil {
				continue
			}
		}
		held := holder.clone()
		refusal.Outcome, refusal.Port, refusal.Holder, refusal.Until = Ours, port, &held, held.due()
		if held.State == Held {
			refusal.Outcome, refusal.Reason = IsHeld, holdText(&held)
		}
		return refusal
	}
	return nil
}

func holdText(l *Lease) string {
	if l.HoldReason == "" {
		return l.Reason
	}
	return l.HoldReason + ", " + l.HoldFor.String() + " from its release"
}

// static returns the numbers of the plan's rows that are not leased.
func (r *Request) static() numbers {
	var n numbers
	for _, cl := range r.Static {
		if cl.Pool || cl.Pair != "" || cl.Port == 0 || cl.Status == ports.Inactive || !cl.Binds && cl.Status != ports.Foreign || !slices.Contains(r.Pool.Protocol, cl.Protocol) {
			continue
		}
		n.addRange(ports.Range{First: cl.Port, Last: max(cl.Port, cl.Last)})
	}
	return n
}

// numbers returns a port with its pair, where the request has one.
func (r *Request) numbers(port ports.Port) []ports.Port {
	if !r.paired() {
		return []ports.Port{port}
	}
	return []ports.Port{port, ports.Port(int(port) + r.Pool.Pair.Delta)}
}
