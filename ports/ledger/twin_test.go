package ledger

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// twin is the ledger as one would write it on paper: a list, and a look at all of it for every question.
type twin struct {
	now    time.Time
	leases []*paper
	freed  map[ports.Port]time.Time
	dead   map[int]bool
}

// paper is one line of it.
type paper struct {
	name, key, pool string
	port, pair      ports.Port
	address         netip.Addr
	pid             int
	state           State // listening, planned or held
	ttl, hold       time.Duration
	renewed, until  time.Time
	released        time.Time
	id              string
	fence           uint64
}

func (p *paper) has(n ports.Port) bool { return p.port == n || p.pair != 0 && p.pair == n }

// pass lets time go on, moment by moment.
func (w *twin) pass(to time.Time) {
	for {
		var next *paper
		at := to
		for _, p := range w.leases {
			if due := p.due(); !due.IsZero() && !due.After(at) && (next == nil || due.Before(at) || p.id < next.id) {
				next, at = p, due
			}
		}
		if next == nil {
			w.now = to
			return
		}
		w.now = at
		switch next.state { //nolint:exhaustive // all others end alike
		case Held:
			w.remove(next, at)
		case Planned:
			w.giveUp(next, next.released, at)
		default:
			w.giveUp(next, at, at)
		}
	}
}

func (p *paper) due() time.Time {
	switch {
	case p.state == Held:
		return p.until
	case p.ttl > 0:
		return p.renewed.Add(p.ttl)
	}
	return time.Time{}
}

func (w *twin) remove(p *paper, at time.Time) {
	w.leases = slices.DeleteFunc(w.leases, func(q *paper) bool { return p == q })
	for _, n := range []ports.Port{p.port, p.pair} {
		if n != 0 && w.freed[n].Before(at) {
			w.freed[n] = at
		}
	}
}

// giveUp ends a lease that nobody has had since a moment.
func (w *twin) giveUp(p *paper, since, now time.Time) {
	p.state, p.until = Held, since.Add(p.hold)
	if !p.until.After(now) {
		w.remove(p, now)
	}
}

// gone ends what dead owners had.
func (w *twin) gone() {
	for _, p := range slices.Clone(w.leases) {
		if p.state != Listening || !w.dead[p.pid] {
			continue
		}
		if p.key != "" {
			p.state, p.released = Planned, w.now
		} else {
			w.giveUp(p, w.now, w.now)
		}
	}
}

// free reports whether a number, with its pair, meets no lease.
func (w *twin) free(r Request, n ports.Port) bool {
	for _, p := range w.leases {
		if !meets(p.address, r.Address) {
			continue
		}
		if p.has(n) || r.Pair && p.has(n+1) {
			return false
		}
	}
	return true
}

// lease says what a request must get: a number, or the outcome that refuses it.
func (w *twin) lease(r Request) (ports.Port, Outcome) {
	w.gone()
	key := r.key()
	for _, p := range w.leases {
		if key == "" || p.key != key || p.pool != r.Pool.ID {
			continue
		}
		if p.state == Listening {
			return 0, Ours
		}
		w.leases = slices.DeleteFunc(w.leases, func(q *paper) bool { return p == q })
		if w.free(r, p.port) {
			return p.port, ""
		}
		w.leases = append(w.leases, p)
		return 0, Ours // or held: only the pair can be in the way
	}
	best := ports.Port(0)
	first, last := int(r.Pool.Ranges[0].First), int(r.Pool.Ranges[0].Last)
	for n := first; n <= last; n++ {
		port := ports.Port(n)
		if r.Pool.Parity == ports.Even && n%2 == 1 || !w.free(r, port) {
			continue
		}
		switch {
		case best == 0, r.Pool.Pick == ports.Ascending && r.Pool.Down:
			best = port
		case r.Pool.Pick == ports.LRU && w.freed[port].Before(w.freed[best]):
			best = port
		}
	}
	if best == 0 {
		return 0, Exhausted
	}
	return best, ""
}

// P1, P2, P3, P4: whatever a few programs do with a few pools, through two open ledgers that are closed and opened
// again at any time, each request gets exactly the number, or the refusal, that the slow twin says; no two leases meet,
// nothing is given before its hold has passed, a sticky name has one number, and a pair is whole.
func TestTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "reeve-twin-") //nolint:usetesting // one for each drawn story
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := newStory(t, dir)
		defer s.end()
		t.Repeat(map[string]func(*rapid.T){
			"lease": s.lease, "lease again": s.lease, "release": s.release, "forget": s.forget, "renew": s.renew, "die": s.die,
			"wait": s.wait, "reopen": s.reopen, "stale": s.stale, "": s.compare,
		})
	})
}

