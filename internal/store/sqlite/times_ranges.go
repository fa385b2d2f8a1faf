package sqlite

import (
	"context"
	"fmt"
	"math"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const rangeColumns = `id, net, schedule, span, first, last, count, decision, reason, detail, decided, zone, tzdata, dismissed, dismissed_by, rev`

// oneRange stores, changes or removes a range, and returns its id.
func (d *decider) oneRange(ctx context.Context, w store.RangeWrite) (int64, error) {
	r, conflict := w.Range, store.Conflict{Noun: "range", ID: fmt.Sprint(w.Range.ID)}
	switch {
	case w.Delete:
		found := false
		err := d.c.query(ctx, `DELETE FROM ranges WHERE id = ? AND rev = ? RETURNING decision, reason, count`, func(row row) error {
			found = true
			d.add(occurrence.Decision(row.str(0)), occurrence.Reason(row.str(1)), -row.int(2), r.Decided)
			return nil
		}, r.ID, r.Rev)
		if err == nil && !found {
			err = &conflict
		}
		return r.ID, err
	case r.ID != 0:
		return r.ID, guarded(ctx, d.c, conflict, `UPDATE ranges SET dismissed = ?, dismissed_by = ?, rev = rev + 1 WHERE id = ? AND rev = ?`,
			r.Dismissed, r.DismissedBy, r.ID, r.Rev)
	}
	if r.Span != 0 {
		s, err := d.span(ctx, r.Span)
		if err != nil {
			return 0, err
		}
		if !s.found || !s.until.IsZero() && s.until.UnixMicro() != w.Until.UnixMicro() && !r.Last.Before(s.until) {
			return 0, &store.Conflict{Noun: "span", ID: r.Net + " " + r.Schedule}
		}
	}
	id, _, err := d.c.insert(ctx, `INSERT INTO ranges (net, schedule, span, first, last, count, decision, reason, detail, decided, zone, tzdata,
		dismissed, dismissed_by, rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
		r.Net, r.Schedule, r.Span, r.First, r.Last, r.Count, string(r.Decision), string(r.Reason), r.Detail, r.Decided, r.Zone, r.TZData,
		r.Dismissed, r.DismissedBy)
	if err == nil {
		d.add(r.Decision, r.Reason, r.Count, r.Decided)
	}
	return id, err
}

func scanRange(r row) occurrence.Range {
	return occurrence.Range{
		ID: r.int(0), Net: r.str(1), Schedule: r.str(2), Span: r.int(3), First: r.time(4), Last: r.time(5), Count: r.int(6),
		Decision: occurrence.Decision(r.str(7)), Reason: occurrence.Reason(r.str(8)), Detail: r.str(9), Decided: r.time(10), Zone: r.str(11),
		TZData: r.str(12), Dismissed: r.time(13), DismissedBy: r.str(14), Rev: r.int(15),
	}
}

// Ranges implements store.Times.
func (s *Store) Ranges(ctx context.Context, q store.OccurrenceQuery) ([]occurrence.Range, error) {
	var t terms
	from := "ranges INDEXED BY ranges_last"
	switch {
	case q.Undismissed:
		from = "ranges INDEXED BY ranges_missed"
		t.add("decision = 'missed' AND dismissed IS NULL")
	case q.Net != "":
		from = "ranges INDEXED BY ranges_net"
	case q.Since.IsZero():
		from = "ranges"
	}
	oneOf(&t, "decision", q.Decisions)
	oneOf(&t, "reason", q.Reasons)
	t.text("net", q.Net)
	t.folder(q.Folder)
	t.text("schedule", q.Schedule)
	if !q.Since.IsZero() {
		t.add("last >= ?", q.Since)
	}
	if !q.Until.IsZero() {
		t.add("first < ?", q.Until)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = math.MaxInt32
	}
	all, err := list(ctx, s.state, scanRange, `SELECT `+rangeColumns+` FROM `+from+t.sql()+` ORDER BY first, net, schedule, id LIMIT ?`, append(t.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("reading ranges: %w", err)
	}
	return all, nil
}
