package ledger

import (
	"container/heap"
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// table is what the records say, in memory: pure, and the same in every process that has read the same records. Leases
// in it are never changed, only replaced.
type table struct {
	leases map[string]*Lease
	sticks map[stick]string // to the lease's id
	hard   map[space]seats  // numbers that no other lease can have
	soft   map[space]seats  // numbers that somebody outside has: to be tried again when nothing else is left
	used   map[space]*uses
	dues   dueHeap
	fence  uint64
	now    time.Time // time has been applied up to here
	epoch  epoch
}

// stick is what a sticky number belongs to.
type stick struct{ pool, identity string }

// space is where two leases can meet: one transport in one network namespace. Namespace 0 is not known, and so meets
// every one.
type space struct {
	netns    uint64
	protocol ports.Protocol
}

// seats are the numbers taken in a space, by address.
type seats map[netip.Addr]*seat

type seat struct {
	taken numbers
	ids   map[ports.Port]string
}

// epoch ties the ledger's time to the clock of one boot, which nobody can set: a lease is held for as long as it was
// said, whatever happens to the date.
type epoch struct {
	boot string
	mono int64 // nanoseconds since that boot
	at   time.Time
}

func newTable() *table {
	return &table{
		leases: map[string]*Lease{}, sticks: map[stick]string{}, hard: map[space]seats{}, soft: map[space]seats{},
		used: map[space]*uses{},
	}
}

// meets reports whether sockets on two addresses keep each other from one number: a wildcard meets every address of
// its family, the zero address all of both (F64).
func meets(a, b netip.Addr) bool {
	switch {
	case !a.IsValid() || !b.IsValid():
		return true
	case a.IsUnspecified() || b.IsUnspecified():
		return a.Is4() == b.Is4()
	}
	return a == b
}

// put sets a lease, new or known, and returns what was there before.
func (t *table) put(l Lease) (before *Lease) {
	before = t.drop(l.ID)
	kept := l.clone()
	t.leases[l.ID] = &kept
	t.fence = max(t.fence, l.Fence)
	t.index(&kept, true)
	if kept.Stick != "" {
		t.sticks[stick{kept.Pool, kept.Stick}] = kept.ID
	}
	if at := kept.due(); !at.IsZero() {
		heap.Push(&t.dues, due{at, kept.ID})
	}
	return before
}

// drop takes a lease out, and returns it; nil if it is not there.
func (t *table) drop(id string) *Lease {
	l, ok := t.leases[id]
	if !ok {
		return nil
	}
	delete(t.leases, id)
	t.index(l, false)
	if k := (stick{l.Pool, l.Stick}); t.sticks[k] == id {
		delete(t.sticks, k)
	}
	return l
}

// index adds a lease's numbers to the seats, or takes them out.
func (t *table) index(l *Lease, add bool) {
	set := t.hard
	if l.State == Blocked || l.State == Leaked {
		set = t.soft
	}
	for _, protocol := range l.Protocol {
		sp := space{l.Netns, protocol}
		if set[sp] == nil {
			set[sp] = seats{}
		}
		st := set[sp][l.Address]
		if st == nil {
			st = &seat{ids: map[ports.Port]string{}}
			set[sp][l.Address] = st
		}
		for _, p := range l.numbers() {
			switch {
			case add:
				st.taken.add(p)
				st.ids[p] = l.ID
			case st.ids[p] == l.ID: // not that of a later one: release is by lease, never by number (F04)
				st.taken.remove(p)
				delete(st.ids, p)
			}
		}
		if len(st.ids) == 0 {
			delete(set[sp], l.Address)
		}
	}
}

// where is the part of a request that says where its sockets will live.
type place struct {
	netns    uint64
	protocol []ports.Protocol
	address  netip.Addr
}

// each calls f with the seats that a place meets.
func (p place) each(set map[space]seats, f func(*seat)) {
	for sp, all := range set {
		if sp.netns != 0 && p.netns != 0 && sp.netns != p.netns {
			continue
		}
		for _, protocol := range p.protocol {
			if protocol != sp.protocol {
				continue
			}
			for addr, st := range all {
				if meets(addr, p.address) {
					f(st)
				}
			}
		}
	}
}

// taken returns the numbers that others have at a place: those of leases, and those of programs outside.
func (t *table) taken(p place, hard, soft *numbers) {
	p.each(t.hard, func(s *seat) { hard.union(&s.taken) })
	p.each(t.soft, func(s *seat) { soft.union(&s.taken) })
}

// holders returns the leases that have a number at a place, those of the ledger first.
func (t *table) holders(p place, port ports.Port) []*Lease {
	var found []*Lease
	add := func(s *seat) {
		if id, ok := s.ids[port]; ok {
			found = append(found, t.leases[id])
		}
	}
	p.each(t.hard, add)
	p.each(t.soft, add)
	return found
}

// lastUsed returns when the numbers of a place were last given back; nil if none was.
func (t *table) lastUsed(p place) *uses {
	return t.used[space{p.netns, p.protocol[0]}]
}

// forget takes a lease out for good and remembers when its numbers became free.
func (t *table) forget(l *Lease, at time.Time) {
	t.drop(l.ID)
	if l.State == Blocked || l.State == Leaked {
		return
	}
	for _, protocol := range l.Protocol {
		for _, p := range l.numbers() {
			t.use(space{l.Netns, protocol}, p, at.UnixNano())
		}
	}
}

func (t *table) use(sp space, p ports.Port, at int64) {
	u := t.used[sp]
	if u == nil {
		u = &uses{}
		t.used[sp] = u
	}
	u[p] = max(u[p], at)
}

// ended returns what a lease becomes when its owner no longer has it: held, or forgotten at once.
func ended(l Lease, at time.Time, reason string) Lease {
	l.State, l.Reason, l.Released, l.HoldUntil = Held, reason, at, at.Add(l.HoldFor)
	return l
}

// advance applies what time alone does, up to now. Time never goes back.
func (t *table) advance(now time.Time) {
	if now.Before(t.now) {
		return
	}
	for len(t.dues) > 0 && !t.dues[0].at.After(now) {
		d, _ := heap.Pop(&t.dues).(due)
		l := t.leases[d.id]
		if l == nil || !l.due().Equal(d.at) {
			continue // changed since: it has another entry
		}
		since := d.at
		if l.State == Planned {
			since = l.Released // nobody has had it since then
		}
		if next := ended(*l, since, "its time was up"); l.State != Held && l.State != Blocked && next.HoldUntil.After(d.at) {
			t.put(next)
			continue
		}
		t.forget(l, d.at)
	}
	t.now = now
}

// due is a moment at which a lease may change.
type due struct {
	at time.Time
	id string
}

type dueHeap []due

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].id < h[j].id // the same order in every process
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for the heap.
func (h *dueHeap) Push(x any) {
	if d, ok := x.(due); ok {
		*h = append(*h, d)
	}
}

// Pop is for the heap.
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
