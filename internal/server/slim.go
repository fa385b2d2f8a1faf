package server

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	slimEvery = 10 * time.Second
	slimLinks = 50 // so many must have come or gone
)

// slim gives memory back once many links have come or gone: handshakes take several times what links keep, and an idle
// server collects it only after minutes.
func (s *Server) slim(ctx context.Context) error {
	tick := time.NewTicker(slimEvery)
	defer tick.Stop()
	slimmed, last := 0, 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := len(s.links.All())
		if settled := now == last; settled && max(now-slimmed, slimmed-now) >= slimLinks {
			debug.FreeOSMemory()
			slimmed = now
		}
		last = now
	}
}
