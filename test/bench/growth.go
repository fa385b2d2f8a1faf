package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver, to fill a store that no server has open
)

func mkdir(path string) error { return os.MkdirAll(path, 0o700) }

const (
	fewRuns = 10_000
	pairs   = 250
)

// measureGrowth measures what one more run costs where many have ended before.
func measureGrowth(ctx context.Context, b *bench) (err error) {
	if b.site != nil { // its idle work is not for this figure
		if err := b.site.stop(); err != nil {
			return err
		}
	}
	sites := [2]*site{}
	watchers := [2]*watcher{}
	for i, n := range []int{fewRuns, b.million} {
		s, w, err := b.filled(ctx, n)
		if err != nil {
			return err
		}
		defer w.close()
		sites[i], watchers[i] = s, w
	}
	var before [2]time.Duration
	for i, s := range sites {
		if before[i], err = s.settled(ctx); err != nil {
			return err
		}
	}
	var took [2]samples
	var cpu [2]time.Duration
	var ratios []float64
	var l limits
	for pair := range pairs {
		if pair%50 == 0 {
			say("  pair %d of %d", pair, pairs)
			if err := l.probe(b.home); err != nil {
				return err
			}
		}
		var now [2]time.Duration
		for k := range 2 {
			i := (k + pair) % 2 // who comes first changes
			used := onCPU(sites[i].server.cmd.Process.Pid)
			t, err := sites[i].once(ctx, watchers[i], "bench/one")
			if err != nil {
				return err
			}
			cpu[i] += onCPU(sites[i].server.cmd.Process.Pid) - used
			if _, err := sites[i].check(ctx, t.id); err != nil {
				return err
			}
			now[i] = t.took()
			took[i] = append(took[i], t.took())
		}
		ratios = append(ratios, float64(now[1])/float64(now[0]))
	}
	ratio, work := median(ratios), float64(cpu[1])/float64(cpu[0])
	good := ratio <= 1.2 && work <= 1.2
	b.table.add(row{
		figure: fmt.Sprintf("one more run: %d against %d finished runs", b.million, fewRuns), measured: fmt.Sprintf("%s against %s", ms(took[1].at(0.5)), ms(took[0].at(0.5))),
		limit: fmt.Sprintf("%s (2 fdatasync + 1 exec)", ms(l.needs(2, 1))), ratio: fmt.Sprintf("time %.2f, server's processor %.2f", ratio, work), reach: "≤ 1.2", reached: &good,
	})
	b.table.note("**One more run**: two servers at once, with their agents, whose stores were filled with %d and %d finished runs of one job (50 nets) while they were stopped. %d pairs of runs of one job, who comes first changing; the median of the pairs' ratios of trigger to result visible, and the ratio of the processor time that the servers used meanwhile (%s against %s a run); both must reach the figure.", fewRuns, b.million, pairs, ms(cpu[1]/pairs), ms(cpu[0]/pairs))
	b.table.note("Before that, from the start until nothing was left to do, these servers used %s and %s of processor time: the start, the agent's joining, 20 runs, and the first pass of retention, which looks at the newest runs of every net once a minute and grows with the store.", ms(before[1]), ms(before[0]))
	return b.growthNotes(ctx, sites)
}

// settled waits until the server does nothing, and returns the processor time that it has used until then.
func (s *site) settled(ctx context.Context) (time.Duration, error) {
	const moment = 250 * time.Millisecond
	for range 40 {
		before := onCPU(s.server.cmd.Process.Pid)
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(moment):
		}
		if now := onCPU(s.server.cmd.Process.Pid); now-before < moment/50 {
			return now, nil
		}
	}
	return 0, errors.New("the server does not come to rest")
}

// growthNotes says what else grows, and what does not.
func (b *bench) growthNotes(ctx context.Context, sites [2]*site) error {
	var memory [2]int64
	var ready [2]time.Duration
	for i, s := range sites {
		var err error
		if memory[i], err = resident(s.server.cmd.Process.Pid); err != nil {
			return err
		}
		if err := s.stop(); err != nil {
			return err
		}
		began := time.Now()
		if err := s.start(ctx); err != nil {
			return err
		}
		ready[i] = time.Since(began)
		if err := s.stop(); err != nil {
			return err
		}
	}
	b.table.note("With %d finished runs the server's resident memory after these runs was %s (with %d: %s), and its start to ready %s (%s).",
		b.million, mb(memory[1]), fewRuns, mb(memory[0]), seconds(ready[1]), seconds(ready[0]))
	return nil
}

// filled makes a site whose store holds n finished runs.
func (b *bench) filled(ctx context.Context, n int) (*site, *watcher, error) {
	s, err := b.open(ctx, fmt.Sprintf("filled-%d", n))
	if err != nil {
		return nil, nil, err
	}
	if err := s.stop(); err != nil {
		return nil, nil, err
	}
	began := time.Now()
	if err := fill(ctx, filepath.Join(s.data(), "store", "state.db"), n); err != nil {
		return nil, nil, fmt.Errorf("filling the store: %w", err)
	}
	say("  %d finished runs filled in, in %s", n, time.Since(began).Round(100*time.Millisecond))
	if err := s.start(ctx); err != nil {
		return nil, nil, err
	}
	if err := s.join(ctx); err != nil {
		return nil, nil, err
	}
	w, err := s.prepare(ctx)
	return s, w, err
}

// fill puts n finished runs of one job, with their audit records, into the store of a server that is stopped. They
// ended within the last 20 days, and each net has fewer than retention keeps.
func fill(ctx context.Context, path string, n int) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(0)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	const job = `{"name":"only","state":"succeeded","since":"2026-01-01T00:00:00Z","attempts":[{"n":1,"agent":"north","agent_id":"n1",` +
		`"state":"succeeded","ordered":"2026-01-01T00:00:00Z","started":"2026-01-01T00:00:00Z","ended":"2026-01-01T00:00:01Z","exit_code":0,"pid":4711,"containment":"cgroup"}]}`
	const span = 20 * 24 * time.Hour
	first := time.Now().Add(-span).UnixMicro()
	apart := span.Microseconds() / int64(n)
	const step = 100_000
	for from := 0; from < n; from += step {
		seq := fmt.Sprintf("WITH RECURSIVE seq (i) AS (SELECT %d UNION ALL SELECT i + 1 FROM seq WHERE i < %d) ", from+1, min(from+step, n))
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for _, statement := range []struct {
			text string
			args []any
		}{
			{`INSERT INTO runs (n, id, rev, net, version, status, open, reason, who, params, created, started, ended, jobs, done, held_by, cancel, rerun_of)
				SELECT i, printf('00%017d', i), 4, 'filled/net' || (i % 50), 1, iif(i % 100 = 0, 'failed', 'succeeded'), 0, '', 'schedule', '{"top":"20"}',
				?1 + i * ?2, ?1 + i * ?2, ?1 + i * ?2 + 500000, 1, 1, '', '', '' FROM seq`, []any{first, apart}},
			{`INSERT INTO jobs (key, data) SELECT i << 20, ?1 FROM seq`, []any{job}},
			{`INSERT INTO audit (at, who, origin, action, object, detail) SELECT ?1 + i * ?2, 'schedule', 'local', 'run.start', printf('00%017d', i), 'filled' FROM seq`, []any{first, apart}},
		} {
			if _, err := tx.ExecContext(ctx, seq+statement.text, statement.args...); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	if _, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	return syncFile(path) // else the server's first sync would have to write all of it
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
