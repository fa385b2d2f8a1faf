package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// agenda is the slow obvious store of occurrences: what a database must answer after the same commits.
type agenda struct {
	records map[string]occurrence.Record // by store.OccurrenceID
	spans   []occurrence.Span            // id is the position, from 1
	through time.Time
	decided map[occurrence.Reason]int64
}

func (a *agenda) clone() *agenda {
	return &agenda{maps.Clone(a.records), slices.Clone(a.spans), a.through, maps.Clone(a.decided)}
}

func (a *agenda) commit(b store.Batch) error {
	next := a.clone()
	if !b.Through.IsZero() {
		for _, s := range next.spans {
			if b.LastSpan != 0 && s.ID > b.LastSpan && s.Since.Before(b.Through) {
				return &store.Conflict{Noun: "span", ID: s.Net + " " + s.Schedule}
			}
		}
		if b.Through.After(next.through) {
			next.through = b.Through
		}
	}
	for _, w := range b.Occurrences {
		if err := next.write(w); err != nil {
			return err
		}
	}
	for _, ends := range []bool{true, false} {
		for _, w := range b.Spans {
			if err := next.span(w.Span, ends); err != nil {
				return err
			}
		}
	}
	*a = *next
	return nil
}

func (a *agenda) span(s occurrence.Span, ends bool) error {
	conflict := &store.Conflict{Noun: "span", ID: s.Net + " " + s.Schedule}
	clamp := func(t time.Time) time.Time {
		if next := a.through.Add(time.Microsecond); !a.through.IsZero() && t.Before(next) {
			return next
		}
		return t
	}
	switch {
	case s.ID != 0 && ends:
		if !a.spans[s.ID-1].Until.IsZero() {
			return conflict
		}
		a.spans[s.ID-1].Until = clamp(s.Until)
	case s.ID == 0 && !ends:
		for _, other := range a.spans {
			if other.Net == s.Net && other.Schedule == s.Schedule && other.Until.IsZero() {
				return conflict
			}
		}
		s.ID, s.Since = int64(len(a.spans)+1), clamp(s.Since)
		a.spans = append(a.spans, s)
	}
	return nil
}

func (a *agenda) write(w store.OccurrenceWrite) error {
	r, id := w.Record, store.OccurrenceID(w.Record.Key)
	old, found := a.records[id]
	conflict := &store.Conflict{Noun: "occurrence", ID: id}
	if w.Recovered {
		if !found || old.Rev != r.Rev || old.Decision != occurrence.Missed {
			return conflict
		}
		old.RecoveredBy, old.Dismissed, old.DismissedBy = r.RecoveredBy, r.Dismissed, r.DismissedBy
		old.Rev++
		a.records[id] = old
		return nil
	}
	if r.Span != 0 {
		if until := a.spans[r.Span-1].Until; !until.IsZero() && !r.Due.Before(until) {
			return &store.Conflict{Noun: "span", ID: r.Net + " " + r.Schedule}
		}
	}
	if found != (r.Rev != 0) || old.Rev != r.Rev || found && old.Decision != occurrence.Pending {
		return conflict
	}
	if r.Decision != occurrence.Pending {
		a.decided[r.Reason]++
	}
	r.Rev++
	a.records[id] = r
	return nil
}

func compareRecords(x, y occurrence.Record) int {
	return cmp.Or(x.Due.Compare(y.Due), cmp.Compare(x.Net, y.Net), cmp.Compare(x.Schedule, y.Schedule), x.Nominal.Compare(y.Nominal))
}

// ask answers a query as the contract says it, without its limit.
func (a *agenda) ask(q store.OccurrenceQuery) []occurrence.Record {
	var list []occurrence.Record
	for _, r := range a.records {
		open := r.Decision == occurrence.Missed && r.RecoveredBy == "" && r.Dismissed.IsZero()
		if q.Net != "" && r.Net != q.Net || q.Folder != "" && !strings.HasPrefix(r.Net, q.Folder+"/") || q.Schedule != "" && r.Schedule != q.Schedule ||
			!q.Nominal.IsZero() && !r.Nominal.Equal(q.Nominal) || !q.Since.IsZero() && r.Due.Before(q.Since) || !q.Until.IsZero() && !r.Due.Before(q.Until) ||
			len(q.Decisions) > 0 && !slices.Contains(q.Decisions, r.Decision) || len(q.Reasons) > 0 && !slices.Contains(q.Reasons, r.Reason) || q.Undismissed && !open {
			continue
		}
		list = append(list, r)
	}
	slices.SortFunc(list, compareRecords)
	if q.Newest {
		slices.Reverse(list)
	}
	return list
}

