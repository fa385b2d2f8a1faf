package sqlite

import (
	"context"
	"fmt"
	"time"
)

// vacuumPages is how many free pages go back to the file system after a pruning of output (16 MiB at most).
const vacuumPages = 4096

// oldRun is a run that has ended.
type oldRun struct {
	n  int64
	id string
}

func scanOld(r row) oldRun { return oldRun{r.int(0), r.str(1)} }

// prunable is what must hold of a run to go: it has ended and is known, and no order of it is open, because closing
// the order is what lets the agent's journal forget.
const prunable = `open = 0 AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.run = runs.id)`

// sieve says of which runs retention may take something.
type sieve struct {
	byAge     string // the table, with the index that finds them by age
	condition string
}

func wholeRuns() sieve  { return sieve{"runs", prunable} }
func outputOnly() sieve { return sieve{"runs INDEXED BY runs_output", "open = 0 AND output = 1"} }

// PruneRuns implements store.Runs.
func (s *Store) PruneRuns(ctx context.Context, before time.Time, keep, limit int) (int, error) {
	old, err := s.oldRuns(ctx, wholeRuns(), before, keep, limit)
	if err != nil {
		return 0, fmt.Errorf("looking for runs to prune: %w", err)
	}
	if len(old) == 0 {
		return 0, nil
	}
	// Output first: should the process end between the two, the run is pruned the next time.
	if err := s.pruneOutputOf(ctx, old); err != nil {
		return 0, fmt.Errorf("pruning output: %w", err)
	}
	went := 0
	err = s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		went = 0
		for _, r := range old {
			n, err := c.exec(ctx, `DELETE FROM runs WHERE n = ? AND id = ? AND `+prunable, r.n, r.id)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			went++
			if err := dropRun(ctx, c, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("pruning runs: %w", err)
	}
	return went, nil
}

// dropRun removes what belongs to a run, and notes the contents that nothing refers to any more.
func dropRun(ctx context.Context, c *conn, r oldRun) error {
	if _, err := c.exec(ctx, `DELETE FROM jobs WHERE key >= ? AND key < ?`, r.n<<jobBits, (r.n+1)<<jobBits); err != nil {
		return err
	}
	_, err := c.exec(ctx, `INSERT INTO unreferenced (sha256) SELECT DISTINCT sha256 FROM artifacts AS a WHERE run = ?1
		AND NOT EXISTS (SELECT 1 FROM artifacts AS b WHERE b.sha256 = a.sha256 AND b.run <> ?1) ON CONFLICT DO NOTHING`, r.id)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `DELETE FROM artifacts WHERE run = ?`, r.id)
	return err
}

// oldRuns returns up to limit runs that retention lets go: by age first, then by count.
func (s *Store) oldRuns(ctx context.Context, what sieve, before time.Time, keep, limit int) ([]oldRun, error) {
	if limit <= 0 {
		return nil, nil
	}
	var old []oldRun
	seen := map[int64]bool{}
	err := s.state.read(ctx, func(c *conn) error {
		add := func(r row) error {
			if o := scanOld(r); !seen[o.n] {
				seen[o.n] = true
				old = append(old, o)
			}
			return nil
		}
		if !before.IsZero() {
			err := c.query(ctx, `SELECT n, id FROM `+what.byAge+` WHERE ended < ? AND `+what.condition+` ORDER BY ended LIMIT ?`, add, before, limit)
			if err != nil {
				return err
			}
		}
		if keep <= 0 {
			return nil
		}
		net := ""
		for len(old) < limit {
			next := ""
			err := c.query(ctx, `SELECT net FROM runs WHERE net > ? ORDER BY net LIMIT 1`, func(r row) error { next = r.str(0); return nil }, net)
			if err != nil || next == "" {
				return err
			}
			net = next
			err = c.query(ctx, `SELECT n, id FROM runs WHERE net = ?1 AND id < (SELECT id FROM runs WHERE net = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
				AND `+what.condition+` ORDER BY id LIMIT ?3`, add, net, keep-1, limit)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return old[:min(limit, len(old))], err
}

// PruneOutput implements store.Outputs.
func (s *Store) PruneOutput(ctx context.Context, before time.Time, keep, limit int) (int, error) {
	old, err := s.oldRuns(ctx, outputOnly(), before, keep, limit)
	if err != nil {
		return 0, fmt.Errorf("looking for output to prune: %w", err)
	}
	if len(old) == 0 {
		return 0, nil
	}
	if err := s.pruneOutputOf(ctx, old); err != nil {
		return 0, fmt.Errorf("pruning output: %w", err)
	}
	err = s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		for _, r := range old {
			if _, err := c.exec(ctx, `UPDATE runs SET output = 0 WHERE n = ? AND id = ?`, r.n, r.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("noting pruned output: %w", err)
	}
	return len(old), nil
}

func (s *Store) pruneOutputOf(ctx context.Context, old []oldRun) error {
	return s.output.writer.do(ctx, func(ctx context.Context, c *conn) error {
		for _, r := range old {
			if err := dropOutput(ctx, c, r.id); err != nil {
				return err
			}
		}
		return c.run(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
	})
}
