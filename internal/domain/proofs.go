package domain

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/proof"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

const (
	manyProofs = 1000
	unusedFor  = 30 * 24 * time.Hour // that an opening is without use before it is shown
)

// Verify implements api.Proofs.
func (s *Service) Verify(ctx context.Context, order api.VerifyOrder) (api.Verification, error) {
	who, err := s.may(ctx, access.ManagePorts, "")
	if err != nil {
		return api.Verification{}, err
	}
	site, err := s.cfg.Verifier.Prover.Site(ctx)
	if err != nil {
		return api.Verification{}, err
	}
	if _, err := proof.Plan(site, proof.Ask{From: order.From, To: order.To, Flow: order.Flow, Negative: order.Negative}); err != nil {
		return api.Verification{}, err // what is misspelt is said at once
	}
	begun, err := s.cfg.Verifier.begin(order, who.Name, site.Compiled.Hash)
	if err != nil {
		return api.Verification{}, err
	}
	what := cmp.Or(order.Flow, "all flows") + " from " + cmp.Or(order.From, "all") + " to " + cmp.Or(order.To, "all")
	return begun, s.commit(ctx, store.Batch{Audit: []store.AuditRecord{s.audit(who, "ports.verify", begun.ID, what)}})
}

// Verification implements api.Proofs.
func (s *Service) Verification(ctx context.Context, id string) (api.Verification, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.Verification{}, err
	}
	found, _, err := s.cfg.Verifier.find(id)
	return found, err
}

// CancelVerification implements api.Proofs.
func (s *Service) CancelVerification(ctx context.Context, id string) error {
	if _, err := s.may(ctx, access.ManagePorts, ""); err != nil {
		return err
	}
	return s.cfg.Verifier.stop(id)
}

// ListProofs implements api.Proofs.
func (s *Service) ListProofs(ctx context.Context, q api.ProofQuery) ([]api.Proof, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	var all []api.Proof
	if q.Verification != "" {
		_, proofs, err := s.cfg.Verifier.find(q.Verification)
		if err != nil {
			return nil, err
		}
		all = proofs
	} else {
		stored, err := s.cfg.Store.Proofs(ctx, store.ProofQuery{Flow: q.Flow, From: q.From, To: q.To, Expect: q.Expect, PlanHash: s.cfg.Plan.Hash})
		if err != nil {
			return nil, storeFault(err)
		}
		if all, err = showProofs(stored); err != nil {
			return nil, err
		}
	}
	from := min(q.Offset, len(all))
	return listed(all[from:min(len(all), from+cmp.Or(q.Limit, manyProofs))]), nil
}

// ProofMap implements api.Proofs.
func (s *Service) ProofMap(ctx context.Context) (api.ProofMap, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.ProofMap{}, err
	}
	site, err := s.cfg.Verifier.Prover.Site(ctx)
	if err != nil {
		return api.ProofMap{}, err
	}
	trials, err := proof.Plan(site, proof.Ask{})
	if err != nil {
		return api.ProofMap{}, err
	}
	stored, err := s.cfg.Store.Proofs(ctx, store.ProofQuery{Expect: string(probe.Open), PlanHash: site.Compiled.Hash})
	if err != nil {
		return api.ProofMap{}, storeFault(err)
	}
	found := make(map[proof.Path]store.Proof, len(stored))
	for _, p := range stored {
		found[proof.Path{Flow: p.Flow, From: p.From, To: p.To, Address: p.Address, Expect: p.Expect}] = p
	}
	out := api.ProofMap{PlanHash: site.Compiled.Hash, Hosts: []api.ProofHost{}, Paths: []api.PlannedWay{}}
	for _, h := range site.Inventory.Hosts {
		one := api.ProofHost{Name: h.Name, Zone: h.Zone, Roles: listed(site.Roles(h.Name))}
		if site.Ours(h.Name) {
			one.Node = "linked"
			if _, why := site.End(h.Name); why != "" {
				one.Node = "not linked"
			}
		}
		out.Hosts = append(out.Hosts, one)
	}
	for _, t := range trials {
		way := api.PlannedWay{Flow: t.Flow, Service: t.Service, Protocol: string(t.Protocol), From: t.From, To: t.To, Address: t.Address, Purpose: t.Purpose, Text: t.Untried}
		if t.Untried != "" {
			way.Verdict, way.Reason = string(probe.Unproven), string(probe.Unknowable) // as it would be found
		}
		if p, ok := found[t.Path()]; ok {
			var whole probe.Proof
			_ = json.Unmarshal([]byte(p.Data), &whole) // its remedy is left out where it cannot be read
			way.Verdict, way.Reason, way.Text, way.Remedy, way.At, way.Since = p.Verdict, p.Reason, p.Text, whole.Remedy, optTime(p.Last), optTime(p.First)
		}
		out.Paths = append(out.Paths, way)
	}
	return out, nil
}

