package domain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// mostDays is how many days of a calendar are told at once.
const mostDays = 400

// ListCalendars implements api.Calendars.
func (s *Service) ListCalendars(ctx context.Context) ([]api.CalendarSummary, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	versions, err := s.cfg.Store.ListCalendars(ctx)
	if err != nil {
		return nil, storeFault(err)
	}
	seen, err := s.seenCalendars(ctx, bookOf(versions))
	if err != nil {
		return nil, err
	}
	uses, err := s.usesOfCalendars(ctx)
	if err != nil {
		return nil, err
	}
	lookup, failed := s.storedCalendars(ctx)
	out := make([]api.CalendarSummary, 0, len(versions))
	for _, v := range versions {
		if !seen(v.Name) {
			continue
		}
		def, err := readCalendar(v, nil)
		if err != nil {
			return nil, err
		}
		days, _ := calendar.Resolve(v.Name, lookup)
		out = append(out, s.summary(v, def, days, len(uses[v.Name])))
	}
	return out, failed()
}

func (s *Service) summary(v store.CalendarVersion, def *calendar.Definition, days *calendar.Days, uses int) api.CalendarSummary {
	sum := api.CalendarSummary{
		Name: v.Name, Version: v.Version, Description: def.Description, Applied: v.Applied.UTC(), By: v.By,
		Sets: make([]string, len(def.Sets)), Today: days.Working(dayOf(s.cfg.Now())), UsedBy: uses,
	}
	for i, set := range def.Sets {
		sum.Sets[i] = set.Name
	}
	return sum
}

// dayOf is the civil day of an instant in UTC.
func dayOf(t time.Time) calendar.Day { return calendar.DayOf(t.UTC().Date()) }

// usesOfCalendars returns the schedules in force (NET/SCHEDULE) by the calendars that they lean on, as far as who asks may see them.
func (s *Service) usesOfCalendars(ctx context.Context) (map[string][]string, error) {
	who, err := s.may(ctx, access.View, "")
	if err != nil {
		return nil, err
	}
	spans, err := s.cfg.Store.Spans(ctx, store.SpanQuery{Open: true})
	if err != nil {
		return nil, storeFault(err)
	}
	uses := map[string][]string{}
	for _, span := range spans {
		if !who.May(access.View, folderOf(span.Net)) {
			continue
		}
		for name := range span.Calendars {
			uses[name] = append(uses[name], span.Net+"/"+span.Schedule)
		}
	}
	return uses, nil
}

// Calendar implements api.Calendars.
func (s *Service) Calendar(ctx context.Context, name string, version int) (api.Calendar, error) {
	if err := s.mayCalendar(ctx, name); err != nil {
		return api.Calendar{}, err
	}
	versions, err := s.cfg.Store.CalendarVersions(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return api.Calendar{}, fault.New(fault.NotFound, "there is no calendar "+name, "see `reeve calendar list`")
	} else if err != nil {
		return api.Calendar{}, storeFault(err)
	}
	newest := versions[0].Version
	at := 0
	if version != 0 {
		at = slices.IndexFunc(versions, func(v store.CalendarVersion) bool { return v.Version == version })
		if at < 0 {
			return api.Calendar{}, fault.Newf(fault.NotFound, "calendar %s has no version %d; the newest is %d", name, version, newest)
		}
	}
	v := versions[at]
	def, err := readCalendar(v, nil)
	if err != nil {
		return api.Calendar{}, err
	}
	uses, err := s.usesOfCalendars(ctx)
	if err != nil {
		return api.Calendar{}, err
	}
	lookup, failed := s.storedCalendars(ctx)
	// An old version leans on the other calendars as they are now.
	days, _ := calendar.Resolve(name, func(n string) (*calendar.Definition, bool) {
		if n == name {
			return def, true
		}
		return lookup(n)
	})
	out := api.Calendar{
		CalendarSummary: s.summary(v, def, days, len(uses[name])), Newest: newest, Versions: make([]int, len(versions)), Text: v.Text, Hash: v.Hash,
		Week: jobfile.FormatWeek(def.Week), Boundary: jobfile.FormatBoundary(def.Boundary), Free: showDates(def.Free), Work: showDates(def.Work),
		Schedules: append([]string{}, uses[name]...),
	}
	slices.Sort(out.Schedules)
	for i := range versions {
		out.Versions[i] = versions[i].Version
	}
	return out, failed()
}

func showDates(list []calendar.Date) []api.CalendarDate {
	out := make([]api.CalendarDate, len(list))
	for i, d := range list {
		out[i] = api.CalendarDate{Date: d.Date, Name: d.Name}
	}
	return out
}

// CalendarDays implements api.Calendars.
func (s *Service) CalendarDays(ctx context.Context, ref string, since, until string) ([]api.CalendarDay, error) {
	name, _, _ := strings.Cut(ref, "#")
	if err := s.mayCalendar(ctx, name); err != nil {
		return nil, err
	}
	first, last, err := daysBetween(since, until)
	if err != nil {
		return nil, err
	}
	lookup, failed := s.storedCalendars(ctx)
	days, problems := calendar.Resolve(ref, lookup)
	if err := failed(); err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, fault.New(fault.NotFound, problems[0].Message, "see `reeve calendar list`")
	}
	out := make([]api.CalendarDay, 0, int(last-first)+1)
	for d := first; d <= last; d++ {
		out = append(out, api.CalendarDay{Day: d.String(), Working: days.Working(d), Why: days.Why(d), Name: opt(days.Entry(d))})
	}
	return out, nil
}

// daysBetween reads two civil days with not too many between them.
func daysBetween(since, until string) (first, last calendar.Day, err error) {
	if first, err = oneDay("from", since); err != nil {
		return 0, 0, err
	}
	if last, err = oneDay("until", until); err != nil {
		return 0, 0, err
	}
	switch {
	case last < first:
		return 0, 0, fault.Newf(fault.Invalid, "from %s until %s: the end is before the beginning", since, until)
	case last-first >= mostDays:
		return 0, 0, fault.Newf(fault.Invalid, "from %s until %s: at most %d days at once", since, until, mostDays)
	}
	return first, last, nil
}

func oneDay(field, text string) (calendar.Day, error) {
	year, month, day, err := calendar.ParseDate(text)
	if err == nil && year == 0 {
		err = fmt.Errorf("%q has no year", text)
	}
	if err != nil {
		return 0, fault.New(fault.Invalid, field+": "+err.Error(), "write a day as 2026-12-24")
	}
	return calendar.DayOf(year, month, day), nil
}
