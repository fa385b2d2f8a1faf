package domain

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/ports"
)

// CallBack implements api.Service: a command that waits for a run is told what happens on a connection that this server
// opens, instead of asking. Only ports that the plan has for it are dialled.
func (s *Service) CallBack(ctx context.Context, id string, c api.CallBack) (api.Run, error) {
	if _, _, err := s.state(ctx, id, access.View); err != nil {
		return api.Run{}, err
	}
	if s.cfg.Answer == nil {
		return api.Run{}, fault.New(fault.Invalid, "the port plan "+s.cfg.Plan.Plan+" has no callbacks for commands", "wait without one")
	}
	if _, err := CallbackRow(s.cfg.Plan, c.Address); err != nil {
		return api.Run{}, err
	}
	who := context.WithoutCancel(ctx) // the request ends; who asked, and what they may see, stays
	err := s.cfg.Answer(c, func(ctx context.Context, say func(run any) error) error { return s.answer(ctx, who, id, say) })
	if err != nil {
		return api.Run{}, err
	}
	return s.Run(ctx, id)
}

// errSaid ends a watch once the end has been told.
var errSaid = errors.New("the run has ended")

// answer tells a run at each change until it has ended. For each, it is looked again whether who asked may see it.
func (s *Service) answer(ctx, who context.Context, id string, say func(run any) error) error {
	tell := func() error {
		r, err := s.Run(who, id)
		if err != nil {
			return err
		}
		if err := say(r); err != nil {
			return err
		}
		if run.Status(r.State).Ended() {
			return errSaid
		}
		return nil
	}
	// The watch ends with the connection, and asks as who asked.
	watching, stop := context.WithCancelCause(who)
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { stop(context.Cause(ctx)) })()
	changed := make(chan struct{}, 1)
	watched, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		watched <- s.Watch(watching, id, func(api.Change) error {
			select {
			case changed <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	defer func() { <-over }()
	defer stop(nil)
	for {
		if err := tell(); errors.Is(err, errSaid) {
			return nil
		} else if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-watched:
			return fmt.Errorf("watching the run ended: %w", err)
		case <-changed:
		}
	}
}

// CallbackFlows are the plan's flows on which a server calls a command back: on a client's host, or on the host of another
// server that has ordered a run here.
func CallbackFlows(plan ports.Compiled) []ports.ResolvedFlow {
	return append(plan.Dials("callback", ports.Server, ports.Client), plan.Dials("callback", ports.Server, ports.Server)...)
}

// CallbackRow is the row of the plan by which a server calls a client back at HOST:PORT; an address that the plan does not
// have is Invalid.
func CallbackRow(plan ports.Compiled, address string) (string, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "reading the address of a callback", err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err == nil {
		for _, f := range CallbackFlows(plan) {
			for _, p := range plan.Pools {
				if p.ID == f.Service && slices.ContainsFunc(p.Ranges, func(r ports.Range) bool { return r.First <= ports.Port(n) && ports.Port(n) <= r.Last }) {
					return p.ID, nil
				}
			}
		}
	}
	return "", fault.New(fault.Invalid, fmt.Sprintf("port %q is none on which the port plan %s lets commands be called back", text, plan.Plan), "give the command the server's plan: --plan")
}
