package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
)

// What Durations looks at, at most: a net of thousands of jobs, or one that always fails, must not hold a reader for long.
const (
	durationRuns = 200
	durationJobs = 20_000
)

// Durations implements store.Times.
func (s *Store) Durations(ctx context.Context, net string, limit int) (map[string][]time.Duration, error) {
	took := map[string][]time.Duration{}
	if limit <= 0 {
		return took, nil
	}
	err := s.state.read(ctx, func(c *conn) error {
		var numbers []int64
		err := c.query(ctx, `SELECT n FROM runs INDEXED BY runs_net WHERE net = ? ORDER BY id DESC LIMIT ?`, func(r row) error {
			numbers = append(numbers, r.int(0))
			return nil
		}, net, min(durationRuns, 4*limit))
		if err != nil {
			return err
		}
		seen, short := 0, 0 // jobs read, and those of the newest run that have too few
		for i, n := range numbers {
			jobs, err := readDurations(ctx, c, n)
			if err != nil {
				return err
			}
			short = 0
			for _, j := range jobs {
				for _, d := range j.took {
					if len(took[j.name]) < limit {
						took[j.name] = append(took[j.name], d)
					}
				}
				if len(took[j.name]) < limit {
					short++
				}
			}
			if seen += len(jobs); i > 0 && short == 0 || seen >= durationJobs {
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading how long the jobs of %s took: %w", net, err)
	}
	return took, nil
}

// jobTook is how long the attempts of a job took that ended well, newest first.
type jobTook struct {
	name string
	took []time.Duration
}

func readDurations(ctx context.Context, c *conn, n int64) ([]jobTook, error) {
	var list []jobTook
	err := c.query(ctx, `SELECT data FROM jobs WHERE key >= ? AND key < ? ORDER BY key`, func(r row) error {
		var j struct {
			Name     string `json:"name"`
			Attempts []struct {
				Status  run.Status `json:"state"`
				Started time.Time  `json:"started"`
				Ended   time.Time  `json:"ended"`
			} `json:"attempts"`
		}
		if err := json.Unmarshal([]byte(r.str(0)), &j); err != nil {
			return fmt.Errorf("reading job %d: %w", len(list), err)
		}
		one := jobTook{name: j.Name}
		for _, a := range slices.Backward(j.Attempts) {
			if (a.Status == run.Succeeded || a.Status == run.Warning) && !a.Started.IsZero() && !a.Ended.Before(a.Started) {
				one.took = append(one.took, a.Ended.Sub(a.Started))
			}
		}
		list = append(list, one)
		return nil
	}, n<<jobBits, (n+1)<<jobBits)
	return list, err
}
