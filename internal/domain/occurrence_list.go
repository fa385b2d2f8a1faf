package domain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// window is what a list asks for. Zero values do not filter.
type window struct {
	net, folder, schedule string
	since, until          time.Time // due at or after, due before
	decisions             []occurrence.Decision
	reasons               []occurrence.Reason
	late                  time.Time // only those that are late at this instant
	after                 cursor
	limit                 int
}

// cursor is the last row of the page before: an occurrence, or a range.
type cursor struct {
	store.OccurrenceCursor
	id int64 // of a range
}

func (w *window) has(d occurrence.Decision, r occurrence.Reason) bool {
	return (len(w.decisions) == 0 || slices.Contains(w.decisions, d)) && (len(w.reasons) == 0 || slices.Contains(w.reasons, r))
}

// item is a row of a list: an occurrence that the store has, one that is to come, or a range.
type item struct {
	due     time.Time // by which it stands in the list
	key     occurrence.Key
	id      int64 // of a range: its key may be that of an occurrence with a record of its own
	rec     *occurrence.Record
	soon    *coming
	stretch *stretch
}

func (a *item) compare(b *item) int {
	return cmp.Or(a.due.Compare(b.due), strings.Compare(a.key.Net, b.key.Net), strings.Compare(a.key.Schedule, b.key.Schedule), a.key.Nominal.Compare(b.key.Nominal), cmp.Compare(a.id, b.id))
}

// behind reports whether an item comes after the last one of the page before.
func (a *item) behind(c *cursor) bool {
	if c.Key.Net == "" {
		return true
	}
	return a.compare(&item{due: c.Due, key: c.Key, id: c.id}) > 0
}

// rows are those of a list that the store does not have as records that say what they are.
type rows struct {
	ranges []*stretch
	soon   []coming
	early  []coming
}

// items returns the page of a window, and one item more where there is another page.
func (s *Service) items(ctx context.Context, w *window, more rows) ([]item, error) {
	soon := more.soon
	early := map[occurrence.Key]bool{}
	for i := range more.early {
		early[utcKey(more.early[i].Key)] = true
	}
	if len(early) > 0 {
		soon = slices.Concat(soon, more.early)
		sortComing(soon)
	}
	records, err := s.cfg.Store.Occurrences(ctx, store.OccurrenceQuery{
		Net: w.net, Folder: w.folder, Schedule: w.schedule, Since: w.since, Until: w.until, Decisions: w.decisions, Reasons: w.reasons, Late: w.late, After: w.after.OccurrenceCursor, Limit: w.limit + 1 + len(early),
	})
	if err != nil {
		return nil, storeFault(err)
	}
	items := make([]item, 0, len(records))
	for i := range records {
		if !early[utcKey(records[i].Key)] {
			items = append(items, item{due: records[i].Due, key: records[i].Key, rec: &records[i]})
		}
	}
	for i, taken := 0, 0; i < len(soon) && taken <= w.limit && w.late.IsZero(); i++ {
		if it := (item{due: soon[i].due, key: soon[i].Key, soon: &soon[i]}); it.behind(&w.after) && w.has(soon[i].decision, soon[i].reason) {
			items = append(items, it)
			taken++
		}
	}
	for i, taken := 0, 0; i < len(more.ranges) && taken <= w.limit && w.late.IsZero(); i++ {
		if it := more.ranges[i].item(); it.behind(&w.after) && w.has(more.ranges[i].Decision, more.ranges[i].Reason) {
			items = append(items, it)
			taken++
		}
	}
	slices.SortFunc(items, func(a, b item) int { return a.compare(&b) })
	return items[:min(len(items), w.limit+1)], nil
}