// ProofHistory implements api.Proofs.
func (s *Service) ProofHistory(ctx context.Context, q api.ProofQuery) ([]api.Proof, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	stored, err := s.cfg.Store.ProofHistory(ctx, store.ProofQuery{Flow: q.Flow, From: q.From, To: q.To, Expect: q.Expect}, cmp.Or(q.Limit, manyProofs))
	if err != nil {
		return nil, storeFault(err)
	}
	return showProofs(stored)
}

func showProofs(stored []store.Proof) ([]api.Proof, error) {
	all := make([]api.Proof, len(stored))
	for i, p := range stored {
		var found probe.Proof
		if err := json.Unmarshal([]byte(p.Data), &found); err != nil {
			return nil, storeFault(err)
		}
		all[i] = showProof(found)
		all[i].Since, all[i].Times = p.First.UTC(), p.Times
	}
	return all, nil
}

func showProof(p probe.Proof) api.Proof {
	out := api.Proof{
		Flow: p.Flow, From: p.From, To: p.To, Protocol: string(p.Protocol), Address: p.Address, Expect: string(p.Expect), Verdict: string(p.Verdict),
		Reason: string(p.Reason), Possible: []string{}, Basis: string(p.Basis), Text: p.Text, Remedy: p.Remedy, Assumptions: listed(p.Assumptions), PlanHash: p.PlanHash, At: p.At.UTC(),
	}
	for _, r := range p.Possible {
		out.Possible = append(out.Possible, string(r))
	}
	if text, err := json.Marshal(p.Evidence); err == nil {
		out.Evidence = text
	}
	return out
}

// ListSilences implements api.Proofs.
func (s *Service) ListSilences(ctx context.Context) ([]api.Silence, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	stored, err := s.cfg.Store.Silences(ctx)
	if err != nil {
		return nil, storeFault(err)
	}
	all := make([]api.Silence, len(stored))
	for i, q := range stored {
		all[i] = showSilence(proof.Silence{
			From: q.From, To: q.To, Flow: q.Flow, Address: q.Address, Survived: q.Survived, Died: q.Died, KeepAlive: proof.KeepAlive(q.Survived, q.Died), At: q.At,
		}.Said())
	}
	return all, nil
}

func showSilence(q proof.Silence) api.Silence {
	return api.Silence{
		From: q.From, To: q.To, Flow: q.Flow, Address: q.Address, Survived: q.Survived.Seconds(), Died: q.Died.Seconds(), KeepAlive: q.KeepAlive.Seconds(),
		Text: q.Text, Unproven: q.Unproven, At: q.At.UTC(),
	}
}

// UnusedOpenings implements api.Proofs.
func (s *Service) UnusedOpenings(ctx context.Context) ([]api.UnusedOpening, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	stored, err := s.cfg.Store.Uses(ctx)
	if err != nil {
		return nil, storeFault(err)
	}
	uses := make([]proof.Used, len(stored))
	for i, u := range stored {
		uses[i] = proof.Used{Host: u.Host, Service: u.Service, Dialled: u.Kind == dialledKind, Since: u.First, Last: u.Last}
	}
	all := []api.UnusedOpening{}
	site := ports.Site{Compiled: s.cfg.Plan, Inventory: s.cfg.Ports.Inventory}
	for _, one := range proof.Unused(site, uses, s.cfg.Now().Add(-unusedFor)) {
		all = append(all, s.showUnused(one))
	}
	return all, nil
}

// dialledKind is how the store names the use of a row by a dial.
const dialledKind = "dialled"

func (s *Service) showUnused(one proof.Idle) api.UnusedOpening {
	f := one.Flow
	title := func(role string) string { return cmp.Or(s.cfg.Plan.Roles[role], role) }
	out := api.UnusedOpening{
		Flow: f.ID, Service: f.Service, Protocol: string(f.Protocol), Ports: ports.Range{First: f.Port, Last: max(f.Port, f.Last)}.String(),
		From: title(f.From), To: title(f.To), Purpose: f.Purpose, Last: optTime(one.Last), Counted: optTime(one.Counted),
	}
	switch {
	case one.Counted.IsZero():
		out.Text = "its use is not counted: no server of Reeve takes or makes these connections"
	case one.Last.IsZero():
		out.Text = "never used since " + one.Counted.UTC().Format(time.DateOnly) + ": is the opening needed?"
	default:
		out.Text = "unused since " + one.Last.UTC().Format(time.DateOnly) + ": is the opening still needed?"
	}
	return out
}
