package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// What Durations looks at, at most: a net of thousands of jobs, or one that always fails, must not hold a reader for long.
const (
	durationRuns = 200
	durationJobs = 20_000
)

// Durations implements store.Times.
func (s *Store) Durations(ctx context.Context, net string, limit int) (map[string][]time.Duration, error) {
	past, err := s.Past(ctx, net, limit)
	took := map[string][]time.Duration{}
	for name, p := range past {
		if len(p.Took) > 0 {
			took[name] = p.Took
		}
	}
	return took, err
}

// Past implements store.Archive.
func (s *Store) Past(ctx context.Context, net string, limit int) (map[string]store.JobPast, error) {
	past := map[string]store.JobPast{}
	if limit <= 0 {
		return past, nil
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
				p := past[j.name]
				if len(p.Took) < limit {
					p.Failed += j.failed
				}
				p.Took = append(p.Took, j.took[:min(len(j.took), limit-len(p.Took))]...)
				past[j.name] = p
				if len(p.Took) < limit {
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
	return past, nil
}

// jobTook is how long the attempts of a job took that ended well, newest first, and how many failed.
type jobTook struct {
	name   string
	took   []time.Duration
	failed int
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
			switch good := a.Status == run.Succeeded || a.Status == run.Warning; {
			case good && !a.Started.IsZero() && !a.Ended.Before(a.Started):
				one.took = append(one.took, a.Ended.Sub(a.Started))
			case a.Status == run.Failed:
				one.failed++
			}
		}
		list = append(list, one)
		return nil
	}, n<<jobBits, (n+1)<<jobBits)
	return list, err
}
