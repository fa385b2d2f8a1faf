package domain

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

const manyOverrides = 1000

// ListOverrides implements api.Agenda.
func (s *Service) ListOverrides(ctx context.Context, net string, all bool) ([]api.Override, error) {
	who, _, err := s.scope(ctx, access.View, net, "")
	if err != nil {
		return nil, err
	}
	states := []occurrence.OverrideState{occurrence.OverrideActive, occurrence.OverrideStale}
	if all {
		states = nil
	}
	list, err := s.cfg.Store.Overrides(ctx, net, states, manyOverrides)
	if err != nil {
		return nil, storeFault(err)
	}
	out := []api.Override{}
	for i := range list {
		if who.May(access.View, folderOf(list[i].Net)) {
			out = append(out, showOverride(&list[i]))
		}
	}
	return out, nil
}

// overridesOf returns those that are active or stale and touch a window.
func (s *Service) overridesOf(ctx context.Context, w *window) ([]api.Override, error) {
	list, err := s.cfg.Store.Overrides(ctx, w.net, []occurrence.OverrideState{occurrence.OverrideActive, occurrence.OverrideStale}, 0)
	if err != nil {
		return nil, storeFault(err)
	}
	in := func(t time.Time) bool { return !t.IsZero() && !t.Before(w.since) && t.Before(w.until) }
	out := []api.Override{}
	for i := range list {
		o := &list[i]
		if w.folder != "" && !within(w.folder, o.Net) {
			continue
		}
		if in(o.Nominal) || in(o.To) || !o.From.IsZero() && o.From.Before(w.until) {
			out = append(out, showOverride(o))
		}
		if len(out) == manyOverrides {
			break
		}
	}
	return out, nil
}

func showOverride(o *occurrence.Override) api.Override {
	return api.Override{
		ID: overrideID(o), Kind: string(o.Kind), Net: o.Net, Schedule: o.Schedule, Nominal: optTime(o.Nominal), From: optTime(o.From), To: optTime(o.To),
		Params: orEmpty(o.Params), Expires: optTime(o.Expires), Reason: o.Reason, By: o.By, Created: o.Created.UTC(), State: string(o.State), Ended: optTime(o.Ended),
	}
}

// overrideID writes an id as people and programs have it.
func overrideID(o *occurrence.Override) string { return strconv.FormatInt(o.ID, 10) }

// CreateOverride implements api.Agenda.
func (s *Service) CreateOverride(ctx context.Context, o api.CreateOverride) (api.Override, error) {
	needs := access.Control
	if o.Kind == string(occurrence.OverrideAdd) {
		needs = access.Run
	}
	who, err := s.may(ctx, needs, folderOf(o.Net))
	if err != nil {
		return api.Override{}, err
	}
	order, err := s.overrideOf(&o)
	if err != nil {
		return api.Override{}, err
	}
	order.By, order.Reason, order.Created = who.Name, o.Reason, s.cfg.Now()
	made, err := s.cfg.Engine.Override(ctx, order, s.act(who, "agenda."+o.Kind, overrideText(&order), o.Reason))
	if err != nil {
		return api.Override{}, err
	}
	s.scheduleChanged(made.Net, made.Schedule)
	return showOverride(&made), nil
}

func overrideText(o *occurrence.Override) string {
	when := o.Nominal
	if when.IsZero() {
		when = o.From
	}
	return fmt.Sprintf("%s/%s %s", o.Net, o.Schedule, when.UTC().Format(time.RFC3339Nano))
}

// overrideOf checks an order as far as that needs no schedule.
func (s *Service) overrideOf(o *api.CreateOverride) (occurrence.Override, error) {
	at := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return t.UTC().Truncate(time.Microsecond)
	}
	out := occurrence.Override{
		Key:  occurrence.Key{Net: o.Net, Schedule: o.Schedule, Nominal: at(o.Nominal)},
		Kind: occurrence.OverrideKind(o.Kind), From: at(o.From), To: at(o.To), Params: maps.Clone(o.Params), Expires: at(o.Expires),
	}
	bad := func(what, fix string) (occurrence.Override, error) { return out, fault.New(fault.Invalid, what, fix) }
	now := s.cfg.Now()
	switch {
	case o.Reason == "":
		return bad("a change of the agenda needs a reason", "say why, for those who wonder later")
	case !out.Expires.IsZero() && !out.Expires.After(now):
		return bad("it would expire at "+stamp(out.Expires)+", which is over", "give a time to come, or none")
	case len(out.Params) > 0 && out.Kind != occurrence.OverrideAdd:
		return bad("only what is added has parameters", "")
	case !out.To.IsZero() && out.Kind != occurrence.OverrideMove:
		return bad("only a move has a time to which", "")
	case !out.From.IsZero() && out.Kind != occurrence.OverrideHold:
		return bad("only a hold has a time from which", "")
	case out.Nominal.IsZero() && (out.Kind != occurrence.OverrideHold || out.From.IsZero()):
		return bad("it does not say which occurrence", "give its nominal instant")
	case !out.Nominal.IsZero() && !out.From.IsZero():
		return bad("a hold is of one occurrence, or of all from a time on", "give one of the two")
	}
	switch out.Kind {
	case occurrence.OverrideAdd:
		if out.Schedule != "" && out.Schedule != occurrence.Manual {
			return bad("what is added belongs to no schedule", "leave the schedule away")
		}
		if !out.Nominal.After(now) {
			return bad("it would be due at "+stamp(out.Nominal)+", which is over", "give a time to come, or start it now: `reeve run start "+o.Net+"`")
		}
		out.Schedule = occurrence.Manual
	case occurrence.OverrideMove:
		if !out.To.After(now) {
			return bad("it would be moved to "+stamp(out.To)+", which is over", "give a time to come, or release it now: `reeve occurrence release`")
		}
	case occurrence.OverrideSkip, occurrence.OverrideHold:
	default:
		return bad(fmt.Sprintf("%q is no change of the agenda", o.Kind), "add, move, skip or hold")
	}
	if out.Schedule == "" {
		return bad("it does not say which schedule", "see `reeve schedule list "+o.Net+"`")
	}
	return out, nil
}

// DropOverride implements api.Agenda.
func (s *Service) DropOverride(ctx context.Context, id string) (api.Override, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.Override{}, err
	}
	list, err := s.cfg.Store.Overrides(ctx, "", nil, 0)
	if err != nil {
		return api.Override{}, storeFault(err)
	}
	for i := range list {
		o := &list[i]
		if overrideID(o) != id {
			continue
		}
		who, err := s.may(ctx, access.Control, folderOf(o.Net))
		if err != nil {
			return api.Override{}, err
		}
		dropped, err := s.cfg.Engine.DropOverride(ctx, o.ID, s.act(who, "agenda.drop", overrideText(o), ""))
		if err != nil {
			return api.Override{}, err
		}
		s.scheduleChanged(o.Net, o.Schedule)
		return showOverride(&dropped), nil
	}
	return api.Override{}, fault.New(fault.NotFound, fmt.Sprintf("there is no change of the agenda with the id %q", id), "see `reeve agenda overrides`")
}