// story is the ledger, twice, beside its twin.
type story struct {
	dir     string
	ledgers [2]*Ledger
	twin    *twin
	pools   []ports.ResolvedPool
	old     []Lease // that have ended
	next    int     // the next process
}

func newStory(t *rapid.T, dir string) *story {
	r := ports.Range{First: 20000, Last: 20007}
	plain, held, down, lru, pairs := tcp("plain", r), tcp("held", r), tcp("down", r), tcp("lru", r), tcp("pairs", r)
	held.Hold = ports.Hold{Min: 3 * time.Second}
	down.Down, down.Hold.Min = true, time.Second
	lru.Pick, lru.Hold.Min = ports.LRU, 500*time.Millisecond
	pairs.Parity, pairs.Sticky.Key, pairs.Hold.Min = ports.Even, "{name}@{host}", 2*time.Second
	pairs.Pair = ports.Pair{ID: "debug", Delta: 1, Optional: true, Parity: ports.Odd}
	s := &story{dir: dir, pools: []ports.ResolvedPool{plain, held, down, lru, pairs}, next: 1}
	for i := range s.pools {
		if s.pools[i].Pick == "" {
			s.pools[i].Pick = ports.Ascending
		}
	}
	s.twin = &twin{now: begin(), freed: map[ports.Port]time.Time{}, dead: map[int]bool{}}
	for i := range s.ledgers {
		s.open(t, i)
	}
	return s
}

