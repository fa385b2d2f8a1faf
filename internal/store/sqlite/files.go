package sqlite

import (
	"context"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/store"
)

// applyArtifact may come twice for one file: the last stands.
func applyArtifact(ctx context.Context, c *conn, a store.Artifact) error {
	// What the file was before may lose its last reference.
	_, err := c.exec(ctx, `INSERT INTO unreferenced (sha256) SELECT sha256 FROM artifacts AS a
		WHERE run = ?1 AND job = ?2 AND n = ?3 AND name = ?4 AND sha256 <> ?5
		AND (SELECT count(*) FROM artifacts AS b WHERE b.sha256 = a.sha256) = 1 ON CONFLICT DO NOTHING`,
		a.Run, a.Job, a.N, a.Name, a.SHA256)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `INSERT INTO artifacts (run, job, n, name, size, sha256) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (run, job, n, name) DO UPDATE SET size = excluded.size, sha256 = excluded.sha256`,
		a.Run, a.Job, a.N, a.Name, a.Size, a.SHA256)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `DELETE FROM unreferenced WHERE sha256 = ?`, a.SHA256)
	return err
}

// Artifacts implements store.Files.
func (s *Store) Artifacts(ctx context.Context, run string) ([]store.Artifact, error) {
	scan := func(r row) store.Artifact {
		return store.Artifact{Run: r.str(0), Job: r.str(1), N: int(r.int(2)), Name: r.str(3), Size: r.int(4), SHA256: r.str(5)}
	}
	all, err := list(ctx, s.state, scan, `SELECT run, job, n, name, size, sha256 FROM artifacts WHERE run = ? ORDER BY job, n, name`, run)
	if err != nil {
		return nil, fmt.Errorf("reading the artifacts of run %s: %w", run, err)
	}
	return all, nil
}

// HasFile implements store.Files.
func (s *Store) HasFile(ctx context.Context, sha256 string) (bool, error) {
	found, err := list(ctx, s.state, func(row) bool { return true }, `SELECT 1 FROM artifacts WHERE sha256 = ? LIMIT 1`, sha256)
	if err != nil {
		return false, fmt.Errorf("looking for a file: %w", err)
	}
	return len(found) > 0, nil
}

// Unreferenced implements store.Files.
func (s *Store) Unreferenced(ctx context.Context, limit int) ([]string, error) {
	all, err := list(ctx, s.state, func(r row) string { return r.str(0) }, `SELECT sha256 FROM unreferenced ORDER BY sha256 LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("listing files that nothing refers to: %w", err)
	}
	return all, nil
}

// Forget implements store.Files.
func (s *Store) Forget(ctx context.Context, sha256 []string) error {
	err := s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		return applyEach(ctx, c, sha256, func(ctx context.Context, c *conn, hash string) error {
			_, err := c.exec(ctx, `DELETE FROM unreferenced WHERE sha256 = ?`, hash)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("forgetting removed files: %w", err)
	}
	return nil
}
