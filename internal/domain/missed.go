package domain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Missed implements api.Occurrences.
func (s *Service) Missed(ctx context.Context, q api.OccurrenceQuery) (api.MissedPage, error) {
	_, w, err := s.missedWindow(ctx, access.View, &q)
	if err != nil {
		return api.MissedPage{}, err
	}
	w.limit = cmp.Or(q.Limit, manyOccurrences)
	var losses, closed []*occurrence.Loss
	var count int64
	if !q.Each {
		losses, count, err = s.losses(ctx, w)
	} else if count, err = s.countMissed(ctx, w); err == nil {
		losses, closed, err = s.eachMissed(ctx, w)
		losses = append(losses, closed...)
	}
	if err != nil {
		return api.MissedPage{}, err
	}
	losses = slices.DeleteFunc(losses, func(l *occurrence.Loss) bool { return !itemOf(l).behind(&w.after) })
	slices.SortFunc(losses, byPlace)
	out := api.MissedPage{Count: count, Missed: make([]api.Missed, 0, min(len(losses), w.limit))}
	if len(losses) > w.limit {
		losses = losses[:w.limit]
		out.Next = opt(writeCursor(itemOf(losses[w.limit-1])))
	}
	for _, l := range losses {
		out.Missed = append(out.Missed, api.Missed{
			Net: l.Net, Schedule: l.Schedule, First: l.First.UTC(), Last: l.Last.UTC(), Due: l.Due.UTC(), Count: l.Count,
			Reason: string(l.Reason), Detail: opt(l.Detail), Decided: l.Decided.UTC(),
		})
	}
	return out, nil
}

// itemOf is the place of a loss in a list.
func itemOf(l *occurrence.Loss) *item {
	return &item{due: l.Due, key: occurrence.Key{Net: l.Net, Schedule: l.Schedule, Nominal: l.First}}
}

func byPlace(a, b *occurrence.Loss) int { return itemOf(a).compare(itemOf(b)) }

// missedWindow reads what is asked of what was missed, for who may do that.
func (s *Service) missedWindow(ctx context.Context, needs access.Permission, q *api.OccurrenceQuery) (access.Subject, *window, error) {
	who, folder, err := s.scope(ctx, needs, q.Net, q.Folder)
	if err == nil {
		err = s.knownSchedule(ctx, q.Net, folder, q.Schedule)
	}
	w := &window{net: q.Net, folder: folder, schedule: q.Schedule, since: q.Since, until: q.Until}
	if err == nil {
		w.after, err = readCursor(q.After)
	}
	if err == nil && (q.Limit < 0 || q.Limit > mostOccurrences) {
		err = fault.Newf(fault.Invalid, "limit is %d; from 1 to %d", q.Limit, mostOccurrences)
	}
	return who, w, err
}

func lossOf(r *occurrence.Record) occurrence.Loss {
	return occurrence.Loss{
		Net: r.Net, Schedule: r.Schedule, First: r.Nominal, Last: r.Nominal, Due: r.Due, Count: 1, Reason: r.Reason, Detail: r.Detail, Decided: r.Decided,
	}
}

// lossesOf is what lies of a range in a window.
func lossesOf(r *occurrence.Range, p occurrence.Part) occurrence.Loss {
	return occurrence.Loss{
		Net: r.Net, Schedule: r.Schedule, First: p.First, Last: p.Last, Due: p.Due, Count: p.Count, Reason: r.Reason, Detail: r.Detail, Decided: r.Decided,
	}
}

// openRange reports whether a range was missed and nobody has dealt with it.
func openRange(r *occurrence.Range) bool {
	return r.Decision == occurrence.Missed && r.Dismissed.IsZero()
}

// countMissed counts what was missed in a window.
func (s *Service) countMissed(ctx context.Context, w *window) (int64, error) {
	tallies, err := s.cfg.Store.Tallies(ctx, store.OccurrenceQuery{Net: w.net, Folder: w.folder, Schedule: w.schedule, Since: w.since, Until: w.until, Undismissed: true})
	if err != nil {
		return 0, storeFault(err)
	}
	ranges, err := s.stretches(ctx, w, false)
	count := int64(0)
	for i := range tallies {
		count += tallies[i].Count
	}
	for _, st := range ranges {
		if openRange(st.Range) {
			count += st.Part.Count
		}
	}
	return count, err
}