// page shows items, and where there is one more than the limit says how to go on.
func (s *Service) page(ctx context.Context, items []item, limit int) ([]api.Occurrence, *string, error) {
	var next *string
	if len(items) > limit {
		items = items[:limit]
		next = opt(writeCursor(&items[limit-1]))
	}
	out := make([]api.Occurrence, len(items))
	records := make([]*occurrence.Record, 0, len(items))
	for i := range items {
		if items[i].rec != nil {
			records = append(records, items[i].rec)
		}
	}
	moves, err := s.movesOf(ctx, records...)
	if err != nil {
		return nil, nil, err
	}
	for i := range items {
		switch {
		case items[i].stretch != nil:
			out[i] = showStretch(items[i].stretch)
			continue
		case items[i].rec == nil:
			out[i] = s.showComing(items[i].soon)
			continue
		}
		shown, err := s.showMoved(ctx, items[i].rec, moves)
		if err != nil {
			return nil, nil, err
		}
		out[i] = shown
	}
	slices.SortStableFunc(out, func(a, b api.Occurrence) int { return a.Due.Compare(b.Due) }) // a person may have moved one
	return out, next, nil
}

// knownNet says that a net does not exist; "" is all of them.
func (s *Service) knownNet(ctx context.Context, net string) error {
	if net == "" {
		return nil
	}
	if _, err := s.cfg.Store.Net(ctx, net, 0); errors.Is(err, store.ErrNotFound) {
		return fault.New(fault.NotFound, "there is no net "+net, "see `reeve net list`")
	} else if err != nil {
		return storeFault(err)
	}
	return nil
}

// A cursor is what the last item of a page is ordered by; names have no spaces.
func writeCursor(it *item) string {
	text := strings.Join([]string{it.due.UTC().Format(time.RFC3339Nano), it.key.Nominal.UTC().Format(time.RFC3339Nano), it.key.Schedule, it.key.Net}, " ")
	if it.id != 0 {
		text += " " + strconv.FormatInt(it.id, 10)
	}
	return text
}

func readCursor(text string) (cursor, error) {
	var c cursor
	if text == "" {
		return c, nil
	}
	parts := strings.Split(text, " ")
	if len(parts) == 4 {
		parts = append(parts, "0")
	}
	if len(parts) == 5 && parts[3] != "" {
		due, err := time.Parse(time.RFC3339Nano, parts[0])
		nominal, err2 := time.Parse(time.RFC3339Nano, parts[1])
		id, err3 := strconv.ParseInt(parts[4], 10, 64)
		if err == nil && err2 == nil && err3 == nil {
			c.Due, c.Key, c.id = due, occurrence.Key{Net: parts[3], Schedule: parts[2], Nominal: nominal}, id
			return c, nil
		}
	}
	return c, fault.New(fault.Invalid, fmt.Sprintf("%q is no cursor", text), "give after as the page before says in next")
}

// showRecord writes a record as the API has it, with what is known of its run. One that a person has touched before it was due is shown
// as what it will become.
func (s *Service) showRecord(ctx context.Context, r *occurrence.Record) (api.Occurrence, error) {
	moves, err := s.movesOf(ctx, r)
	if err != nil {
		return api.Occurrence{}, err
	}
	return s.showMoved(ctx, r, moves)
}

// movesOf returns where people moved those of some records that they moved: a record keeps the due by the rule. It asks once for all.
func (s *Service) movesOf(ctx context.Context, records ...*occurrence.Record) (map[occurrence.Key]time.Time, error) {
	nets, moves := map[string]bool{}, map[occurrence.Key]time.Time{}
	for _, r := range records {
		if r.Moved != movedByHand {
			continue
		}
		nets[r.Net] = true
		moves[utcKey(r.Key)] = time.Time{}
	}
	if len(moves) == 0 {
		return moves, nil
	}
	net := "" // of several, all are asked for
	if len(nets) == 1 {
		net = records[slices.IndexFunc(records, func(r *occurrence.Record) bool { return nets[r.Net] })].Net
	}
	states := []occurrence.OverrideState{occurrence.OverrideActive, occurrence.OverrideUsed}
	list, err := s.cfg.Store.Overrides(ctx, net, states, 0)
	if err != nil {
		return nil, storeFault(err)
	}
	for i := range list { // newest first
		if at, of := moves[utcKey(list[i].Key)]; of && at.IsZero() && list[i].Kind == occurrence.OverrideMove {
			moves[utcKey(list[i].Key)] = list[i].To
		}
	}
	return moves, nil
}

