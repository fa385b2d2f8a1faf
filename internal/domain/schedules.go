package domain

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	manySchedules = 1000
	mostSchedules = 10_000
)

// scope asks for a permission in the folder of a net, or where none is named in a folder, and refuses what is named and does not exist: an empty
// list would read as if all were well. It returns the folder to which a list is confined.
func (s *Service) scope(ctx context.Context, p access.Permission, net, folder string) (access.Subject, string, error) {
	if net != "" {
		who, err := s.may(ctx, p, folderOf(net))
		if err == nil {
			err = s.knownNet(ctx, net)
		}
		if err == nil && folder != "" && !within(folder, net) {
			err = fault.New(fault.NotFound, fmt.Sprintf("net %s is not below the folder %s", net, folder), "leave one of the two away")
		}
		return who, folder, err
	}
	confined := cmp.Or(folder, api.SubjectOf(ctx).Folder)
	who, err := s.may(ctx, p, confined)
	if err == nil && folder != "" {
		err = s.knownFolder(ctx, folder)
	}
	return who, confined, err
}

// knownFolder says that there is no net below a folder.
func (s *Service) knownFolder(ctx context.Context, folder string) error {
	spans, err := s.cfg.Store.Spans(ctx, store.SpanQuery{Folder: folder, Limit: 1}) // most folders have one, and it is found at once
	if err != nil || len(spans) > 0 {
		return storeFault(err)
	}
	nets, err := s.cfg.Store.ListNets(ctx, folder)
	if err != nil || len(nets) > 0 {
		return storeFault(err)
	}
	return fault.New(fault.NotFound, "there is no net below the folder "+folder, "see `reeve net list`")
}

// knownSchedule says that no net of a scope has, or had, a schedule of this name; "" is all of them. It is asked after scope.
func (s *Service) knownSchedule(ctx context.Context, net, folder, name string) error {
	if name == "" || name == occurrence.Manual {
		return nil
	}
	spans, err := s.cfg.Store.Spans(ctx, store.SpanQuery{Net: net, Folder: folder, Schedule: name, Limit: 1})
	if err != nil || len(spans) > 0 {
		return storeFault(err)
	}
	whose := "there is no schedule"
	if net != "" {
		whose = "net " + net + " has no schedule"
	}
	return fault.New(fault.NotFound, fmt.Sprintf("%s %q", whose, name), strings.TrimSpace("see `reeve schedule list "+net)+"`")
}

// ListSchedules implements api.Schedules.
func (s *Service) ListSchedules(ctx context.Context, q api.ScheduleQuery) ([]api.Schedule, error) {
	_, folder, err := s.scope(ctx, access.View, q.Net, q.Folder)
	if err != nil {
		return nil, err
	}
	if q.Limit < 0 || q.Limit > mostSchedules {
		return nil, fault.Newf(fault.Invalid, "limit is %d; from 1 to %d", q.Limit, mostSchedules)
	}
	missed, err := s.missedOf(ctx, q.Net, folder, "")
	if err != nil {
		return nil, err
	}
	limit := cmp.Or(q.Limit, manySchedules)
	net, name := cutLast(q.After)
	out := []api.Schedule{}
	for _, sch := range s.cfg.Engine.Schedules(q.Net, folder) {
		if q.After != "" && cmp.Or(strings.Compare(sch.Net, net), strings.Compare(sch.Name, name)) <= 0 {
			continue
		}
		if _, paused := s.cfg.Engine.PausedNow(sch.Net, sch.Name); q.Paused && !paused {
			continue
		}
		if len(out) == limit {
			break
		}
		shown, err := s.showSchedule(ctx, &sch, missed)
		if err != nil {
			return nil, err
		}
		out = append(out, shown)
	}
	return out, nil
}

// cutLast splits NET/SCHEDULE.
func cutLast(path string) (net, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return path, ""
	}
	return path[:i], path[i+1:]
}

