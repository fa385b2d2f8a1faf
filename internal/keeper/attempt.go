//go:build linux

package keeper

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const defaultGrace = 10 * time.Second

// attempt is one that this keeper watches: from its intent, or from taking it over, to its end.
type attempt struct {
	k     *keeper
	entry *entry
	order wire.Order // of one that was taken over: without what only the start needs
	place place
	spool *spool
	out   *stream // nil: nobody holds the pipe any more
	err   *stream

	pipes   [4]int    // until they are given on: read and write end of stdout, of stderr
	failed  error     // they could not be made
	sockets []Socket  // of its ports, until it is executed
	proveAt time.Time // of a newcomer

	mu      sync.Mutex
	process *executor.Process // nil: not executed, ended, or taken over
	pidFD   func() int        // nil: nobody has it
	tree    *executor.Tree    // nil: nothing to end
	proved  bool              // the start is in the journal
	over    bool              // its end is decided
	reason  string            // why it is ended: timeout, cancel, fenced
	endBy   context.CancelFunc
	killAt  time.Time // when what is being ended is killed
	ending  sync.WaitGroup
	timeout *deadline
	fence   *deadline
}

// newAttempt builds the watcher of an entry and counts it as running. The caller holds the registry.
func (k *keeper) newAttempt(e *entry, o wire.Order) *attempt {
	a := &attempt{k: k, entry: e, order: o, place: k.folders.of(o.Attempt, o.RunAs)}
	limit := o.MaxOutput
	if limit <= 0 {
		limit = k.cfg.MaxOutput
	}
	a.spool = &spool{path: a.place.spool(), limit: limit, memory: k.memory, grown: func(size int64) { k.outbox.grown(o.Attempt, size) }}
	e.live = a
	k.reg.running++
	k.live.Add(1)
	return a
}

// run executes the attempt, whose intent is on the disk, and watches it to its end.
func (a *attempt) run() {
	defer a.k.live.Done()
	report := wire.Report{Kind: wire.Ended}
	p, err := a.start()
	closeAll(a.pipes[:])
	closeSockets(a.sockets) // it has its own now, and nobody else may keep the port open (F55)
	a.sockets = nil
	if err != nil {
		a.fillError(&report, err)
		a.tell(report)
		return
	}
	within := provedWithin
	if a.k.running() >= manyRunning {
		within = provedBusy
	}
	a.k.news.add(a, within)
	a.ownPorts(p.PID)
	<-p.Done()
	exit := p.Exit()
	a.fillExit(&report, p, exit)
	report.Leftover = a.leftover(p.Tree())
	a.finish(&report)
	a.tell(report)
	p.Release()
}

// arm sets the time-out, and the fence where the agent's tenure bounds the attempt. The caller holds mu.
func (a *attempt) arm(started time.Duration) {
	a.entry.clock = started
	if a.order.Timeout > 0 {
		a.timeout = a.k.deadlines.after(started+a.order.Timeout, func() { a.end("timeout", a.grace()) })
	}
	if a.order.OnLost == "stop" {
		a.k.reg.mu.Lock()
		tenure := a.k.reg.tenure
		a.k.reg.mu.Unlock()
		a.setFence(tenure)
	}
}

// renew moves the fence to a new end of the tenure.
func (a *attempt) renew(tenure time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.order.OnLost == "stop" && !a.over && a.tree != nil {
		a.setFence(tenure)
	}
}

// setFence arranges that nothing of the attempt is left at the end of the tenure: what it gets of its grace lies
// before it. Without a tenure there is no fence. The caller holds mu.
func (a *attempt) setFence(tenure time.Duration) {
	a.k.deadlines.stop(a.fence)
	if tenure <= 0 {
		return
	}
	grace := min(a.grace(), max(tenure-bootClock(), 0)/3)
	a.fence = a.k.deadlines.after(tenure-grace, func() { a.end("fenced", grace) })
}

func (a *attempt) grace() time.Duration {
	if a.order.Grace > 0 {
		return a.order.Grace
	}
	return defaultGrace
}

// end ends the tree: TERM, the grace, then nothing is left of it. The first reason counts; a later call can only
// shorten the grace. It does not wait.
func (a *attempt) end(reason string, grace time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	if a.reason == "" {
		a.reason = reason
	}
	if a.tree == nil { // not executed yet: start sees the reason
		return
	}
	killAt := time.Now().Add(grace)
	if a.endBy != nil {
		if !killAt.Before(a.killAt) {
			return
		}
		a.endBy()
	}
	ctx, cancel := context.WithCancel(a.k.ctx)
	a.endBy, a.killAt = cancel, killAt
	tree := a.tree
	a.ending.Add(1)
	go func() {
		defer a.ending.Done()
		if err := tree.End(ctx, grace); err != nil && ctx.Err() == nil {
			a.k.log.Error("a tree of processes could not be ended", slog.Any("attempt", a.order.Attempt), slog.Any("cause", err))
		}
	}()
}

