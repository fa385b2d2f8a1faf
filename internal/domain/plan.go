package domain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
	"github.com/reeve-scheduler/reeve/ports/probe"
	"github.com/reeve-scheduler/reeve/ports/render"
)

// PortPlan is the port plan in use as it was written and compiled, and this host's ledger of leases.
type PortPlan struct {
	Written   ports.Plan
	Inventory ports.Inventory
	Findings  []ports.Diagnostic
	Ledger    string // folder of this host's leases; empty: none
}

// Plan implements api.Plan.
func (s *Service) Plan(ctx context.Context) (api.PlanInfo, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.PlanInfo{}, err
	}
	c := s.cfg.Plan
	info := api.PlanInfo{
		Plan: c.Plan, Instance: c.Instance, Hash: c.Hash, Rows: listed(c.Rows()), Findings: []api.PlanFinding{}, Pools: []api.Pool{}, Documents: []api.PlanTarget{},
	}
	for _, f := range s.cfg.Ports.Findings {
		out := api.PlanFinding{Code: string(f.Code), Severity: string(f.Severity), Message: f.Message, Suggestion: f.Suggestion}
		if f.File != "" {
			out.Place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
		}
		info.Findings = append(info.Findings, out)
	}
	leases, err := s.leases(ctx)
	if err != nil {
		s.cfg.Log.Warn("the ledger of leases cannot be read", slog.Any("error", err))
	}
	for _, p := range c.Pools {
		info.Pools = append(info.Pools, poolInfo(p, leases))
	}
	for _, t := range render.Targets() {
		info.Documents = append(info.Documents, api.PlanTarget{Name: t.Name, Title: t.Title, Kind: t.Kind, Undo: t.Undo})
	}
	return info, nil
}

// listed makes the absent list an empty one: the API has no null lists.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func poolInfo(p ports.ResolvedPool, leases []ledger.Lease) api.Pool {
	out := api.Pool{
		ID: p.ID, Protocol: []string{}, Ranges: []string{}, Parity: string(p.Parity), Pair: p.Pair.ID, Pick: string(p.Pick), Sticky: p.Sticky.Key != "",
		Hold: p.Hold.Min.Seconds(), Reasons: listed(p.Hold.Reasons), Status: string(p.Status), Size: p.Size,
		Needed: ports.Size(p.Capacity, p.Hold.Min, p.Parity, p.Pair.ID != "" && !p.Pair.Optional).Ports,
	}
	for _, proto := range p.Protocol {
		out.Protocol = append(out.Protocol, string(proto))
	}
	for _, r := range p.Ranges {
		out.Ranges = append(out.Ranges, r.String())
	}
	for _, l := range leases {
		if l.Pool != p.ID {
			continue
		}
		switch l.State {
		case ledger.Held, ledger.Blocked, ledger.Leaked:
			out.Held++
		case ledger.Planned, ledger.Reserved, ledger.Bound, ledger.Listening, ledger.Draining, ledger.Suspect:
			out.Leased++
		case ledger.Free:
		}
	}
	return out
}

// CompiledPlan implements api.Plan.
func (s *Service) CompiledPlan(ctx context.Context) (json.RawMessage, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	return json.Marshal(s.cfg.Plan)
}

// WhyPort implements api.Plan.
func (s *Service) WhyPort(ctx context.Context, what string) (ports.Explanation, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return ports.Explanation{}, err
	}
	e := ports.Why(s.cfg.Ports.Written, s.cfg.Ports.Inventory, s.cfg.Plan.Instance, what)
	if !e.Found() && len(e.Absent) == 0 {
		return e, fault.New(fault.NotFound, fmt.Sprintf("the plan %s has neither a row %q nor such a number", s.cfg.Plan.Plan, what), "ask for an id of the table, or for PORT or PORT/PROTOCOL")
	}
	return e, nil
}

