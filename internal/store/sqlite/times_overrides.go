package sqlite

import (
	"context"
	"fmt"
	"math"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const overrideColumns = `id, net, schedule, nominal, kind, hold_from, move_to, params, expires, reason, who, created, state, ended, rev`

// preparedOverride is an override with its JSON made.
type preparedOverride struct {
	occurrence.Override
	params any
}

// applyOverride stores a new override, or the state of one, and returns its id.
func applyOverride(ctx context.Context, c *conn, o preparedOverride) (int64, error) {
	if o.ID != 0 {
		return o.ID, guarded(ctx, c, store.Conflict{Noun: "override", ID: fmt.Sprint(o.ID)},
			`UPDATE overrides SET state = ?, ended = ?, rev = rev + 1 WHERE id = ? AND rev = ?`, string(o.State), o.Ended, o.ID, o.Rev)
	}
	id, _, err := c.insert(ctx, `INSERT INTO overrides (net, schedule, nominal, kind, hold_from, move_to, params, expires, reason, who, created,
		state, ended, rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
		o.Net, o.Schedule, o.Nominal, string(o.Kind), o.From, o.To, o.params, o.Expires, o.Reason, o.By, o.Created, string(o.State), o.Ended)
	return id, err
}

func scanOverride(r row) (occurrence.Override, error) {
	o := occurrence.Override{
		ID: r.int(0), Key: occurrence.Key{Net: r.str(1), Schedule: r.str(2), Nominal: r.time(3)}, Kind: occurrence.OverrideKind(r.str(4)),
		From: r.time(5), To: r.time(6), Expires: r.time(8), Reason: r.str(9), By: r.str(10), Created: r.time(11),
		State: occurrence.OverrideState(r.str(12)), Ended: r.time(13), Rev: r.int(14),
	}
	return o, fromJSON(r.str(7), &o.Params)
}

// Overrides implements store.Times.
func (s *Store) Overrides(ctx context.Context, net string, states []occurrence.OverrideState, limit int) ([]occurrence.Override, error) {
	var t terms
	t.text("net", net)
	oneOf(&t, "state", states)
	if limit <= 0 {
		limit = math.MaxInt32
	}
	all, err := many(ctx, s.state, scanOverride, `SELECT `+overrideColumns+` FROM overrides`+t.sql()+` ORDER BY id DESC LIMIT ?`, append(t.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("reading overrides: %w", err)
	}
	return all, nil
}
