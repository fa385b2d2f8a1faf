package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/relay"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	protocol  = 1
	helloTime = 15 * time.Second // for the first words on a link
	skewShown = 2 * time.Second
	// What a server that says nothing of it gets.
	defaultHeartbeat = 10 * time.Second
	defaultTimeout   = 30 * time.Second
)

// session is the life of one link: it says hello, makes the link the way to the server, and sends heartbeats. It
// returns when the link has ended.
func (a *agent) session(ctx context.Context, l *link.Link) {
	welcome, err := a.hello(ctx, l)
	if err != nil {
		if ctx.Err() == nil {
			a.cfg.Log.Warn("server did not welcome this agent", slog.Any("error", err))
			l.Close("no welcome")
		}
		return
	}
	a.cfg.Log.Info("linked", slog.String("server", l.Peer().Name), slog.String("address", l.RemoteAddr().String()), slog.Int64("epoch", welcome.Epoch))
	unset := a.up.set(&way{calls: l.Client(), bulk: l.Bulk(), link: l})
	a.dialer.Wake()
	a.beat(ctx, l, welcome)
	unset()
	a.dialer.Wake()
	<-l.Done()
	if ctx.Err() == nil || l.Err() != nil {
		a.cfg.Log.Info("link ended; jobs go on", slog.Any("reason", l.Err()))
	}
}

// hello tells the server who is there.
func (a *agent) hello(ctx context.Context, l *link.Link) (wire.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	var welcome wire.Welcome
	k, err := a.minder.wait(ctx)
	if err != nil {
		return welcome, err
	}
	kept := k.Hello()
	sent := a.cfg.Now()
	err = post(ctx, l.Client(), peerBase+wire.PathHello, wire.Hello{
		Version: a.cfg.Version, Protocol: protocol, Incarnation: a.incarnation, BootID: kept.BootID, Slots: a.cfg.Slots,
		PlanHash: a.hash(), View: a.view.Load().ID, Differs: a.differs(), Facts: a.facts(), Epoch: kept.Epoch, Containment: kept.Containment, Now: sent.UTC(),
	}, &welcome)
	if err != nil {
		return welcome, fmt.Errorf("saying hello: %w", err)
	}
	if welcome.Heartbeat <= 0 {
		welcome.Heartbeat = defaultHeartbeat
	}
	if welcome.Timeout <= welcome.Heartbeat {
		welcome.Timeout = max(defaultTimeout, 3*welcome.Heartbeat)
	}
	a.compareClocks(sent, welcome.Now)
	if welcome.View != nil {
		if _, err := a.adopt(ctx, *welcome.View); err != nil {
			a.cfg.Log.Error("the servers' port plan cannot be taken over", slog.Any("error", err))
		}
	}
	return welcome, a.renewTenure(welcome.Tenure, sent)
}

// compareClocks logs how far this host's clock is from the server's, where people should know.
func (a *agent) compareClocks(sent, server time.Time) {
	if server.IsZero() {
		return
	}
	middle := sent.Add(a.cfg.Now().Sub(sent) / 2)
	if skew := middle.Sub(server); skew.Abs() > skewShown {
		a.cfg.Log.Warn("clocks differ: times of this host are shown as it says them", slog.Duration("agent_ahead", skew.Round(time.Millisecond)))
	}
}

// renewTenure lets attempts with on_lost: stop go on. The tenure counts from when the server was asked, because the
// server counts from when it answered.
func (a *agent) renewTenure(tenure time.Duration, asked time.Time) error {
	if tenure <= 0 {
		return nil
	}
	k := a.minder.now()
	if k == nil {
		return nil // the next heartbeat finds the next keeper
	}
	return k.Renew(tenure - a.cfg.Now().Sub(asked))
}

// beat sends heartbeats until the link ends, and ends it when none is answered in time.
func (a *agent) beat(ctx context.Context, l *link.Link, welcome wire.Welcome) {
	ticker := time.NewTicker(welcome.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.Done():
			return
		case <-ticker.C:
		}
		if err := a.heartbeat(ctx, l, welcome); err != nil && ctx.Err() == nil {
			a.cfg.Log.Warn("heartbeat was not answered", slog.Any("error", err))
			l.Close("heartbeat was not answered: " + err.Error())
			return
		}
	}
}

