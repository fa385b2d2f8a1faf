package agent

import "github.com/reeve-scheduler/reeve/internal/wire"

// claim makes a spool a lane's: from now on it is sent by that alone, which is woken when there is more. have is what the
// server said that it has; -1: it wants none.
func (s *spools) claim(a wire.Attempt, wake chan<- struct{}, have int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.past[a] {
		return
	}
	sp := s.spool(a)
	sp.lane, sp.queued, sp.asking = wake, false, false
	s.follow(wire.OutputReply{Have: []wire.OutputOffset{{Attempt: a, Have: have}}})
	s.settle(a, sp)
}

// unclaim gives a spool back to the link, if it is still that lane's.
func (s *spools) unclaim(a wire.Attempt, wake chan<- struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp, ok := s.known[a]; ok && sp.lane == wake {
		sp.lane = nil
		s.enqueue(a, sp)
	}
}

// piece returns what a lane sends next of its spool.
func (s *spools) piece(a wire.Attempt) (piece, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, ok := s.known[a]
	if !ok || sp.gone || sp.have >= sp.size {
		return piece{}, false
	}
	return piece{attempt: a, offset: sp.have, size: int(min(sp.size-sp.have, wire.MaxChunk))}, true
}

// owes reports whether the server has not all of a spool.
func (s *spools) owes(a wire.Attempt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, ok := s.known[a]
	return ok && !sp.gone && (sp.have < sp.size || sp.have < sp.end)
}
