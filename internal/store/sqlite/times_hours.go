package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// lateAt is the condition of a record whose run ended after its time, or is over it at an instant without an end. A run that is not stored
// any more has ended, and is not called late.
const lateAt = `must_end IS NOT NULL AND EXISTS (SELECT 1 FROM runs WHERE runs.id = occurrences.run AND coalesce(runs.ended, ?) > must_end)`

// Hours implements store.Archive. The table stands by due: a day is one stretch of it.
func (s *Store) Hours(ctx context.Context, q store.OccurrenceQuery, now time.Time) ([]store.Hourly, error) {
	from, t := recordTerms(q)
	scan := func(r row) store.Hourly {
		return store.Hourly{Hour: int(r.int(0)), Decision: occurrence.Decision(r.str(1)), Count: r.int(2), Late: r.int(3)}
	}
	all, err := list(ctx, s.state, scan, `SELECT (due - ?) / 3600000000 AS hour, decision, count(*), sum(`+lateAt+`) FROM `+from+t.sql()+
		` GROUP BY hour, decision ORDER BY hour, decision`, append([]any{q.Since, now}, t.args...)...)
	if err != nil {
		return nil, fmt.Errorf("counting occurrences by hour: %w", err)
	}
	return all, nil
}
