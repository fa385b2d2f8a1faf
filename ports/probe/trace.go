package probe

import (
	"context"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// trace finds out how far the packets of a dial come: with n hops to live, the n-th router says that they died. It needs
// no privileges. The farthest router that answers is the last one known to let packets through to the next.
func (l looker) trace(ctx context.Context) error {
	steps := make([]TraceStep, maxHops)
	errs := make([]error, maxHops)
	var all sync.WaitGroup
	for i := range steps {
		all.Go(func() { steps[i], errs[i] = l.step(ctx, i+1) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return unlessNoHops(err)
		}
	}
	last := 0
	for i, s := range steps {
		if s.Router.IsValid() {
			last = i + 1
		}
	}
	if last == 0 { // routers answer seldom: once more, alone
		again, err := l.step(ctx, 1)
		if err != nil {
			return err
		}
		steps[0] = again
		if again.Router.IsValid() {
			last = 1
		}
	}
	l.v.Trace = steps[:min(last+1, maxHops)]
	if last > 0 {
		l.v.Egress = EgressLeft
	}
	return nil
}

// step dials with so many hops to live.
func (l looker) step(ctx context.Context, hops int) (TraceStep, error) {
	got, err := l.knock(ctx, hops, tracePatience)
	if err != nil {
		return TraceStep{}, err
	}
	if got.Conn != nil {
		_ = got.Conn.Close()
	}
	s := TraceStep{TTL: hops, Outcome: outcomeOf(got.Kind)}
	if i := got.ICMP; i != nil && icmpUsedUp(&ICMP{Type: i.Type, Code: i.Code, Address: i.Address}) {
		s.Router = i.Address
	}
	return s, nil
}

// egressPatience is enough for the system to send the first packet again.
const egressPatience = 1300 * time.Millisecond

// egress asks whether a silent TCP dial leaves this host at all, where the kernel has counted what it could not send again. Others may move that counter, so it has to move just as often as this host tried, twice in a row.
func (l looker) egress(ctx context.Context, first socket.Knocked) error {
	if l.v.Protocol != ports.TCP || l.v.Egress != EgressUnknown || first.Resent == 0 || first.Unsent < first.Resent {
		return nil
	}
	if l.dial.Alone != nil {
		l.dial.Alone.Lock()
		defer l.dial.Alone.Unlock()
	}
	equal := 0
	if first.Unsent == first.Resent {
		equal = 1
	}
	for ; equal < 2; equal++ {
		got, err := l.knock(ctx, 0, egressPatience)
		if err != nil {
			return err
		}
		if got.Conn != nil {
			_ = got.Conn.Close()
		}
		if got.Kind != socket.KnockSilence || got.Resent == 0 || got.Unsent > got.Resent {
			return nil // it is not silent any more, or somebody else moves the counter too
		}
		if got.Unsent < got.Resent {
			l.v.Egress = EgressLeft
			return nil
		}
	}
	l.v.Egress = EgressBlocked
	return nil
}