// tallies counts what ask gives.
func (a *agenda) tallies(q store.OccurrenceQuery) []store.Tally {
	type counted struct{ all, early int64 }
	counts := map[store.Tally]counted{}
	for _, r := range a.ask(q) {
		key := store.Tally{Net: r.Net, Schedule: r.Schedule, Decision: r.Decision, Reason: r.Reason}
		n := counts[key]
		n.all++
		if !r.Decided.IsZero() && r.Decided.Before(r.Due) {
			n.early++
		}
		counts[key] = n
	}
	var list []store.Tally
	for tally, n := range counts {
		tally.Count, tally.Early = n.all, n.early
		list = append(list, tally)
	}
	slices.SortFunc(list, func(x, y store.Tally) int {
		return cmp.Or(cmp.Compare(x.Net, y.Net), cmp.Compare(x.Schedule, y.Schedule), cmp.Compare(x.Decision, y.Decision), cmp.Compare(x.Reason, y.Reason))
	})
	return list
}

// dice makes the operations of the test.
type dice struct {
	*rand.Rand
	a *agenda
}

func (d *dice) net() string      { return []string{"a", "a/x", "a/x/y", "a0", "b"}[d.IntN(5)] }
func (d *dice) schedule() string { return []string{"s", "t"}[d.IntN(2)] }

func (d *dice) decision() occurrence.Decision {
	return []occurrence.Decision{occurrence.Pending, occurrence.Released, occurrence.Missed, occurrence.Suppressed, occurrence.Cancelled}[d.IntN(5)]
}

// record makes a write of a new or a stored one; some are stale, some are taken already.
func (d *dice) record() store.OccurrenceWrite {
	if len(d.a.records) == 0 || d.IntN(3) > 0 {
		r := record(d.net(), d.schedule(), d.IntN(200))
		r.Due = r.Due.Add(time.Duration(d.IntN(3)) * time.Minute)
		r.Decision, r.Reason = d.decision(), occurrence.Reason(fmt.Sprint("reason", d.IntN(3)))
		for _, s := range d.a.spans {
			if s.Net == r.Net && s.Schedule == r.Schedule && d.IntN(2) == 0 {
				r.Span = s.ID // also one that has ended
			}
		}
		return store.OccurrenceWrite{Record: r}
	}
	ids := slices.Sorted(maps.Keys(d.a.records))
	r := d.a.records[ids[d.IntN(len(ids))]]
	if d.IntN(10) == 0 {
		r.Rev += int64(d.IntN(5) - 2)
	}
	if d.IntN(2) == 0 {
		r.RecoveredBy, r.Dismissed = []string{"", "r1"}[d.IntN(2)], at(d.IntN(300))
		return store.OccurrenceWrite{Record: r, Recovered: true}
	}
	r.Decision, r.Due, r.Reason = d.decision(), at(d.IntN(200)), occurrence.Reason(fmt.Sprint("reason", d.IntN(3)))
	return store.OccurrenceWrite{Record: r}
}

func (d *dice) batch() store.Batch {
	b := store.Batch{Epoch: 1}
	touched := map[string]bool{}
	for range 1 + d.IntN(6) {
		if w := d.record(); !touched[store.OccurrenceID(w.Record.Key)] {
			touched[store.OccurrenceID(w.Record.Key)] = true
			b.Occurrences = append(b.Occurrences, w)
		}
	}
	if d.IntN(4) == 0 {
		s := newSpan(d.net(), d.schedule())
		s.Since = at(d.IntN(200))
		b.Spans = append(b.Spans, store.SpanWrite{Span: s})
		for _, old := range d.a.spans {
			if old.Net == s.Net && old.Schedule == s.Schedule && d.IntN(4) > 0 {
				old.Until = s.Since
				b.Spans = append(b.Spans, store.SpanWrite{Span: old})
			}
		}
	}
	if d.IntN(8) == 0 {
		b.Through = at(d.IntN(200))
		b.LastSpan = int64(max(0, len(d.a.spans)-d.IntN(2)))
	}
	return b
}

