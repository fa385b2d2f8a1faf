package ledger

import (
	"slices"
	"sync"

	"github.com/reeve-scheduler/reeve/ports"
)

// wish is a request with all that can be known of it before the lock is taken.
type wish struct {
	Request
	at place
	*shape
}

// shape is which numbers a request can have, whatever is leased.
type shape struct {
	pool ports.ResolvedPool
	hash string
	rows int
	pair bool

	mask  numbers // that the pool can give it
	count int     // of them
	fixed numbers // that rows with a number of their own have
}

// shapes are those of the last requests: ranges are turned into bits once (F63).
type shapes struct {
	mu  sync.Mutex
	all []*shape
}

const maxShapes = 16

// wish looks up, or works out, the shape of a request.
func (s *shapes) wish(r *Request) *wish {
	w := &wish{Request: *r, at: place{netns: networkSpace(), protocol: r.Pool.Protocol, address: r.address()}}
	paired := r.paired()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.all {
		if known.fits(r, paired) {
			w.shape = known
			return w
		}
	}
	w.shape = &shape{pool: r.Pool, hash: r.Hash, rows: len(r.Static), pair: paired, mask: of(r.Pool, paired), fixed: r.static()}
	w.count = w.mask.count()
	if r.Hash == "" && len(r.Static) > 0 {
		return w // nothing says that the rows are the same next time
	}
	if len(s.all) == maxShapes {
		s.all = s.all[1:]
	}
	s.all = append(s.all, w.shape)
	return w
}

// fits reports whether the shape is a request's too. The hash of a plan covers all of its rows.
func (s *shape) fits(r *Request, paired bool) bool {
	return s.hash == r.Hash && s.rows == len(r.Static) && s.pair == paired && s.pool.ID == r.Pool.ID && s.pool.Parity == r.Pool.Parity &&
		s.pool.Pair == r.Pool.Pair && slices.Equal(s.pool.Ranges, r.Pool.Ranges) && slices.Equal(s.pool.Protocol, r.Pool.Protocol)
}

// scratch is room for sets of numbers, for the holder of the lock.
type scratch struct{ free, doubtful, again, hard, soft, second numbers }
