package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
)

// What is missed and nobody has seen to stays, with its span. What goes is looked for by readers: the old that stays must not be
// walked through by the one who writes. Each search goes by an index of instants.
const (
	oldRecords = `SELECT nominal, net, schedule FROM occurrences WHERE due < ? AND decision <> 'pending' AND NOT (` + undismissed + `)
		ORDER BY due, net, schedule, nominal LIMIT ?`
	oldRanges    = `SELECT id FROM ranges INDEXED BY ranges_last WHERE last < ? AND NOT (decision = 'missed' AND dismissed IS NULL) ORDER BY last LIMIT ?`
	oldOverrides = `SELECT id FROM overrides INDEXED BY overrides_ended WHERE ended IS NOT NULL AND ended < ? AND state NOT IN ('active', 'stale')
		ORDER BY ended LIMIT ?`
	oldSpans = `SELECT id FROM spans AS s INDEXED BY spans_ended WHERE until IS NOT NULL AND until < ?
		AND NOT EXISTS (SELECT 1 FROM occurrences AS o INDEXED BY occurrences_net WHERE o.net = s.net AND o.due < s.until AND o.span = s.id)
		AND NOT EXISTS (SELECT 1 FROM ranges AS r WHERE r.net = s.net AND r.schedule = s.schedule AND r.span = s.id) ORDER BY until LIMIT ?`
)

// oldTimes are the keys of what may go.
type oldTimes struct {
	records                  []occurrence.Key
	ranges, overrides, spans []int64
}

func (o oldTimes) most() int {
	return max(len(o.records), len(o.ranges), len(o.overrides), len(o.spans))
}

// PruneOccurrences implements store.Archive.
func (s *Store) PruneOccurrences(ctx context.Context, before time.Time, limit int) (int, error) {
	if before.IsZero() || limit <= 0 {
		return 0, nil
	}
	var old oldTimes
	err := s.state.read(ctx, func(c *conn) error {
		err := c.query(ctx, oldRecords, func(r row) error {
			old.records = append(old.records, occurrence.Key{Nominal: r.time(0), Net: r.str(1), Schedule: r.str(2)})
			return nil
		}, before, limit)
		if err != nil {
			return err
		}
		for sql, ids := range map[string]*[]int64{oldRanges: &old.ranges, oldOverrides: &old.overrides, oldSpans: &old.spans} {
			err := c.query(ctx, sql, func(r row) error {
				*ids = append(*ids, r.int(0))
				return nil
			}, before, limit)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("looking for old occurrences: %w", err)
	}
	if old.most() == 0 {
		return 0, nil
	}
	err = s.state.writer.do(ctx, func(ctx context.Context, c *conn) error { return removeTimes(ctx, c, old) })
	if err != nil {
		return 0, fmt.Errorf("removing old occurrences: %w", err)
	}
	return old.most(), nil
}

// removeTimes removes what was found. None of it can have come back to life meanwhile: what is decided stays so, and so does what a
// person has seen to, what has ended and what is over.
func removeTimes(ctx context.Context, c *conn, old oldTimes) error {
	for _, k := range old.records {
		if _, err := c.exec(ctx, `DELETE FROM occurrences WHERE nominal = ? AND net = ? AND schedule = ?`, k.Nominal, k.Net, k.Schedule); err != nil {
			return err
		}
	}
	for sql, ids := range map[string][]int64{
		`DELETE FROM ranges WHERE id = ?`: old.ranges, `DELETE FROM overrides WHERE id = ?`: old.overrides,
	} {
		for _, id := range ids {
			if _, err := c.exec(ctx, sql, id); err != nil {
				return err
			}
		}
	}
	for _, id := range old.spans {
		if err := removeSpan(ctx, c, id); err != nil {
			return err
		}
	}
	return nil
}

// removeSpan removes a span, and its rule where no other has it.
func removeSpan(ctx context.Context, c *conn, id int64) error {
	var rule int64
	err := c.query(ctx, `DELETE FROM spans WHERE id = ? RETURNING rule`, func(r row) error { rule = r.int(0); return nil }, id)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `DELETE FROM rules WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM spans WHERE rule = ?1)`, rule)
	return err
}
