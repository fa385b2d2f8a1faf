package sqlite

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const recordColumns = `due, net, schedule, nominal, span, moved, decision, reason, detail, decided, who, version, zone, tzdata, run, must_end,
	recovered_by, dismissed, dismissed_by, rev`

// decider applies the occurrences of one batch: it looks at each span once, and counts what is decided.
type decider struct {
	c      *conn
	spans  map[int64]spanEnd
	totals map[totalKey]total
}

// spanEnd is what a record's guard needs of its span.
type spanEnd struct {
	found bool
	until time.Time
}

type totalKey struct {
	decision occurrence.Decision
	reason   occurrence.Reason
}

type total struct {
	count int64
	last  time.Time
}

func (d *decider) span(ctx context.Context, id int64) (spanEnd, error) {
	if s, ok := d.spans[id]; ok {
		return s, nil
	}
	var s spanEnd
	err := d.c.query(ctx, `SELECT until FROM spans WHERE id = ?`, func(r row) error {
		s = spanEnd{true, r.time(0)}
		return nil
	}, id)
	if err == nil {
		d.spans[id] = s
	}
	return s, err
}

func (d *decider) occurrence(ctx context.Context, w store.OccurrenceWrite) error {
	r, conflict := w.Record, store.Conflict{Noun: "occurrence", ID: store.OccurrenceID(w.Record.Key)}
	if w.Recovered {
		return guarded(ctx, d.c, conflict, `UPDATE occurrences SET recovered_by = ?, dismissed = ?, dismissed_by = ?, rev = rev + 1
			WHERE nominal = ? AND net = ? AND schedule = ? AND rev = ? AND decision = 'missed'`,
			r.RecoveredBy, r.Dismissed, r.DismissedBy, r.Nominal, r.Net, r.Schedule, r.Rev)
	}
	if r.Span != 0 {
		s, err := d.span(ctx, r.Span)
		if err != nil {
			return err
		}
		if !s.found || !s.until.IsZero() && !r.Due.Before(s.until) {
			return &store.Conflict{Noun: "span", ID: r.Net + " " + r.Schedule}
		}
	}
	if r.Decision == "" {
		return fmt.Errorf("%w: occurrence %s has no decision", errBatch, conflict.ID)
	}
	if r.Rev == 0 && r.Span != 0 && !w.Free {
		if err := d.free(ctx, r, conflict); err != nil {
			return err
		}
	}
	if err := d.record(ctx, r, conflict); err != nil {
		return err
	}
	if r.Decision != occurrence.Pending {
		d.add(r.Decision, r.Reason, 1, r.Decided)
	}
	return nil
}

// free refuses a record over whose nominal instant a range of an earlier span reaches.
func (d *decider) free(ctx context.Context, r occurrence.Record, conflict store.Conflict) error {
	taken := false
	err := d.c.query(ctx, `SELECT 1 FROM ranges INDEXED BY ranges_net WHERE net = ? AND schedule = ? AND last >= ? AND first <= ? AND span < ? LIMIT 1`,
		func(row) error { taken = true; return nil }, r.Net, r.Schedule, r.Nominal, r.Nominal, r.Span)
	if err == nil && taken {
		err = &conflict
	}
	return err
}

