package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	slimEvery  = time.Second
	slimStart  = 2        // looks, after which a start is over
	slimWindow = 10       // looks over which little must have been done, or nothing have changed
	slimLinks  = 50       // so many must have come or gone
	slimTimes  = 3        // a stack that was deep once shrinks by half each time
	manyLinks  = 100      // fewer take little, however late what they leave is collected
	quietBytes = 40 << 20 // allocated in a window where little is done
	burstBytes = 24 << 20 // allocated between two looks: much is done now
	quietGC    = 10       // per cent: collecting so often costs little where little is done
	busyGC     = 100      // per cent: as a program that sets nothing
)

// slim keeps the memory of a server small that has many links and little to do. Handshakes take several times what
// links keep, which is given back once their number is steady; and what heartbeats leave is collected sooner than where
// much is done.
func (s *Server) slim(ctx context.Context) error {
	tick := time.NewTicker(slimEvery)
	defer tick.Stop()
	defer debug.SetGCPercent(busyGC)
	var c collecting
	slimmed, last, steady, gc := 0, 0, 0, busyGC
	for looks := 1; ; looks++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if looks == slimStart {
			debug.FreeOSMemory() // the port plan was read and compiled, and much else is done once
		}
		now := s.links.Count()
		if want := c.want(allocations(), now); want != gc {
			gc = want
			debug.SetGCPercent(gc)
		}
		if steady++; now != last {
			steady = 0
		}
		if steady >= slimWindow && max(now-slimmed, slimmed-now) >= slimLinks {
			for range slimTimes {
				debug.FreeOSMemory()
			}
			slimmed = now
		}
		last = now
	}
}

// collecting decides how often garbage is collected, by what is allocated.
type collecting struct {
	looks       int
	last, begin uint64 // bytes at the last look, and when the window began
	gc          int
}

// want returns the percentage after one more look.
func (c *collecting) want(total uint64, links int) int {
	burst := total-c.last > burstBytes
	c.last = total
	if c.looks++; c.looks < slimWindow && !burst && c.gc != 0 {
		return c.gc
	}
	c.gc = busyGC
	if links >= manyLinks && !burst && c.looks >= slimWindow && total-c.begin < quietBytes {
		c.gc = quietGC
	}
	c.looks, c.begin = 0, total
	return c.gc
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
