package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// twinTime is what a twin knows of time.
type twinTime struct {
	twinCalendars

	schedules   []api.Schedule
	occurrences []api.Occurrence // by due
	missed      []api.Missed

	missedOnPage int // 0: all
	overrides    []api.Override
	risks        []api.Risk
	balances     []api.Balance
	whys         []api.Fact // of every net
	month        func(net, schedule string, month time.Time) []api.MonthDay
	forecast     api.Forecast
	forecastErr  error
	looked       api.ForecastQuery
}

func inZone(name string) *time.Location {
	loc, err := time.LoadLocation(cmp.Or(name, "UTC"))
	if err != nil {
		return time.UTC
	}
	return loc
}

func (t *twin) sees(ctx context.Context, net, wantNet, folder string) bool {
	return (wantNet == "" || net == wantNet) && (folder == "" || strings.HasPrefix(net, folder+"/")) && t.may(ctx, access.View, folderOf(net)) == nil
}

func (t *twin) ListSchedules(ctx context.Context, q api.ScheduleQuery) ([]api.Schedule, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []api.Schedule{}
	for _, s := range t.time.schedules {
		if t.sees(ctx, s.Net, q.Net, q.Folder) && (!q.Paused || s.Paused != nil) && s.Net+"/"+s.Name > q.After && len(out) < cmp.Or(q.Limit, 1000) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (t *twin) Schedule(ctx context.Context, net, name string) (api.Schedule, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.time.schedules {
		if s.Net == net && s.Name == name {
			return s, t.may(ctx, access.View, folderOf(net))
		}
	}
	return api.Schedule{}, fault.Newf(fault.NotFound, "there is no schedule %s of %s", name, net)
}

func (t *twin) pause(ctx context.Context, net, name, call string, p *api.Pause) (api.Schedule, error) {
	if err := t.may(ctx, access.Control, folderOf(net)); err != nil {
		return api.Schedule{}, err
	}
	t.asked(call, func() {
		for i := range t.time.schedules {
			if t.time.schedules[i].Net == net && t.time.schedules[i].Name == name {
				t.time.schedules[i].Paused = p
			}
		}
	})
	return t.Schedule(ctx, net, name)
}

func (t *twin) PauseSchedule(ctx context.Context, net, name string, order api.Pause) (api.Schedule, error) {
	return t.pause(ctx, net, name, fmt.Sprintf("pause %s %s %s %s", net, name, shownTime(order.Until), order.Reason), &order)
}

func (t *twin) ResumeSchedule(ctx context.Context, net, name string) (api.Schedule, error) {
	return t.pause(ctx, net, name, "resume "+net+" "+name, nil)
}

func (t *twin) DiffSchedules(context.Context, string, []byte, api.DiffQuery, ...api.File) ([]api.ScheduleDiff, error) {
	return []api.ScheduleDiff{}, nil
}

func (t *twin) ListOccurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []api.Occurrence
	for _, o := range t.time.occurrences {
		switch {
		case !t.sees(ctx, o.Net, q.Net, q.Folder), q.Schedule != "" && o.Schedule != q.Schedule:
		case !q.Since.IsZero() && o.Due.Before(q.Since), !q.Until.IsZero() && !o.Due.Before(q.Until):
		case len(q.Decisions) > 0 && !slices.Contains(q.Decisions, o.Decision), !q.Planned && deref(o.Reason) == "not_due":
		default:
			all = append(all, o)
		}
	}
	items, next, err := pageOf(all, q.After, cmp.Or(q.Limit, 100))
	return api.OccurrencePage{Occurrences: items, Next: next}, err
}

// pageOf cuts a page out of a list; its cursors are places in the list.
func pageOf(all []api.Occurrence, after string, limit int) ([]api.Occurrence, *string, error) {
	from := 0
	if after != "" {
		var err error
		if from, err = strconv.Atoi(after); err != nil {
			return nil, nil, fault.New(fault.Invalid, "this is no cursor", "")
		}
	}
	from = min(from, len(all))
	to := min(from+limit, len(all))
	if to < len(all) {
		return all[from:to], ptr(strconv.Itoa(to)), nil
	}
	return all[from:to], nil, nil
}

func (t *twin) Occurrence(ctx context.Context, net, schedule string, nominal time.Time) (api.Occurrence, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.time.occurrences {
		if o.Net == net && o.Schedule == schedule && o.Nominal.Equal(nominal) {
			return o, t.may(ctx, access.View, folderOf(net))
		}
	}
	return api.Occurrence{}, fault.Newf(fault.NotFound, "schedule %s of %s has no occurrence at %s", schedule, net, nominal.Format(time.RFC3339))
}

func (t *twin) Missed(ctx context.Context, q api.OccurrenceQuery) (api.MissedPage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(t.time.missed), func(m api.Missed) bool {
		return !t.sees(ctx, m.Net, q.Net, q.Folder) || q.Schedule != "" && m.Schedule != q.Schedule || !q.Since.IsZero() && m.Last.Before(q.Since) || !q.Until.IsZero() && !m.First.Before(q.Until)
	})
	page := api.MissedPage{Missed: all}
	for i := range all {
		page.Count += all[i].Count
	}
	from, _ := strconv.Atoi(q.After)
	all = all[min(from, len(all)):]
	if t.time.missedOnPage > 0 && len(all) > t.time.missedOnPage {
		all, page.Next = all[:t.time.missedOnPage], ptr(strconv.Itoa(from+t.time.missedOnPage))
	}
	page.Missed = all
	return page, nil
}