// SizePool implements api.Plan.
func (s *Service) SizePool(ctx context.Context, q api.PoolNeed) (api.PoolSize, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.PoolSize{}, err
	}
	pool, named, err := s.pool(q.Pool)
	if err != nil {
		return api.PoolSize{}, err
	}
	need := pool.Capacity
	if q.Parallel > 0 || q.Rate > 0 || q.Duration > 0 { // they belong together: the plan's are not mixed with the question's
		need = ports.Capacity{Parallel: q.Parallel, Rate: q.Rate, Duration: q.Duration, Blocking: need.Blocking}
	}
	need.Blocking = cmp.Or(q.Blocking, need.Blocking)
	hold := cmp.Or(q.Hold, pool.Hold.Min)
	if err := need.Check(hold); err != nil {
		return api.PoolSize{}, fault.Wrap(fault.Invalid, "counting ports", err)
	}
	size := ports.Size(need, hold, pool.Parity, pool.Pair.ID != "" && !pool.Pair.Optional)
	out := api.PoolSize{
		Guaranteed: size.Guaranteed, ErlangB: size.ErlangB, Burst: size.Burst, ParallelRate: size.ParallelRate, Ports: size.Ports, Formula: size.Formula,
	}
	if named {
		if r, ok := pool.Fit(size.Width); ok {
			out.Range = r.String()
		}
	}
	return out, nil
}

// pool returns a pool of the plan: the named one, or the only one; none is no pool.
func (s *Service) pool(id string) (ports.ResolvedPool, bool, error) {
	pools := s.cfg.Plan.Pools
	if id == "" && len(pools) != 1 {
		return ports.ResolvedPool{}, false, nil
	}
	for _, p := range pools {
		if id == "" || p.ID == id {
			return p, true, nil
		}
	}
	return ports.ResolvedPool{}, false, fault.New(fault.NotFound, fmt.Sprintf("the plan %s has no pool %q", s.cfg.Plan.Plan, id), "see its pools")
}

// PlanDocument implements api.Plan.
func (s *Service) PlanDocument(ctx context.Context, q api.PlanDocument) (api.Document, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.Document{}, err
	}
	targets := render.Targets()
	at := slices.IndexFunc(targets, func(t render.Target) bool { return t.Name == q.Target })
	if at < 0 {
		names := make([]string, len(targets))
		for i, t := range targets {
			names[i] = t.Name
		}
		return api.Document{}, fault.New(fault.NotFound, fmt.Sprintf("the plan cannot be rendered to %q", q.Target), "it can be to "+strings.Join(names, ", "))
	}
	text, err := targets[at].Render(render.Input{
		Site: ports.Site{Compiled: s.cfg.Plan, Inventory: s.cfg.Ports.Inventory}, Host: q.Host, Role: q.Role, Locale: q.Lang, Undo: q.Undo, All: q.All,
		Owner: s.cfg.Ports.Written.Owner,
	})
	if err != nil {
		return api.Document{}, fault.Wrap(fault.Invalid, "rendering "+q.Target, err)
	}
	return api.Document{Name: q.Target, Type: mediaType(q.Target), Text: string(text)}, nil
}

func mediaType(target string) string {
	switch target {
	case "html":
		return "text/html; charset=utf-8"
	case "markdown":
		return "text/markdown; charset=utf-8"
	case "csv", "change-request-csv":
		return "text/csv; charset=utf-8"
	case "json":
		return "application/json"
	case "sequence", "zones":
		return "image/svg+xml"
	case "kubernetes":
		return "application/yaml"
	}
	return "text/plain; charset=utf-8"
}

