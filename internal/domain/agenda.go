package domain

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const manyOfDay = 200

// ShowAgenda implements api.Agenda.
func (s *Service) ShowAgenda(ctx context.Context, q api.AgendaQuery) (api.AgendaPage, error) {
	none := api.AgendaPage{}
	_, folder, err := s.scope(ctx, access.View, q.Net, q.Folder)
	if err != nil {
		return none, err
	}
	now := s.cfg.Now()
	out := api.AgendaPage{Zone: cmp.Or(q.Zone, "UTC"), Now: now.UTC()}
	day, rule, err := s.civilDay(q.Day, out.Zone, now)
	if err != nil {
		return none, err
	}
	out.Day = day.String()
	out.Begin, out.End = rule.Bounds(day)
	w := window{net: q.Net, folder: folder, since: out.Begin, until: out.End, limit: cmp.Or(q.Limit, manyOfDay)}
	if w.limit < 0 || w.limit > mostOccurrences {
		return none, fault.Newf(fault.Invalid, "limit is %d; from 1 to %d", q.Limit, mostOccurrences)
	}
	if w.after, err = readCursor(q.After); err != nil {
		return none, err
	}
	if q.State == "late" {
		w.late = now
	} else if q.State != "" {
		if w.decisions, err = decisionsOf([]string{q.State}); err != nil {
			return none, err
		}
	}
	soon, err := s.coming(ctx, &window{net: w.net, folder: w.folder, since: w.since, until: w.until})
	if err != nil {
		return none, err
	}
	more := rows{soon: soon}
	if more.ranges, err = s.stretches(ctx, &w, true); err != nil {
		return none, err
	}
	if more.early, err = s.early(ctx, &w); err != nil {
		return none, err
	}
	if out.Counts, out.Hours, err = s.countDay(ctx, &w, more); err != nil {
		return none, err
	}
	items, err := s.items(ctx, &w, more)
	if err != nil {
		return none, err
	}
	if out.Items, out.Next, err = s.page(ctx, items, w.limit); err != nil {
		return none, err
	}
	out.Overrides, err = s.overridesOf(ctx, &w)
	return out, err
}

// civilDay reads a day of a zone ("" is today), and returns a rule that knows where days of the zone begin and end.
func (s *Service) civilDay(text, zone string, now time.Time) (calendar.Day, *calendar.Rule, error) {
	daily := calendar.DefaultSchedule()
	daily.Name, daily.Cron, daily.Zone = "day", "0 0 * * *", zone
	rule, problems := calendar.NewCompiler(s.cfg.Zones, nil).Compile("day", daily)
	if len(problems) > 0 {
		return 0, nil, fault.New(fault.Invalid, fmt.Sprintf("there is no time zone %q", zone), "write it as Europe/Berlin")
	}
	if text == "" {
		return rule.Day(now), rule, nil
	}
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, nil, fault.New(fault.Invalid, fmt.Sprintf("%q is no day", text), "write it as 2026-12-24")
	}
	if d.Year() < 1970 || d.Year() > 2200 {
		return 0, nil, fault.New(fault.Invalid, text+" is out of range", "an agenda is of a day from 1970-01-01 to 2200-12-31")
	}
	day := calendar.DayOf(d.Date())
	if begin, end := rule.Bounds(day); !end.After(begin) {
		return 0, nil, fault.New(fault.Invalid, fmt.Sprintf("%s was not a day in %s: clocks were put forward over it", text, zone), "ask for the day before or after")
	}
	return day, rule, nil
}

// countDay counts what the store has of a day, and what is to come.
func (s *Service) countDay(ctx context.Context, w *window, more rows) (api.AgendaCounts, []api.AgendaHour, error) {
	c := dayCount{begin: w.since, hours: []api.AgendaHour{}}
	for t := w.since; t.Before(w.until); t = t.Add(time.Hour) {
		c.hours = append(c.hours, api.AgendaHour{Begin: t.UTC()})
	}
	query := store.OccurrenceQuery{Net: w.net, Folder: w.folder, Since: w.since, Until: w.until}
	hours, err := s.cfg.Store.Hours(ctx, query, s.cfg.Now())
	if err != nil {
		return c.sum, nil, storeFault(err)
	}
	for _, h := range hours {
		c.add(h.Hour, h.Decision, h.Count, h.Late)
	}
	for _, st := range more.ranges {
		c.addRange(st, w.until)
	}
	for i := range more.soon {
		c.add(int(more.soon[i].due.Sub(w.since)/time.Hour), more.soon[i].decision, 1, 0)
	}
	for i := range more.early { // the store has them as pending
		hour := int(more.early[i].stored.Sub(w.since) / time.Hour)
		c.add(hour, occurrence.Pending, -1, 0)
		c.add(hour, more.early[i].decision, 1, 0)
	}
	return c.sum, c.hours, nil
}

// dayCount is the sums of a day and of its hours.
type dayCount struct {
	begin time.Time
	sum   api.AgendaCounts
	hours []api.AgendaHour
}

func (c *dayCount) add(hour int, d occurrence.Decision, n, late int64) {
	h := &c.hours[min(max(hour, 0), len(c.hours)-1)]
	c.sum.Expected += n
	c.sum.Late += late
	h.Trouble += late
	switch d {
	case occurrence.Pending:
		c.sum.Pending += n
		h.Due += n
	case occurrence.Released:
		c.sum.Released += n
		h.Due += n
		h.Done += n
	case occurrence.Missed:
		c.sum.Missed += n
		h.Due += n
		h.Trouble += n
	case occurrence.Suppressed:
		c.sum.Suppressed += n
	case occurrence.Cancelled:
		c.sum.Cancelled += n
	}
}

// addRange adds what a range has in each hour of the day. Where its rule cannot be made any more, one that lies in the day is counted where
// it begins; of one that reaches beyond it nothing can be said.
func (c *dayCount) addRange(st *stretch, end time.Time) {
	if st.Vague {
		return
	}
	left := st.Part.Count
	for i := 0; i < len(c.hours) && left > 0; i++ {
		n := st.account.Within(st.i, c.hours[i].Begin, earlierOf(c.hours[i].Begin.Add(time.Hour), end))
		if n > 0 {
			c.add(i, st.Decision, n, 0)
		}
		left -= n
	}
	if left > 0 {
		c.add(int(st.Part.First.Sub(c.begin)/time.Hour), st.Decision, left, 0)
	}
}

// countBetween counts what is due at or after one instant and before another.
func countBetween(rule *calendar.Rule, from, until time.Time) calendar.Counts {
	if !until.After(from) {
		return calendar.Counts{}
	}
	return rule.Count(from.Add(-time.Microsecond), until.Add(-time.Microsecond))
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlierOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