// losses returns all that was missed in a window, what a schedule missed together as one, and how many occurrences that are. Where one ends is only
// known when all was read.
func (s *Service) losses(ctx context.Context, w *window) ([]*occurrence.Loss, int64, error) {
	ranges, err := s.stretches(ctx, w, false)
	if err != nil {
		return nil, 0, err
	}
	ranges = slices.DeleteFunc(ranges, func(st *stretch) bool { return !openRange(st.Range) })
	var all occurrence.Losses
	count := int64(0)
	add := func(l occurrence.Loss) {
		count += l.Count
		all.Add(l)
	}
	q := store.OccurrenceQuery{Net: w.net, Folder: w.folder, Schedule: w.schedule, Since: w.since, Until: w.until, Undismissed: true, Limit: mostOccurrences}
	for {
		records, err := s.cfg.Store.Occurrences(ctx, q)
		if err != nil {
			return nil, 0, storeFault(err)
		}
		for i := range records {
			r := &records[i]
			at := item{due: r.Due, key: r.Key}
			for len(ranges) > 0 {
				if before := ranges[0].item(); before.compare(&at) > 0 {
					break
				}
				add(lossesOf(ranges[0].Range, ranges[0].Part))
				ranges = ranges[1:]
			}
			add(lossOf(r))
		}
		if len(records) < q.Limit {
			break
		}
		last := &records[len(records)-1]
		q.After = store.OccurrenceCursor{Due: last.Due, Key: last.Key}
	}
	for _, st := range ranges {
		add(lossesOf(st.Range, st.Part))
	}
	return all.Gathered(), count, nil
}

