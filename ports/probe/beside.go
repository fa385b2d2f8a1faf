package probe

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
)

// The second dial beside a silent one: it begins when the neighbour table of a router is about to give up, and ends before
// the system would send its first packet again, so that it moves no counter.
const (
	besideFrom = 2400 * time.Millisecond
	besideTill = 3300 * time.Millisecond
	sameMoment = 150 * time.Millisecond
)

// first dials, and says whether a second dial that began later was refused at the same moment. A neighbour table that
// misses a host says so to all who wait; a box that rejects answers each by itself.
func (l looker) first(ctx context.Context) (got socket.Knocked, together bool, err error) {
	if l.dial.Patience < besideTill {
		got, err = l.knock(ctx, 0, l.dial.Patience)
		return got, false, err
	}
	begun := time.Now()
	aside, stop := context.WithCancel(ctx)
	defer stop()
	ends := make(chan time.Duration, 1)
	go func() {
		defer close(ends)
		select {
		case <-aside.Done():
			return
		case <-time.After(besideFrom):
		}
		other, err := l.knock(aside, 0, besideTill-besideFrom)
		if other.Conn != nil {
			_ = other.Conn.Close()
		}
		if err == nil && other.Kind == socket.KnockNoHost && other.ICMP != nil {
			ends <- time.Since(begun)
		}
	}()
	got, err = l.knock(ctx, 0, l.dial.Patience)
	ended := time.Since(begun)
	if err != nil || got.Kind != socket.KnockNoHost || got.ICMP == nil || ended < missed {
		stop()
		<-ends
		return got, false, err
	}
	other, refused := <-ends
	return got, refused && (other-ended).Abs() < sameMoment, nil
}
