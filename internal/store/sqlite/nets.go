package sqlite

import (
	"context"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/store"
)

func applyNet(ctx context.Context, c *conn, v store.NetVersion) error {
	return guarded(ctx, c, store.Conflict{Noun: "net", ID: v.Name},
		`INSERT INTO nets (name, version, hash, text, applied, who) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		v.Name, v.Version, v.Hash, v.Text, v.Applied, v.By)
}

func netVersion(r row) store.NetVersion {
	return store.NetVersion{Name: r.str(0), Version: int(r.int(1)), Hash: r.str(2), Text: r.str(3), Applied: r.time(4), By: r.str(5)}
}

// Net implements store.Nets.
func (s *Store) Net(ctx context.Context, name string, version int) (store.NetVersion, error) {
	list, err := s.nets(ctx, `SELECT name, version, hash, text, applied, who FROM nets
		WHERE name = ?1 AND (version = ?2 OR ?2 = 0) ORDER BY version DESC LIMIT 1`, name, version)
	if err == nil && len(list) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.NetVersion{}, fmt.Errorf("reading net %s: %w", name, err)
	}
	return list[0], nil
}

// ListNets implements store.Nets. The text is left out: it may be megabytes, and Net gives it.
func (s *Store) ListNets(ctx context.Context, folder string) ([]store.NetVersion, error) {
	sql, args := `SELECT name, max(version), hash, '', applied, who FROM nets GROUP BY name ORDER BY name`, []any(nil)
	if folder != "" {
		// "0" is the character after "/".
		sql = `SELECT name, max(version), hash, '', applied, who FROM nets WHERE name > ? AND name < ? GROUP BY name ORDER BY name`
		args = []any{folder + "/", folder + "0"}
	}
	list, err := s.nets(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("listing nets: %w", err)
	}
	return list, nil
}

// NewestNets implements store.Nets.
func (s *Store) NewestNets(ctx context.Context, after string, limit int) ([]store.NetVersion, error) {
	list, err := s.nets(ctx, `SELECT name, max(version), hash, text, applied, who FROM nets WHERE name > ? GROUP BY name ORDER BY name LIMIT ?`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the newest versions of nets: %w", err)
	}
	return list, nil
}

// NetVersions implements store.Nets.
func (s *Store) NetVersions(ctx context.Context, name string) ([]store.NetVersion, error) {
	list, err := s.nets(ctx, `SELECT name, version, hash, text, applied, who FROM nets WHERE name = ? ORDER BY version DESC`, name)
	if err == nil && len(list) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading the versions of net %s: %w", name, err)
	}
	return list, nil
}

func (s *Store) nets(ctx context.Context, sql string, args ...any) ([]store.NetVersion, error) {
	return list(ctx, s.state, netVersion, sql, args...)
}

// list reads all rows of a query, each by scan.
func list[T any](ctx context.Context, f *file, scan func(row) T, sql string, args ...any) ([]T, error) {
	var all []T
	err := f.read(ctx, func(c *conn) error {
		return c.query(ctx, sql, func(r row) error {
			all = append(all, scan(r))
			return nil
		}, args...)
	})
	return all, err
}
