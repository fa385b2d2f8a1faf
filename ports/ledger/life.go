package ledger

import (
	"context"
	"os"
	"sync"
	"time"
)

// Life says what is known of an owner's process.
type Life int

// What can be known. A process that another PID namespace has, or another host, is Unseen.
const (
	Unseen Life = iota
	Alive
	Dead
)

// Process returns an owner that is a process of this host: its leases end with it.
func Process(kind, id string, pid int) Owner {
	o := Owner{Kind: kind, ID: id, Host: hostName(), PID: pid, Space: processSpace()}
	o.Boot = bootID()
	o.Start, _, _ = startOf(pid) // 0 where it cannot be told: then only its number counts
	return o
}

// Self returns an owner that is this process.
func Self(kind, id string) Owner { return Process(kind, id, os.Getpid()) }

// Timed returns an owner that has no process: its leases end by time.
func Timed(kind, id string) Owner { return Owner{Kind: kind, ID: id, Host: hostName()} }

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// census looks for the processes of this host.
type census struct {
	self  Owner
	boot  string
	space uint64
	once  sync.Once
}

func newCensus() *census { return &census{} }

func (s *census) alive(o Owner) Life {
	s.once.Do(func() {
		s.self = Self("", "")
		s.boot, s.space = s.self.Boot, s.self.Space
	})
	if o.Boot != s.boot && s.boot != "" {
		return Dead // that boot is over
	}
	if o.Space != s.space {
		return Unseen
	}
	if o.PID == s.self.PID {
		if o.Start == s.self.Start {
			return Alive
		}
		return Dead
	}
	if gone(o.PID) {
		return Dead
	}
	start, ended, err := startOf(o.PID)
	switch {
	case err != nil:
		// It is there, and its beginning is hidden from this user.
		if gone(o.PID) {
			return Dead
		}
		return Alive
	case ended || o.Start != 0 && start != o.Start:
		return Dead
	}
	return Alive
}

const (
	suspectAfter = 3  // sweeps without a sign of the owner
	sweepSome    = 64 // owners that one grant looks at
	sweepEvery   = 100 * time.Millisecond
)

// Sweep looks at every owner and writes down which are gone: their leases are held, kept for their sticky names, or
// free. It returns what has changed. A grant sweeps a little, and everything where its pool is full; who runs long
// calls it now and then.
func (l *Ledger) Sweep(ctx context.Context) ([]Lease, error) {
	var changed []Lease
	err := l.decide(ctx, func(c *change) error {
		c.ending = true
		l.sweep(c, len(c.leases), func(*Lease) bool { return true })
		for _, p := range c.before {
			if now := c.leases[p.id]; now != nil {
				changed = append(changed, now.clone())
			} else if p.lease != nil {
				gone := p.lease.clone()
				gone.State = Free
				changed = append(changed, gone)
			}
		}
		return nil
	})
	return changed, err
}

// sweep looks at the owners of at most some leases that which chooses; which ones is left to chance where there are
// more.
func (l *Ledger) sweep(c *change, some int, which func(*Lease) bool) {
	seen := map[Owner]Life{}
	full := some >= len(c.leases)
	var ids []string
	for id, lease := range c.leases {
		if !lease.State.live() || lease.Owner.PID == 0 || !which(lease) {
			continue
		}
		if ids = append(ids, id); len(ids) >= some {
			break
		}
	}
	for _, id := range ids {
		lease := c.leases[id]
		life, ok := seen[lease.Owner]
		if !ok {
			life = l.opts.Alive(lease.Owner)
			seen[lease.Owner] = life
		}
		c.judge(lease, life, full)
	}
	l.swept = c.now
}

// judge changes a lease by what is known of its owner. count says that this is a whole sweep, of which three make an
// owner suspect.
func (c *change) judge(l *Lease, life Life, count bool) {
	next := *l
	switch {
	case life == Dead:
		c.bereave(next)
	case life == Alive && l.State == Suspect && l.Reason == reasonUnseen:
		next.State, next.Reason, next.Sweeps = next.working(), "", 0
		c.set(next)
	case life == Unseen && count && l.State != Suspect:
		if next.Sweeps++; next.Sweeps >= suspectAfter {
			next.State, next.Reason = Suspect, reasonUnseen
		}
		c.set(next)
	}
}

// The reasons of suspicion.
const (
	reasonUnseen = "its owner cannot be seen from here"
	reasonSilent = "its owner lives, but nothing has the port"
)

// bereave ends a lease whose owner is gone: a sticky number stays with its name.
func (c *change) bereave(l Lease) {
	reason := l.Owner.String() + " is gone"
	if l.Stick != "" {
		l.State, l.Reason, l.Released, l.Sweeps = Planned, reason, c.now, 0
		c.set(l)
		return
	}
	c.end(l, c.now, reason)
}

// restarted ends the leases of processes of earlier boots. Their network namespaces are gone too.
func (c *change) restarted(boot string) {
	for _, l := range c.leases {
		next := *l
		next.Netns = 0
		switch {
		case l.State.live() && l.Owner.PID > 0 && l.Owner.Boot != boot:
			c.bereave(next)
		case l.Netns != 0:
			c.set(next)
		}
	}
}

// working returns the state of a lease that its owner has.
func (l *Lease) working() State {
	if l.Owner.PID == 0 {
		return Reserved
	}
	for _, p := range l.Protocol {
		if p == "tcp" {
			return Listening
		}
	}
	return Bound
}
