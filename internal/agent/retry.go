package agent

import (
	"math/rand/v2"
	"time"
)

// backoff spaces tries that failed: the first at once doubled each time, up to most, each with up to half of it
// taken off by chance, so that a thousand agents do not come back in step.
type backoff struct {
	first, most time.Duration
	next        time.Duration
}

// wait returns how long to wait before the next try.
func (b *backoff) wait() time.Duration {
	if b.next == 0 {
		b.next = b.first
	}
	d := b.next
	b.next = min(2*b.next, b.most)
	return d - rand.N(d/2+1)
}

// reset says that a try succeeded.
func (b *backoff) reset() { b.next = 0 }