// Schedule implements api.Schedules.
func (s *Service) Schedule(ctx context.Context, net, name string) (api.Schedule, error) {
	if _, err := s.may(ctx, access.View, folderOf(net)); err != nil {
		return api.Schedule{}, err
	}
	return s.schedule(ctx, net, name)
}

func (s *Service) schedule(ctx context.Context, net, name string) (api.Schedule, error) {
	sch, err := s.inForce(net, name)
	if err != nil {
		return api.Schedule{}, err
	}
	missed, err := s.missedOf(ctx, net, "", name)
	if err != nil {
		return api.Schedule{}, err
	}
	return s.showSchedule(ctx, &sch, missed)
}

// inForce returns a schedule that is in force.
func (s *Service) inForce(net, name string) (engine.Scheduled, error) {
	sch, ok := s.cfg.Engine.RuleOf(net, name)
	if !ok {
		return sch, fault.New(fault.NotFound, fmt.Sprintf("net %s has no schedule %q in force", net, name), "see `reeve schedule list "+net+"`")
	}
	return sch, nil
}

type scheduleKey struct{ net, name string }

// missedOf counts what was missed and is neither recovered nor dismissed, by schedule.
func (s *Service) missedOf(ctx context.Context, net, folder, name string) (map[scheduleKey]int64, error) {
	q := store.OccurrenceQuery{Net: net, Folder: folder, Schedule: name, Decisions: []occurrence.Decision{occurrence.Missed}, Undismissed: true}
	tallies, err := s.cfg.Store.Tallies(ctx, q)
	if err != nil {
		return nil, storeFault(err)
	}
	ranges, err := s.cfg.Store.Ranges(ctx, q)
	if err != nil {
		return nil, storeFault(err)
	}
	out := map[scheduleKey]int64{}
	for _, t := range tallies {
		out[scheduleKey{t.Net, t.Schedule}] += t.Count
	}
	for i := range ranges {
		out[scheduleKey{ranges[i].Net, ranges[i].Schedule}] += ranges[i].Count
	}
	return out, nil
}

func (s *Service) showSchedule(ctx context.Context, sch *engine.Scheduled, missed map[scheduleKey]int64) (api.Schedule, error) {
	written := sch.Rule.Schedule()
	kind, rule := ruleText(&written)
	out := api.Schedule{
		Net: sch.Net, Name: sch.Name, Rule: rule, Kind: kind, Zone: written.Zone, Calendar: opt(written.Calendar), Text: fieldsText(&written),
		Version: sch.Version, Since: sch.Since.UTC(), TZData: sch.TZData, Missed: missed[scheduleKey{sch.Net, sch.Name}],
	}
	if sch.HasNext {
		next := toRelease(sch.Rule, sch.Next)
		out.Next, out.NextNominal = optTime(next.Due), optTime(next.Nominal)
		out.NextReason = opt(string(cmp.Or(next.Suppressed, next.Moved)))
	} else if sch.AwaitsEnd {
		out.NextReason = opt(string(occurrence.AwaitsEnd))
	}
	if p, ok := s.cfg.Engine.PausedNow(sch.Net, sch.Name); ok {
		out.Paused = &api.Pause{Reason: p.Reason, Until: optTime(p.Until), By: p.By, Since: optTime(p.Since)}
		out.NextReason = opt(string(occurrence.Paused))
	}
	last, ok, err := s.lastOf(ctx, sch.Net, sch.Name)
	if err != nil {
		return out, err
	}
	if ok {
		out.Last, out.LastWas = optTime(last.Due), opt(string(last.Decision))
	}
	return out, nil
}

