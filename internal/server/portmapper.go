package server

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/responder"
	"github.com/reeve-scheduler/reeve/ports"
)

// programs is what the port mapper of a row has registered.
func (s *Server) programs(mapper string) []directory.Program {
	return directory.Registered(s.ownPlan(), mapper, func(cl ports.Claim) []netip.Addr {
		var bound []netip.Addr
		for _, b := range s.boundTo(cl) {
			if a, err := netip.ParseAddr(b); err == nil {
				bound = append(bound, a)
			}
		}
		return bound
	})
}

// openMapper answers as port mapper, or registers with the one that has the port.
func (s *Server) openMapper(ctx context.Context, row ports.Claim) error {
	all := s.programs(row.Service)
	mapper := &directory.Mapper{Programs: func() []directory.Program { return all }, Now: s.env.Now}
	err := s.answer(ctx, row, &responder.Responder{Answer: mapper.Answer, Framing: responder.Records{}})
	if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Forbidden) {
		return err
	}
	var own []directory.Program
	for _, p := range all {
		if p.Owner == directory.MapperOwner && p.Netid == string(ports.TCP) {
			own = append(own, p)
		}
	}
	all = slices.DeleteFunc(slices.Clone(all), func(p directory.Program) bool { return p.Owner == directory.MapperOwner })
	registrar := &directory.Registrar{Dial: directory.DialRpcbind(directory.Rpcbind)}
	// Another number than this host's port mapper has: who asks there would not find what is registered here.
	lost, failed := registrar.Lost(ctx, own)
	if failed == nil && len(lost) > 0 {
		return err
	}
	if failed == nil {
		failed = registrar.Set(ctx, all)
	}
	if failed != nil {
		return fault.Wrap(fault.KindOf(err), "opening the port mapper's row, or registering with the port mapper of this host ("+failed.Error()+")", err)
	}
	s.env.Log.Info("the port mapper of this host has the port: registered with it", slog.Any("row", row.Service), slog.Int("programs", len(all)))
	s.servers = append(s.servers, func(ctx context.Context) error { return s.stayRegistered(ctx, registrar, all) })
	return nil
}

// lookAgain is how often the host's port mapper is asked whether it still has what was registered: it forgets all at its
// restart.
const lookAgain = 30 * time.Second

// stayRegistered keeps programs registered until ctx ends, and then takes them back.
func (s *Server) stayRegistered(ctx context.Context, registrar *directory.Registrar, all []directory.Program) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := registrar.Unset(context.WithoutCancel(ctx), all); err != nil {
				s.env.Log.Warn("taking registrations back from the port mapper of this host", slog.Any("error", err))
			}
			return nil
		case <-tick.C:
		}
		lost, err := registrar.Lost(ctx, all)
		if err == nil && len(lost) > 0 {
			err = registrar.Set(ctx, lost)
		}
		if err != nil && ctx.Err() == nil {
			s.env.Log.Warn("registering with the port mapper of this host; it is tried again", slog.Any("error", err))
		}
	}
}

// withNull lets a row that is registered with a port mapper answer rpcinfo beside what it serves.
func withNull(cl ports.Claim, l net.Listener) net.Listener {
	if cl.RPC.Program == 0 || !cl.TLS {
		return l
	}
	return directory.Greet(l, cl.RPC.Program, cl.RPC.Version)
}
