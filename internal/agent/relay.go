package agent

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/relay"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// relays are the rows on which this agent carries the links of nodes that reach no server; none where the view has none.
type relays struct {
	mu   sync.Mutex
	open map[string]context.CancelFunc // by row and number
	ctx  context.Context               //nolint:containedctx // of the agent's run: what is opened later lives as long; nil before it
	all  sync.WaitGroup
}

// run carries until ctx ends. Rows that could not be opened are tried again.
func (s *relays) run(ctx context.Context, a *agent) error {
	s.mu.Lock()
	s.ctx, s.open = ctx, map[string]context.CancelFunc{}
	s.mu.Unlock()
	tick := time.NewTicker(reopen)
	defer tick.Stop()
	for {
		s.become(a)
		select {
		case <-ctx.Done():
			s.all.Wait()
			return nil
		case <-tick.C:
		}
	}
}

// become opens what the view has and is not open, and closes what it no longer has.
func (s *relays) become(a *agent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		return
	}
	v := a.view.Load()
	wanted := map[string]bool{}
	for _, r := range v.Relay {
		key := r.Row + " " + strconv.Itoa(r.Port)
		wanted[key] = true
		if s.open[key] == nil {
			s.begin(a, v, r, key)
		}
	}
	for key, stop := range s.open {
		if !wanted[key] {
			stop()
			delete(s.open, key)
		}
	}
}

// begin opens a row. The caller holds the lock.
func (s *relays) begin(a *agent, v *view, r wire.Route, key string) {
	listeners, err := v.Ports.Listen(s.ctx, r.Row)
	if err != nil {
		a.cfg.Log.Warn("this agent cannot relay by a row of the plan; it is tried again", slog.String("row", r.Row), slog.Any("error", err))
		return
	}
	ctx, stop := context.WithCancel(s.ctx)
	s.open[key] = stop
	one := &relay.Relay{Link: a.newestLink, Log: a.cfg.Log}
	for _, l := range listeners {
		a.cfg.Log.Info("this agent relays", slog.String("row", r.Row), slog.String("address", l.Addr().String()))
		s.all.Go(func() {
			if err := one.Run(ctx, l); err != nil {
				a.cfg.Log.Error("this agent no longer relays", slog.String("row", r.Row), slog.Any("error", err))
			}
		})
	}
}

// newestLink is the link by which servers are reached now; nil: none is up.
func (a *agent) newestLink() *link.Link {
	var newest *link.Link
	for _, l := range a.links.All() {
		if newest == nil || l.Since().After(newest.Since()) {
			newest = l
		}
	}
	return newest
}

// relayDials answers servers that have this agent dial a node for them.
func (a *agent) relayDials() http.Handler {
	return &relay.Dialler{Log: a.cfg.Log, Dial: func(ctx context.Context, row, address string) (net.Conn, error) {
		return a.view.Load().Ports.Dial(ctx, row, address)
	}}
}
