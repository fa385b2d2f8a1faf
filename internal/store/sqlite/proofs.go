package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/store"
)

const proofColumns = `id, flow, source, target, protocol, address, expect, verdict, reason, text, plan, first, last, times, data`

// applyProof joins a finding to the newest of its path where it is the same, and begins another where it is not.
func applyProof(ctx context.Context, c *conn, p store.Proof) error {
	n, err := c.exec(ctx, `UPDATE proofs SET last = ?, text = ?, data = ?, times = times + 1
		WHERE id = (SELECT id FROM proofs WHERE flow = ? AND source = ? AND target = ? AND address = ? AND expect = ? ORDER BY id DESC LIMIT 1)
		AND verdict = ? AND reason = ? AND plan = ?`,
		p.Last, p.Text, p.Data, p.Flow, p.From, p.To, p.Address, p.Expect, p.Verdict, p.Reason, p.PlanHash)
	if err != nil || n > 0 {
		return err
	}
	if _, err := c.exec(ctx, `UPDATE proofs SET newest = 0 WHERE flow = ? AND source = ? AND target = ? AND address = ? AND expect = ? AND newest = 1`,
		p.Flow, p.From, p.To, p.Address, p.Expect); err != nil {
		return err
	}
	if _, err := c.exec(ctx, `INSERT INTO proofs (newest, flow, service, source, target, protocol, address, expect, verdict, reason, text, plan, first, last, times, data)
		VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)`,
		p.Flow, serviceOf(p.Flow), p.From, p.To, p.Protocol, p.Address, p.Expect, p.Verdict, p.Reason, p.Text, p.PlanHash, p.Last, p.Last, p.Data); err != nil {
		return err
	}
	_, err = c.exec(ctx, `DELETE FROM proofs WHERE flow = ?1 AND source = ?2 AND target = ?3 AND address = ?4 AND expect = ?5 AND id <=
		(SELECT id FROM proofs WHERE flow = ?1 AND source = ?2 AND target = ?3 AND address = ?4 AND expect = ?5 ORDER BY id DESC LIMIT 1 OFFSET ?6)`,
		p.Flow, p.From, p.To, p.Address, p.Expect, store.KeepProofs)
	return err
}

// serviceOf is the row of a flow: SERVICE.N/PROTOCOL, or SERVICE/PROTOCOL of a path that must be closed.
func serviceOf(flow string) string {
	name, _, _ := strings.Cut(flow, "/")
	if i := strings.LastIndexByte(name, '.'); i >= 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		return name[:i]
	}
	return name
}

func scanProof(r row) (store.Proof, error) {
	return store.Proof{
		ID: r.int(0), Flow: r.str(1), From: r.str(2), To: r.str(3), Protocol: r.str(4), Address: r.str(5), Expect: r.str(6), Verdict: r.str(7),
		Reason: r.str(8), Text: r.str(9), PlanHash: r.str(10), First: r.time(11), Last: r.time(12), Times: int(r.int(13)), Data: r.str(14),
	}, nil
}

// proofWhere is the condition of a query, and its arguments.
func proofWhere(q store.ProofQuery) (string, []any) {
	column := "flow"
	if !strings.Contains(q.Flow, "/") {
		column = "service"
	}
	where, args := []string{"1 = 1"}, []any{}
	for _, f := range []struct{ column, value string }{
		{column, q.Flow}, {"source", q.From}, {"target", q.To}, {"expect", q.Expect}, {"plan", q.PlanHash},
	} {
		if f.value != "" {
			where = append(where, f.column+" = ?")
			args = append(args, f.value)
		}
	}
	return strings.Join(where, " AND "), args
}

// Proofs implements store.Proofs.
func (s *Store) Proofs(ctx context.Context, q store.ProofQuery) ([]store.Proof, error) {
	where, args := proofWhere(q)
	all, err := many(ctx, s.state, scanProof, `SELECT `+proofColumns+` FROM proofs WHERE newest = 1 AND `+where+` ORDER BY flow, source, target, address, expect`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading proofs: %w", err)
	}
	return all, nil
}

// ProofHistory implements store.Proofs.
func (s *Store) ProofHistory(ctx context.Context, q store.ProofQuery, limit int) ([]store.Proof, error) {
	where, args := proofWhere(q)
	all, err := many(ctx, s.state, scanProof, `SELECT `+proofColumns+` FROM proofs WHERE `+where+` ORDER BY last DESC, id DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("reading the history of proofs: %w", err)
	}
	return all, nil
}

// PruneProofs implements store.Proofs.
func (s *Store) PruneProofs(ctx context.Context, before time.Time, limit int) (int, error) {
	went := int64(0)
	err := s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		var err error
		went, err = c.exec(ctx, `DELETE FROM proofs WHERE id IN (SELECT id FROM proofs WHERE last < ? ORDER BY last LIMIT ?)`, before, limit)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("removing old proofs: %w", err)
	}
	return int(went), nil
}

func applySilence(ctx context.Context, c *conn, q store.Silence) error {
	_, err := c.exec(ctx, `INSERT INTO silences (source, target, flow, address, survived, died, at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (source, target) DO UPDATE SET flow = excluded.flow, address = excluded.address, survived = excluded.survived, died = excluded.died, at = excluded.at`,
		q.From, q.To, q.Flow, q.Address, int64(q.Survived), int64(q.Died), q.At)
	return err
}

// Silences implements store.Proofs.
func (s *Store) Silences(ctx context.Context) ([]store.Silence, error) {
	scan := func(r row) (store.Silence, error) {
		return store.Silence{From: r.str(0), To: r.str(1), Flow: r.str(2), Address: r.str(3), Survived: time.Duration(r.int(4)), Died: time.Duration(r.int(5)), At: r.time(6)}, nil
	}
	all, err := many(ctx, s.state, scan, `SELECT source, target, flow, address, survived, died, at FROM silences ORDER BY source, target`)
	if err != nil {
		return nil, fmt.Errorf("reading silences: %w", err)
	}
	return all, nil
}

func applyUse(ctx context.Context, c *conn, u store.Use) error {
	_, err := c.exec(ctx, `INSERT INTO uses (host, service, kind, count, first, last) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (host, service, kind) DO UPDATE SET count = count + excluded.count, last = coalesce(excluded.last, last)`,
		u.Host, u.Service, u.Kind, u.Count, u.First, u.Last)
	return err
}

// Uses implements store.Proofs.
func (s *Store) Uses(ctx context.Context) ([]store.Use, error) {
	scan := func(r row) (store.Use, error) {
		return store.Use{Host: r.str(0), Service: r.str(1), Kind: r.str(2), Count: r.int(3), First: r.time(4), Last: r.time(5)}, nil
	}
	all, err := many(ctx, s.state, scan, `SELECT host, service, kind, count, first, last FROM uses ORDER BY host, service, kind`)
	if err != nil {
		return nil, fmt.Errorf("reading the use of rows: %w", err)
	}
	return all, nil
}
