package domain

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	// settled is how long ago something must have been due to be asked for: what falls due now may be in a commit that is on its way.
	settled = 2 * time.Second
	// nearby is how far the due of an occurrence may be from its nominal instant, for the ranges that are read.
	nearby    = 40 * 24 * time.Hour
	spanPage  = 1000
	tick      = time.Microsecond // the smallest difference of instants that the store keeps
	unsettled = 2                // how often a sum is made that does not hold: something may have been decided between two readings
)

// Balance implements api.Occurrences.
func (s *Service) Balance(ctx context.Context, q api.BalanceQuery) ([]api.Balance, error) {
	_, folder, err := s.scope(ctx, access.View, q.Net, q.Folder)
	if err == nil {
		err = s.knownSchedule(ctx, q.Net, folder, q.Schedule)
	}
	if err != nil {
		return nil, err
	}
	var day *calendar.Day
	near := s.cfg.Now()
	if q.Day != "" {
		d, err := oneDay("day", q.Day)
		if err != nil {
			return nil, err
		}
		year, month, date := d.Date()
		day, near = &d, time.Date(year, month, date, 12, 0, 0, 0, time.UTC)
	}
	spans := store.SpanQuery{Net: q.Net, Folder: folder, Schedule: q.Schedule, Since: near.Add(-50 * time.Hour), Until: near.Add(64 * time.Hour)}
	out := []api.Balance{}
	if q.Broken && day == nil && q.Net == "" { // who only looks whether all is well is told what the last sweep found
		return s.brokenToday(ctx, spans)
	}
	err = s.eachSchedule(ctx, spans, func(spans []occurrence.Span) error {
		b, ok, err := s.balanceOf(ctx, spans, day)
		if ok && (!q.Broken || !b.Holds) {
			out = append(out, b)
		}
		if err == nil && len(out) > mostSchedules {
			err = fault.New(fault.Invalid, fmt.Sprintf("there are more than %d schedules", mostSchedules), "name a folder or a net")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if q.Schedule != "" && q.Schedule != occurrence.Manual || q.Broken {
		return out, nil
	}
	added, err := s.balanceByHand(ctx, q.Net, folder, near)
	return append(out, added...), err
}

// brokenToday makes the sums of today of the schedules in which the last sweep found something that does not hold.
func (s *Service) brokenToday(ctx context.Context, q store.SpanQuery) ([]api.Balance, error) {
	found, err := s.swept(ctx)
	if err != nil {
		return nil, err
	}
	out := []api.Balance{}
	for _, k := range found.broken {
		if q.Folder != "" && !within(q.Folder, k.net) || q.Schedule != "" && k.name != q.Schedule {
			continue
		}
		if len(out) == manySchedules {
			break
		}
		one := q
		one.Net, one.Folder, one.Schedule = k.net, "", k.name
		err := s.eachSchedule(ctx, one, func(spans []occurrence.Span) error {
			b, ok, err := s.balanceOf(ctx, spans, nil)
			if ok && !b.Holds {
				out = append(out, b)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eachSchedule calls f with the spans of each schedule that a query finds, oldest first.
func (s *Service) eachSchedule(ctx context.Context, q store.SpanQuery, f func([]occurrence.Span) error) error {
	q.Limit = spanPage
	var of []occurrence.Span
	for {
		page, err := s.cfg.Store.Spans(ctx, q)
		if err != nil {
			return storeFault(err)
		}
		for i := range page {
			if len(of) > 0 && (of[0].Net != page[i].Net || of[0].Schedule != page[i].Schedule) {
				if err := f(of); err != nil {
					return err
				}
				of = of[:0]
			}
			of = append(of, page[i])
		}
		if len(page) < q.Limit {
			break
		}
		last := &page[len(page)-1]
		q.Beyond = store.SpanCursor{Net: last.Net, Schedule: last.Schedule, Since: last.Since, ID: last.ID}
	}
	if len(of) == 0 {
		return nil
	}
	return f(of)
}

// pieces are spans with their rules, and the newest rule; nil: none can be made any more.
func (s *Service) pieces(ctx context.Context, spans []occurrence.Span) (list []occurrence.Piece, newest *calendar.Rule) {
	sch, ok := s.cfg.Engine.RuleOf(spans[0].Net, spans[0].Schedule)
	for i := range spans {
		p := occurrence.Piece{Span: spans[i].ID, Since: spans[i].Since, Until: spans[i].Until}
		switch {
		case ok && sch.Span == p.Span:
			p.Rule = sch.Rule
		case spans[i].TZData == s.cfg.Zones.Version(): // with another database the same words would give other instants
			p.Rule, _ = s.ruleOf(ctx, &spans[i])
		}
		if p.Rule != nil {
			newest = p.Rule
		}
		list = append(list, p)
	}
	return list, newest
}

// balanceOf makes the sum of a schedule's business day; false: it was not in force on that day. day nil: today.
func (s *Service) balanceOf(ctx context.Context, spans []occurrence.Span, day *calendar.Day) (api.Balance, bool, error) {
	pieces, rule := s.pieces(ctx, spans)
	if rule == nil {
		return api.Balance{}, false, nil
	}
	d := rule.Day(s.cfg.Now())
	if day != nil {
		d = *day
	}
	begin, end := rule.Bounds(d)
	in := false
	for _, p := range pieces {
		in = in || p.Since.Before(end) && (p.Until.IsZero() || p.Until.After(begin))
	}
	if !in {
		return api.Balance{}, false, nil
	}
	sum, err := s.sumOf(ctx, spans[0].Net, spans[0].Schedule, occurrence.Account{Begin: begin, End: end, Pieces: pieces})
	return showSum(spans[0].Net, spans[0].Schedule, d, sum), err == nil, err
}

func showSum(net, schedule string, day calendar.Day, sum occurrence.Sum) api.Balance {
	return api.Balance{
		Net: net, Schedule: schedule, Day: day.String(), Expected: sum.Expected, Released: sum.Released, Missed: sum.Missed,
		Suppressed: sum.Suppressed, Cancelled: sum.Cancelled, Pending: sum.Pending, Holds: sum.Holds,
	}
}

// sumOf reads what became of a schedule's occurrences and adds it up.
func (s *Service) sumOf(ctx context.Context, net, schedule string, a occurrence.Account) (sum occurrence.Sum, err error) {
	for range unsettled {
		a.Through = s.through()
		if err := s.readAccount(ctx, net, schedule, &a); err != nil {
			return sum, err
		}
		if sum = a.Sum(); sum.Holds {
			return sum, nil
		}
		if err := s.addPieces(ctx, &a); err != nil {
			return sum, err
		}
		since, until := a.Wide()
		if a.Records, err = s.recordsOf(ctx, net, schedule, since, until); err != nil {
			return sum, err
		}
		if sum = a.Look(); sum.Holds {
			return sum, nil
		}
	}
	return sum, nil
}

// addPieces adds the earlier spans whose ranges may have decided what is due in the account.
func (s *Service) addPieces(ctx context.Context, a *occurrence.Account) error {
	ids := a.Lacking()
	if len(ids) == 0 {
		return nil
	}
	spans, err := s.cfg.Store.Spans(ctx, store.SpanQuery{IDs: ids})
	if err != nil {
		return storeFault(err)
	}
	if len(spans) == 0 {
		return nil
	}
	more, _ := s.pieces(ctx, spans)
	a.Pieces = append(slices.Clone(a.Pieces), slices.DeleteFunc(more, func(p occurrence.Piece) bool { return p.Rule == nil })...)
	return nil
}

// through is the instant up to which sums must hold. What is known to the engine is committed, but for what it is about to commit.
func (s *Service) through() time.Time {
	at := s.cfg.Engine.Decided()
	if limit := s.cfg.Now().Add(-settled); limit.Before(at) {
		at = limit
	}
	return at.Truncate(tick)
}

// readAccount fills in what the store has. Through must have been read before.
func (s *Service) readAccount(ctx context.Context, net, schedule string, a *occurrence.Account) error {
	cut := a.Through.Add(tick)
	if cut.After(a.End) {
		cut = a.End
	}
	if cut.Before(a.Begin) {
		cut = a.Begin
	}
	a.Early = 0
	for _, part := range []struct {
		since, until time.Time
		into         *map[occurrence.Decision]int64
	}{{a.Begin, cut, &a.Before}, {cut, a.End, &a.After}} {
		*part.into = map[occurrence.Decision]int64{}
		if !part.since.Before(part.until) {
			continue
		}
		tallies, err := s.cfg.Store.Tallies(ctx, store.OccurrenceQuery{Net: net, Schedule: schedule, Since: part.since, Until: part.until})
		if err != nil {
			return storeFault(err)
		}
		for i := range tallies {
			(*part.into)[tallies[i].Decision] += tallies[i].Count
			a.Early += tallies[i].Early
		}
	}
	var err error
	a.Ranges, err = s.cfg.Store.Ranges(ctx, store.OccurrenceQuery{Net: net, Schedule: schedule, Since: a.Begin.Add(-nearby), Until: a.End.Add(nearby)})
	if err != nil {
		return storeFault(err)
	}
	if since, until, torn := a.Torn(); torn {
		a.Records, err = s.recordsOf(ctx, net, schedule, since, until)
	}
	return err
}

func (s *Service) recordsOf(ctx context.Context, net, schedule string, since, until time.Time) ([]occurrence.Record, error) {
	q := store.OccurrenceQuery{Net: net, Schedule: schedule, Since: since, Until: until, Limit: spanPage}
	var all []occurrence.Record
	for {
		page, err := s.cfg.Store.Occurrences(ctx, q)
		if err != nil {
			return nil, storeFault(err)
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all, nil
		}
		last := &page[len(page)-1]
		q.After = store.OccurrenceCursor{Due: last.Due, Key: last.Key}
	}
}

// balanceByHand makes the sums of what people have added for a day (UTC), a net each. Nothing but what is there is expected of them.
func (s *Service) balanceByHand(ctx context.Context, net, folder string, near time.Time) ([]api.Balance, error) {
	begin := near.UTC().Truncate(24 * time.Hour)
	end := begin.Add(24 * time.Hour)
	tallies, err := s.cfg.Store.Tallies(ctx, store.OccurrenceQuery{Net: net, Folder: folder, Schedule: occurrence.Manual, Since: begin, Until: end})
	if err != nil {
		return nil, storeFault(err)
	}
	var out []api.Balance
	for i := 0; i < len(tallies); {
		counts, of := map[occurrence.Decision]int64{}, tallies[i].Net
		for ; i < len(tallies) && tallies[i].Net == of; i++ {
			counts[tallies[i].Decision] += tallies[i].Count
		}
		a := occurrence.Account{Begin: begin, End: end, Pieces: []occurrence.Piece{{}}, Before: counts}
		out = append(out, showSum(of, occurrence.Manual, dayOf(begin), a.Sum()))
	}
	return out, nil
}
