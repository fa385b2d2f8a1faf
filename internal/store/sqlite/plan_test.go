package sqlite

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// TestNoScans asks SQLite how it would answer what is asked often: nothing reads the whole table of runs, so nothing
// gets slower with the years.
func TestNoScans(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Fill(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	use := func() {
		for _, q := range []store.RunQuery{
			{},
			{Net: "net/1"},
			{Folder: "net"},
			{Since: time.Now()},
			{Before: "a5"},
			{States: []run.Status{run.Failed}},
			{States: []run.Status{run.Running}},
			{Net: "net/1", States: []run.Status{run.Lost}},
			{Net: "net/1", States: []run.Status{run.Waiting}},
		} {
			_, err = s.ListRuns(ctx, q)
			check(t, err)
		}
		_, err = s.Run(ctx, "a000000000001")
		check(t, err)
		_, err = s.OpenRuns(ctx)
		check(t, err)
		_, err = s.RunByKey(ctx, "k")
		_ = err // not found
		_, err = s.Mark(ctx, "n1", 1)
		check(t, err)
		_, err = s.Orders(ctx, "n1")
		check(t, err)
		_, err = s.PruneRuns(ctx, time.Unix(0, 0), 1000, 10)
		check(t, err)
		_, err = s.PruneOutput(ctx, time.Unix(0, 1000), 1, 10)
		check(t, err)
		state := run.State{ID: "z", Net: "net/1", Status: run.Running, Jobs: []run.Job{{Name: "j"}}}
		for _, one := range []store.RunWrite{
			{State: state, Effects: []run.Effect{run.StartAttempt{Job: "j", N: 1, AgentID: "n1"}, run.CancelAttempt{Job: "j", N: 1}}},
			{State: run.State{ID: "z", Rev: 1, Jobs: state.Jobs}, Changed: []int{0}, Effects: []run.Effect{run.CloseAttempt{Job: "j", N: 1}}},
		} {
			_, err := s.Commit(ctx, store.Batch{Epoch: 1, Runs: []store.RunWrite{one}, Files: []store.Artifact{{Run: "z", SHA256: "x"}}})
			check(t, err)
		}
	}
	use()
	seen := 0
	look := func(ctx context.Context, c *conn) {
		for sql := range c.stmts {
			if !strings.Contains(sql, "runs") && !strings.Contains(sql, "jobs") && !strings.Contains(sql, "orders") && !strings.Contains(sql, "artifacts") {
				continue
			}
			seen++
			lean(ctx, t, c, sql)
			err := c.queryOnce(ctx, "EXPLAIN QUERY PLAN "+sql, func(r row) error {
				detail := r.str(3)
				if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "USING") && !strings.Contains(detail, "CONSTANT") {
					t.Errorf("%s\n%s", detail, sql)
				}
				if strings.Contains(detail, "TEMP B-TREE") && !strings.Contains(sql, "runs_created") && !strings.Contains(sql, "runs_open") && !strings.Contains(sql, "DISTINCT") {
					t.Errorf("%s\n%s", detail, sql)
				}
				return nil
			}, make([]any, strings.Count(sql, "?"))...)
			check(t, err)
		}
	}
	for range s.state.opened {
		c := <-s.state.readers
		look(ctx, c)
		s.state.readers <- c
	}
	check(t, s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		look(ctx, c)
		return nil
	}))
	if seen < 15 {
		t.Errorf("only %d statements were looked at", seen)
	}
}

// lean fails where a change makes a table for each row that it touches: an IN in the condition of an index does, and RETURNING.
func lean(ctx context.Context, t *testing.T, c *conn, sql string) {
	t.Helper()
	if !strings.HasPrefix(sql, "UPDATE runs") && !strings.HasPrefix(sql, "INSERT INTO runs") && !strings.Contains(sql, "jobs") {
		return
	}
	err := c.queryOnce(ctx, "EXPLAIN "+sql, func(r row) error {
		if r.str(1) == "OpenEphemeral" {
			t.Errorf("it makes a table: %s", sql)
		}
		return nil
	}, make([]any, strings.Count(sql, "?"))...)
	check(t, err)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