func (t *twin) ReleaseMissed(ctx context.Context, q api.OccurrenceQuery) (api.ReleasedMissed, error) {
	if err := t.may(ctx, access.Run, folderOf(q.Net)); err != nil {
		return api.ReleasedMissed{}, err
	}
	t.asked(fmt.Sprintf("release %d of %q %q %q from %s until %s at most %d %s", q.Expect, q.Net, q.Folder, q.Schedule, shownTime(&q.Since), shownTime(&q.Until), q.Limit, q.Reason), func() {})
	if q.Net == "estate/gone" {
		return api.ReleasedMissed{Released: 2, Refused: []api.NotReleased{{Net: q.Net, Schedule: "s", First: q.Until, Why: "its rule is gone"}}}, nil
	}
	return api.ReleasedMissed{Released: q.Expect}, nil
}

func (t *twin) ActOnOccurrence(ctx context.Context, act api.OccurrenceAct) (api.Occurrence, error) {
	needs := access.Control
	if act.Verb == "release" {
		needs = access.Run
	}
	if err := t.may(ctx, needs, folderOf(act.Net)); err != nil {
		return api.Occurrence{}, err
	}
	t.asked(strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", act.Verb, act.Net, act.Schedule, act.Nominal.Format(time.RFC3339), act.Reason)), func() {})
	o, err := t.Occurrence(ctx, act.Net, act.Schedule, act.Nominal)
	if act.Verb == "release" {
		o.RecoveredBy = ptr(bigRun)
	}
	return o, err
}

func (t *twin) DismissMissed(ctx context.Context, q api.OccurrenceQuery) (int64, error) {
	if err := t.may(ctx, access.Control, folderOf(q.Net)); err != nil {
		return 0, err
	}
	if !q.Since.IsZero() || q.Limit != 0 {
		return 0, fault.New(fault.Invalid, "what is dismissed is bounded by net, folder, schedule and until", "")
	}
	t.asked(fmt.Sprintf("dismiss all of %q %q until %s", q.Net, q.Schedule, shownTime(&q.Until)), func() { t.time.missed = nil })
	return 3, nil
}

func shownTime(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (t *twin) Balance(ctx context.Context, q api.BalanceQuery) ([]api.Balance, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.time.balances), func(b api.Balance) bool {
		return !t.sees(ctx, b.Net, q.Net, q.Folder) || q.Schedule != "" && b.Schedule != q.Schedule || q.Broken && b.Holds
	}), nil
}