// leftover deals with what remains when the first process has ended, and returns how many processes that were.
func (a *attempt) leftover(tree *executor.Tree) int {
	left := tree.Left()
	a.mu.Lock()
	wanted := a.reason != ""
	a.mu.Unlock()
	if left > 0 && !wanted {
		a.proveLate()
		switch a.order.OnLeftover {
		case "detach":
			return left
		case "wait":
			_ = tree.Wait(a.k.ctx)
		default:
			if err := tree.End(a.k.ctx, a.grace()); err != nil {
				a.k.log.Error("a tree of processes could not be ended", slog.Any("attempt", a.order.Attempt), slog.Any("cause", err))
			}
		}
	}
	a.ending.Wait() // what was ended is proved to be gone
	if wanted {
		return 0
	}
	return left
}

// finish decides the end, reads the pipes to where they are, and takes what the job left for others.
func (a *attempt) finish(report *wire.Report) {
	a.mu.Lock()
	a.over = true
	a.process, a.tree, a.pidFD = nil, nil, nil
	if a.reason != "" { // what was ended here has a known end, whatever its code
		report.Kind, report.Reason, report.Detail = wire.Ended, a.reason, ""
	}
	a.k.deadlines.stop(a.timeout)
	a.k.deadlines.stop(a.fence)
	if a.endBy != nil {
		a.endBy()
	}
	a.mu.Unlock()
	detached := report.Leftover > 0 && a.order.OnLeftover == "detach"
	for _, s := range []*stream{a.out, a.err} {
		a.drain(s, detached)
	}
	size, lost, err := a.spool.finish()
	report.Output, report.Lost = size, lost
	if err != nil && report.Reason == "" {
		report.Reason, report.Detail = "disk", err.Error()
	}
	if report.Kind != wire.Ended {
		return
	}
	var bad error
	if report.Outputs, bad = readOutputs(a.place.output()); bad != nil && report.Reason == "" {
		report.Reason, report.Detail = "output_limit", bad.Error()
	}
	if report.Artifacts, bad = keepArtifacts(a.place.work(), a.order.Artifacts); bad != nil && report.Reason == "" && a.well(report) {
		report.Reason, report.Detail = "artifact", bad.Error()
	}
}

// drain reads a pipe until all writers have closed it; whoever was let go on is not waited for.
func (a *attempt) drain(s *stream, detached bool) {
	if s == nil {
		return
	}
	if s.unread() && !s.rest(a.spool) { // over before anybody began to read, and whole
		s.close()
		return
	}
	s.begin(a.spool)
	if !detached {
		timer := time.NewTimer(time.Second)
		defer timer.Stop()
		select {
		case <-s.done:
			s.close()
			return
		case <-timer.C: // somebody outside the tree was given the other end
		}
	}
	s.stop(a.spool)
	if detached {
		go s.discard()
		return
	}
	s.close()
}

// well reports whether the exit code is among those that the order calls good.
func (a *attempt) well(r *wire.Report) bool {
	if r.ExitCode == nil {
		return false
	}
	code := *r.ExitCode
	for _, c := range a.order.OK {
		if c == code {
			return true
		}
	}
	for _, c := range a.order.Warn {
		if c == code {
			return true
		}
	}
	return len(a.order.OK) == 0 && code == 0
}

func (a *attempt) fillExit(r *wire.Report, p *executor.Process, e executor.Exit) {
	started := p.Started.UTC()
	r.At, r.StartedAt, r.PID, r.BootID = e.At.UTC(), &started, p.PID, a.k.boot
	r.Containment = p.Tree().Containment()
	r.CPU, r.MaxRSS = e.CPU, e.MaxRSS
	if e.Signal != "" {
		r.Signal = e.Signal
		return
	}
	r.ExitCode = &e.Code
}

// fillError says why the attempt was not executed.
func (a *attempt) fillError(r *wire.Report, err error) {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	if a.spool.copy != nil {
		_ = a.spool.copy.Close()
	}
	r.At = time.Now().UTC()
	var start *executor.StartError
	switch {
	case errors.As(err, &start):
		r.Reason, r.Detail = start.Reason, start.Detail
	case noRoom(err):
		r.Reason, r.Detail = "disk", err.Error()
	default:
		r.Reason, r.Detail = "exec", err.Error()
	}
}

// tell writes the end to the journal; it is reported once it is on the disk. Its ports are given back before: who hears of
// the end may want them.
func (a *attempt) tell(r wire.Report) {
	k := a.k
	a.releasePorts()
	r.Attempt, r.Position = a.order.Attempt, a.entry.position
	k.reg.mu.Lock()
	r.ID = k.reg.nextID()
	a.entry.live = nil
	k.reg.running--
	g := k.note(record{Kind: recordExit, Attempt: &r.Attempt, Position: &r.Position, Report: &r}, true, r)
	k.reg.mu.Unlock()
	_ = g.wait(k.ctx) // a failed journal ends the keeper
}
