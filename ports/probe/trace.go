package probe

import (
	"context"
	"sync"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// trace finds out how far the packets of a dial come: with n hops to live, the n-th router says that they died. It needs
// no privileges. The farthest router that answers is the last one known to let packets through to the next.
func (l looker) trace(ctx context.Context, first socket.Knocked) error {
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
		return nil
	}
	return l.egress(ctx, first)
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
	if i := got.ICMP; i != nil && usedUp(*i) {
		s.Router = i.Address
	}
	return s, nil
}

// usedUp reports whether a message says that a packet has died of age.
func usedUp(i socket.ICMP) bool {
	return is4(i.Address) && i.Type == 11 || !is4(i.Address) && i.Type == 3
}

// alone keeps dials of this process from moving the counters of one that looks at them.
var alone = make(chan struct{}, 1)

// egress asks whether a silent TCP dial leaves this host at all, where no router has said so: the kernel counts what it
// could not send again. Others may move that counter, so it has to move just as often as this host tried, in the first
// dial and in another one.
func (l looker) egress(ctx context.Context, first socket.Knocked) error {
	if l.v.Protocol != ports.TCP || l.v.Egress != EgressUnknown || first.Resent == 0 || first.Unsent != first.Resent {
		return nil
	}
	select {
	case alone <- struct{}{}:
		defer func() { <-alone }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	again, err := l.knock(ctx, 0, 2*slow)
	if err != nil {
		return err
	}
	if again.Conn != nil {
		_ = again.Conn.Close()
	}
	switch {
	case again.Kind != socket.KnockSilence || again.Resent == 0 || again.Unsent < 0:
	case again.Unsent < again.Resent:
		l.v.Egress = EgressLeft
	case again.Unsent == again.Resent:
		l.v.Egress = EgressBlocked
	}
	return nil
}