func (d *dice) query() store.OccurrenceQuery {
	q := store.OccurrenceQuery{Limit: 1 + d.IntN(40)}
	maybe := func(n int, set func()) {
		if d.IntN(n) == 0 {
			set()
		}
	}
	maybe(3, func() { q.Net = d.net() })
	maybe(3, func() { q.Folder = []string{"a", "a/x", "none"}[d.IntN(3)] })
	maybe(4, func() { q.Schedule = d.schedule() })
	maybe(8, func() { q.Nominal = at(d.IntN(200)) })
	maybe(3, func() { q.Since = at(d.IntN(200)) })
	maybe(3, func() { q.Until = at(d.IntN(200)) })
	maybe(3, func() { q.Decisions = []occurrence.Decision{d.decision()} })
	maybe(6, func() { q.Decisions = append(q.Decisions, d.decision()) })
	maybe(6, func() { q.Reasons = []occurrence.Reason{occurrence.Reason(fmt.Sprint("reason", d.IntN(3)))} })
	maybe(4, func() { q.Undismissed = true })
	maybe(2, func() { q.Newest = true })
	return q
}

// testTimesTwin does random operations to the store and to its twin, and compares.
func testTimesTwin(t *testing.T, s store.Store) {
	a := &agenda{records: map[string]occurrence.Record{}, decided: map[occurrence.Reason]int64{}}
	d := &dice{Rand: rand.New(rand.NewPCG(20261121, 5)), a: a}
	refused := map[string]int{}
	for op := range 1000 {
		if op%3 == 2 {
			d.compare(t, s)
		} else {
			b := d.batch()
			want := a.commit(b)
			_, err := s.Commit(t.Context(), b)
			compareErrors(t, op, err, want)
			var conflict *store.Conflict
			if errors.As(want, &conflict) {
				refused[conflict.Noun]++
			}
		}
		if t.Failed() {
			return
		}
	}
	if refused["occurrence"] < 50 || refused["span"] < 10 || len(a.records) < 200 {
		t.Errorf("refusals %v and %d records: the test shows little", refused, len(a.records))
	}
	spans := must[[]occurrence.Span](t)(s.Spans(t.Context(), store.SpanQuery{}))
	slices.SortFunc(spans, func(x, y occurrence.Span) int { return cmp.Compare(x.ID, y.ID) })
	same(t, "spans", spans, a.spans)
	totals := map[occurrence.Reason]int64{}
	for _, one := range must[[]store.Total](t)(s.Totals(t.Context())) {
		totals[one.Reason] += one.Count
	}
	same(t, "totals", totals, a.decided)
}

// compare asks both the same question, and reads all pages.
func (d *dice) compare(t *testing.T, s store.Store) {
	t.Helper()
	q := d.query()
	want := d.a.ask(q)
	same(t, fmt.Sprintf("tallies %+v", q), must[[]store.Tally](t)(s.Tallies(t.Context(), q)), d.a.tallies(q))
	for {
		page := occurrences(t, s, q)
		same(t, fmt.Sprintf("%+v", q), page, want[:min(len(want), q.Limit)])
		if t.Failed() || len(page) < q.Limit {
			break
		}
		want = want[len(page):]
		last := page[len(page)-1]
		q.After = store.OccurrenceCursor{Due: last.Due, Key: last.Key}
	}
	same(t, "through", must[time.Time](t)(s.Through(t.Context())), d.a.through)
}

// testAgenda pages through a day on which many fall due at the same instant, while more are decided.
func testAgenda(t *testing.T, s store.Store) {
	const nets = 300
	b := store.Batch{Epoch: 1}
	for i := range nets {
		for minute := range 3 {
			b.Occurrences = append(b.Occurrences, store.OccurrenceWrite{Record: record(fmt.Sprintf("net/%03d", i), "s", minute*10)})
		}
	}
	commit(t, s, b)
	seen := map[string]bool{}
	q := store.OccurrenceQuery{Since: at(0), Until: at(11), Limit: 70}
	for {
		page := occurrences(t, s, q)
		for _, r := range page {
			id := store.OccurrenceID(r.Key)
			if seen[id] {
				t.Fatalf("%s came twice", id)
			}
			seen[id] = true
		}
		if len(page) < q.Limit {
			break
		}
		last := page[len(page)-1]
		q.After = store.OccurrenceCursor{Due: last.Due, Key: last.Key}
		commit(t, s, decide(record(fmt.Sprintf("early/%d", len(seen)), "s", -1), record("net/000", fmt.Sprint("extra", len(seen)), 0)))
	}
	if len(seen) < 2*nets {
		t.Errorf("got %d, want at least %d", len(seen), 2*nets)
	}
	same(t, "without a limit", len(occurrences(t, s, store.OccurrenceQuery{Folder: "net"})), min(1000, 3*nets+len(seen)/70))
	same(t, "tallies", must[[]store.Tally](t)(s.Tallies(t.Context(), store.OccurrenceQuery{Net: "net/007", Limit: 1})),
		[]store.Tally{{Net: "net/007", Schedule: "s", Decision: occurrence.Released, Reason: occurrence.Due, Count: 3}})
}
