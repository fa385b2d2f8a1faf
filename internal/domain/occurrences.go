package domain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	manyOccurrences = 100
	mostOccurrences = 1000
	plannedAhead    = 24 * time.Hour
	plannedMost     = 400 * 24 * time.Hour
)

func allDecisions() []occurrence.Decision {
	return []occurrence.Decision{occurrence.Pending, occurrence.Released, occurrence.Missed, occurrence.Suppressed, occurrence.Cancelled}
}

func decisionsOf(names []string) ([]occurrence.Decision, error) {
	var out []occurrence.Decision
	for _, name := range names {
		d := occurrence.Decision(name)
		if !slices.Contains(allDecisions(), d) {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("there is no decision %q", name), "decisions: pending, released, missed, suppressed, cancelled")
		}
		out = append(out, d)
	}
	return out, nil
}

func reasonsOf(names []string) ([]occurrence.Reason, error) {
	var known []string
	for _, r := range occurrence.Reasons() {
		known = append(known, string(r.Reason))
	}
	var out []occurrence.Reason
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("there is no reason %q of an occurrence", name), "reasons: "+strings.Join(known, ", "))
		}
		out = append(out, occurrence.Reason(name))
	}
	return out, nil
}

// ListOccurrences implements api.Occurrences.
func (s *Service) ListOccurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	none := api.OccurrencePage{}
	_, folder, err := s.scope(ctx, access.View, q.Net, q.Folder)
	if err == nil {
		err = s.knownSchedule(ctx, q.Net, folder, q.Schedule)
	}
	if err != nil {
		return none, err
	}
	w := window{net: q.Net, folder: folder, schedule: q.Schedule, since: q.Since, until: q.Until, limit: cmp.Or(q.Limit, manyOccurrences)}
	if w.decisions, err = decisionsOf(q.Decisions); err != nil {
		return none, err
	}
	if w.reasons, err = reasonsOf(q.Reasons); err != nil {
		return none, err
	}
	if w.after, err = readCursor(q.After); err != nil {
		return none, err
	}
	if w.limit < 0 || w.limit > mostOccurrences {
		return none, fault.Newf(fault.Invalid, "limit is %d; from 1 to %d", q.Limit, mostOccurrences)
	}
	now := s.cfg.Now()
	if q.Planned {
		if w.until.IsZero() {
			w.until = now.Add(plannedAhead)
		}
		if w.until.After(now.Add(plannedMost)) {
			return none, fault.New(fault.Invalid, "until is more than 400 days ahead", "ask for less, or see `reeve schedule preview`")
		}
	}
	var soon []coming
	full := s.cfg.Engine.Disk() != "" // what has fallen due since has no record
	if q.Planned || full {
		ahead := w
		if !q.Planned && (ahead.until.IsZero() || ahead.until.After(now)) {
			ahead.until = now
		}
		if w.after.Due.After(ahead.since) {
			ahead.since = w.after.Due
		}
		if soon, err = s.coming(ctx, &ahead); err != nil {
			return none, err
		}
	}
	early, err := s.early(ctx, &w)
	if err != nil {
		return none, err
	}
	ranges, err := s.stretches(ctx, &w, false)
	if err != nil {
		return none, err
	}
	items, err := s.items(ctx, &w, rows{ranges: ranges, soon: soon, early: early})
	if err != nil {
		return none, err
	}
	out := api.OccurrencePage{}
	if out.Occurrences, out.Next, err = s.page(ctx, items, w.limit); err != nil {
		return none, err
	}
	return out, err
}

// Occurrence implements api.Occurrences.
func (s *Service) Occurrence(ctx context.Context, net, schedule string, nominal time.Time) (api.Occurrence, error) {
	if _, err := s.may(ctx, access.View, folderOf(net)); err != nil {
		return api.Occurrence{}, err
	}
	return s.occurrence(ctx, occurrence.Key{Net: net, Schedule: schedule, Nominal: nominal.UTC().Truncate(time.Microsecond)})
}

