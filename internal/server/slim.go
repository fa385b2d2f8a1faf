package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	slimEvery = 10 * time.Second
	slimLinks = 50      // so many must have come or gone
	slimTimes = 3       // a stack that was deep once shrinks by half each time
	quietRate = 4 << 20 // bytes a second that are allocated where little is done
	quietGC   = 10      // per cent: collecting so often costs little then
	busyGC    = 100     // per cent: as a program that sets nothing
)

// slim keeps the memory of a server small that has many links and little to do. Handshakes take several times what
// links keep, which is given back once their number is steady; and what heartbeats leave is collected sooner than where
// much is done.
func (s *Server) slim(ctx context.Context) error {
	tick := time.NewTicker(slimEvery)
	defer tick.Stop()
	slimmed, last, was, allocated := 0, 0, busyGC, allocations()
	defer debug.SetGCPercent(busyGC)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, total, want := len(s.links.All()), allocations(), busyGC
		if total-allocated < quietRate*uint64(slimEvery/time.Second) {
			want = quietGC
		}
		if want != was {
			debug.SetGCPercent(want)
		}
		if now == last && max(now-slimmed, slimmed-now) >= slimLinks {
			for range slimTimes {
				debug.FreeOSMemory()
			}
			slimmed = now
		}
		last, was, allocated = now, want, total
	}
}

// allocations is how many bytes the program has allocated since its start.
func allocations() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
