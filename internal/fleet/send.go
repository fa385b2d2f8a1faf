package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	batchSize    = 256                    // commands in one request
	refusedPause = 2 * time.Second        // before what an agent refused for now is sent again
	fetchPause   = 200 * time.Millisecond // the same, where it only still fetches what the attempt needs
)

// fence is what a job may show to others to prove that it is not an older attempt.
func fence(c run.Command) string { return fmt.Sprintf("%d.%d", c.Epoch, c.Seq) }

// Serve carries commands to the agent at the other end of l until the link or ctx ends. Call it for each new
// link; a newer link of the same agent ends the older one.
func (f *Fleet) Serve(ctx context.Context, l *link.Link) {
	id := l.Peer().ID
	a := f.attach(id, l)
	if a == nil {
		l.Close("not an agent of this domain")
		return
	}
	defer f.detach(id, l)
	outstanding, err := f.outstanding(ctx, id)
	if err != nil {
		f.cfg.Log.Error("reading what is open on an agent", slog.Any("agent", id), slog.Any("error", err))
		l.Close("the server cannot read its store")
		return
	}
	f.mu.Lock()
	f.expect(outstanding)
	a.push(outstanding...)
	f.mu.Unlock()
	f.cfg.Desk().Kick()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.Done():
			return
		case <-a.wake:
		}
		if f.replaced(a, l) {
			return // what woke it is the newer link's, which has been woken in its place
		}
		if err := f.flush(ctx, a, l); err != nil {
			f.cfg.Log.Warn("sending commands", slog.Any("agent", l.Peer().Name), slog.Any("error", err))
			l.Close("commands could not be sent: " + err.Error())
			return
		}
	}
}

// outstanding reads what is open on an agent, on a goroutine of its own: the stack that a query of the store needs would
// stay with the link for its life.
func (f *Fleet) outstanding(ctx context.Context, id string) (all []run.Command, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		all, err = f.cfg.Desk().Outstanding(ctx, id)
	}()
	<-done
	return all, err
}

// replaced reports whether a newer link of the agent has taken the place of l, and hands its wake-up on to it.
func (f *Fleet) replaced(a *agent, l *link.Link) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.link == l {
		return false
	}
	a.push()
	return true
}

// attach makes l the agent's current link.
func (f *Fleet) attach(id string, l *link.Link) *agent {
	f.mu.Lock()
	a, ok := f.agents[id]
	if !ok {
		f.mu.Unlock()
		return nil
	}
	old := a.link
	f.withdraw(a.queue)
	a.link, a.queue = l, nil
	a.status.Linked, a.status.Since, a.status.Address = true, f.cfg.Now(), fmt.Sprint(l.RemoteAddr())
	a.status.Row, a.status.Turn, a.status.Dialled = l.Row(), l.Turn(), l.Dialled()
	a.status.Port = portOf(l)
	a.heard(f.cfg.Now())
	f.mu.Unlock()
	if old != nil {
		old.Close("replaced by a newer link")
	}
	f.cfg.Log.Info("agent linked", slog.Any("agent", l.Peer().Name), slog.Any("address", l.RemoteAddr()))
	f.cfg.Changed(id)
	return a
}

// portOf is this server's port of a link that it accepted.
func portOf(l *link.Link) int {
	if a, ok := l.LocalAddr().(*net.TCPAddr); ok && !l.Dialled() {
		return a.Port
	}
	return 0
}

func (f *Fleet) detach(id string, l *link.Link) {
	f.mu.Lock()
	a, ok := f.agents[id]
	current := ok && a.link == l
	if current {
		f.withdraw(a.queue)
		a.link, a.queue = nil, nil
		a.status.Linked, a.status.Heard = false, f.cfg.Now()
		a.status.Closed, a.failed = fmt.Sprint(l.Err()), a.status.Heard
	}
	f.mu.Unlock()
	if current {
		f.cfg.Log.Info("agent no longer linked", slog.Any("agent", l.Peer().Name), slog.Any("reason", l.Err()))
		f.cfg.Changed(id)
	}
}

