package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Fill puts n finished runs of one job each into the store, as quickly as SQL can: what a server of some years holds.
func (s *Store) Fill(ctx context.Context, n int) error {
	job := `{"name":"job0","state":"succeeded","since":"2025-01-01T00:00:00Z","attempts":[{"n":1,"agent":"north","agent_id":"n1",
"state":"succeeded","ordered":"2025-01-01T00:00:00Z","started":"2025-01-01T00:00:00Z","ended":"2025-01-01T00:00:01Z","exit_code":0,"pid":4711,"containment":"cgroup"}]}`
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	const step = 50_000
	for from := 0; from < n; from += step {
		size := min(step, n-from)
		err := s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
			numbers := fmt.Sprintf(`WITH RECURSIVE seq (i) AS (SELECT %d UNION ALL SELECT i + 1 FROM seq WHERE i < %d)`, from+1, from+size)
			if err := c.run(ctx, numbers+` INSERT INTO runs (n, id, rev, net, version, status, open, reason, who, params, created, started, ended,
				jobs, done, held_by, cancel, rerun_of) SELECT i, printf('a%012d', i), 4, 'net/' || (i % 50), 1, iif(i % 100 = 0, 'failed', 'succeeded'), 0,
				'', 'schedule', '{"top":"20"}', ?1 + i * 1000000, ?1 + i * 1000000, ?1 + i * 1000000 + 500000, 1, 1, '', '', '' FROM seq`, begin); err != nil {
				return err
			}
			return c.run(ctx, numbers+` INSERT INTO jobs (key, data) SELECT i << 20, ?1 FROM seq`, job)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// FillTimes puts n decided occurrences of 50,000 nets into the store, 50,000 a day from 2026 on; one in a thousand was missed.
func (s *Store) FillTimes(ctx context.Context, n int) error {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	const step = 50_000
	// Indexes are made afterwards: it takes a tenth of the time.
	var again []string
	err := s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		var names []string
		err := c.query(ctx, `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'occurrences' AND sql IS NOT NULL`, func(r row) error {
			names, again = append(names, r.str(0)), append(again, r.str(1))
			return nil
		})
		for _, name := range names {
			err = errors.Join(err, c.run(ctx, "DROP INDEX "+name))
		}
		return err
	})
	if err != nil {
		return err
	}
	for from := 0; from < n; from += step {
		size := min(step, n-from)
		err := s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
			return c.run(ctx, fmt.Sprintf(`WITH RECURSIVE seq (i) AS (SELECT %d UNION ALL SELECT i + 1 FROM seq WHERE i < %d)`, from, from+size-1)+`
				INSERT INTO occurrences (`+recordColumns+`) SELECT ?1 + i * 1728000, printf('folder%d/net%06d', i % 100, i % 50000), 'daily', ?1 + i * 1728000, i % 50000,
				'', iif(i % 1000 = 7, 'missed', 'released'), iif(i % 1000 = 7, 'server_down', 'due'), '', ?1 + i * 1728000, '', 1, 'Europe/Berlin', '2025c',
				iif(i % 1000 = 7, '', printf('a%012d', i)), NULL, '', NULL, '', 1 FROM seq`, begin)
		})
		if err != nil {
			return err
		}
	}
	return s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		for _, sql := range again {
			err = errors.Join(err, c.run(ctx, sql))
		}
		return err
	})
}