func (a *agent) heartbeat(ctx context.Context, l *link.Link, welcome wire.Welcome) error {
	// One heartbeat has passed since the last word: with the patience for this one, the time-out.
	ctx, cancel := context.WithTimeout(ctx, welcome.Timeout-welcome.Heartbeat)
	defer cancel()
	defer a.impatient()()
	k := a.minder.now()
	running := 0
	if k != nil {
		running = k.Running()
	}
	sent := a.cfg.Now()
	var reply wire.HeartbeatReply
	err := post(ctx, l.Client(), peerBase+wire.PathHeartbeat, wire.Heartbeat{
		Running: running, Slots: a.cfg.Slots, Disk: a.disk(), Refused: a.entrances.refusals(), Dials: a.dials(), View: a.view.Load().ID, Now: sent.UTC(),
	}, &reply)
	if err != nil {
		return err
	}
	if k == nil {
		return nil
	}
	// A keeper that has just died is replaced by the minder, which is no fault of this link.
	if err := a.renewTenure(welcome.Tenure, sent); err != nil {
		a.cfg.Log.Debug("keeper was not told the tenure", slog.Any("error", err))
	}
	a.minder.mark(reply.Epoch, reply.Mark)
	return nil
}

// urgeAfter is how long an answer may take before the next row is dialled. The link is not given up yet.
const urgeAfter = 5 * time.Second

// impatient begins to wait for an answer. Call what it returns when the answer is there.
func (a *agent) impatient() func() {
	timer := time.AfterFunc(urgeAfter, a.dialer.Urge)
	return func() { timer.Stop() }
}

// dials says which dials of this agent are in vain.
func (a *agent) dials() []wire.DialState {
	var all []wire.DialState
	for _, t := range a.dialer.State().Targets {
		if t.Err != nil && !t.Since.IsZero() {
			all = append(all, wire.DialState{Row: t.Row, Address: t.Address, Since: t.Since.UTC(), Rounds: t.Rounds, Why: t.Err.Error()})
		}
	}
	return all
}

// facts are what the agent says of its host. Servers do not place jobs by them unless a person says so.
func (a *agent) facts() map[string]string {
	facts := map[string]string{"host.os": runtime.GOOS, "host.arch": runtime.GOARCH, "host.cores": strconv.Itoa(runtime.NumCPU())}
	if name, err := os.Hostname(); err == nil {
		facts["host.name"] = name
	}
	for k, v := range a.cfg.Facts {
		facts[k] = v
	}
	return facts
}

// disk says why nothing new is started for want of room; empty: there is room.
func (a *agent) disk() string {
	free, _, err := room(a.folder.path)
	if err != nil {
		return fmt.Sprintf("the room under %s cannot be found out: %v", a.folder.path, err)
	}
	if free < a.cfg.Reserve {
		return fmt.Sprintf("%d MiB are free under %s, and %d MiB stay in reserve", free>>20, a.folder.path, a.cfg.Reserve>>20)
	}
	return ""
}

// handler is what servers call on a link.
func (a *agent) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathView, a.serveView)
	mux.Handle("GET "+relay.PathOut, a.relayDials())
	a.serveProofs(mux)
	mux.Handle("/", a.commander.handler(a.state, func(ctx context.Context, reason string) {
		if l, ok := link.Of(ctx); ok {
			a.cfg.Log.Info("server closes the link", slog.String("reason", reason))
			l.Close("by the server: " + reason)
		}
	}))
	return mux
}

// state is what a server is told of this agent for diagnosis.
func (a *agent) state() wire.AgentState {
	return wire.AgentState{
		Running: a.minder.running(), Fetching: a.fetcher.attempts(), Unsent: a.reporter.pendingCount(), Keeper: a.minder.now() != nil,
	}
}