// occurrence shows one: its record, the range that stands for it, or what its rule has.
func (s *Service) occurrence(ctx context.Context, key occurrence.Key) (api.Occurrence, error) {
	r, found, err := s.recordOf(ctx, key)
	if err != nil {
		return api.Occurrence{}, err
	}
	if !found {
		soon, ok, err := s.comingOf(ctx, key)
		if err != nil {
			return api.Occurrence{}, err
		}
		if !ok {
			return api.Occurrence{}, fault.New(fault.NotFound, fmt.Sprintf("schedule %s of net %s has no occurrence of the nominal instant %s", key.Schedule, key.Net, stamp(key.Nominal)),
				"see `reeve occurrence list "+key.Net+" --planned`")
		}
		out := s.showComing(&soon)
		out.Certificate = s.certificate(ctx, soon.span, key)
		return out, nil
	}
	out, err := s.showRecord(ctx, &r)
	if err != nil {
		return api.Occurrence{}, err
	}
	out.Certificate = s.certificate(ctx, r.Span, key)
	return out, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// recordOf returns an occurrence's record, or one that says what the range says that stands for it.
func (s *Service) recordOf(ctx context.Context, key occurrence.Key) (occurrence.Record, bool, error) {
	records, err := s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{Net: key.Net, Schedule: key.Schedule, Nominal: key.Nominal, Limit: 1})
	if err != nil {
		return occurrence.Record{}, false, storeFault(err)
	}
	if len(records) > 0 {
		return records[0], true, nil
	}
	ranges, err := s.cfg.Store.Ranges(ctx, store.OccurrenceQuery{Net: key.Net, Schedule: key.Schedule})
	if err != nil {
		return occurrence.Record{}, false, storeFault(err)
	}
	for i := range ranges {
		if r, ok := s.ofRange(ctx, &ranges[i], key); ok {
			return r, true, nil
		}
	}
	return occurrence.Record{}, false, nil
}

// ofRange returns the occurrence of a key as a range has it; false: the range is not about it.
func (s *Service) ofRange(ctx context.Context, r *occurrence.Range, key occurrence.Key) (occurrence.Record, bool) {
	if key.Nominal.Before(r.First) || key.Nominal.After(r.Last) {
		return occurrence.Record{}, false
	}
	rule, ok := s.ruleOfSpan(ctx, r.Span, key)
	if !ok {
		return occurrence.Record{}, false
	}
	o, ok := rule.At(key.Nominal)
	if !ok || (o.Suppressed != "") != (occurrence.Reason(o.Suppressed) == r.Reason) {
		return occurrence.Record{}, false
	}
	return occurrence.Record{
		Key: key, Span: r.Span, Due: o.Due, Moved: o.Moved, Decision: r.Decision, Reason: r.Reason, Detail: r.Detail, Decided: r.Decided,
		Zone: r.Zone, TZData: r.TZData, Dismissed: r.Dismissed, DismissedBy: r.DismissedBy,
	}, true
}

// ActOnOccurrence implements api.Occurrences.
func (s *Service) ActOnOccurrence(ctx context.Context, act api.OccurrenceAct) (api.Occurrence, error) {
	needs, ok := map[string]access.Permission{"release": access.Run, "dismiss": access.Control, "cancel": access.Control}[act.Verb]
	if !ok {
		if _, err := s.may(ctx, access.View, folderOf(act.Net)); err != nil {
			return api.Occurrence{}, err
		}
		return api.Occurrence{}, fault.New(fault.Invalid, fmt.Sprintf("an occurrence cannot be %q", act.Verb), "release, dismiss or cancel")
	}
	who, err := s.may(ctx, needs, folderOf(act.Net))
	if err != nil {
		return api.Occurrence{}, err
	}
	key := occurrence.Key{Net: act.Net, Schedule: act.Schedule, Nominal: act.Nominal.UTC().Truncate(time.Microsecond)}
	do := s.act(who, "occurrence."+act.Verb, objectOf(key), act.Reason)
	switch act.Verb {
	case "release":
		_, err = s.cfg.Engine.ReleaseOccurrence(ctx, key, do)
	case "dismiss":
		_, err = s.cfg.Engine.Dismiss(ctx, occurrenceDismissal(key), do)
	case "cancel":
		_, err = s.cfg.Engine.CancelOccurrence(ctx, key, do)
	}
	if err != nil {
		return api.Occurrence{}, err
	}
	s.scheduleChanged(act.Net, act.Schedule)
	return s.occurrence(ctx, key)
}
