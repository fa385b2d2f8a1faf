package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

const (
	pruneEvery = time.Minute
	pruneBatch = 200 // runs removed in one transaction: it must not hold up what is urgent
	freshFile  = time.Hour
	// What became of occurrences is small and asked for a year later: "why did it not run on the last day of the year?"
	keepOccurrences = 400 * 24 * time.Hour
)

// janitor removes what retention no longer keeps, until ctx ends.
func (s *Server) janitor(ctx context.Context) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := s.prune(ctx); err != nil && ctx.Err() == nil {
			s.env.Log.Warn("removing what retention no longer keeps", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Server) prune(ctx context.Context) error {
	now, keep := s.env.Now(), s.cfg.Retention
	err := inBatches(ctx, func() (int, error) {
		return s.store.PruneOutput(ctx, keep.Output.before(now), keep.Output.Count, pruneBatch)
	})
	if err != nil {
		return fmt.Errorf("removing output: %w", err)
	}
	err = inBatches(ctx, func() (int, error) { return s.store.PruneRuns(ctx, keep.Runs.before(now), keep.Runs.Count, pruneBatch) })
	if err != nil {
		return fmt.Errorf("removing runs: %w", err)
	}
	err = inBatches(ctx, func() (int, error) {
		return s.store.PruneOccurrences(ctx, occurrencesBefore(keep.Runs, now), pruneBatch)
	})
	if err != nil {
		return fmt.Errorf("removing occurrences: %w", err)
	}
	if s.cfg.Proofs.Keep > 0 {
		err := inBatches(ctx, func() (int, error) { return s.store.PruneProofs(ctx, now.Add(-s.cfg.Proofs.Keep), pruneBatch) })
		if err != nil {
			return fmt.Errorf("removing old proofs: %w", err)
		}
	}
	return s.removeFiles(ctx)
}

// before is the instant up to which something is too old; zero: age does not count.
func (k Keep) before(now time.Time) time.Time {
	if k.Age == 0 {
		return time.Time{}
	}
	return now.Add(-k.Age)
}

// occurrencesBefore is the instant up to which occurrences are too old: they are kept as long as runs, and for 400 days at least.
func occurrencesBefore(runs Keep, now time.Time) time.Time {
	if runs.Age > 0 {
		runs.Age = max(runs.Age, keepOccurrences)
	}
	return runs.before(now)
}

func inBatches(ctx context.Context, prune func() (int, error)) error {
	for ctx.Err() == nil {
		n, err := prune()
		if err != nil || n < pruneBatch {
			return err
		}
	}
	return nil
}

// removeFiles removes artifacts that no run refers to any more. A fresh one may belong to a report that is on its way.
func (s *Server) removeFiles(ctx context.Context) error {
	sums, err := s.store.Unreferenced(ctx, pruneBatch)
	if err != nil {
		return err
	}
	var gone []string
	for _, sum := range sums {
		path := filepath.Join(s.cfg.Data, "artifacts", sum[:2], sum)
		info, err := os.Stat(path)
		if err == nil && s.env.Now().Sub(info.ModTime()) < freshFile {
			continue
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing an artifact: %w", err)
		}
		gone = append(gone, sum)
	}
	if len(gone) == 0 {
		return nil
	}
	return s.store.Forget(ctx, gone)
}
