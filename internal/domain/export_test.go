package domain

import "time"

// AwayText is how long it is from one instant to another.
func AwayText(from, to time.Time) string { return awayText(from, to) }

// AwaitSweep waits until no sweep runs.
func (s *Service) AwaitSweep() {
	s.sweeps.mu.Lock()
	running := s.sweeps.running
	s.sweeps.mu.Unlock()
	if running != nil {
		<-running
	}
}
