package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// ruleText is what spans have in common, as it is stored.
type ruleText struct {
	Rule      calendar.Schedule `json:"rule"`
	Calendars map[string]int    `json:"calendars,omitempty"`
	TZData    string            `json:"tzdata"`
}

// preparedSpan is a span with its JSON made. The rule is stored without its name, which the span has: so schedules that differ in nothing
// else share a text.
type preparedSpan struct {
	occurrence.Span
	text string
}

func prepareSpan(s occurrence.Span) (preparedSpan, error) {
	p := preparedSpan{Span: s}
	if s.ID != 0 {
		return p, nil
	}
	r := ruleText{s.Rule, s.Calendars, s.TZData}
	r.Rule.Name = ""
	b, err := json.Marshal(r)
	p.text = string(b)
	return p, err
}

// applySpans ends spans, then opens others, and fills the receipt in the order of the batch.
func applySpans(ctx context.Context, c *conn, spans []preparedSpan, receipt *store.Receipt) error {
	if len(spans) == 0 {
		return nil
	}
	through, err := readThrough(ctx, c)
	if err != nil {
		return err
	}
	receipt.Spans = make([]occurrence.Span, len(spans))
	for _, ends := range []bool{true, false} {
		for i, p := range spans {
			if (p.ID != 0) != ends {
				continue
			}
			if ends {
				p.Until = afterThrough(p.Until, through)
				err = endSpan(ctx, c, p.Span)
			} else {
				p.Since = afterThrough(p.Since, through)
				p.ID, err = openSpan(ctx, c, p)
			}
			if err != nil {
				return err
			}
			receipt.Spans[i] = p.Span
		}
	}
	return nil
}

// afterThrough is t, or the first instant that is not decided yet where that is later.
func afterThrough(t, through time.Time) time.Time {
	if next := through.Add(time.Microsecond); !through.IsZero() && t.Before(next) {
		return next
	}
	return t
}

func endSpan(ctx context.Context, c *conn, s occurrence.Span) error {
	return guarded(ctx, c, store.Conflict{Noun: "span", ID: s.Net + " " + s.Schedule},
		`UPDATE spans SET until = ? WHERE id = ? AND until IS NULL`, s.Until, s.ID)
}

func openSpan(ctx context.Context, c *conn, p preparedSpan) (int64, error) {
	rule, rows, err := c.insert(ctx, `INSERT INTO rules (text) VALUES (?) ON CONFLICT DO NOTHING`, p.text)
	if err == nil && rows == 0 {
		err = c.query(ctx, `SELECT id FROM rules WHERE text = ?`, func(r row) error { rule = r.int(0); return nil }, p.text)
	}
	if err != nil {
		return 0, err
	}
	id, rows, err := c.insert(ctx, `INSERT INTO spans (net, schedule, version, since, until, rule) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		p.Net, p.Schedule, p.Version, p.Since, p.Until, rule)
	if err == nil && rows == 0 {
		err = &store.Conflict{Noun: "span", ID: p.Net + " " + p.Schedule}
	}
	return id, err
}

// opened returns the id of a span that the batch opened: -1 is the first.
func opened(receipt *store.Receipt, spans []preparedSpan, n int64) (int64, error) {
	for i, p := range spans {
		if p.ID != 0 {
			continue
		}
		if n++; n == 0 {
			return receipt.Spans[i].ID, nil
		}
	}
	return 0, fmt.Errorf("%w: a record names a new span that the batch does not have", errBatch)
}

// Spans implements store.Times.
func (s *Store) Spans(ctx context.Context, q store.SpanQuery) ([]occurrence.Span, error) {
	var t terms
	t.text("net", q.Net)
	t.folder(q.Folder)
	t.text("schedule", q.Schedule)
	if q.Open {
		t.add("until IS NULL")
	}
	if !q.Since.IsZero() {
		t.add("(until IS NULL OR until > ?)", q.Since)
	}
	if !q.Until.IsZero() {
		t.add("since < ?", q.Until)
	}
	if q.After != 0 {
		t.add("id > ?", q.After)
	}
	if q.IDs != nil {
		t.add("id IN (SELECT value FROM json_each(?))", strings.Join(strings.Fields(fmt.Sprint(q.IDs)), ","))
	}
	if q.Beyond.ID != 0 {
		t.add("(net, schedule, since, id) > (?, ?, ?, ?)", q.Beyond.Net, q.Beyond.Schedule, q.Beyond.Since, q.Beyond.ID)
	}
	read := spanReader{rules: map[int64]ruleText{}}
	err := s.state.read(ctx, func(c *conn) error {
		limit := q.Limit
		if limit <= 0 { // they are large and may be many: room is made for all at once
			err := c.query(ctx, `SELECT count(*) FROM spans`+t.sql(), func(r row) error { limit = int(r.int(0)); return nil }, t.args...)
			if err != nil {
				return err
			}
		}
		read.list = make([]occurrence.Span, 0, min(limit, 1<<20))
		return c.query(ctx, `SELECT id, net, schedule, version, since, until, rule FROM spans`+t.sql()+` ORDER BY net, schedule, since, id LIMIT ?`,
			func(r row) error { return read.span(ctx, c, r) }, append(t.args, limit)...)
	})
	if err != nil {
		return nil, fmt.Errorf("reading spans: %w", err)
	}
	return read.list, nil
}

// spanReader reads spans. What they have in common is read once, and shared.
type spanReader struct {
	list  []occurrence.Span
	rules map[int64]ruleText
}

func (d *spanReader) span(ctx context.Context, c *conn, r row) error {
	s := occurrence.Span{ID: r.int(0), Net: r.str(1), Schedule: r.str(2), Version: int(r.int(3)), Since: r.time(4), Until: r.time(5)}
	id := r.int(6)
	text, ok := d.rules[id]
	if !ok {
		err := c.query(ctx, `SELECT text FROM rules WHERE id = ?`, func(r row) error { return json.Unmarshal([]byte(r.str(0)), &text) }, id)
		if err != nil {
			return fmt.Errorf("reading the rule of span %d: %w", s.ID, err)
		}
		d.rules[id] = text
	}
	s.Rule, s.Calendars, s.TZData = text.Rule, text.Calendars, text.TZData
	s.Rule.Name = s.Schedule
	d.list = append(d.list, s)
	return nil
}
