package ledger

import (
	"cmp"
	"context"
	"slices"
)

// find returns a live lease by id and fence: by both, never by number (F04).
func (c *change) find(id string, fence uint64) (*Lease, error) {
	l, ok := c.leases[id]
	switch {
	case !ok || l.State == Blocked || l.State == Leaked:
		return nil, &Refusal{Outcome: NoLease, Name: id}
	case l.Fence != fence:
		held := l.clone()
		return nil, &Refusal{Outcome: Fenced, Name: l.Name, Pool: l.Pool, Port: l.Port, Holder: &held}
	}
	return l, nil
}

// Release gives a lease back: its number is held for the pool's reasons, and then free. A sticky number stays with its
// name; Forget gives that up too. Close the sockets first. It may be called again: what is released stays released.
func (l *Ledger) Release(ctx context.Context, id string, fence uint64, reason string) error {
	return l.give(ctx, id, fence, giving{reason: reason, keep: true})
}

// Forget releases a lease, and gives up what its name has of the number.
func (l *Ledger) Forget(ctx context.Context, id string, fence uint64, reason string) error {
	return l.give(ctx, id, fence, giving{reason: reason})
}

// Revoke is Forget by somebody else than the owner: an operator. It is refused, with the owner's name, while the
// owner's process lives, which would go on using the port.
func (l *Ledger) Revoke(ctx context.Context, id string, fence uint64, reason string) error {
	return l.give(ctx, id, fence, giving{reason: reason, idle: true})
}

// giving is how a lease is given back.
type giving struct {
	reason string
	keep   bool // a sticky number stays with its name
	idle   bool // only if its owner's process is gone
}

func (l *Ledger) give(ctx context.Context, id string, fence uint64, how giving) error {
	keep, reason := how.keep, how.reason
	return l.decide(ctx, func(c *change) error {
		c.ending = true
		lease, err := c.find(id, fence)
		if err != nil {
			return err
		}
		if how.idle && lease.State.live() && lease.Owner.PID != 0 && l.opts.Alive(lease.Owner) == Alive {
			held := lease.clone()
			return &Refusal{Outcome: Ours, Pool: lease.Pool, Name: lease.Name, Port: lease.Port, Holder: &held}
		}
		next := *lease
		switch {
		case lease.State == Held, lease.State == Planned && keep:
		case lease.State == Planned:
			// Nobody has had it since its owner was gone: the hold counts from then.
			c.end(next, next.Released, reason)
			c.advance(c.now)
		case keep && lease.Stick != "":
			next.State, next.Reason, next.Released, next.Sweeps = Planned, reason, c.now, 0
			c.set(next)
		default:
			c.end(next, c.now, reason)
		}
		return nil
	})
}

// Renew says that the owner still has a lease: its time begins anew. It does not wait for the disk: a renewal that is
// lost with the host is lost with its owner.
func (l *Ledger) Renew(ctx context.Context, id string, fence uint64) error {
	return l.decideLazily(ctx, func(c *change) error {
		c.ending = true
		lease, err := c.live(id, fence)
		if err != nil {
			return err
		}
		next := renewed(*lease, c.now)
		if next.State == Suspect {
			next.State, next.Reason = next.working(), ""
			c.set(next)
			return nil
		}
		c.put(next)
		c.ops = append(c.ops, op{kind: opRenew, id: id})
		return nil
	})
}

// live is find for a lease that has not ended.
func (c *change) live(id string, fence uint64) (*Lease, error) {
	lease, err := c.find(id, fence)
	if err == nil && !lease.State.live() {
		held := lease.clone()
		err = &Refusal{Outcome: NoLease, Name: lease.Name, Holder: &held, Text: "the lease " + lease.Name + " has ended: " + lease.Reason}
	}
	if err != nil {
		return nil, err
	}
	return lease, nil
}

// Drain says that the owner takes nothing new and will release soon. The number stays its own until then (F11).
func (l *Ledger) Drain(ctx context.Context, id string, fence uint64, reason string) error {
	return l.decide(ctx, func(c *change) error {
		c.ending = true
		lease, err := c.live(id, fence)
		if err != nil {
			return err
		}
		next := *lease
		next.State, next.Reason = Draining, reason
		c.set(next)
		return nil
	})
}

// Assign gives a lease another owner: an agent takes the port, and the job's process has it from then on.
func (l *Ledger) Assign(ctx context.Context, id string, fence uint64, o Owner) error {
	return l.decide(ctx, func(c *change) error {
		c.ending = true
		lease, err := c.live(id, fence)
		if err != nil {
			return err
		}
		if o.Kind == "" || o.PID == 0 && lease.TTL == 0 {
			return &Refusal{Outcome: BadRequest, Name: lease.Name, Text: "the lease " + lease.Name + " would never end: its new owner has no process, and it has no time"}
		}
		next := *lease
		next.Owner, next.Sweeps = o, 0
		if next.State != Draining {
			next.State, next.Reason = next.working(), ""
		}
		c.set(next)
		return nil
	})
}

// Leases returns all leases as they are now, by name; of a damaged ledger those that can be read, beside the error.
func (l *Ledger) Leases(ctx context.Context) ([]Lease, error) {
	var err error
	if l.opts.ReadOnly {
		l.turn.Lock()
		defer l.turn.Unlock()
		err = l.look()
	} else {
		unlock, taken := l.take(ctx)
		if taken != nil {
			return nil, taken
		}
		defer unlock()
		err = l.catchUp()
	}
	if err != nil {
		return nil, err
	}
	return l.list(), l.damaged()
}

// list copies the leases out, by name.
func (l *Ledger) list() []Lease {
	all := make([]Lease, 0, len(l.table.leases))
	for _, lease := range l.table.leases {
		all = append(all, lease.clone())
	}
	slices.SortFunc(all, func(a, b Lease) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Port, b.Port), cmp.Compare(a.ID, b.ID))
	})
	return all
}
