package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// ListRuns implements store.Runs.
//
// A query is cut into one search for each net and each status that it names, because each of these walks one index
// from its newest end and stops at the limit, however many runs the store holds; the newest of all of them are the
// answer.
func (s *Store) ListRuns(ctx context.Context, q store.RunQuery) ([]store.RunSummary, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	var list []store.RunSummary
	err := s.state.read(ctx, func(c *conn) (err error) {
		states := slices.Compact(slices.Sorted(slices.Values(q.States)))
		if len(states) == 0 {
			states = []run.Status{""}
		}
		var ids, nets []string
		for _, state := range states {
			each := []string{""} // one search of the whole folder: open runs are few, and nets are many
			if q.Net != "" || q.Folder == "" || state == "" || state.Ended() {
				if nets == nil {
					if nets, err = netsOf(ctx, c, q); err != nil {
						return err
					}
				}
				each = nets
			}
			if len(each) > manyNets {
				each = []string{""}
			}
			for _, net := range each {
				sql, args := searchRuns(q, net, state)
				err := c.query(ctx, sql, func(r row) error {
					ids = append(ids, r.str(0))
					return nil
				}, append(args, limit)...)
				if err != nil {
					return err
				}
			}
		}
		slices.Sort(ids)
		slices.Reverse(ids)
		list, err = summaries(ctx, c, ids[:min(limit, len(ids))])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	return list, nil
}

// manyNets is with how many nets a folder is searched as a whole, from the newest run on, and not net by net: its runs are then not
// rare among all others.
const manyNets = 200

// netsOf returns the nets that a query names, of a folder at most one more than manyNets; one empty name where it names none.
func netsOf(ctx context.Context, c *conn, q store.RunQuery) ([]string, error) {
	if q.Net != "" {
		if q.Folder != "" && !strings.HasPrefix(q.Net, q.Folder+"/") {
			return nil, nil
		}
		return []string{q.Net}, nil
	}
	if q.Folder == "" {
		return []string{""}, nil
	}
	// Each step jumps to the next net in the index. "0" is the character after "/".
	var nets []string
	last, end := q.Folder+"/", q.Folder+"0"
	for {
		next := ""
		err := c.query(ctx, `SELECT net FROM runs WHERE net > ? AND net < ? ORDER BY net LIMIT 1`,
			func(r row) error { next = r.str(0); return nil }, last, end)
		if err != nil || next == "" {
			return nets, err
		}
		if nets = append(nets, next); len(nets) > manyNets {
			return nets, nil
		}
		last = next
	}
}

// searchRuns writes the search for the ids of one net ("" all) in one status ("" all). The planner knows nothing of
// how the runs are spread, so the index is named. The text takes few forms, which stay prepared.
func searchRuns(q store.RunQuery, net string, status run.Status) (sql string, args []any) {
	var where []string
	add := func(term string, arg any) {
		where = append(where, term)
		args = append(args, arg)
	}
	index := ""
	if net != "" {
		add("net = ?", net)
		index = "runs_net"
	}
	if net == "" && q.Folder != "" {
		add("net > ?", q.Folder+"/")
		add("net < ?", q.Folder+"0")
	}
	if q.Schedule != "" {
		add("schedule = ?", q.Schedule)
		if net != "" {
			where = append(where, "schedule <> ''")
			index = "runs_schedule"
		}
	}
	if status != "" {
		add("status = ?", string(status))
		switch {
		case bad(status):
			// A partial index is only used where its condition is repeated word by word.
			where = append(where, "(status = 'warning' OR status = 'failed' OR status = 'cancelled' OR status = 'unknown')")
			index = "runs_bad"
			if net != "" {
				index = "runs_bad_net"
			}
		case !status.Ended():
			where = append(where, "open = 1")
			index = "runs_open"
		}
	}
	if !q.Since.IsZero() {
		add("created >= ?", q.Since)
		if index == "" {
			index = "runs_created" // a day out of years; the rest is sorted by id
		}
	}
	if !q.Until.IsZero() {
		add("created < ?", q.Until)
	}
	if q.Before != "" {
		add("id < ?", q.Before)
	}
	sql = "SELECT id FROM runs"
	if index != "" {
		sql += " INDEXED BY " + index
	}
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql + " ORDER BY id DESC LIMIT ?", args
}

// bad reports whether runs of this status are in the indexes of those that somebody may have to look at.
func bad(s run.Status) bool {
	return s == run.Warning || s == run.Failed || s == run.Cancelled || s == run.Lost
}

func summaries(ctx context.Context, c *conn, ids []string) ([]store.RunSummary, error) {
	list := make([]store.RunSummary, 0, len(ids))
	for _, id := range ids {
		err := c.query(ctx, `SELECT id, net, version, status, reason, who, params, created, started, ended, jobs, done, held_by, rerun_of, schedule, nominal
			FROM runs WHERE id = ?`, func(r row) error {
			s := store.RunSummary{
				ID: r.str(0), Net: r.str(1), Version: int(r.int(2)), Status: run.Status(r.str(3)), Reason: run.Reason(r.str(4)),
				By: r.str(5), Created: r.time(7), Started: r.time(8), Ended: r.time(9), Jobs: int(r.int(10)), Done: int(r.int(11)),
				HeldBy: r.str(12), RerunOf: r.str(13), Schedule: r.str(14), Nominal: r.time(15),
			}
			err := fromJSON(r.str(6), &s.Params)
			list = append(list, s)
			return err
		}, id)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
