package domain

import (
	"context"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// stretch is what of a range lies in a window: one row of a list.
type stretch struct {
	*occurrence.Range
	occurrence.Part
	account *occurrence.Account // that cut it
	i       int                 // its place there
}

func (st *stretch) item() item {
	return item{due: st.Due, key: occurrence.Key{Net: st.Net, Schedule: st.Schedule, Nominal: st.Part.First}, id: st.ID, stretch: st}
}

// farAway bounds a window that has no bound of its own: no schedule reaches as far.
func farAway() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// stretches returns what of ranges lies in a window, in the order of lists; decisions, cursor and limit do not matter. With hours each can be
// counted by parts of the window, else only as a whole.
func (s *Service) stretches(ctx context.Context, w *window, hours bool) ([]*stretch, error) {
	accounts, err := s.rangesOf(ctx, w)
	if err != nil {
		return nil, err
	}
	if !w.since.IsZero() || !w.until.IsZero() { // else none is cut
		if err := s.rulesOf(ctx, accounts); err != nil {
			return nil, err
		}
	}
	out := make([]*stretch, 0, len(accounts))
	for k, a := range accounts {
		if err := s.ownRecords(ctx, k, a, hours); err != nil {
			return nil, err
		}
		for i := range a.Ranges {
			if part, ok := a.Part(i); ok {
				out = append(out, &stretch{Range: &a.Ranges[i], Part: part, account: a, i: i})
			}
		}
	}
	slices.SortFunc(out, func(a, b *stretch) int {
		x, y := a.item(), b.item()
		return x.compare(&y)
	})
	return out, nil
}

// rangesOf returns an account of the window for each schedule that has ranges there, without rules.
func (s *Service) rangesOf(ctx context.Context, w *window) (map[scheduleKey]*occurrence.Account, error) {
	q := store.OccurrenceQuery{Net: w.net, Folder: w.folder, Schedule: w.schedule}
	begin, end := w.since, w.until
	if !begin.IsZero() {
		q.Since = begin.Add(-nearby)
	}
	if end.IsZero() {
		end = farAway()
	} else {
		q.Until = end.Add(nearby)
	}
	ranges, err := s.cfg.Store.Ranges(ctx, q)
	if err != nil {
		return nil, storeFault(err)
	}
	accounts := map[scheduleKey]*occurrence.Account{}
	for i := range ranges {
		k := scheduleKey{ranges[i].Net, ranges[i].Schedule}
		if accounts[k] == nil {
			accounts[k] = &occurrence.Account{Begin: begin, End: end, Through: end}
		}
		accounts[k].Ranges = append(accounts[k].Ranges, ranges[i])
	}
	return accounts, nil
}

// rulesOf gives accounts the spans of their ranges with their rules, of those that are over as far as they can be made.
func (s *Service) rulesOf(ctx context.Context, accounts map[scheduleKey]*occurrence.Account) error {
	missing := map[int64]*occurrence.Account{}
	for k, a := range accounts {
		sch, inForce := s.cfg.Engine.RuleOf(k.net, k.name)
		for i := range a.Ranges {
			switch span := a.Ranges[i].Span; {
			case slices.ContainsFunc(a.Pieces, func(p occurrence.Piece) bool { return p.Span == span }):
			case inForce && sch.Span == span:
				a.Pieces = append(a.Pieces, occurrence.Piece{Span: span, Since: sch.Since, Rule: sch.Rule})
			default:
				missing[span] = a
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	q := store.SpanQuery{IDs: make([]int64, 0, len(missing))}
	for id := range missing {
		q.IDs = append(q.IDs, id)
	}
	spans, err := s.cfg.Store.Spans(ctx, q)
	if err != nil {
		return storeFault(err)
	}
	for i := range spans {
		span := &spans[i]
		if span.TZData != s.cfg.Zones.Version() { // the same words would give other instants
			continue
		}
		if rule, ok := s.ruleOf(ctx, span); ok {
			a := missing[span.ID]
			a.Pieces = append(a.Pieces, occurrence.Piece{Span: span.ID, Since: span.Since, Until: span.Until, Rule: rule})
		}
	}
	return nil
}

// ownRecords reads what has a record of its own and lies where ranges are cut: they do not stand for it.
func (s *Service) ownRecords(ctx context.Context, k scheduleKey, a *occurrence.Account, hours bool) error {
	since, until, torn := a.Torn()
	if !torn && !hours || len(a.Pieces) == 0 || a.Bare() {
		return nil
	}
	if !torn {
		since, until = a.Begin, a.End
	} else if hours {
		since, until = earlierOf(since, a.Begin), laterOf(until, a.End)
	}
	var err error
	a.Records, err = s.recordsOf(ctx, k.net, k.name, since, until)
	return err
}

func showStretch(st *stretch) api.Occurrence {
	last := st.Part.Last.UTC()
	return api.Occurrence{
		Kind: kindRange, Net: st.Net, Schedule: st.Schedule, Nominal: st.Part.First.UTC(), Due: st.Due.UTC(), Last: &last, Count: st.Part.Count,
		Zone: st.Zone, TZData: st.TZData, Decision: string(st.Decision), Reason: opt(string(st.Reason)), Detail: opt(st.Detail), Decided: optTime(st.Decided),
		Dismissed: optTime(st.Dismissed), DismissedBy: opt(st.DismissedBy),
	}
}
