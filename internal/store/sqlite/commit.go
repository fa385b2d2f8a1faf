package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/store"
)

// Commit implements store.Committer.
func (s *Store) Commit(ctx context.Context, b store.Batch) (store.Receipt, error) {
	prepared, err := prepareRuns(b.Runs)
	if err != nil {
		return store.Receipt{}, err
	}
	times, err := prepareTimes(b)
	if err != nil {
		return store.Receipt{}, err
	}
	var receipt store.Receipt
	err = s.state.writer.do(ctx, func(ctx context.Context, c *conn) error {
		receipt = store.Receipt{} // the first try may have been undone
		if err := checkEpoch(ctx, c, b.Epoch); err != nil {
			return err
		}
		runs := runWriter{c: c, epoch: b.Epoch, receipt: &receipt, last: map[string]int64{}}
		for _, w := range prepared {
			if err := runs.run(ctx, w); err != nil {
				return err
			}
		}
		if err := runs.finish(ctx); err != nil {
			return err
		}
		if err := applyTimes(ctx, c, b, times, &receipt); err != nil {
			return err
		}
		return applyNouns(ctx, c, b)
	})
	if err != nil {
		return store.Receipt{}, fmt.Errorf("committing: %w", err)
	}
	return receipt, nil
}

// checkEpoch refuses what was decided in another epoch, inside the transaction that would apply it.
func checkEpoch(ctx context.Context, c *conn, decided int64) error {
	at, err := readEpoch(ctx, c)
	if err != nil {
		return err
	}
	if at != decided {
		return fmt.Errorf("%w: decided in %d, the store is at %d", store.ErrEpoch, decided, at)
	}
	return nil
}

// applyNouns stores everything of a batch but its runs and what it has of time.
func applyNouns(ctx context.Context, c *conn, b store.Batch) error {
	if err := applyEach(ctx, c, b.Nets, applyNet); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Nodes, applyNode); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Tokens, applyToken); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Users, applyUser); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Sessions, applySession); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Settings, applySetting); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Files, applyArtifact); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Proofs, applyProof); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Silences, applySilence); err != nil {
		return err
	}
	if err := applyEach(ctx, c, b.Uses, applyUse); err != nil {
		return err
	}
	return applyEach(ctx, c, b.Audit, applyAudit)
}

func applyEach[T any](ctx context.Context, c *conn, list []T, apply func(context.Context, *conn, T) error) error {
	for _, one := range list {
		if err := apply(ctx, c, one); err != nil {
			return err
		}
	}
	return nil
}

// guarded runs a write whose WHERE or ON CONFLICT holds its guard: no row changed means that the guard did not hold.
func guarded(ctx context.Context, c *conn, conflict store.Conflict, sql string, args ...any) error {
	n, err := c.exec(ctx, sql, args...)
	if err == nil && n == 0 {
		err = &conflict
	}
	return err
}

// jsonText is the stored form of a map or a list: NULL where it is empty.
func jsonText[T map[string]string | []string](v T) (any, error) {
	if len(v) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// fromJSON reads what jsonText wrote.
func fromJSON(text string, into any) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("reading a stored value: %w", err)
	}
	return nil
}
