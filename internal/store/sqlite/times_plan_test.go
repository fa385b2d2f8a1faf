package sqlite

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// TestNoScansOfTimes asks SQLite how it would answer what is asked of occurrences, spans and ranges: a page of the agenda and every
// guard go by an index, in its order, however many occurrences the years have brought.
func TestNoScansOfTimes(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir(), Options{})
	check(t, err)
	defer func() { _ = s.Close() }()
	ctx, now := t.Context(), time.Unix(1_000_000, 0)
	key := occurrence.Key{Net: "n", Schedule: "s", Nominal: now}
	day := store.OccurrenceQuery{Since: now, Until: now.Add(24 * time.Hour)}
	ask := func(change func(q *store.OccurrenceQuery)) {
		t.Helper()
		for _, cursor := range []store.OccurrenceCursor{{}, {Due: now, Key: key}} {
			q := day
			q.After = cursor
			change(&q)
			_, err := s.Occurrences(ctx, q)
			check(t, err)
			q.Newest = true
			_, err = s.Occurrences(ctx, q)
			check(t, err)
			if len(q.Decisions) == 0 {
				_, err = s.Ranges(ctx, q)
				check(t, err)
			}
		}
	}
	ask(func(*store.OccurrenceQuery) {})
	ask(func(q *store.OccurrenceQuery) { q.Folder = "f" })
	ask(func(q *store.OccurrenceQuery) { q.Net = "n" })
	ask(func(q *store.OccurrenceQuery) {
		q.Net, q.Schedule, q.Since, q.Until = "n", "s", time.Time{}, time.Time{}
	})
	ask(func(q *store.OccurrenceQuery) { q.Net, q.Schedule, q.Nominal = "n", "s", now })
	ask(func(q *store.OccurrenceQuery) { *q = store.OccurrenceQuery{Undismissed: true} })
	ask(func(q *store.OccurrenceQuery) {
		*q = store.OccurrenceQuery{Decisions: []occurrence.Decision{occurrence.Pending}}
	})
	_, err = s.Spans(ctx, store.SpanQuery{Net: "n", Schedule: "s", Open: true})
	check(t, err)
	_, err = s.Spans(ctx, store.SpanQuery{Beyond: store.SpanCursor{Net: "n", Schedule: "s", Since: now, ID: 1}, Limit: 10})
	check(t, err)
	_, err = s.PruneOccurrences(ctx, now, 10)
	check(t, err)
	_, err = s.Durations(ctx, "n", 10)
	check(t, err)
	one := occurrence.Record{Key: key, Due: now, Decision: occurrence.Pending}
	_, err = s.Commit(ctx, store.Batch{
		Epoch: 1, Through: now, LastSpan: 7, Occurrences: []store.OccurrenceWrite{{Record: one}}, Spans: []store.SpanWrite{{Span: occurrence.Span{Net: "n"}}},
	})
	check(t, err)
	one.Rev, one.Decision, one.Span = 1, occurrence.Missed, 1
	b := store.Batch{Epoch: 1, Occurrences: []store.OccurrenceWrite{{Record: one}}, Ranges: []store.RangeWrite{{Range: occurrence.Range{First: now, Last: now}}}}
	_, err = s.Commit(ctx, b)
	check(t, err)
	one.Rev = 2
	_, err = s.Commit(ctx, store.Batch{
		Epoch: 1, Occurrences: []store.OccurrenceWrite{{Record: one, Recovered: true}}, Ranges: []store.RangeWrite{{Range: occurrence.Range{ID: 1, Rev: 1}, Delete: true}},
	})
	check(t, err)
	seen := 0
	look := func(ctx context.Context, c *conn) {
		for sql := range c.stmts {
			if strings.Contains(sql, "occurrences") || strings.Contains(sql, "spans") || strings.Contains(sql, "ranges") {
				seen++
				explainTimes(t, c, sql)
			}
		}
	}
	for range s.state.opened {
		c := <-s.state.readers
		look(ctx, c)
		s.state.readers <- c
	}
	check(t, s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		look(ctx, c)
		return nil
	}))
	if seen < 25 {
		t.Errorf("only %d statements were looked at", seen)
	}
}

func explainTimes(t *testing.T, c *conn, sql string) {
	t.Helper()
	err := c.queryOnce(t.Context(), "EXPLAIN QUERY PLAN "+sql, func(r row) error {
		detail := r.str(3)
		scan := strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "CONSTANT") &&
			!strings.Contains(detail, "occurrences_missed") && !strings.Contains(detail, "occurrences_pending") && !strings.Contains(detail, "ranges_missed")
		// Ranges are few, and sorted by their beginning; all else comes in the order of its index (the last term: within one instant).
		sorts := strings.Contains(detail, "TEMP B-TREE") && !strings.Contains(detail, "LAST TERM") && !strings.Contains(sql, "FROM ranges")
		if scan || sorts {
			t.Errorf("%s\n%s", detail, sql)
		}
		return nil
	}, make([]any, strings.Count(sql, "?"))...)
	check(t, err)
}