func (s *story) open(t *rapid.T, i int) {
	alive := func(o Owner) Life {
		if s.twin.dead[o.PID] {
			return Dead
		}
		return Alive
	}
	l, err := Open(s.dir, Options{Binder: unbound, Clock: func() time.Time { return s.twin.now }, Alive: alive, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	s.ledgers[i] = l
}

func (s *story) end() {
	for _, l := range s.ledgers {
		l.Close()
	}
}

// ledger lets some time pass and returns one of the two.
func (s *story) ledger(t *rapid.T) *Ledger {
	s.twin.pass(s.twin.now.Add(100*time.Millisecond + time.Duration(rapid.IntRange(0, 900).Draw(t, "ms"))*time.Millisecond))
	return s.ledgers[rapid.IntRange(0, 1).Draw(t, "ledger")]
}

func (s *story) lease(t *rapid.T) {
	l := s.ledger(t)
	if rapid.IntRange(0, 3).Draw(t, "new process") == 0 {
		s.next++
	}
	r := Request{
		Pool: s.pools[rapid.IntRange(0, len(s.pools)-1).Draw(t, "pool")], Name: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"), Owner: pretend(s.next),
		Address: []netip.Addr{{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}[rapid.IntRange(0, 2).Draw(t, "address")],
		Sticky:  rapid.IntRange(0, 3).Draw(t, "sticky") == 0,
	}
	if rapid.IntRange(0, 3).Draw(t, "timed") == 0 {
		r.TTL = 2 * time.Second
	}
	r.Pair = r.Pool.Pair.ID != "" && rapid.Bool().Draw(t, "pair")
	want, outcome := s.twin.lease(r)
	g, err := l.Lease(t.Context(), r)
	defer g.Close() //nolint:staticcheck // of a refusal it has no sockets to close
	if outcome != "" {
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Outcome != outcome && (outcome != Ours || refused.Outcome != IsHeld) {
			t.Fatalf("%s of %s: got %+v, %v; want %s", r.Name, r.Pool.ID, g.Lease, err, outcome)
		}
		return
	}
	if err != nil || g.Lease.Port != want || r.Pair != (g.Lease.Pair == want+1) || len(g.Sockets) != len(g.Lease.numbers()) {
		t.Fatalf("%s of %s: got %+v, %v; want port %d, pair %v", r.Name, r.Pool.ID, g.Lease, err, want, r.Pair)
	}
	p := &paper{
		name: r.Name, key: r.key(), pool: r.Pool.ID, port: want, address: r.Address, pid: r.Owner.PID, state: Listening,
		ttl: r.TTL, hold: r.Pool.Hold.Min, renewed: s.twin.now, id: g.Lease.ID, fence: g.Lease.Fence,
	}
	if r.Pair {
		p.pair = want + 1
	}
	s.twin.leases = append(s.twin.leases, p)
}

// one draws a lease; nil if there is none.
func (s *story) one(t *rapid.T) *paper {
	if len(s.twin.leases) == 0 {
		return nil
	}
	return s.twin.leases[rapid.IntRange(0, len(s.twin.leases)-1).Draw(t, "lease")]
}

func (s *story) release(t *rapid.T) {
	l := s.ledger(t)
	p := s.one(t)
	if p == nil {
		return
	}
	s.old = append(s.old, Lease{ID: p.id, Fence: p.fence})
	if err := l.Release(t.Context(), p.id, p.fence, "released"); err != nil {
		t.Fatal(err)
	}
	switch {
	case p.state != Listening:
	case p.key != "":
		p.state, p.released = Planned, s.twin.now
	default:
		s.twin.giveUp(p, s.twin.now, s.twin.now)
	}
}

func (s *story) forget(t *rapid.T) {
	l := s.ledger(t)
	p := s.one(t)
	if p == nil {
		return
	}
	s.old = append(s.old, Lease{ID: p.id, Fence: p.fence})
	if err := l.Forget(t.Context(), p.id, p.fence, "forgotten"); err != nil {
		t.Fatal(err)
	}
	switch p.state { //nolint:exhaustive // the twin knows these two
	case Listening:
		s.twin.giveUp(p, s.twin.now, s.twin.now)
	case Planned: // the hold counts from when it was last had
		if at := p.released.Add(p.hold); p.hold > 0 && !at.After(s.twin.now) {
			s.twin.remove(p, at)
		} else {
			s.twin.giveUp(p, p.released, s.twin.now)
		}
	}
}

func (s *story) renew(t *rapid.T) {
	l := s.ledger(t)
	p := s.one(t)
	if p == nil {
		return
	}
	err := l.Renew(t.Context(), p.id, p.fence)
	if (err == nil) != (p.state == Listening) {
		t.Fatalf("renewing a lease that is %s: %v", p.state, err)
	}
	if err == nil {
		p.renewed = s.twin.now
	}
}

// stale comes with a fence or an id that no longer counts: it is refused, and changes nothing (F04, F17).
func (s *story) stale(t *rapid.T) {
	l := s.ledger(t)
	if len(s.old) == 0 {
		return
	}
	old := s.old[rapid.IntRange(0, len(s.old)-1).Draw(t, "old")]
	for _, p := range s.twin.leases {
		if p.id == old.ID && p.fence == old.Fence {
			return // it is held, or kept for its name: releasing it again is another story
		}
	}
	err := l.Release(t.Context(), old.ID, old.Fence, "stale")
	var refused *Refusal
	if !errors.As(err, &refused) || refused.Outcome != NoLease && refused.Outcome != Fenced {
		t.Fatalf("a stale release: %v", err)
	}
}

func (s *story) die(t *rapid.T) {
	s.twin.dead[rapid.IntRange(1, s.next).Draw(t, "process")] = true
	s.next++
	s.twin.pass(s.twin.now.Add(100 * time.Millisecond))
	for _, l := range s.ledgers {
		if _, err := l.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.twin.gone()
}

func (s *story) wait(t *rapid.T) {
	s.twin.pass(s.twin.now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond))
}

// reopen ends one of the processes, as a kill would: nothing of it is left but the file.
func (s *story) reopen(t *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(t, "ledger")
	s.ledgers[i].Close()
	s.open(t, i)
}

// compare compares all that both ledgers say with the twin.
func (s *story) compare(t *rapid.T) {
	var want []string
	for _, p := range s.twin.leases {
		want = append(want, fmt.Sprintf("%s %s %d/%d %s %d", p.name, p.pool, p.port, p.pair, p.state, p.fence))
	}
	slices.Sort(want)
	for i, l := range s.ledgers {
		all, err := l.Leases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range all {
			got = append(got, fmt.Sprintf("%s %s %d/%d %s %d", x.Name, x.Pool, x.Port, x.Pair, x.State, x.Fence))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("ledger %d at %s:\n got %q\nwant %q", i, s.twin.now, got, want)
		}
	}
	s.invariants(t)
}

// invariants says P1 and P3 once more, of the twin itself: two mistakes must not agree.
func (s *story) invariants(t *rapid.T) {
	for i, p := range s.twin.leases {
		for _, q := range s.twin.leases[:i] {
			if meets(p.address, q.address) && (p.has(q.port) || q.pair != 0 && p.has(q.pair)) {
				t.Fatalf("%+v meets %+v", p, q)
			}
			if p.key != "" && p.key == q.key && p.pool == q.pool {
				t.Fatalf("the name of %+v has another number: %+v", p, q)
			}
		}
	}
}
