package ledger

import (
	"errors"
	"strconv"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// any gives a number that the pool chooses: one that no lease has, that is not held, and that can be bound. Where none
// is left, it looks whether owners are gone, and whether programs that were in the way still are.
func (l *Ledger) any(c *change, r *wish, p place) (ports.Port, []Socket, error) {
	s := &l.scratch
	r.free(c.table, s, &s.doubtful)
	port, sockets, err := l.choose(c, r, p, &s.free)
	if port != 0 || err != nil {
		return port, sockets, err
	}
	mask := of(r.Pool, false)
	l.sweep(c, len(c.leases), func(lease *Lease) bool { return mask.has(lease.Port) || lease.Pair != 0 && mask.has(lease.Pair) })
	r.free(c.table, s, &s.again)
	s.free.without(&s.doubtful)
	s.free.without(&s.again) // just found in use
	if port, sockets, err = l.choose(c, r, p, &s.free); port != 0 || err != nil {
		return port, sockets, err
	}
	r.free(c.table, s, &s.doubtful)
	for range maxDoubtful {
		port = s.doubtful.lowest()
		if port == 0 {
			break
		}
		s.doubtful.remove(port)
		if sockets, err = l.bind(r, p, port); err == nil {
			c.unblock(p, r.numbers(port))
			return port, sockets, nil
		}
		if !errors.Is(err, socket.ErrInUse) {
			return 0, nil, bindRefusal(&Refusal{Pool: r.Pool.ID, Name: r.Name, Port: port, at: p}, err)
		}
	}
	return 0, nil, c.exhausted(r, p)
}

// maxDoubtful is how many numbers of programs outside one request tries again.
const maxDoubtful = 64

// free sets s.free to the numbers that can be tried, and doubtful to those that somebody outside the ledger had when last
// looked at.
func (r *wish) free(t *table, s *scratch, doubtful *numbers) {
	s.hard = r.fixed
	clear(s.soft[:])
	t.taken(r.at, &s.hard, &s.soft)
	if r.pair {
		delta := -r.Pool.Pair.Delta
		s.hard.shiftInto(&s.second, delta)
		s.hard.union(&s.second)
		s.soft.shiftInto(&s.second, delta)
		s.soft.union(&s.second)
	}
	s.free = r.mask
	s.free.without(&s.hard)
	*doubtful = s.free
	doubtful.intersect(&s.soft)
	s.free.without(&s.soft)
}

// choose picks numbers by the pool's rule until one can be bound; port 0 if none can. Only a number that is in use lets
// it go on: what else the system says is true of the others too (F85).
func (l *Ledger) choose(c *change, r *wish, p place, free *numbers) (ports.Port, []Socket, error) {
	for {
		port := l.pick(c, r, p, free)
		if port == 0 {
			return 0, nil, nil
		}
		sockets, err := l.bind(r, p, port)
		if err == nil {
			return port, sockets, nil
		}
		if !errors.Is(err, socket.ErrInUse) {
			return 0, nil, bindRefusal(&Refusal{Pool: r.Pool.ID, Name: r.Name, Port: port, at: p}, err)
		}
		c.blocked(l, &r.Request, p, err)
		free.remove(port)
	}
}

// pick chooses among free numbers; 0 if there is none.
func (l *Ledger) pick(c *change, r *wish, p place, free *numbers) ports.Port {
	switch r.Pool.Pick {
	case ports.Random:
		n := free.count()
		if n == 0 {
			return 0
		}
		return free.nth(l.opts.Random(n))
	case ports.LRU:
		return free.oldest(c.lastUsed(p), r.Pool.Down)
	case ports.Ascending:
	}
	if r.Pool.Down {
		return free.highest()
	}
	return free.lowest()
}

// bind takes every socket of a number and its pair, or none.
func (l *Ledger) bind(r *wish, p place, port ports.Port) ([]Socket, error) {
	var sockets []Socket
	for i, n := range r.numbers(port) {
		for _, protocol := range p.protocol {
			f, err := l.opts.Binder(protocol, p.address, n)
			if err != nil {
				Grant{Sockets: sockets}.Close()
				return nil, &busy{port: n, protocol: protocol, err: err}
			}
			sockets = append(sockets, Socket{Protocol: protocol, Address: p.address, Port: n, Pair: i > 0, File: f})
		}
	}
	return sockets, nil
}

// busy says which of a lease's numbers could not be bound.
type busy struct {
	port     ports.Port
	protocol ports.Protocol
	err      error
}

func (b *busy) Error() string { return b.err.Error() }
func (b *busy) Unwrap() error { return b.err }

func busyPort(err error) ports.Port {
	var b *busy
	if errors.As(err, &b) {
		return b.port
	}
	return 0
}

// bindRefusal turns what the system says into an outcome; anything unknown stays as it is.
func bindRefusal(r *Refusal, err error) error {
	switch {
	case errors.Is(err, socket.ErrDenied):
		r.Outcome = NoPermission
	case errors.Is(err, socket.ErrNotLocal):
		r.Outcome = NotLocal
	default:
		return err
	}
	r.Port, r.Err = busyPort(err), err
	return r
}

// How long a number that a program outside has is left alone: longer each time it is found so again.
const (
	blockedFirst = time.Second
	blockedMost  = 64 * time.Second
)

// blocked notes that a program outside the ledger has a number.
func (c *change) blocked(l *Ledger, r *Request, p place, err error) {
	var b *busy
	if !errors.As(err, &b) {
		return
	}
	id := "blocked-" + string(b.protocol) + "-" + strconv.Itoa(int(b.port)) + "-" + addrText(p.address) + "-" + strconv.FormatUint(p.netns, 10)
	if len(l.strikes) > 1<<12 {
		clear(l.strikes) // a hint: it begins anew
	}
	d := min(blockedFirst<<min(l.strikes[id], 6), blockedMost)
	l.strikes[id]++
	c.note(Lease{
		ID: id, Name: "-", Plan: r.Plan, Pool: r.Pool.ID, Protocol: []ports.Protocol{b.protocol}, Address: p.address, Netns: p.netns, Port: b.port,
		Owner: Owner{Kind: "foreign", Host: r.Owner.Host}, State: Blocked, Reason: "a program outside the ledger has it", Granted: c.now, HoldUntil: c.now.Add(d),
	})
}

// unblock takes out what said that somebody outside has these numbers: they could be bound.
func (c *change) unblock(p place, all []ports.Port) {
	for _, port := range all {
		for _, l := range c.holders(p, port) {
			if l.State == Blocked || l.State == Leaked {
				c.remove(l)
			}
		}
	}
}

// exhausted says why a pool has nothing, and when that may change.
func (c *change) exhausted(r *wish, p place) error {
	refusal := &Refusal{Outcome: Exhausted, Pool: r.Pool.ID, Name: r.Name, Numbers: written(r.Pool), at: p}
	mask := of(r.Pool, false)
	if r.paired() {
		second := mask.shifted(r.Pool.Pair.Delta)
		mask.union(&second)
	}
	seen := map[string]bool{}
	count := func(hard bool) func(s *seat) {
		return func(s *seat) {
			for port, id := range s.ids {
				if !mask.has(port) || seen[id] {
					continue
				}
				seen[id] = true
				lease := c.leases[id]
				if hard {
					refusal.Holders++
				} else {
					refusal.look = append(refusal.look, port)
				}
				if at := lease.freeAt(); !at.IsZero() && (refusal.Until.IsZero() || at.Before(refusal.Until)) {
					refusal.Until = at
				}
			}
		}
	}
	p.each(c.hard, count(true))
	p.each(c.soft, count(false))
	return refusal
}

// freeAt returns when the lease's numbers may be free at the earliest; the zero time if nobody knows.
func (l *Lease) freeAt() time.Time {
	at := l.due()
	if !at.IsZero() && l.State.live() {
		return at.Add(l.HoldFor)
	}
	return at
}

// name looks up the programs that a refusal is about, once nobody waits for the lock any more.
func (l *Ledger) name(r *Refusal) {
	for i, port := range r.look {
		if i == 3 {
			break
		}
		for _, protocol := range r.at.protocol {
			holders, unseen := socket.Holders(protocol, r.at.address, port)
			for _, h := range holders {
				r.Foreign = append(r.Foreign, Foreign{PID: h.PID, Program: h.Program, Detail: h.String()})
			}
			if len(holders) == 0 && r.Outcome == ForeignTaken {
				r.Foreign = append(r.Foreign, Foreign{Detail: "a program that cannot be seen (" + unseen + ")"})
			}
		}
	}
}