// lastOf returns the last occurrence of a schedule that has fallen due and was decided, of its records and ranges. One that a person released
// before its time is not yet the last.
func (s *Service) lastOf(ctx context.Context, net, name string) (occurrence.Record, bool, error) {
	records, err := s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{
		Net: net, Schedule: name, Newest: true, Limit: 1, Until: s.cfg.Now().Add(tick),
		Decisions: []occurrence.Decision{occurrence.Released, occurrence.Missed, occurrence.Suppressed, occurrence.Cancelled},
	})
	if err != nil {
		return occurrence.Record{}, false, storeFault(err)
	}
	var last occurrence.Record
	if len(records) > 0 {
		last = records[0]
	}
	ranges, err := s.cfg.Store.Ranges(ctx, store.OccurrenceQuery{Net: net, Schedule: name, Since: last.Due})
	if err != nil {
		return last, false, storeFault(err)
	}
	for i := range ranges {
		if r := &ranges[i]; r.Last.After(last.Due) {
			last = occurrence.Record{Key: occurrence.Key{Net: net, Schedule: name, Nominal: r.Last}, Due: r.Last, Decision: r.Decision, Reason: r.Reason}
		}
	}
	return last, !last.Due.IsZero(), nil
}

// act is what is committed with what a person does.
func (s *Service) act(who access.Subject, action, object, why string) engine.Act {
	return engine.Act{By: who.Name, Reason: why, Audit: []store.AuditRecord{s.audit(who, action, object, why)}}
}

// PauseSchedule implements api.Schedules.
func (s *Service) PauseSchedule(ctx context.Context, net, name string, order api.Pause) (api.Schedule, error) {
	who, err := s.may(ctx, access.Control, folderOf(net))
	if err != nil {
		return api.Schedule{}, err
	}
	if _, err := s.inForce(net, name); err != nil {
		return api.Schedule{}, err
	}
	var until time.Time
	if order.Until != nil {
		until = order.Until.UTC()
		if !until.After(s.cfg.Now()) {
			return api.Schedule{}, fault.New(fault.Invalid, "the pause would end at "+until.Format(time.RFC3339)+", which is over", "give a time to come, or none")
		}
	}
	before, was := s.cfg.Engine.PausedNow(net, name)
	if _, err := s.cfg.Engine.Pause(ctx, net, name, until, s.act(who, "schedule.pause", net+"/"+name, order.Reason)); err != nil {
		return api.Schedule{}, err
	}
	s.scheduleChanged(net, name)
	out, err := s.schedule(ctx, net, name)
	if was && out.Paused != nil && !before.Until.Equal(until) { // nobody is to lose an end without a word
		out.Paused.WasUntil = optTime(before.Until)
	}
	return out, err
}

// ResumeSchedule implements api.Schedules.
func (s *Service) ResumeSchedule(ctx context.Context, net, name string) (api.Schedule, error) {
	who, err := s.may(ctx, access.Control, folderOf(net))
	if err != nil {
		return api.Schedule{}, err
	}
	if _, err := s.inForce(net, name); err != nil {
		return api.Schedule{}, err
	}
	if err := s.cfg.Engine.Resume(ctx, net, name, s.act(who, "schedule.resume", net+"/"+name, "")); err != nil {
		return api.Schedule{}, err
	}
	s.scheduleChanged(net, name)
	return s.schedule(ctx, net, name)
}

// scheduleChanged tells watchers that a schedule, or what is due of it, is not as it was.
func (s *Service) scheduleChanged(net, name string) {
	s.cfg.Hub.Publish(api.Change{Kind: "schedule", ID: net + "/" + name, Net: net})
}

// suppressedInARow bounds how far toRelease looks.
const suppressedInARow = 2000

// toRelease returns the first occurrence from next on that its own schedule does not suppress; next itself where many in a row are suppressed.
func toRelease(rule *calendar.Rule, next calendar.Occurrence) calendar.Occurrence {
	if next.Suppressed == "" {
		return next
	}
	looked := 0
	for o := range rule.Between(next.Due, next.Due.AddDate(1, 1, 0)) {
		if o.Suppressed == "" {
			return o
		}
		if looked++; looked > suppressedInARow {
			break
		}
	}
	return next
}
