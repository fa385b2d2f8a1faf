package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/store"
)

// preparedTimes is what a batch has of schedules and occurrences, with its JSON made outside the transaction.
type preparedTimes struct {
	spans     []preparedSpan
	overrides []preparedOverride
}

func prepareTimes(b store.Batch) (preparedTimes, error) {
	var p preparedTimes
	for _, w := range b.Spans {
		one, err := prepareSpan(w.Span)
		if err != nil {
			return p, fmt.Errorf("committing the span of %s %s: %w", w.Span.Net, w.Span.Schedule, err)
		}
		p.spans = append(p.spans, one)
	}
	for _, w := range b.Overrides {
		params, err := jsonText(w.Override.Params)
		if err != nil {
			return p, fmt.Errorf("committing an override of %s: %w", w.Override.Net, err)
		}
		p.overrides = append(p.overrides, preparedOverride{w.Override, params})
	}
	return p, nil
}

// applyTimes stores what a batch has of schedules and occurrences. Records of spans that were there come before the spans that
// end in the same batch, and those of new ones after them.
func applyTimes(ctx context.Context, c *conn, b store.Batch, p preparedTimes, receipt *store.Receipt) error {
	if err := applyThrough(ctx, c, b); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Calendars, applyCalendar); err != nil {
		return err
	}
	d := decider{c: c, spans: map[int64]spanEnd{}, totals: map[totalKey]total{}}
	for _, w := range b.Occurrences {
		if w.Record.Span >= 0 {
			if err := d.occurrence(ctx, w); err != nil {
				return err
			}
		}
	}
	for _, w := range b.Ranges {
		id, err := d.oneRange(ctx, w)
		if err != nil {
			return err
		}
		receipt.Ranges = append(receipt.Ranges, id)
	}
	if err := applySpans(ctx, c, p.spans, receipt); err != nil {
		return err
	}
	for _, w := range b.Occurrences {
		if w.Record.Span < 0 {
			id, err := opened(receipt, p.spans, w.Record.Span)
			if err != nil {
				return err
			}
			w.Record.Span = id
			if err := d.occurrence(ctx, w); err != nil {
				return err
			}
		}
	}
	if err := applyEach(ctx, c, b.Pauses, applyPause); err != nil {
		return err
	}
	for _, o := range p.overrides {
		id, err := applyOverride(ctx, c, o)
		if err != nil {
			return err
		}
		receipt.Overrides = append(receipt.Overrides, id)
	}
	return d.count(ctx)
}

// applyThrough moves the mark, never back, before the batch's own spans are opened behind it. What is due in a span that the decider
// has not seen and that begins before the mark would be lost.
func applyThrough(ctx context.Context, c *conn, b store.Batch) error {
	if b.Through.IsZero() {
		return nil
	}
	if b.LastSpan != 0 {
		var conflict error
		err := c.query(ctx, `SELECT net, schedule FROM spans WHERE id > ? AND since < ? ORDER BY id LIMIT 1`, func(r row) error {
			conflict = &store.Conflict{Noun: "span", ID: r.str(0) + " " + r.str(1)}
			return nil
		}, b.LastSpan, b.Through)
		if err != nil {
			return err
		}
		if conflict != nil {
			return conflict
		}
	}
	_, err := c.exec(ctx, `UPDATE domain SET through = ?1 WHERE through IS NULL OR through < ?1`, b.Through)
	return err
}

// Through implements store.Times.
func (s *Store) Through(ctx context.Context) (time.Time, error) {
	var through time.Time
	err := s.state.read(ctx, func(c *conn) (err error) {
		through, err = readThrough(ctx, c)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("reading through when all is decided: %w", err)
	}
	return through, nil
}

func readThrough(ctx context.Context, c *conn) (through time.Time, err error) {
	err = c.query(ctx, `SELECT through FROM domain`, func(r row) error {
		through = r.time(0)
		return nil
	})
	return through, err
}

// terms collects the conditions of a query and their arguments.
type terms struct {
	where []string
	args  []any
}

func (t *terms) add(term string, args ...any) {
	t.where = append(t.where, term)
	t.args = append(t.args, args...)
}

// folder keeps nets below one. "0" is the character after "/".
func (t *terms) folder(name string) {
	if name != "" {
		t.add("net > ? AND net < ?", name+"/", name+"0")
	}
}

func (t *terms) text(column, value string) {
	if value != "" {
		t.add(column+" = ?", value)
	}
}

// oneOf keeps rows that have one of some texts; none: all.
func oneOf[T ~string](t *terms, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	t.add(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

// sql writes the condition, with the word before it; nothing where there is none.
func (t *terms) sql() string {
	if len(t.where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(t.where, " AND ")
}

// undismissed is the condition of the partial index on what is missed and nobody has seen to.
const undismissed = `decision = 'missed' AND recovered_by = '' AND dismissed IS NULL`
