package agent

import (
	"sync"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// spools is what is known of the output that is on this host: how long each spool is, how much of it the server has,
// and whether the attempt is over. Its methods may be called from many goroutines.
type spools struct {
	forget func(a wire.Attempt) // told that the server has all that it wants of an attempt: report and output

	mu    sync.Mutex
	known map[wire.Attempt]*spool
	queue []wire.Attempt // those with bytes to send, each once
	ask   []wire.Attempt // those of which a new server has not said how much it has
	round int            // counts the questions to new servers
	// past are the attempts that were settled last: news of them is late.
	past     map[wire.Attempt]bool
	pastList []wire.Attempt
}

// maxPast is how many settled attempts are remembered.
const maxPast = 4096

type spool struct {
	position wire.Position // zero: not known, because an earlier agent reported the start
	size     int64         // written by the keeper
	have     int64         // confirmed by the server
	end      int64         // size of the whole; -1: the end is not committed
	asking   bool          // have is not known on this link yet
	queued   bool
	gone     bool // the server wants no more, or the file is not there
	// lane is woken where the attempt's callback sends its output; nil: it goes over the link.
	lane chan<- struct{}
}

// piece is what the next request takes of a spool.
type piece struct {
	attempt wire.Attempt
	offset  int64
	size    int
}

func newSpools() spools {
	return spools{known: map[wire.Attempt]*spool{}, past: map[wire.Attempt]bool{}}
}

// waiting reports whether there is anything to ask or to send.
func (s *spools) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ask)+len(s.queue) > 0
}

// grow takes in how long a spool is.
func (s *spools) grow(a wire.Attempt, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.past[a] {
		return
	}
	sp := s.spool(a)
	sp.size = max(sp.size, size)
	s.enqueue(a, sp)
}

// place takes in where an attempt stands in the agent's count.
func (s *spools) place(a wire.Attempt, p wire.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.past[a] {
		s.spool(a).position = p
	}
}

// finish takes in that the end of an attempt is committed: when its output is, too, the attempt may be forgotten.
func (s *spools) finish(a wire.Attempt, p wire.Position, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.past[a] { // the server asked once more; its output was all there
		s.forget(a)
		return
	}
	sp := s.spool(a)
	sp.position, sp.end = p, size
	sp.size = max(sp.size, size)
	s.enqueue(a, sp)
	s.settle(a, sp)
}

// spool returns what is known of an attempt's spool. A new one begins at 0; where the server has more, its first
// answer says so. The lock is held, here and below.
func (s *spools) spool(a wire.Attempt) *spool {
	sp, ok := s.known[a]
	if !ok {
		sp = &spool{end: -1}
		s.known[a] = sp
	}
	return sp
}

func (s *spools) enqueue(a wire.Attempt, sp *spool) {
	if sp.lane != nil {
		select {
		case sp.lane <- struct{}{}:
		default: // it is awake already
		}
		return
	}
	if !sp.queued && !sp.asking && !sp.gone && sp.have < sp.size {
		sp.queued = true
		s.queue = append(s.queue, a)
	}
}

// settle lets an attempt go when nothing of it is left to be sent.
func (s *spools) settle(a wire.Attempt, sp *spool) {
	if sp.end < 0 || sp.asking || !sp.gone && sp.have < sp.end {
		return
	}
	delete(s.known, a)
	if !s.past[a] {
		s.past[a] = true
		s.pastList = append(s.pastList, a)
	}
	if len(s.pastList) > maxPast {
		delete(s.past, s.pastList[0])
		s.pastList = s.pastList[1:]
	}
	s.forget(a)
}

// safe returns how far of a mark the keeper may forget. What it forgets is removed with its output, so nothing that is
// over and not sent may be below. It is false where that cannot be said yet.
func (s *spools) safe(epoch, mark int64) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.known {
		if sp.gone || !sp.asking && sp.have >= sp.size {
			continue
		}
		if sp.position.Epoch < epoch { // also one whose place is not known
			return 0, false
		}
		if sp.position.Epoch == epoch {
			mark = min(mark, sp.position.Seq-1)
		}
	}
	return mark, true
}

// askAll prepares the question to a server that may have more, or less, than the last one said.
func (s *spools) askAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue, s.ask = nil, nil
	s.round++
	for a, sp := range s.known {
		if sp.lane != nil {
			continue // its callback has asked
		}
		sp.queued, sp.asking = false, true
		s.ask = append(s.ask, a)
	}
}

// question returns the next attempts to ask for.
func (s *spools) question() (asked []wire.Attempt, round int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ask[:min(len(s.ask), maxAsked)], s.round
}

// answered takes in what a server said that it has.
func (s *spools) answered(asked []wire.Attempt, round int, reply wire.OutputReply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if round != s.round {
		return // the link has changed, and there is a new question
	}
	s.ask = s.ask[len(asked):]
	s.follow(reply)
	for _, a := range asked {
		if sp, ok := s.known[a]; ok {
			sp.asking = false
			s.enqueue(a, sp)
			s.settle(a, sp)
		}
	}
}

// plan takes pieces off the queue in turn, up to the budget. It reports whether the budget was used up.
func (s *spools) plan(budget int64) (pieces []piece, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && budget > 0 {
		a := s.queue[0]
		s.queue = s.queue[1:]
		sp, ok := s.known[a]
		if !ok || !sp.queued {
			continue
		}
		sp.queued = false
		if sp.gone || sp.have >= sp.size {
			continue
		}
		n := min(sp.size-sp.have, wire.MaxChunk, budget)
		budget -= n
		pieces = append(pieces, piece{attempt: a, offset: sp.have, size: int(n)})
	}
	return pieces, budget <= 0 || len(s.queue) > 0
}

// sent takes in what a server said to chunks; an empty answer: it said nothing. It reports whether anything moved.
func (s *spools) sent(pieces []piece, reply wire.OutputReply) (moved bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	moved = s.follow(reply)
	for _, p := range pieces {
		if sp, ok := s.known[p.attempt]; ok {
			s.enqueue(p.attempt, sp)
			s.settle(p.attempt, sp)
		}
	}
	return moved
}

// follow goes to where the server's answer says, which may be further back.
func (s *spools) follow(reply wire.OutputReply) (moved bool) {
	for _, h := range reply.Have {
		sp, ok := s.known[h.Attempt]
		if !ok {
			continue
		}
		moved = moved || h.Have != sp.have
		if h.Have < 0 {
			sp.gone = true
			continue
		}
		sp.have = h.Have
	}
	return moved
}

// drop gives up a spool that cannot be read. It returns how far the server has it, and false where it was forgotten
// already and only late news brought it back here.
func (s *spools) drop(a wire.Attempt, missing bool) (have int64, was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, ok := s.known[a]
	if !ok {
		return 0, false
	}
	if missing && sp.end < 0 {
		delete(s.known, a)
		return 0, false
	}
	sp.gone = true
	return sp.have, true
}
