package sqlite

import (
	"context"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	nodeColumns  = `id, name, role, labels, facts, key_hash, version, slots, joined, seen, renewals, recovered, drained, removed, addresses, found, kind, rev`
	tokenColumns = `id, kind, name, hash, labels, scope, folder, owner, who, created, expires, used, used_by, revoked, rev`
)

func applyNode(ctx context.Context, c *conn, w store.NodeWrite) error {
	n := w.Node
	labels, err := jsonText(n.Labels)
	if err != nil {
		return err
	}
	facts, err := jsonText(n.Facts)
	if err != nil {
		return err
	}
	addresses, err := jsonText(n.Addresses)
	if err != nil {
		return err
	}
	// OR IGNORE covers the guard on the id and the rule that only one node bears a name.
	if n.Rev == 0 {
		return guarded(ctx, c, store.Conflict{Noun: "node", ID: n.ID},
			`INSERT INTO nodes (`+nodeColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`,
			n.ID, n.Name, n.Role, labels, facts, n.KeyHash, n.Version, n.Slots, n.Joined, n.Seen, n.Renewals, n.Recovered, n.Drained, n.Removed,
			addresses, n.Found, n.Kind)
	}
	return guarded(ctx, c, store.Conflict{Noun: "node", ID: n.ID},
		`UPDATE OR IGNORE nodes SET name = ?, role = ?, labels = ?, facts = ?, key_hash = ?, version = ?, slots = ?, joined = ?, seen = ?,
			renewals = ?, recovered = ?, drained = ?, removed = ?, addresses = ?, found = ?, kind = ?, rev = rev + 1 WHERE id = ? AND rev = ?`,
		n.Name, n.Role, labels, facts, n.KeyHash, n.Version, n.Slots, n.Joined, n.Seen,
		n.Renewals, n.Recovered, n.Drained, n.Removed, addresses, n.Found, n.Kind, n.ID, n.Rev)
}

func scanNode(r row) (store.Node, error) {
	n := store.Node{
		ID: r.str(0), Name: r.str(1), Role: r.str(2), KeyHash: r.str(5), Version: r.str(6), Slots: int(r.int(7)),
		Joined: r.time(8), Seen: r.time(9), Renewals: int(r.int(10)), Recovered: int(r.int(11)), Drained: r.str(12),
		Removed: r.time(13), Found: r.str(15), Kind: r.str(16), Rev: r.int(17),
	}
	if err := fromJSON(r.str(3), &n.Labels); err != nil {
		return n, err
	}
	if err := fromJSON(r.str(14), &n.Addresses); err != nil {
		return n, err
	}
	return n, fromJSON(r.str(4), &n.Facts)
}

// Node implements store.Nodes.
func (s *Store) Node(ctx context.Context, id string) (store.Node, error) {
	n, err := one(ctx, s.state, scanNode, `SELECT `+nodeColumns+` FROM nodes WHERE id = ?`, id)
	if err != nil {
		return n, fmt.Errorf("reading node %s: %w", id, err)
	}
	return n, nil
}

// NodeByName implements store.Nodes.
func (s *Store) NodeByName(ctx context.Context, name string) (store.Node, error) {
	n, err := one(ctx, s.state, scanNode, `SELECT `+nodeColumns+` FROM nodes WHERE name = ? AND removed IS NULL`, name)
	if err != nil {
		return n, fmt.Errorf("reading node %s: %w", name, err)
	}
	return n, nil
}

// ListNodes implements store.Nodes.
func (s *Store) ListNodes(ctx context.Context) ([]store.Node, error) {
	all, err := many(ctx, s.state, scanNode, `SELECT `+nodeColumns+` FROM nodes WHERE removed IS NULL ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	return all, nil
}

func applyToken(ctx context.Context, c *conn, w store.TokenWrite) error {
	t := w.Token
	labels, err := jsonText(t.Labels)
	if err != nil {
		return err
	}
	scope, err := jsonText(t.Scope)
	if err != nil {
		return err
	}
	conflict := store.Conflict{Noun: "token", ID: t.ID}
	if t.Rev == 0 {
		return guarded(ctx, c, conflict,
			`INSERT INTO tokens (`+tokenColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`,
			t.ID, t.Kind, t.Name, t.Hash, labels, scope, t.Folder, t.Owner, t.By, t.Created, t.Expires, t.Used, t.UsedBy, t.Revoked)
	}
	return guarded(ctx, c, conflict,
		`UPDATE tokens SET kind = ?, name = ?, hash = ?, labels = ?, scope = ?, folder = ?, owner = ?, who = ?, created = ?, expires = ?,
			used = ?, used_by = ?, revoked = ?, rev = rev + 1 WHERE id = ? AND rev = ?`,
		t.Kind, t.Name, t.Hash, labels, scope, t.Folder, t.Owner, t.By, t.Created, t.Expires, t.Used, t.UsedBy, t.Revoked, t.ID, t.Rev)
}

func scanToken(r row) (store.Token, error) {
	t := store.Token{
		ID: r.str(0), Kind: r.str(1), Name: r.str(2), Hash: r.str(3), Folder: r.str(6), Owner: r.str(7), By: r.str(8),
		Created: r.time(9), Expires: r.time(10), Used: r.time(11), UsedBy: r.str(12), Revoked: r.time(13), Rev: r.int(14),
	}
	if err := fromJSON(r.str(4), &t.Labels); err != nil {
		return t, err
	}
	return t, fromJSON(r.str(5), &t.Scope)
}

// Token implements store.Nodes.
func (s *Store) Token(ctx context.Context, id string) (store.Token, error) {
	t, err := one(ctx, s.state, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE id = ?`, id)
	if err != nil {
		return t, fmt.Errorf("reading token %s: %w", id, err)
	}
	return t, nil
}

// ListTokens implements store.Nodes.
func (s *Store) ListTokens(ctx context.Context, kind string) ([]store.Token, error) {
	all, err := many(ctx, s.state, scanToken,
		`SELECT id, kind, name, '', labels, scope, folder, owner, who, created, expires, used, used_by, revoked, rev
			FROM tokens WHERE kind = ?1 OR ?1 = '' ORDER BY created, id`, kind)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	return all, nil
}

// many reads all rows of a query, each by a scan that may refuse.
func many[T any](ctx context.Context, f *file, scan func(row) (T, error), sql string, args ...any) ([]T, error) {
	var all []T
	err := f.read(ctx, func(c *conn) error {
		return c.query(ctx, sql, func(r row) error {
			v, err := scan(r)
			all = append(all, v)
			return err
		}, args...)
	})
	return all, err
}

// one reads the only row of a query. ErrNotFound.
func one[T any](ctx context.Context, f *file, scan func(row) (T, error), sql string, args ...any) (T, error) {
	var zero T
	all, err := many(ctx, f, scan, sql, args...)
	if err != nil {
		return zero, err
	}
	if len(all) == 0 {
		return zero, store.ErrNotFound
	}
	return all[0], nil
}