// eachMissed returns what was missed in a window behind its cursor one by one, at most one more than its limit; and apart from them all ranges that
// nobody can take apart, because their rules cannot be made any more.
func (s *Service) eachMissed(ctx context.Context, w *window) (each, closed []*occurrence.Loss, err error) {
	from := *w
	if from.since.IsZero() {
		from.since = time.Unix(0, 0)
	}
	if w.after.Due.After(from.since) {
		from.since = w.after.Due
	}
	records, err := s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{
		Net: w.net, Folder: w.folder, Schedule: w.schedule, Since: w.since, Until: w.until, Undismissed: true, After: w.after.OccurrenceCursor, Limit: w.limit + 1,
	})
	if err != nil {
		return nil, nil, storeFault(err)
	}
	page := pageOf{limit: w.limit + 1}
	for i := range records {
		l := lossOf(&records[i])
		page.add(&l)
	}
	accounts, err := s.rangesOf(ctx, &from)
	if err == nil {
		err = s.rulesOf(ctx, accounts)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, a := range accounts {
		for i := range a.Ranges {
			r := &a.Ranges[i]
			switch {
			case !openRange(r):
			case !a.Readable(i):
				if !r.Last.Before(w.since) && (w.until.IsZero() || r.First.Before(w.until)) {
					l := lossesOf(r, occurrence.Part{First: r.First, Last: r.Last, Due: r.First, Count: r.Count})
					closed = append(closed, &l)
				}
			default:
				if err := s.eachOf(ctx, w, r, a.Each(i), &page); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	slices.SortFunc(closed, byPlace)
	page.trim()
	return page.all, closed, nil
}

// eachOf adds what of a range comes onto a page.
func (s *Service) eachOf(ctx context.Context, w *window, r *occurrence.Range, all iter.Seq[calendar.Occurrence], page *pageOf) error {
	next, stop := iter.Pull(all)
	defer stop()
	for more := true; more; {
		var some []calendar.Occurrence
		for more = false; len(some) < page.limit; {
			o, ok := next()
			if !ok || page.beyond(o.Due) {
				break
			}
			some, more = append(some, o), len(some)+1 == page.limit
		}
		if len(some) == 0 {
			return nil
		}
		records, err := s.recordsOf(ctx, r.Net, r.Schedule, some[0].Due, some[len(some)-1].Due.Add(time.Microsecond))
		if err != nil {
			return err
		}
		own := map[int64]bool{} // a range does not stand for what has a record of its own
		for i := range records {
			own[records[i].Nominal.UnixMicro()] = true
		}
		for _, o := range some {
			l := lossesOf(r, occurrence.Part{First: o.Nominal, Last: o.Nominal, Due: o.Due, Count: 1})
			if !own[o.Nominal.UnixMicro()] && itemOf(&l).behind(&w.after) {
				page.add(&l)
			}
		}
		page.trim()
	}
	return nil
}

// pageOf keeps the first of many.
type pageOf struct {
	limit int
	all   []*occurrence.Loss
}

func (p *pageOf) add(l *occurrence.Loss) { p.all = append(p.all, l) }

// trim leaves what is on the page, in order.
func (p *pageOf) trim() {
	slices.SortFunc(p.all, byPlace)
	p.all = p.all[:min(len(p.all), p.limit)]
}

// beyond reports whether what is due then comes after a page that is full.
func (p *pageOf) beyond(due time.Time) bool {
	return len(p.all) >= p.limit && due.After(p.all[p.limit-1].Due)
}

// ReleaseMissed implements api.Occurrences.
func (s *Service) ReleaseMissed(ctx context.Context, q api.OccurrenceQuery) (api.ReleasedMissed, error) {
	none := api.ReleasedMissed{}
	if q.After != "" || q.Each || len(q.Decisions) > 0 {
		return none, fault.New(fault.Invalid, "what is released is bounded by net, folder, schedule, since, until and limit", "leave after, each and decisions away")
	}
	who, w, err := s.missedWindow(ctx, access.Run, &q)
	if err != nil {
		return none, err
	}
	count, err := s.countMissed(ctx, w)
	if err != nil {
		return none, err
	}
	w.limit = cmp.Or(q.Limit, mostOccurrences)
	found, closed, err := s.eachMissed(ctx, w)
	if err != nil {
		return none, err
	}
	if q.Expect != 0 && q.Expect != count {
		return none, fault.New(fault.Conflict, fmt.Sprintf("%d missed occurrences match, not %d: nothing was released", count, q.Expect), "look at the list again")
	}
	out := api.ReleasedMissed{Left: count, Runs: []api.RecoveredBy{}, Refused: []api.NotReleased{}}
	for _, r := range closed {
		out.Left -= r.Count
		out.Refused = append(out.Refused, api.NotReleased{
			Net: r.Net, Schedule: r.Schedule, First: r.First.UTC(), Last: r.Last.UTC(), Count: r.Count,
			Why: "the schedule as it was cannot be made any more, so nobody can tell them apart; start runs of the net instead",
		})
	}
	if q.Limit == 0 && out.Left > mostOccurrences {
		return none, fault.New(fault.Conflict, fmt.Sprintf("%d missed occurrences match, and at most %d are released at once: nothing was released", out.Left, mostOccurrences),
			fmt.Sprintf("narrow it by net, folder, schedule, since or until, or take the oldest by limit %d", mostOccurrences))
	}
	keys := make([]occurrence.Key, 0, w.limit)
	for _, l := range found[:min(len(found), w.limit)] {
		keys = append(keys, occurrence.Key{Net: l.Net, Schedule: l.Schedule, Nominal: l.First})
	}
	out.Left = max(0, out.Left-int64(len(keys)))
	done, err := s.cfg.Engine.ReleaseMissed(ctx, keys, engine.Act{By: who.Name, Reason: q.Reason}, func(k occurrence.Key) store.AuditRecord {
		return s.audit(who, "occurrence.release", objectOf(k), q.Reason)
	})
	for i := range done {
		if one := &done[i]; one.Err == nil {
			out.Runs = append(out.Runs, api.RecoveredBy{Net: one.Net, Schedule: one.Schedule, Nominal: one.Nominal.UTC(), Run: one.Run})
		} else {
			out.Refused = append(out.Refused, api.NotReleased{
				Net: one.Net, Schedule: one.Schedule, First: one.Nominal.UTC(), Last: one.Nominal.UTC(), Count: 1, Why: one.Err.Error(),
			})
		}
	}
	if out.Released = int64(len(out.Runs)); out.Released > 0 {
		s.cfg.Hub.Publish(api.Change{Kind: "occurrence", ID: manyText(&q, w.folder), Net: q.Net})
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) && out.Released > 0 {
		err = fault.New(f.Kind, fmt.Sprintf("after %d were released: %s", out.Released, f.Msg), f.Fix)
	}
	return out, err
}

// objectOf is what the audit trail calls an occurrence.
func objectOf(k occurrence.Key) string {
	return fmt.Sprintf("%s/%s %s", k.Net, k.Schedule, k.Nominal.Format(time.RFC3339Nano))
}

// manyText is what the audit trail calls those that a query finds.
func manyText(q *api.OccurrenceQuery, folder string) string {
	what := cmp.Or(q.Net, folder, "all nets")
	if q.Schedule != "" {
		what += "/" + q.Schedule
	}
	return what
}

// DismissMissed implements api.Occurrences.
func (s *Service) DismissMissed(ctx context.Context, q api.OccurrenceQuery) (int64, error) {
	who, folder, err := s.scope(ctx, access.Control, q.Net, q.Folder)
	if err == nil {
		err = s.knownSchedule(ctx, q.Net, folder, q.Schedule)
	}
	if err != nil {
		return 0, err
	}
	if !q.Since.IsZero() || q.Limit != 0 || len(q.Decisions) > 0 {
		return 0, fault.New(fault.Invalid, "what is dismissed is bounded by net, folder, schedule and until", "leave since, limit and decisions away")
	}
	what := manyText(&q, folder)
	n, err := s.cfg.Engine.Dismiss(ctx, dismissalOf(q, folder), s.act(who, "occurrence.dismiss", what, cmp.Or(q.Reason, "all that was missed")))
	if err == nil && n > 0 {
		s.cfg.Hub.Publish(api.Change{Kind: "occurrence", ID: what, Net: q.Net})
	}
	return n, err
}
