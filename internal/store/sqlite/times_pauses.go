package sqlite

import (
	"context"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

func applyPause(ctx context.Context, c *conn, w store.PauseWrite) error {
	p, conflict := w.Pause, store.Conflict{Noun: "pause", ID: w.Pause.Net + " " + w.Pause.Schedule}
	switch {
	case w.Delete:
		return guarded(ctx, c, conflict, `DELETE FROM pauses WHERE net = ? AND schedule = ? AND rev = ?`, p.Net, p.Schedule, p.Rev)
	case p.Rev == 0:
		return guarded(ctx, c, conflict, `INSERT INTO pauses (net, schedule, who, reason, since, until, rev) VALUES (?, ?, ?, ?, ?, ?, 1)
			ON CONFLICT DO NOTHING`, p.Net, p.Schedule, p.By, p.Reason, p.Since, p.Until)
	}
	return guarded(ctx, c, conflict, `UPDATE pauses SET who = ?, reason = ?, since = ?, until = ?, rev = rev + 1 WHERE net = ? AND schedule = ? AND rev = ?`,
		p.By, p.Reason, p.Since, p.Until, p.Net, p.Schedule, p.Rev)
}

// Pauses implements store.Times.
func (s *Store) Pauses(ctx context.Context) ([]occurrence.Pause, error) {
	scan := func(r row) occurrence.Pause {
		return occurrence.Pause{Net: r.str(0), Schedule: r.str(1), By: r.str(2), Reason: r.str(3), Since: r.time(4), Until: r.time(5), Rev: r.int(6)}
	}
	all, err := list(ctx, s.state, scan, `SELECT net, schedule, who, reason, since, until, rev FROM pauses ORDER BY net, schedule`)
	if err != nil {
		return nil, fmt.Errorf("reading pauses: %w", err)
	}
	return all, nil
}
