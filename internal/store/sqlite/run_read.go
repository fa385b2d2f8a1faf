package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const runColumns = `n, id, rev, net, version, status, reason, who, params, nominal, created, started, ended, held_by, cancel, rerun_of, schedule`

// Run implements store.Runs.
func (s *Store) Run(ctx context.Context, id string) (run.State, error) {
	var state run.State
	err := s.state.read(ctx, func(c *conn) error {
		list, err := readRuns(ctx, c, `SELECT `+runColumns+` FROM runs WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return store.ErrNotFound
		}
		state = list[0]
		return nil
	})
	if err != nil {
		return run.State{}, fmt.Errorf("reading run %s: %w", id, err)
	}
	return state, nil
}

// OpenRuns implements store.Runs.
func (s *Store) OpenRuns(ctx context.Context) ([]run.State, error) {
	var list []run.State
	err := s.state.read(ctx, func(c *conn) (err error) {
		list, err = readRuns(ctx, c, `SELECT `+runColumns+` FROM runs WHERE open = 1 ORDER BY id`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the open runs: %w", err)
	}
	return list, nil
}

// readRuns reads the runs of a query over runColumns, with their jobs.
func readRuns(ctx context.Context, c *conn, sql string, args ...any) ([]run.State, error) {
	var list []run.State
	var numbers []int64
	err := c.query(ctx, sql, func(r row) error {
		s := run.State{
			ID: r.str(1), Rev: r.int(2), Net: r.str(3), Version: int(r.int(4)), Status: run.Status(r.str(5)),
			Reason: run.Reason(r.str(6)), By: r.str(7), Nominal: r.time(9), Created: r.time(10), Started: r.time(11),
			Ended: r.time(12), HeldBy: r.str(13), Cancel: r.str(14), RerunOf: r.str(15), Schedule: r.str(16),
		}
		numbers = append(numbers, r.int(0))
		err := fromJSON(r.str(8), &s.Params)
		list = append(list, s)
		return err
	}, args...)
	if err != nil {
		return nil, err
	}
	for i, n := range numbers {
		if list[i].Jobs, err = readJobs(ctx, c, n); err != nil {
			return nil, fmt.Errorf("run %s: %w", list[i].ID, err)
		}
	}
	return list, nil
}

func readJobs(ctx context.Context, c *conn, n int64) ([]run.Job, error) {
	var jobs []run.Job
	err := c.query(ctx, `SELECT data FROM jobs WHERE key >= ? AND key < ? ORDER BY key`, func(r row) error {
		var j run.Job
		if err := json.Unmarshal([]byte(r.str(0)), &j); err != nil {
			return fmt.Errorf("reading job %d: %w", len(jobs), err)
		}
		jobs = append(jobs, j)
		return nil
	}, n<<jobBits, (n+1)<<jobBits)
	return jobs, err
}

// RunByKey implements store.Runs.
func (s *Store) RunByKey(ctx context.Context, key string) (string, error) {
	id := ""
	err := s.state.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT id FROM runs WHERE key = ?`, func(r row) error {
			id = r.str(0)
			return nil
		}, key)
	})
	if err == nil && id == "" {
		err = store.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("finding a run by its key: %w", err)
	}
	return id, nil
}

// Orders implements store.Runs.
func (s *Store) Orders(ctx context.Context, agentID string) ([]store.Order, error) {
	sql, args := `SELECT agent_id, epoch, seq, run, job, n, cancel FROM orders ORDER BY agent_id, epoch, seq`, []any(nil)
	if agentID != "" {
		sql, args = `SELECT agent_id, epoch, seq, run, job, n, cancel FROM orders WHERE agent_id = ? ORDER BY epoch, seq`, []any{agentID}
	}
	var list []store.Order
	err := s.state.read(ctx, func(c *conn) error {
		return c.query(ctx, sql, func(r row) error {
			list = append(list, store.Order{
				AgentID: r.str(0), Epoch: r.int(1), Seq: r.int(2), Run: r.str(3), Job: r.str(4), N: int(r.int(5)), Cancel: r.int(6) != 0,
			})
			return nil
		}, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("reading open orders: %w", err)
	}
	return list, nil
}

// Mark implements store.Runs.
func (s *Store) Mark(ctx context.Context, agentID string, epoch int64) (int64, error) {
	var mark int64
	err := s.state.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT coalesce(
			(SELECT min(seq) - 1 FROM orders WHERE agent_id = ?1 AND epoch = ?2),
			(SELECT last FROM counters WHERE agent_id = ?1 AND epoch = ?2), 0)`,
			func(r row) error { mark = r.int(0); return nil }, agentID, epoch)
	})
	if err != nil {
		return 0, fmt.Errorf("reading the mark of %s: %w", agentID, err)
	}
	return mark, nil
}
