package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// entrances are the listeners on which servers dial this agent. What they are follows the view.
type entrances struct {
	mu      sync.Mutex
	open    []*entrance
	view    *view           // by which they were opened at the start
	refused []string        // rows that could not be opened
	ctx     context.Context //nolint:containedctx // of the agent's run: what is opened later lives as long; nil before it
	all     sync.WaitGroup
}

const (
	reopen      = 30 * time.Second // rows that could not be opened are tried again
	reopenFirst = 2 * time.Second  // at the start, before that
)

// entrance is a row of the plan with its listeners.
type entrance struct {
	row       string
	turn      int
	listeners []net.Listener
	stop      context.CancelFunc // nil: not served yet
}

// number is the port on which the entrance listens.
func (e *entrance) number() int {
	if a, ok := e.listeners[0].Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// is reports whether the entrance is the one that a route means; a route without a number means any.
func (e *entrance) is(r wire.Route) bool {
	return e.row == r.Row && (r.Port == 0 || r.Port == e.number())
}

// listen opens the rows on which servers dial this agent. It is an error if that leaves no way to a server: then nothing
// stays open. Else what could not be opened is tried again.
func (s *entrances) listen(ctx context.Context, a *agent) error {
	v := a.view.Load()
	s.view = v
	var errs []error
	for _, r := range v.View.Listen {
		if err := s.patiently(ctx, v, r); err != nil {
			errs = append(errs, err)
		}
	}
	if len(s.open) == 0 && len(v.View.Dial) == 0 {
		return errors.Join(errs...)
	}
	s.refused = a.complain(errs)
	return nil
}

// patiently opens one row. Where its number is taken it waits a moment: this agent may have listened there itself until
// now, to be enrolled, and a child that is just being started holds a copy of that listener until it is executed.
func (s *entrances) patiently(ctx context.Context, v *view, r wire.Route) error {
	pause := backoff{first: 20 * time.Millisecond, most: 500 * time.Millisecond}
	for begun := time.Now(); ; {
		err := s.add(ctx, v, r)
		if !fault.Is(err, fault.Conflict) || time.Since(begun) > reopenFirst {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause.wait()):
		}
	}
}

// complain says which rows could not be opened.
func (a *agent) complain(errs []error) (refused []string) {
	for _, err := range errs {
		a.cfg.Log.Warn("servers cannot dial this agent by a row of the plan; it is tried again", slog.Any("error", err))
		refused = append(refused, err.Error())
	}
	return refused
}

// add opens one row unless it is open. A number that is not the plan's is an old one, of a change of ports during which
// this agent was started: it is not opened again.
func (s *entrances) add(ctx context.Context, v *view, r wire.Route) error {
	if slices.ContainsFunc(s.open, func(e *entrance) bool { return e.is(r) }) {
		return nil
	}
	listeners, err := v.Ports.Listen(ctx, r.Row)
	if err != nil {
		return err
	}
	e := &entrance{row: r.Row, turn: r.Turn, listeners: listeners}
	if !e.is(r) {
		return e.close()
	}
	s.open = append(s.open, e)
	return nil
}

// become opens what the view has and is not open, and closes what it no longer has. It says what could not be opened.
func (s *entrances) become(ctx context.Context, a *agent) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		return nil
	}
	v := a.view.Load()
	var errs []error
	for _, r := range v.View.Listen {
		if err := s.add(ctx, v, r); err != nil {
			errs = append(errs, err)
		}
	}
	s.open = slices.DeleteFunc(s.open, func(e *entrance) bool {
		if slices.ContainsFunc(v.View.Listen, e.is) {
			return false
		}
		e.stop()
		return true
	})
	s.serve(a)
	s.refused = a.complain(errs)
	return s.refused
}

// refusals are the rows that cannot be opened: a sentence each.
func (s *entrances) refusals() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// run takes the links of servers that dial, until ctx ends.
func (s *entrances) run(ctx context.Context, a *agent) error {
	s.mu.Lock()
	s.ctx = ctx
	s.serve(a)
	s.mu.Unlock()
	if a.view.Load() != s.view { // one came since: it could not be followed yet
		s.become(ctx, a)
	}
	tick := time.NewTicker(reopen)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.all.Wait()
			return nil
		case <-tick.C:
			if len(s.refusals()) > 0 && len(s.become(ctx, a)) == 0 {
				a.cfg.Log.Info("servers may dial this agent by all rows of the plan")
			}
		}
	}
}

// serve begins to accept where nobody does yet. The caller holds the lock.
func (s *entrances) serve(a *agent) {
	for _, e := range s.open {
		if e.stop != nil {
			continue
		}
		ctx, stop := context.WithCancel(s.ctx)
		e.stop = stop
		for _, l := range e.listeners {
			one := link.Server{
				Listener: l, Row: e.row, Turn: e.turn, TLS: a.provable(a.serverTLS()),
				Web:     a.doorstep(),
				Prove:   a.prove(),
				OnLink:  a.session,
				Options: link.Options{Handler: a.handler(), Links: a.links, Timing: a.cfg.Timing, Log: a.cfg.Log},
			}
			s.all.Go(func() {
				if err := one.Run(ctx); err != nil {
					a.cfg.Log.Error("servers can no longer dial this agent here", slog.String("row", e.row), slog.Any("error", err))
				}
			})
			a.cfg.Log.Info("servers may dial this agent", slog.String("row", e.row), slog.String("address", l.Addr().String()))
		}
	}
}

func (s *entrances) close() error {
	var errs []error
	for _, e := range s.open {
		errs = append(errs, e.close())
	}
	return errors.Join(errs...)
}

func (e *entrance) close() error {
	var errs []error
	for _, l := range e.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("closing the row %s: %w", e.row, err))
		}
	}
	return errors.Join(errs...)
}

// serverTLS is for servers that dial: only those of the agent's own domain are let in.
func (a *agent) serverTLS() *tls.Config { return a.endpoint().DialledConfig(nil) }

// endpoint is the agent's end of a link, whoever dials.
func (a *agent) endpoint() identity.Endpoint {
	domain := ""
	if own, err := a.member.own(); err == nil {
		domain = own.Identity.Domain
	}
	return identity.Endpoint{Own: a.member.own, Domain: domain, Expect: []identity.Role{identity.RoleServer}, Now: a.cfg.Now}
}
