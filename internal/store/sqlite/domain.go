package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/reeve-scheduler/reeve/internal/store"
)

func readEpoch(ctx context.Context, c *conn) (int64, error) {
	var epoch int64
	err := c.query(ctx, `SELECT epoch FROM domain`, func(r row) error {
		epoch = r.int(0)
		return nil
	})
	return epoch, err
}

// Epoch implements store.Domain.
func (s *Store) Epoch(ctx context.Context) (int64, error) {
	var epoch int64
	err := s.state.read(ctx, func(c *conn) (err error) {
		epoch, err = readEpoch(ctx, c)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reading the epoch: %w", err)
	}
	return epoch, nil
}

func applySetting(ctx context.Context, c *conn, v store.Setting) error {
	conflict := store.Conflict{Noun: "setting", ID: v.Name}
	if v.Rev == 0 {
		return guarded(ctx, c, conflict, `INSERT INTO settings (name, value, rev) VALUES (?, ?, 1) ON CONFLICT DO NOTHING`, v.Name, v.Value)
	}
	return guarded(ctx, c, conflict, `UPDATE settings SET value = ?, rev = rev + 1 WHERE name = ? AND rev = ?`, v.Value, v.Name, v.Rev)
}

// Setting implements store.Domain.
func (s *Store) Setting(ctx context.Context, name string) (store.Setting, error) {
	scan := func(r row) (store.Setting, error) {
		return store.Setting{Name: r.str(0), Value: r.str(1), Rev: r.int(2)}, nil
	}
	v, err := one(ctx, s.state, scan, `SELECT name, value, rev FROM settings WHERE name = ?`, name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Setting{Name: name}, nil
	}
	if err != nil {
		return store.Setting{}, fmt.Errorf("reading setting %s: %w", name, err)
	}
	return v, nil
}

// Sizes implements store.Domain.
func (s *Store) Sizes(context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	for _, name := range []string{stateFile, stateFile + "-wal", outputFile, outputFile + "-wal"} {
		info, err := os.Stat(filepath.Join(s.folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading sizes: %w", err)
		}
		sizes[name] = info.Size()
	}
	return sizes, nil
}

// RaiseEpoch makes the epoch higher than above, where it is not, and returns it. It is for a store that was restored
// twice: an agent may know a later epoch than the backup does.
func (s *Store) RaiseEpoch(ctx context.Context, above int64) (int64, error) {
	var epoch int64
	err := s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		err := c.query(ctx, `UPDATE domain SET epoch = max(epoch, ? + 1) RETURNING epoch`, func(r row) error {
			epoch = r.int(0)
			return nil
		}, above)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("raising the epoch: %w", err)
	}
	return epoch, nil
}