// flush sends all that is queued.
func (f *Fleet) flush(ctx context.Context, a *agent, l *link.Link) error {
	for {
		f.mu.Lock()
		if a.link != l || len(a.queue) == 0 {
			f.mu.Unlock()
			return nil
		}
		n := min(len(a.queue), batchSize)
		batch := a.queue[:n:n]
		a.queue = a.queue[n:]
		message := wire.Commands{Epoch: max(a.epoch, batch[0].Epoch), Mark: a.mark}
		f.mu.Unlock()

		again := func(commands []run.Command, pause time.Duration) { f.later(a, l, commands, pause) }
		batch, calls := f.announce(ctx, l.Peer().ID, again, batch)
		if len(batch) == 0 {
			continue
		}
		byAttempt := make(map[wire.Attempt]run.Command, n)
		for _, c := range batch {
			attempt := attemptOf(c)
			byAttempt[attempt] = c
			if c.Cancel {
				message.Cancels = append(message.Cancels, wire.Cancel{
					Attempt: attempt, Position: wire.Position{Epoch: c.Epoch, Seq: c.Seq}, Grace: c.Order.Job.Grace,
				})
				continue
			}
			one := order(c)
			one.Callback = calls[attempt]
			message.Orders = append(message.Orders, one)
		}
		var reply wire.CommandsReply
		late := time.AfterFunc(slowAfter, func() { f.slow(l.Peer().ID) })
		err := post(ctx, l, wire.PathCommands, message, &reply)
		late.Stop()
		if err != nil {
			return err
		}
		f.refused(ctx, a, l, reply.Refused, byAttempt)
	}
}

// refused books what the agent did not take: for good as never started, for now to be sent again.
func (f *Fleet) refused(ctx context.Context, a *agent, l *link.Link, refused []wire.Refusal, sent map[wire.Attempt]run.Command) {
	var final, deferred []run.Report
	var again, fetching []run.Command
	for _, r := range refused {
		c, ok := sent[r.Attempt]
		if !ok {
			continue
		}
		if !r.Final && r.Reason == string(run.ReasonDelivery) {
			fetching = append(fetching, c)
			continue
		}
		level := slog.LevelWarn
		if !r.Final {
			level = slog.LevelDebug // the job says it for as long as it waits
		}
		f.cfg.Log.Log(ctx, level, "agent refuses a command", slog.Any("agent", l.Peer().Name), slog.Any("run", r.Attempt.Run), slog.Any("job", r.Attempt.Job), slog.Any("reason", r.Reason), slog.Any("detail", r.Detail))
		if !r.Final {
			again = append(again, c)
			if reason, detail := listed(wire.NeverStarted, r.Reason, r.Detail); !c.Cancel && reason == r.Reason {
				deferred = append(deferred, run.Report{Run: r.Attempt.Run, Input: run.Deferred{
					Job: r.Attempt.Job, N: r.Attempt.N, Reason: run.Reason(reason), Detail: detail,
				}})
			}
			continue
		}
		if f.cfg.Callbacks != nil {
			f.cfg.Callbacks.Ended(r.Attempt)
		}
		reason, detail := listed(wire.NeverStarted, r.Reason, r.Detail)
		final = append(final, run.Report{Run: r.Attempt.Run, Input: run.NeverStarted{
			Job: r.Attempt.Job, N: r.Attempt.N, At: f.cfg.Now(), Reason: run.Reason(reason), Detail: detail,
		}})
	}
	if told := append(deferred, final...); len(told) > 0 {
		f.cfg.Desk().Report(ctx, l.Peer().ID, told)
	}
	f.later(a, l, again, refusedPause)
	f.later(a, l, fetching, fetchPause)
}

// later sends commands again after a pause, if the link is still the agent's.
func (f *Fleet) later(a *agent, l *link.Link, commands []run.Command, pause time.Duration) {
	if len(commands) == 0 {
		return
	}
	time.AfterFunc(pause, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if a.link == l {
			f.expect(commands)
			a.push(commands...)
		}
	})
}

// post calls the peer of a link.
func post(ctx context.Context, l *link.Link, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("writing the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://peer"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.Client().Do(req)
	if err != nil {
		return fmt.Errorf("calling the agent: %w", err)
	}
	defer resp.Body.Close() // read only
	limited := io.LimitReader(resp.Body, wire.MaxMessage)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(limited, 1024))
		return fmt.Errorf("the agent answered %s: %s", resp.Status, bytes.TrimSpace(text))
	}
	if err := json.NewDecoder(limited).Decode(out); err != nil {
		return fmt.Errorf("reading the agent's answer: %w", err)
	}
	return nil
}
