//go:build linux

package keeper

import (
	"log/slog"
	"time"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// holding is a descriptor that an agent held for an earlier keeper, or still holds for this one.
type holding struct {
	passed
	fd int
}

// inheritance is what an agent held of one attempt. -1: nothing.
type inheritance struct {
	out, err, pid int
	ended         time.Time
}

// adopt takes over what an earlier keeper left, with what the agent held of it. That happens once: with the first
// agent that connects, or without one after a while.
func (k *keeper) adopt(held []holding) {
	from := map[wire.Attempt]inheritance{}
	for _, h := range held {
		one, ok := from[h.Attempt]
		if !ok {
			one = inheritance{out: -1, err: -1, pid: -1}
		}
		slot := map[string]*int{whatStdout: &one.out, whatStderr: &one.err, whatPid: &one.pid}[h.What]
		if slot == nil || *slot >= 0 {
			closeAll([]int{h.fd})
			continue
		}
		*slot = h.fd
		if h.What == whatPid {
			one.ended = h.Ended
		}
		from[h.Attempt] = one
	}
	k.adopted.Do(func() { k.adoptAll(from) })
	for _, one := range from { // of what is over, or watched already
		closeAll([]int{one.out, one.err, one.pid})
	}
}

// adoptAll begins to watch every attempt that is not over. What it uses of from it takes out.
func (k *keeper) adoptAll(from map[wire.Attempt]inheritance) {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	for _, e := range k.reg.entries {
		if e.end != nil {
			continue
		}
		order := wire.Order{Attempt: e.attempt, Position: e.position}
		if e.order != nil {
			order = *e.order
		}
		one, ok := from[e.attempt]
		if !ok {
			one = inheritance{out: -1, err: -1, pid: -1}
		}
		delete(from, e.attempt)
		a := k.newAttempt(e, order)
		k.log.Info("taking over an attempt", slog.Any("attempt", e.attempt), slog.Bool("held", ok))
		go a.runAdopted(one, e.ending)
	}
}

// runAdopted watches an attempt that an earlier keeper started, or was about to, to its end. ending is the cancel that
// was ordered before; one that is ordered from now on comes through end.
func (a *attempt) runAdopted(from inheritance, ending *record) {
	defer a.k.live.Done()
	report := wire.Report{Kind: wire.Unknown, At: time.Now().UTC(), BootID: a.entry.boot, Reason: "keeper_died"}
	report.Detail = "the keeper that started it ended before it; the time of the end is known, the exit code is not"
	if a.entry.identity != nil {
		report.PID = a.entry.identity.PID
		started := a.entry.started
		report.StartedAt = &started
	}
	if a.entry.boot != a.k.boot {
		closeAll([]int{from.out, from.err, from.pid})
		report.Reason, report.Detail = "reboot", "the host was restarted while it ran"
		a.finishAdopted(&report)
		return
	}
	if err := a.spool.resume(); err != nil {
		a.k.log.Error("a spool is not gone on with", slog.Any("attempt", a.order.Attempt), slog.Any("cause", err))
	}
	a.spool.mark(0) // what the earlier keeper had read and not yet written is missing here
	a.inherit(from)
	id, found := a.identity()
	if !found && from.pid < 0 {
		report.Reason, report.Detail = "start", "the keeper ended between the intent and the first proof that it was executed"
		a.finishAdopted(&report)
		return
	}
	adopted := a.k.exec.Adopt(id, from.pid)
	defer adopted.Release()
	if id.Ticks != 0 {
		a.ownPorts(id.PID)
	}
	if a.entry.identity == nil && from.pid < 0 {
		report.Reason, report.Detail = "start", "the keeper ended while it was being executed; the time of the end is known, the exit code is not"
	}
	if adopted.Gone() && adopted.Tree().Empty() {
		if !from.ended.IsZero() {
			report.At = from.ended.UTC()
		}
		a.finishAdopted(&report)
		return
	}
	a.watchAdopted(adopted, ending)
	_ = adopted.Wait(a.k.ctx)
	report.At = time.Now().UTC()
	report.Leftover = a.leftover(adopted.Tree())
	a.finishAdopted(&report)
}

// identity returns what names the attempt's process: as the journal says, or as its marker shows.
func (a *attempt) identity() (executor.Identity, bool) {
	if a.entry.identity != nil {
		return *a.entry.identity, true
	}
	id, ok := a.k.exec.Find(a.marker())
	if !ok {
		id = executor.Identity{Marker: a.marker()}
	}
	return id, ok
}

func (a *attempt) inherit(from inheritance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if from.out >= 0 {
		a.out = newStream(wire.Stdout, from.out)
		a.out.begin(a.spool)
	}
	if from.err >= 0 {
		a.err = newStream(wire.Stderr, from.err)
		a.err.begin(a.spool)
	}
}

// watchAdopted lets cancel, time-out and fence work on a tree that was taken over.
func (a *attempt) watchAdopted(adopted *executor.Adopted, ending *record) {
	a.mu.Lock()
	a.tree, a.pidFD = adopted.Tree(), adopted.FD
	clock := a.entry.clock
	if clock == 0 { // not written any more: from now is later than from its exec
		clock = bootClock()
	}
	a.arm(clock)
	reason, grace := a.reason, a.grace()
	a.mu.Unlock()
	switch {
	case ending != nil:
		a.end("cancel", ending.Grace)
	case reason != "": // while it was being taken over
		a.end(reason, grace)
	}
}

// finishAdopted ends the watch. What this keeper ended itself has a known end, without a code.
func (a *attempt) finishAdopted(report *wire.Report) {
	a.finish(report)
	a.tell(*report)
}