// utcKey is a key that equals every other of the same occurrence.
func utcKey(k occurrence.Key) occurrence.Key {
	k.Nominal = k.Nominal.UTC()
	return k
}

// showMoved is showRecord where it is known to where people moved what they did.
func (s *Service) showMoved(ctx context.Context, r *occurrence.Record, moves map[occurrence.Key]time.Time) (api.Occurrence, error) {
	if r.Decision == occurrence.Pending {
		waits := *r
		if w, ok := s.cfg.Engine.PendingWhy(r.Key); ok { // as it is now
			waits.Reason, waits.Detail = w.Reason, w.Detail
		}
		r = &waits
	}
	if r.Decision == occurrence.Pending && r.Reason == occurrence.NotYet {
		people, err := s.peoples(ctx, &window{net: r.Net, schedule: r.Schedule})
		if err != nil {
			return api.Occurrence{}, err
		}
		c := people.ofRecord(r)
		s.undecided(&c)
		return s.showComing(&c), nil
	}
	out := api.Occurrence{
		Kind: kindOccurrence, Net: r.Net, Schedule: r.Schedule, Count: 1, Nominal: r.Nominal.UTC(), Due: r.Due.UTC(), Zone: r.Zone, TZData: r.TZData, Moved: opt(string(r.Moved)),
		Decision: string(r.Decision), Reason: opt(string(r.Reason)), Detail: opt(r.Detail), Decided: optTime(r.Decided), By: opt(r.By),
		Run: opt(r.Run), RecoveredBy: opt(r.RecoveredBy), Dismissed: optTime(r.Dismissed), DismissedBy: opt(r.DismissedBy),
	}
	if to := moves[utcKey(r.Key)]; !to.IsZero() {
		out.Due = to.UTC()
	}
	if r.Decision == occurrence.Pending {
		out.Decided = nil
	}
	if id := cmp.Or(r.Run, r.RecoveredBy); id != "" {
		s.showRunOf(ctx, &out, id, r.MustEnd)
	}
	return out, nil
}

// Kinds of rows, as the API has them.
const (
	kindOccurrence = "occurrence"
	kindRange      = "range"
)

// movedByHand is what the API calls a move by a person.
const movedByHand = "override"

// showRunOf adds how the run of an occurrence is, and whether it is late.
func (s *Service) showRunOf(ctx context.Context, out *api.Occurrence, id string, mustEnd time.Time) {
	st, ok := s.cfg.Engine.OpenRun(id)
	if !ok {
		var err error
		if st, err = s.cfg.Store.Run(ctx, id); err != nil {
			return // it was pruned: what became of the occurrence is known without it
		}
	}
	out.RunState, out.RunStarted, out.RunEnded = opt(string(st.Status)), optTime(st.Started), optTime(st.Ended)
	if !mustEnd.IsZero() {
		end := s.cfg.Now()
		if st.Status.Ended() {
			end = st.Ended
		}
		out.Late = end.After(mustEnd)
	}
}

func sameKey(a, b occurrence.Key) bool {
	return a.Net == b.Net && a.Schedule == b.Schedule && a.Nominal.Equal(b.Nominal)
}

func occurrenceDismissal(key occurrence.Key) engine.Dismissal { return engine.Dismissal{Key: key} }

func dismissalOf(q api.OccurrenceQuery, folder string) engine.Dismissal {
	return engine.Dismissal{Net: q.Net, Folder: folder, Schedule: q.Schedule, Until: q.Until}
}