func (t *twin) WhyNet(ctx context.Context, q api.WhyQuery) (api.Why, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return api.Why{Subject: q.Net + " --at " + q.At.Format(time.RFC3339), State: "missed", Facts: t.time.whys}, t.may(ctx, access.View, folderOf(q.Net))
}

func (t *twin) AtRisk(context.Context, int) ([]api.Risk, error) { return t.time.risks, nil }

func (t *twin) ShowAgenda(ctx context.Context, q api.AgendaQuery) (api.AgendaPage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	loc := inZone(q.Zone)
	day, err := time.ParseInLocation(time.DateOnly, cmp.Or(q.Day, t.now.In(loc).Format(time.DateOnly)), loc)
	if err != nil {
		return api.AgendaPage{}, fault.New(fault.Invalid, "this is no day", "")
	}
	page := api.AgendaPage{Day: day.Format(time.DateOnly), Zone: loc.String(), Begin: day.UTC(), End: day.AddDate(0, 0, 1).UTC(), Now: t.now}
	for at := page.Begin; at.Before(page.End); at = at.Add(time.Hour) {
		page.Hours = append(page.Hours, api.AgendaHour{Begin: at})
	}
	var all []api.Occurrence
	for _, o := range t.time.occurrences {
		if o.Due.Before(page.Begin) || !o.Due.Before(page.End) || !t.sees(ctx, o.Net, q.Net, q.Folder) {
			continue
		}
		page.Counts.Expected++
		h := &page.Hours[int(o.Due.Sub(page.Begin)/time.Hour)]
		switch o.Decision {
		case "pending":
			page.Counts.Pending++
			h.Due++
		case "released":
			page.Counts.Released++
			h.Due++
			h.Done++
		case "missed":
			page.Counts.Missed++
			h.Due++
			h.Trouble++
		case "suppressed":
			page.Counts.Suppressed++
		case "cancelled":
			page.Counts.Cancelled++
		}
		if o.Late {
			page.Counts.Late++
			h.Trouble++
		}
		if q.State == "" || q.State == o.Decision || q.State == "late" && o.Late {
			all = append(all, o)
		}
	}
	page.Overrides = t.time.overrides
	page.Items, page.Next, err = pageOf(all, q.After, cmp.Or(q.Limit, 200))
	return page, err
}

func (t *twin) MonthOf(ctx context.Context, net, schedule string, month time.Time) ([]api.MonthDay, error) {
	if t.time.month == nil {
		return []api.MonthDay{}, nil
	}
	return t.time.month(net, schedule, month), t.may(ctx, access.View, folderOf(net))
}

func (t *twin) ListOverrides(ctx context.Context, net string, _ bool) ([]api.Override, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.time.overrides), func(o api.Override) bool { return !t.sees(ctx, o.Net, net, "") }), nil
}

func (t *twin) CreateOverride(ctx context.Context, o api.CreateOverride) (api.Override, error) {
	needs := access.Control
	if o.Kind == "add" {
		needs = access.Run
	}
	if err := t.may(ctx, needs, folderOf(o.Net)); err != nil {
		return api.Override{}, err
	}
	t.asked(fmt.Sprintf("override %s %s %q nominal=%s from=%s to=%s expires=%s %v %s", o.Kind, o.Net, o.Schedule, shownTime(o.Nominal), shownTime(o.From), shownTime(o.To), shownTime(o.Expires), o.Params, o.Reason), func() {})
	return api.Override{ID: "9"}, nil
}

func (t *twin) DropOverride(ctx context.Context, id string) (api.Override, error) {
	if err := t.may(ctx, access.Control, ""); err != nil {
		return api.Override{}, err
	}
	if _, err := strconv.ParseInt(id, 10, 64); err != nil {
		return api.Override{}, fault.New(fault.NotFound, "there is no change of the agenda with the id "+id, "")
	}
	t.asked("drop override "+id, func() {})
	return api.Override{ID: id}, nil
}