func (d *decider) record(ctx context.Context, r occurrence.Record, conflict store.Conflict) error {
	if r.Rev == 0 {
		return guarded(ctx, d.c, conflict, `INSERT INTO occurrences (`+recordColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`,
			r.Due, r.Net, r.Schedule, r.Nominal, r.Span, string(r.Moved), string(r.Decision), string(r.Reason), r.Detail, r.Decided, r.By, r.Version,
			r.Zone, r.TZData, r.Run, r.MustEnd, r.RecoveredBy, r.Dismissed, r.DismissedBy)
	}
	return guarded(ctx, d.c, conflict, `UPDATE occurrences SET due = ?, span = ?, moved = ?, decision = ?, reason = ?, detail = ?, decided = ?, who = ?,
		version = ?, zone = ?, tzdata = ?, run = ?, must_end = ?, recovered_by = ?, dismissed = ?, dismissed_by = ?, rev = rev + 1
		WHERE nominal = ? AND net = ? AND schedule = ? AND rev = ? AND +decision = 'pending'`,
		r.Due, r.Span, string(r.Moved), string(r.Decision), string(r.Reason), r.Detail, r.Decided, r.By,
		r.Version, r.Zone, r.TZData, r.Run, r.MustEnd, r.RecoveredBy, r.Dismissed, r.DismissedBy,
		r.Nominal, r.Net, r.Schedule, r.Rev)
}

func (d *decider) add(decision occurrence.Decision, reason occurrence.Reason, n int64, at time.Time) {
	t := d.totals[totalKey{decision, reason}]
	t.count += n
	if at.After(t.last) {
		t.last = at
	}
	d.totals[totalKey{decision, reason}] = t
}

// count adds what the batch decided to what was decided before.
func (d *decider) count(ctx context.Context) error {
	for k, t := range d.totals {
		_, err := d.c.exec(ctx, `INSERT INTO decided (decision, reason, count, last) VALUES (?, ?, ?, ?) ON CONFLICT (decision, reason)
			DO UPDATE SET count = count + excluded.count, last = max(coalesce(last, excluded.last), coalesce(excluded.last, last))`,
			string(k.decision), string(k.reason), t.count, t.last)
		if err != nil {
			return err
		}
	}
	return nil
}

func scanRecord(r row) occurrence.Record {
	return occurrence.Record{
		Due: r.time(0), Key: occurrence.Key{Net: r.str(1), Schedule: r.str(2), Nominal: r.time(3)}, Span: r.int(4), Moved: calendar.Reason(r.str(5)),
		Decision: occurrence.Decision(r.str(6)), Reason: occurrence.Reason(r.str(7)), Detail: r.str(8), Decided: r.time(9), By: r.str(10),
		Version: int(r.int(11)), Zone: r.str(12), TZData: r.str(13), Run: r.str(14), MustEnd: r.time(15), RecoveredBy: r.str(16),
		Dismissed: r.time(17), DismissedBy: r.str(18), Rev: r.int(19),
	}
}

// Occurrences implements store.Times. What no one index answers is asked for in parts (times_parts.go).
func (s *Store) Occurrences(ctx context.Context, q store.OccurrenceQuery) ([]occurrence.Record, error) {
	if q.Limit <= 0 {
		q.Limit = maxLimit
	}
	parts, err := s.parts(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("reading occurrences: %w", err)
	}
	if len(parts) > 0 {
		return s.merged(ctx, parts)
	}
	return s.occurrences(ctx, q)
}

func (s *Store) occurrences(ctx context.Context, q store.OccurrenceQuery) ([]occurrence.Record, error) {
	from, t := recordTerms(q)
	if from == "occurrences" { // by due, and so in order: for a folder the planner would read all of its nets and sort them
		from += " NOT INDEXED"
	}
	beyond, order := "due >= ? AND (due, net, schedule, nominal) > (?, ?, ?, ?)", " ORDER BY due, net, schedule, nominal LIMIT ?"
	if q.Newest {
		beyond, order = "due <= ? AND (due, net, schedule, nominal) < (?, ?, ?, ?)", " ORDER BY due DESC, net DESC, schedule DESC, nominal DESC LIMIT ?"
	}
	if !q.After.Due.IsZero() {
		k := q.After.Key
		t.add(beyond, q.After.Due, q.After.Due, k.Net, k.Schedule, cursorInstant(k.Nominal))
	}
	all, err := list(ctx, s.state, scanRecord, `SELECT `+recordColumns+` FROM `+from+t.sql()+order, append(t.args, q.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("reading occurrences: %w", err)
	}
	return all, nil
}

// cursorInstant makes a cursor without a nominal instant one before all of its schedule.
func cursorInstant(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixMicro()
}

// recordTerms writes a query's conditions, and which index answers it: the planner knows nothing of how the records are spread.
func recordTerms(q store.OccurrenceQuery) (from string, t terms) {
	from = "occurrences"
	switch {
	case !q.Nominal.IsZero() && q.Net != "":
		from += " INDEXED BY occurrences_key"
	case q.Undismissed:
		from += " INDEXED BY occurrences_missed"
	case len(q.Decisions) == 1 && q.Decisions[0] == occurrence.Pending:
		from += " INDEXED BY occurrences_pending"
	case q.Net != "":
		from += " INDEXED BY occurrences_net"
	case len(q.Decisions) == 1 && rare(q.Decisions[0]):
		from += " INDEXED BY occurrences_rare"
		t.add("decision <> 'released'") // word by word as the partial index has it
	}
	if q.Undismissed {
		t.add(undismissed)
	}
	if len(q.Decisions) == 1 && q.Decisions[0] == occurrence.Pending {
		t.add("decision = 'pending'") // word by word as the partial index has it
	} else {
		oneOf(&t, "decision", q.Decisions)
	}
	oneOf(&t, "reason", q.Reasons)
	if !q.Nominal.IsZero() {
		t.add("nominal = ?", q.Nominal)
	}
	t.text("net", q.Net)
	t.folder(q.Folder)
	t.text("schedule", q.Schedule)
	if !q.Since.IsZero() {
		t.add("due >= ?", q.Since)
	}
	if !q.Until.IsZero() {
		t.add("due < ?", q.Until)
	}
	if !q.Late.IsZero() {
		t.add(lateAt, q.Late)
	}
	return from, t
}

// Tallies implements store.Times.
func (s *Store) Tallies(ctx context.Context, q store.OccurrenceQuery) ([]store.Tally, error) {
	from, t := recordTerms(q)
	scan := func(r row) store.Tally {
		return store.Tally{Net: r.str(0), Schedule: r.str(1), Decision: occurrence.Decision(r.str(2)), Reason: occurrence.Reason(r.str(3)), Count: r.int(4), Early: r.int(5)}
	}
	all, err := list(ctx, s.state, scan, `SELECT net, schedule, decision, reason, count(*), coalesce(sum(decided < due), 0) FROM `+from+t.sql()+
		` GROUP BY net, schedule, decision, reason ORDER BY net, schedule, decision, reason`, t.args...)
	if err != nil {
		return nil, fmt.Errorf("counting occurrences: %w", err)
	}
	return all, nil
}

// Totals implements store.Archive.
func (s *Store) Totals(ctx context.Context) ([]store.Total, error) {
	scan := func(r row) store.Total {
		return store.Total{Decision: occurrence.Decision(r.str(0)), Reason: occurrence.Reason(r.str(1)), Count: r.int(2), Last: r.time(3)}
	}
	all, err := list(ctx, s.state, scan, `SELECT decision, reason, count, last FROM decided ORDER BY decision, reason`)
	if err != nil {
		return nil, fmt.Errorf("reading how much was decided: %w", err)
	}
	return all, nil
}
