package domain

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// StartRun implements api.Service.
func (s *Service) StartRun(ctx context.Context, order api.StartRun) (api.Run, error) {
	who, err := s.may(ctx, access.Run, folderOf(order.Net))
	if err != nil {
		return api.Run{}, err
	}
	id, err := s.ids.Next()
	if err != nil {
		return api.Run{}, err
	}
	key := ""
	if order.Key != "" {
		key = who.Name + "\x00" + order.Key // one person's keys never meet another's
	}
	now := s.cfg.Now()
	st, err := s.cfg.Engine.StartRun(ctx, engine.Start{
		Net: order.Net, Version: order.Version, Key: key,
		Request: run.Request{ID: id, Params: order.Params, Nominal: now, By: who.Name},
	}, s.audit(who, "run.start", id, order.Net))
	if err != nil {
		return api.Run{}, err
	}
	return s.show(ctx, st)
}

func (s *Service) show(ctx context.Context, st run.State) (api.Run, error) {
	def, err := s.cfg.Engine.Definition(ctx, st.Net, st.Version)
	if err != nil {
		return api.Run{}, storeFault(err)
	}
	return s.showRun(st, def), nil
}

// state returns a run that the subject may see with permission p.
func (s *Service) state(ctx context.Context, id string, p access.Permission) (run.State, access.Subject, error) {
	if who := api.SubjectOf(ctx); who.Name == "" {
		_, err := s.may(ctx, p, "")
		return run.State{}, who, err
	}
	st, ok := s.cfg.Engine.OpenRun(id)
	if !ok {
		var err error
		if st, err = s.cfg.Store.Run(ctx, id); errors.Is(err, store.ErrNotFound) {
			return st, access.Subject{}, fault.New(fault.NotFound, "there is no run "+id, "see `reeve run list`")
		} else if err != nil {
			return st, access.Subject{}, storeFault(err)
		}
	}
	who, err := s.may(ctx, p, folderOf(st.Net))
	return st, who, err
}

// Run implements api.Service.
func (s *Service) Run(ctx context.Context, id string) (api.Run, error) {
	st, _, err := s.state(ctx, id, access.View)
	if err != nil {
		return api.Run{}, err
	}
	return s.show(ctx, st)
}

// runStates are those that a run can be in.
func runStates() []run.Status {
	return []run.Status{run.Waiting, run.Held, run.Running, run.Succeeded, run.Warning, run.Failed, run.Cancelled, run.Lost}
}

// ListRuns implements api.Service. A subject that is confined to a folder sees only that.
func (s *Service) ListRuns(ctx context.Context, q api.RunQuery) ([]api.RunSummary, error) {
	who, err := s.may(ctx, access.View, q.Folder)
	if err != nil {
		return nil, err
	}
	query := store.RunQuery{Net: q.Net, Folder: q.Folder, Schedule: q.Schedule, Since: q.Since, Until: q.Until, Before: q.Before, Limit: q.Limit}
	if query.Folder == "" {
		query.Folder = who.Folder
	}
	for _, st := range q.States {
		query.States = append(query.States, run.Status(st))
		if !slices.Contains(runStates(), run.Status(st)) {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("there is no run state %q", st), "states: waiting, held, running, succeeded, warning, failed, cancelled, unknown")
		}
	}
	if q.Limit < 0 || q.Limit > 1000 {
		return nil, fault.Newf(fault.Invalid, "limit is %d; from 1 to 1000", q.Limit)
	}
	runs, err := s.cfg.Store.ListRuns(ctx, query)
	if err != nil {
		return nil, storeFault(err)
	}
	out := make([]api.RunSummary, len(runs))
	for i, r := range runs {
		out[i] = showSummary(r)
	}
	return out, nil
}

// ControlRun implements api.Service.
func (s *Service) ControlRun(ctx context.Context, id, verb string) (api.Run, error) {
	_, who, err := s.state(ctx, id, access.Control)
	if err != nil {
		return api.Run{}, err
	}
	var in run.Input
	switch verb {
	case "cancel":
		in = run.Cancel{By: who.Name}
	case "hold":
		in = run.Hold{By: who.Name}
	case "release":
		in = run.Release{By: who.Name}
	default:
		return api.Run{}, fault.New(fault.Invalid, fmt.Sprintf("a run cannot be %q", verb), "cancel, hold or release")
	}
	st, err := s.cfg.Engine.Apply(ctx, id, in, s.audit(who, "run."+verb, id, ""))
	if err != nil {
		return api.Run{}, err
	}
	return s.show(ctx, st)
}

// RerunRun implements api.Service: a new run of the same version with the same parameters.
func (s *Service) RerunRun(ctx context.Context, id string) (api.Run, error) {
	old, who, err := s.state(ctx, id, access.Run)
	if err != nil {
		return api.Run{}, err
	}
	next, err := s.ids.Next()
	if err != nil {
		return api.Run{}, err
	}
	st, err := s.cfg.Engine.StartRun(ctx, engine.Start{
		Net: old.Net, Version: old.Version,
		Request: run.Request{ID: next, Params: old.Params, Nominal: old.Nominal, By: who.Name, RerunOf: id},
	}, s.audit(who, "run.rerun", next, "of "+id))
	if err != nil {
		return api.Run{}, err
	}
	return s.show(ctx, st)
}

// DecideJob implements api.Service.
func (s *Service) DecideJob(ctx context.Context, id, job string, d api.Decision) (api.Run, error) {
	_, who, err := s.state(ctx, id, access.Control)
	if err != nil {
		return api.Run{}, err
	}
	in := run.Decide{Job: job, As: run.Status(d.As), By: who.Name}
	if d.As == "rerun" {
		in.As, in.Rerun = "", true
	}
	st, err := s.cfg.Engine.Apply(ctx, id, in, s.audit(who, "run.decide", id+"/"+job, d.As))
	if err != nil {
		return api.Run{}, err
	}
	return s.show(ctx, st)
}
