package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// leasedRow is a row whose number a pool gives.
type leasedRow struct {
	claim ports.Claim // with the number
	lease ledger.Lease
	bound net.Listener // on the first address; nil once an entrance has it
}

// leaseRows gives numbers to the rows that have none and register with a port mapper: each leases one of the pool that it
// names, under its own id, and so has the same number again after a restart. Where the site gives the pool no range, the
// row stays without a number, and nothing listens there.
func (s *Server) leaseRows(ctx context.Context) error {
	plan := s.env.Plan
	for _, cl := range plan.Claims {
		id, ok := strings.CutPrefix(cl.RPC.Dynamic, "pool:")
		if !ok || cl.Port != 0 || cl.Status != ports.Works || cl.Protocol != ports.TCP || !plan.MayListen(string(ports.Server), cl.Service) {
			continue
		}
		if !slices.ContainsFunc(plan.Pools, func(p ports.ResolvedPool) bool { return p.ID == id && p.Status != ports.Inactive }) {
			continue
		}
		if err := s.leaseRow(ctx, cl, id); err != nil {
			return fmt.Errorf("leasing the port of %s: %w", cl.Service, err)
		}
	}
	if len(s.names.leased) > 0 {
		s.env.Plan = numbered(plan, s.names.leased)
	}
	return nil
}

func (s *Server) leaseRow(ctx context.Context, cl ports.Claim, pool string) error {
	request, err := ledger.For(s.env.Plan, pool)
	if err != nil {
		return err
	}
	request.Name, request.Owner = cl.Service, ledger.Self("service", cl.Service)
	bind := s.cfg.Bind
	if h, ok := s.host(); ok && len(bind) == 0 {
		bind = s.site().Binds(h.Name, cl.Service)
	}
	if len(bind) > 0 {
		if request.Address, err = netip.ParseAddr(bind[0]); err != nil {
			return fmt.Errorf("reading the address to bind: %w", err)
		}
	}
	if s.names.ledger == nil {
		if s.env.Ports.Ledger == "" {
			return fault.New(fault.Invalid, "the port plan "+s.env.Plan.Plan+" has rows whose numbers are leased, and no ledger of leases is named", "give --ledger")
		}
		if s.names.ledger, err = ledger.Open(s.env.Ports.Ledger, ledger.Options{}); err != nil {
			return err
		}
	}
	grant, err := s.names.ledger.Lease(ctx, request)
	if err != nil {
		return err
	}
	cl.Port = grant.Lease.Port
	row := leasedRow{claim: cl, lease: grant.Lease}
	row.bound, err = socket.Adopt(grant.Sockets[0].File)
	s.names.leased = append(s.names.leased, &row)
	return err
}

// numbered is a plan in which leased rows have their numbers. It is the same plan, and its hash stays.
func numbered(plan ports.Compiled, rows []*leasedRow) ports.Compiled {
	plan.Claims, plan.Flows = slices.Clone(plan.Claims), slices.Clone(plan.Flows)
	for _, row := range rows {
		for i := range plan.Claims {
			if plan.Claims[i].Service == row.claim.Service && plan.Claims[i].Status == ports.Works && plan.Claims[i].Port == 0 {
				plan.Claims[i].Port = row.claim.Port
			}
		}
		for i := range plan.Flows {
			if plan.Flows[i].Service == row.claim.Service && plan.Flows[i].Status == ports.Works && plan.Flows[i].Port == 0 {
				plan.Flows[i].Port = row.claim.Port
			}
		}
	}
	return plan
}

// listenRow opens a row on one address; of a leased one the socket that came with the lease is the first.
func (s *Server) listenRow(ctx context.Context, sockets *socket.Net, cl ports.Claim, bind string) (net.Listener, error) {
	for _, row := range s.names.leased {
		if row.claim.Service == cl.Service && row.bound != nil {
			l := row.bound
			row.bound = nil
			return withNull(cl, l), nil
		}
	}
	l, err := sockets.Listen(ctx, cl.Service, bind)
	if err != nil {
		return nil, err
	}
	return withNull(cl, l), nil
}

// releaseRows gives leased numbers back; they stay kept for their rows.
func (s *Server) releaseRows() error {
	var errs []error
	for _, row := range s.names.leased {
		if row.bound != nil {
			errs = append(errs, closed(row.bound.Close()))
		}
		if err := s.names.ledger.Release(context.Background(), row.lease.ID, row.lease.Fence, "the server has ended"); err != nil {
			s.env.Log.Warn("giving a leased port back", slog.String("row", row.claim.Service), slog.Any("error", err))
		}
	}
	if s.names.ledger != nil {
		s.names.ledger.Close()
	}
	return errors.Join(errs...)
}
