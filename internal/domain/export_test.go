package domain

// AwaitSweep waits until no sweep runs.
func (s *Service) AwaitSweep() {
	s.sweeps.mu.Lock()
	running := s.sweeps.running
	s.sweeps.mu.Unlock()
	if running != nil {
		<-running
	}
}
