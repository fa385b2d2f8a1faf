package sqlite

import (
	"context"
	"fmt"
	"math"

	"github.com/reeve-scheduler/reeve/internal/store"
)

const userColumns = `name, full_name, password, permissions, folder, disabled, created, changed, rev`

func applyUser(ctx context.Context, c *conn, w store.UserWrite) error {
	u := w.User
	conflict := store.Conflict{Noun: "user", ID: u.Name}
	if w.Delete {
		if err := guarded(ctx, c, conflict, `DELETE FROM users WHERE name = ? AND rev = ?`, u.Name, u.Rev); err != nil {
			return err
		}
		_, err := c.exec(ctx, `DELETE FROM sessions WHERE user = ?`, u.Name)
		return err
	}
	permissions, err := jsonText(u.Permissions)
	if err != nil {
		return err
	}
	if u.Rev == 0 {
		return guarded(ctx, c, conflict, `INSERT INTO users (`+userColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`,
			u.Name, u.FullName, u.Password, permissions, u.Folder, u.Disabled, u.Created, u.Changed)
	}
	return guarded(ctx, c, conflict, `UPDATE users SET full_name = ?, password = ?, permissions = ?, folder = ?, disabled = ?,
		created = ?, changed = ?, rev = rev + 1 WHERE name = ? AND rev = ?`,
		u.FullName, u.Password, permissions, u.Folder, u.Disabled, u.Created, u.Changed, u.Name, u.Rev)
}

func scanUser(r row) (store.User, error) {
	u := store.User{
		Name: r.str(0), FullName: r.str(1), Password: r.str(2), Folder: r.str(4), Disabled: r.int(5) != 0,
		Created: r.time(6), Changed: r.time(7), Rev: r.int(8),
	}
	return u, fromJSON(r.str(3), &u.Permissions)
}

// User implements store.People.
func (s *Store) User(ctx context.Context, name string) (store.User, error) {
	u, err := one(ctx, s.state, scanUser, `SELECT `+userColumns+` FROM users WHERE name = ?`, name)
	if err != nil {
		return u, fmt.Errorf("reading user %s: %w", name, err)
	}
	return u, nil
}

// ListUsers implements store.People.
func (s *Store) ListUsers(ctx context.Context) ([]store.User, error) {
	all, err := many(ctx, s.state, scanUser, `SELECT `+userColumns+` FROM users ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	return all, nil
}

func applySession(ctx context.Context, c *conn, w store.SessionWrite) error {
	s := w.Session
	if w.Delete {
		_, err := c.exec(ctx, `DELETE FROM sessions WHERE hash = ?`, s.Hash)
		return err
	}
	_, err := c.exec(ctx, `INSERT INTO sessions (hash, user, created, seen, address) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET user = excluded.user, created = excluded.created, seen = excluded.seen, address = excluded.address`,
		s.Hash, s.User, s.Created, s.Seen, s.Address)
	return err
}

// Session implements store.People.
func (s *Store) Session(ctx context.Context, hash string) (store.Session, error) {
	scan := func(r row) (store.Session, error) {
		return store.Session{Hash: r.str(0), User: r.str(1), Created: r.time(2), Seen: r.time(3), Address: r.str(4)}, nil
	}
	v, err := one(ctx, s.state, scan, `SELECT hash, user, created, seen, address FROM sessions WHERE hash = ?`, hash)
	if err != nil {
		return v, fmt.Errorf("reading a session: %w", err)
	}
	return v, nil
}

func applyAudit(ctx context.Context, c *conn, a store.AuditRecord) error {
	_, err := c.exec(ctx, `INSERT INTO audit (at, who, origin, action, object, detail) VALUES (?, ?, ?, ?, ?, ?)`,
		a.At, a.By, a.From, a.Action, a.Object, a.Detail)
	return err
}

// ListAudit implements store.People. Limits are those of ListRuns.
func (s *Store) ListAudit(ctx context.Context, before int64, limit int) ([]store.AuditRecord, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	scan := func(r row) store.AuditRecord {
		return store.AuditRecord{ID: r.int(0), At: r.time(1), By: r.str(2), From: r.str(3), Action: r.str(4), Object: r.str(5), Detail: r.str(6)}
	}
	all, err := list(ctx, s.state, scan, `SELECT id, at, who, origin, action, object, detail FROM audit
		WHERE id < ? ORDER BY id DESC LIMIT ?`, before, min(limit, maxLimit))
	if err != nil {
		return nil, fmt.Errorf("listing the audit trail: %w", err)
	}
	return all, nil
}
