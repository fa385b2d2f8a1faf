//go:build linux

package keeper

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// After so long the exec of what still runs goes to the disk, and then the journal waits for lazyDelay. Where much runs
// on few processors, what ends in a moment takes longer for it; a proof of each start would cost a tenth of what the
// attempts do. What a keeper that is killed leaves within this time is unknown, and not only what ran.
const (
	provedWithin = 1500 * time.Microsecond
	provedBusy   = 20 * time.Millisecond // with manyRunning
)

// newcomers are attempts whose exec is not yet on the disk. They get there a moment later and together: an attempt
// that ends within that moment needs no record of its start, its end says it all.
type newcomers struct {
	mu   sync.Mutex
	list []*attempt
	wake chan struct{}
}

func newNewcomers() *newcomers { return &newcomers{wake: make(chan struct{}, 1)} }

// add takes an attempt that was just executed, to be proved after a while.
func (n *newcomers) add(a *attempt, within time.Duration) {
	n.mu.Lock()
	a.proveAt = time.Now().Add(within)
	n.list = append(n.list, a)
	first := len(n.list) == 1
	n.mu.Unlock()
	if first {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// run calls prove with those that came, each after its while. They keep their order, also where the while has become shorter.
func (n *newcomers) run(ctx context.Context, prove func([]*attempt)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		for {
			due, wait := n.due(time.Now())
			if len(due) > 0 {
				prove(due)
			}
			if wait == 0 {
				break
			}
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	}
}

// due takes those that have waited long enough, and says how long the next must; 0: there is none.
func (n *newcomers) due(now time.Time) (due []*attempt, wait time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := 0
	for i < len(n.list) && !now.Before(n.list[i].proveAt) {
		i++
	}
	due = n.list[:i:i]
	n.list = n.list[i:]
	if len(n.list) > 0 {
		return due, max(n.list[0].proveAt.Sub(now), 100*time.Microsecond)
	}
	return due, 0
}

// proved writes the starts of those that still run to the journal, and gives the agent their pidfds.
func (k *keeper) proved(list []*attempt) {
	f := frame{Kind: framePass}
	var fds []int
	send := func() {
		if c := k.outbox.current(); c != nil && len(fds) > 0 {
			_ = c.send(f, fds...)
		}
		closeAll(fds)
		f.Passed, fds = nil, nil
	}
	for _, a := range list {
		if fd := a.prove(); fd >= 0 {
			f.Passed, fds = append(f.Passed, passed{Attempt: a.order.Attempt, What: whatPid}), append(fds, fd)
		}
		if len(fds) == maxDescriptors {
			send()
		}
	}
	send()
}

// prove writes the start of one that still runs. It returns a duplicate of its pidfd, or -1.
func (a *attempt) prove() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.process
	if p == nil || a.over || a.proved {
		return -1
	}
	a.out.begin(a.spool)
	a.err.begin(a.spool)
	select {
	case <-p.Done():
		return -1 // its end says it all, or proveLate does
	default:
	}
	id := p.Identity()
	if id.Ticks == 0 {
		return -1
	}
	a.proveAs(p, id)
	fd, err := unix.FcntlInt(uintptr(p.PidFD), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1
	}
	return fd
}

// proveLate writes the start of an attempt whose first process has ended, and whose tree goes on.
func (a *attempt) proveLate() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.process != nil && !a.proved {
		a.out.begin(a.spool)
		a.err.begin(a.spool)
		a.proveAs(a.process, a.process.Identity())
	}
}

func (a *attempt) proveAs(p *executor.Process, id executor.Identity) {
	k := a.k
	a.proved = true
	r := wire.Report{
		Attempt: a.order.Attempt, Position: a.entry.position, Kind: wire.Started, At: p.Started.UTC(),
		PID: p.PID, BootID: k.boot, Containment: p.Tree().Containment(),
	}
	k.reg.mu.Lock()
	r.ID = k.reg.nextID()
	k.note(record{
		Kind: recordStarted, Attempt: &r.Attempt, Position: &r.Position, Identity: &id,
		At: r.At, Clock: a.entry.clock, Boot: k.boot, Report: &r,
	}, false, r)
	k.reg.mu.Unlock()
}
