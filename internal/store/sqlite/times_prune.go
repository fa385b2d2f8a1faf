package sqlite

import (
	"context"
	"fmt"
	"time"
)

// pruneTimes removes what is old, each at most ?2 rows and by an index. What is missed and nobody has seen to stays, with its span.
func pruneTimes() []string {
	return []string{
		`DELETE FROM occurrences WHERE (due, net, schedule, nominal) IN (SELECT due, net, schedule, nominal FROM occurrences
			WHERE due < ?1 AND decision <> 'pending' AND NOT (` + undismissed + `) ORDER BY due LIMIT ?2)`,
		`DELETE FROM ranges WHERE id IN (SELECT id FROM ranges WHERE last < ?1 AND NOT (decision = 'missed' AND dismissed IS NULL) ORDER BY last LIMIT ?2)`,
		`DELETE FROM overrides WHERE id IN (SELECT id FROM overrides WHERE ended < ?1 AND ended IS NOT NULL AND state NOT IN ('active', 'stale')
			ORDER BY ended LIMIT ?2)`,
		`DELETE FROM spans WHERE id IN (SELECT id FROM spans AS s WHERE until IS NOT NULL AND until < ?1
			AND NOT EXISTS (SELECT 1 FROM occurrences AS o WHERE o.net = s.net AND o.span = s.id AND o.due < s.until)
			AND NOT EXISTS (SELECT 1 FROM ranges AS r WHERE r.net = s.net AND r.schedule = s.schedule AND r.span = s.id) ORDER BY until LIMIT ?2)`,
	}
}

// PruneOccurrences implements store.Archive.
func (s *Store) PruneOccurrences(ctx context.Context, before time.Time, limit int) (int, error) {
	if before.IsZero() || limit <= 0 {
		return 0, nil
	}
	most := int64(0)
	err := s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		most = 0
		for _, sql := range pruneTimes() {
			n, err := c.exec(ctx, sql, before, limit)
			if err != nil {
				return err
			}
			most = max(most, n)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("removing old occurrences: %w", err)
	}
	return int(most), nil
}
