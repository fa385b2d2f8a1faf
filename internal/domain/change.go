package domain

import (
	"context"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
)

// Changer changes the ports of a server and its nodes in two phases: old and new listen together until every node is linked
// by the next plan, or the deadline has passed. What it does it writes to the audit trail itself.
type Changer interface {
	BeginChange(ctx context.Context, by string, within time.Duration) error
	CommitChange(ctx context.Context, by string, force bool) error
	CancelChange(ctx context.Context, by string) error
	ShowChange(ctx context.Context) api.PlanChange
}

// PlanChange implements api.Changes.
func (s *Service) PlanChange(ctx context.Context) (api.PlanChange, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.PlanChange{}, err
	}
	return s.cfg.Changer.ShowChange(ctx), nil
}

// BeginPlanChange implements api.Changes.
func (s *Service) BeginPlanChange(ctx context.Context, in api.BeginPlanChange) (api.PlanChange, error) {
	return s.changePorts(ctx, func(by string) error {
		return s.cfg.Changer.BeginChange(ctx, by, time.Duration(in.Within*float64(time.Second)))
	})
}

// CommitPlanChange implements api.Changes.
func (s *Service) CommitPlanChange(ctx context.Context, in api.CommitPlanChange) (api.PlanChange, error) {
	return s.changePorts(ctx, func(by string) error { return s.cfg.Changer.CommitChange(ctx, by, in.WithoutMissing) })
}

// CancelPlanChange implements api.Changes.
func (s *Service) CancelPlanChange(ctx context.Context) (api.PlanChange, error) {
	return s.changePorts(ctx, func(by string) error { return s.cfg.Changer.CancelChange(ctx, by) })
}

func (s *Service) changePorts(ctx context.Context, do func(by string) error) (api.PlanChange, error) {
	who, err := s.may(ctx, access.ManagePorts, "")
	if err != nil {
		return api.PlanChange{}, err
	}
	if err := do(who.Name); err != nil {
		return api.PlanChange{}, err
	}
	return s.cfg.Changer.ShowChange(ctx), nil
}
