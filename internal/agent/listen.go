package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// entrance is a row of the plan on which servers dial this agent, with its listeners.
type entrance struct {
	row       string
	listeners []net.Listener
}

// listen opens the rows on which servers dial this agent. On an error nothing stays open.
func (a *agent) listen(ctx context.Context) ([]entrance, error) {
	var all []entrance
	for _, row := range a.cfg.Rows.Listen {
		listeners, err := a.cfg.Listen(ctx, row)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all = append(all, entrance{row, listeners})
	}
	return all, nil
}

func closeAll(all []entrance) error {
	var errs []error
	for _, e := range all {
		for _, l := range e.listeners {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// accept takes the links of servers that dial, until ctx ends.
func (a *agent) accept(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, e := range a.entrances {
		for _, l := range e.listeners {
			s := link.Server{
				Listener: l, Row: e.row, TLS: a.serverTLS(),
				OnLink:  a.session,
				Options: link.Options{Handler: a.handler(), Links: a.links, Timing: a.cfg.Timing, Log: a.cfg.Log},
			}
			group.Go(func() error {
				if err := s.Run(ctx); err != nil {
					return fmt.Errorf("the row %s: %w", e.row, err)
				}
				return nil
			})
			a.cfg.Log.Info("servers may dial this agent", slog.String("row", e.row), slog.String("address", l.Addr().String()))
		}
	}
	return group.Wait()
}

// serverTLS is for servers that dial: only those of the agent's own domain are let in.
func (a *agent) serverTLS() *tls.Config { return a.endpoint().ServerConfig() }

// endpoint is the agent's end of a link, whoever dials.
func (a *agent) endpoint() identity.Endpoint {
	domain := ""
	if own, err := a.member.own(); err == nil {
		domain = own.Identity.Domain
	}
	return identity.Endpoint{Own: a.member.own, Domain: domain, Expect: []identity.Role{identity.RoleServer}, Now: a.cfg.Now}
}
