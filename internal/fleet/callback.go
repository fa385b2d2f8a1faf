package fleet

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Callbacks gives attempts ports of the plan on which their words are awaited, one for each. Package callback happens to
// be one.
type Callbacks interface {
	// Free returns how many more attempts can have a port, and why none can where that is so.
	Free() (int, string)
	// Expect counts an attempt that will be announced; Withdraw says that it will not be yet.
	Expect(a wire.Attempt)
	Withdraw(a wire.Attempt)
	// Announce returns where an attempt's words are awaited: again the same, until its agent has come. The lease is durable
	// when it returns. An error with After() time.Duration says when to ask again.
	Announce(ctx context.Context, agentID string, a wire.Attempt) (wire.Callback, error)
	// Ended says that the last word of an attempt has come, by whatever way.
	Ended(a wire.Attempt)
}

// CallbackPorts implements engine.Dispatcher.
func (f *Fleet) CallbackPorts() (int, string) {
	if f.cfg.Callbacks == nil {
		return -1, ""
	}
	return f.cfg.Callbacks.Free()
}

func attemptOf(c run.Command) wire.Attempt {
	return wire.Attempt{Run: c.Order.Run, Job: c.Order.Job.Name, N: c.Order.N}
}

// expect counts the ports that queued orders will need, so that no more is ordered than can be announced.
func (f *Fleet) expect(commands []run.Command) {
	if f.cfg.Callbacks == nil {
		return
	}
	for _, c := range commands {
		if !c.Cancel {
			f.cfg.Callbacks.Expect(attemptOf(c))
		}
	}
}

// withdraw takes back what expect counted, for orders that are not sent now.
func (f *Fleet) withdraw(commands []run.Command) {
	if f.cfg.Callbacks == nil {
		return
	}
	for _, c := range commands {
		if !c.Cancel {
			f.cfg.Callbacks.Withdraw(attemptOf(c))
		}
	}
}

// together is how many ports are leased at once: they share a sync of the ledger.
const together = 32

// announce leases a port for each start of a batch, and returns what can be sent. A start for which there is none stays
// open, says for what it waits, and is tried again.
func (f *Fleet) announce(ctx context.Context, id string, again func([]run.Command, time.Duration), batch []run.Command) ([]run.Command, map[wire.Attempt]*wire.Callback) {
	if f.cfg.Callbacks == nil {
		return batch, nil
	}
	found := make([]wire.Callback, len(batch))
	errs := make([]error, len(batch))
	var group sync.WaitGroup
	slots := make(chan struct{}, together)
	for i, c := range batch {
		if c.Cancel {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			found[i], errs[i] = f.cfg.Callbacks.Announce(ctx, id, attemptOf(c))
		})
	}
	group.Wait()
	calls := map[wire.Attempt]*wire.Callback{}
	send := make([]run.Command, 0, len(batch))
	var told []run.Report
	for i, c := range batch {
		switch {
		case c.Cancel:
		case errs[i] != nil:
			told = append(told, run.Report{Run: c.Order.Run, Input: run.Deferred{
				Job: c.Order.Job.Name, N: c.Order.N, Reason: run.ReasonCallback, Detail: errs[i].Error(),
			}})
			again([]run.Command{c}, pauseFor(errs[i]))
			continue
		default:
			calls[attemptOf(c)] = &found[i]
		}
		send = append(send, c)
	}
	if len(told) > 0 {
		f.cfg.Desk().Report(ctx, id, told)
	}
	return send, calls
}

// pauseFor is how long to wait before a port is asked for again.
func pauseFor(err error) time.Duration {
	var later interface{ After() time.Duration }
	if errors.As(err, &later) {
		return min(max(later.After(), 10*time.Millisecond), refusedPause)
	}
	return refusedPause
}

// ended tells the callbacks whose last word has been committed.
func (f *Fleet) ended(reports []wire.Report, acked []int64) {
	if f.cfg.Callbacks == nil {
		return
	}
	done := make(map[int64]bool, len(acked))
	for _, id := range acked {
		done[id] = true
	}
	for _, r := range reports {
		if r.Kind != wire.Started && done[r.ID] {
			f.cfg.Callbacks.Ended(r.Attempt)
		}
	}
}

// Heard books a sign of life of an agent that did not come over its link.
func (f *Fleet) Heard(agentID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a, ok := f.agents[agentID]; ok {
		a.heard(f.cfg.Now())
	}
}

// Reports takes what an agent says of its attempts, as on a link.
func (f *Fleet) Reports(ctx context.Context, agentID string, in wire.Reports) (wire.ReportsReply, error) {
	return f.reports(ctx, agentID, in)
}

// Output takes what attempts of an agent wrote, as on a link.
func (f *Fleet) Output(ctx context.Context, agentID string, in wire.OutputChunks) (wire.OutputReply, error) {
	return f.output(ctx, agentID, in)
}

// OutputHave says how much of the attempts' output there is, as on a link.
func (f *Fleet) OutputHave(ctx context.Context, agentID string, in []wire.Attempt) (wire.OutputReply, error) {
	return f.outputHave(ctx, agentID, in)
}

// PutArtifact stores bytes that hash to sum, as on a link.
func (f *Fleet) PutArtifact(ctx context.Context, sum string, body io.Reader) (fresh bool, err error) {
	return f.cfg.Shelf.PutArtifact(ctx, sum, body)
}