// leases reads this host's ledger without changing it.
func (s *Service) leases(ctx context.Context) ([]ledger.Lease, error) {
	if s.cfg.Ports.Ledger == "" {
		return nil, nil
	}
	book, err := ledger.Open(s.cfg.Ports.Ledger, ledger.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer book.Close()
	return book.Leases(ctx)
}

// Leases implements api.Plan.
func (s *Service) Leases(ctx context.Context) ([]api.Lease, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	all, err := s.leases(ctx)
	if err != nil {
		return nil, ledgerFault(err)
	}
	out := make([]api.Lease, len(all))
	for i, l := range all {
		one := api.Lease{
			ID: l.ID, Name: l.Name, Pool: l.Pool, Protocol: []string{}, Port: int(l.Port), Pair: opt(int(l.Pair)), State: string(l.State), Reason: opt(l.Reason),
			Owner: l.Owner.String(), PID: opt(l.Owner.PID), Granted: optTime(l.Granted), HoldUntil: optTime(l.HoldUntil), HoldReason: opt(l.HoldReason),
		}
		for _, p := range l.Protocol {
			one.Protocol = append(one.Protocol, string(p))
		}
		if l.Address.IsValid() {
			one.Address = opt(l.Address.String())
		}
		out[i] = one
	}
	return out, nil
}

// ReleaseLease implements api.Plan.
func (s *Service) ReleaseLease(ctx context.Context, id string) error {
	who, err := s.may(ctx, access.ManagePorts, "")
	if err != nil {
		return err
	}
	missing := fault.New(fault.NotFound, "there is no lease "+strconv.Quote(id)+" on this server's host", "see `reeve ports leases`")
	if s.cfg.Ports.Ledger == "" {
		return missing
	}
	book, err := ledger.Open(s.cfg.Ports.Ledger, ledger.Options{})
	if err != nil {
		return ledgerFault(err)
	}
	defer book.Close()
	all, err := book.Leases(ctx)
	if err != nil {
		return ledgerFault(err)
	}
	at := slices.IndexFunc(all, func(l ledger.Lease) bool { return l.ID == id })
	if at < 0 {
		return missing
	}
	l := all[at]
	if err := book.Release(ctx, l.ID, l.Fence, "released by "+who.Name); err != nil {
		return ledgerFault(err)
	}
	return s.commit(ctx, store.Batch{Audit: []store.AuditRecord{s.audit(who, "release", "lease "+l.Name, fmt.Sprintf("port %d of pool %s", l.Port, l.Pool))}})
}

// ledgerFault gives a refusal of the ledger the kind that the doors understand.
func ledgerFault(err error) error {
	var r *ledger.Refusal
	if !errors.As(err, &r) {
		return fault.Wrap(fault.Internal, "reading the ledger of leases", err)
	}
	kind := map[ledger.Outcome]fault.Kind{ledger.NoLease: fault.NotFound, ledger.NoPermission: fault.Forbidden, ledger.NoRoom: fault.Disk}
	if k, ok := kind[r.Outcome]; ok {
		return fault.New(k, r.Error(), "")
	}
	return fault.New(fault.Conflict, r.Error(), "")
}

// CheckHost implements api.Plan.
func (s *Service) CheckHost(ctx context.Context) ([]api.HostFinding, error) {
	if _, err := s.may(ctx, access.ManagePorts, ""); err != nil {
		return nil, err
	}
	obs, err := probe.Observe(ctx, probe.Options{})
	if err != nil {
		return nil, err
	}
	ask := probe.Ask{Own: probe.Own{PIDs: []int{os.Getpid()}}, Tolerate: s.cfg.Ports.Written.Policies.Ephemeral == ports.Tolerate}
	if exe, err := os.Executable(); err == nil {
		ask.Own.Programs = []string{exe}
	}
	found, err := probe.Check(ports.Site{Compiled: s.cfg.Plan, Inventory: s.cfg.Ports.Inventory}, obs, ask)
	if err != nil {
		return nil, err
	}
	out := make([]api.HostFinding, len(found))
	for i, f := range found {
		one := api.HostFinding{
			ID: f.ID, Service: f.Service, Protocol: string(f.Protocol), State: string(f.State), Severity: string(f.Severity), Remedies: listed(f.Remedies), Sysctl: f.Sysctl, Note: f.Note,
		}
		if f.Port != 0 {
			one.Port = ports.Range{First: f.Port, Last: max(f.Port, f.Last)}.String()
		}
		if f.Holder != nil {
			one.Holder = opt(f.Holder.String())
		}
		out[i] = one
	}
	return out, nil
}
