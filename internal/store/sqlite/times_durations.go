package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
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
			short = 0
			err := eachJob(ctx, c, n, n, func(_ int64, one *jobEnds) {
				seen++
				if p := add(past, one, limit); len(p.Took) < limit {
					short++
				}
			})
			if err != nil {
				return err
			}
			if i > 0 && short == 0 || seen >= durationJobs {
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

// recentRuns is how many runs Recent reads at once: a reader is never kept for long, and no snapshot.
const recentRuns = 1000

// Recent implements store.Archive. Runs stand in the order in which they were made, and so do their jobs: it is one walk through the newest.
func (s *Store) Recent(ctx context.Context, jobs, limit int) (map[string]map[string]store.JobPast, error) {
	all := map[string]map[string]store.JobPast{}
	for before := int64(math.MaxInt64); jobs > 0 && limit > 0; {
		nets := make(map[int64]string, recentRuns)
		last := before
		err := s.state.read(ctx, func(c *conn) error {
			err := c.query(ctx, `SELECT n, net FROM runs WHERE n < ? ORDER BY n DESC LIMIT ?`, func(r row) error {
				last = r.int(0)
				nets[last] = r.str(1)
				return nil
			}, before, recentRuns)
			if err != nil || len(nets) == 0 {
				return err
			}
			return eachJob(ctx, c, last, min(before, math.MaxInt64>>jobBits)-1, func(n int64, one *jobEnds) {
				jobs--
				net := nets[n]
				if all[net] == nil {
					all[net] = map[string]store.JobPast{}
				}
				add(all[net], one, limit)
			})
		})
		if err != nil {
			return nil, fmt.Errorf("reading how long jobs took lately: %w", err)
		}
		if len(nets) < recentRuns {
			break
		}
		before = last
	}
	return all, nil
}

// add adds what a job of an older run has to what is known of it.
func add(past map[string]store.JobPast, one *jobEnds, limit int) store.JobPast {
	p := past[one.name]
	if len(p.Took) < limit {
		p.Failed, p.RunAs, p.Unknown = p.Failed+one.failed, p.RunAs+one.runAs, p.Unknown+one.unknown
		for _, code := range one.codes {
			if p.Codes == nil {
				p.Codes = map[int]int{}
			}
			p.Codes[code]++
		}
		p.Decided = append(p.Decided, one.decided...)
	}
	p.Took = append(p.Took, one.took[:min(len(one.took), limit-len(p.Took))]...)
	past[one.name] = p
	return p
}

// jobEnds is how the attempts of one job of a run ended, newest first.
type jobEnds struct {
	name                   string
	took                   []time.Duration
	failed, runAs, unknown int
	codes                  []int
	decided                []store.Decided
}

// storedJob is what is looked at of a job in the store.
type storedJob struct {
	Name     string     `json:"name"`
	Status   run.Status `json:"state"`
	Reason   run.Reason `json:"reason"`
	Since    time.Time  `json:"since"`
	Attempts []struct {
		Status  run.Status `json:"state"`
		Reason  run.Reason `json:"reason"`
		Ordered time.Time  `json:"ordered"`
		Started time.Time  `json:"started"`
		Ended   time.Time  `json:"ended"`
		Code    *int       `json:"exit_code"`
	} `json:"attempts"`
}

// eachJob calls f for the jobs of the runs from first to last, the newest run first, with the run's number.
func eachJob(ctx context.Context, c *conn, first, last int64, f func(n int64, one *jobEnds)) error {
	var one jobEnds
	return c.query(ctx, `SELECT key, data FROM jobs WHERE key >= ? AND key < ? ORDER BY key DESC`, func(r row) error {
		var j storedJob
		if err := json.Unmarshal([]byte(r.str(1)), &j); err != nil {
			return fmt.Errorf("reading job %d: %w", r.int(0), err)
		}
		one = jobEnds{name: j.Name, took: one.took[:0], codes: one.codes[:0], decided: one.decided[:0]}
		one.read(&j)
		f(r.int(0)>>jobBits, &one)
		return nil
	}, first<<jobBits, (last+1)<<jobBits)
}

func (one *jobEnds) read(j *storedJob) {
	for i, a := range slices.Backward(j.Attempts) {
		switch good := a.Status == run.Succeeded || a.Status == run.Warning; {
		case good && !a.Started.IsZero() && !a.Ended.Before(a.Started):
			one.took = append(one.took, a.Ended.Sub(a.Started))
		case a.Status == run.Failed:
			one.failed++
			if a.Code != nil {
				one.codes = append(one.codes, *a.Code)
			}
			if a.Reason == run.ReasonRunAs {
				one.runAs++
			}
		case a.Status == run.Lost:
			one.unknown++
			switch {
			case a.Ended.IsZero():
			case i+1 < len(j.Attempts):
				one.decided = append(one.decided, store.Decided{After: max(j.Attempts[i+1].Ordered.Sub(a.Ended), 0)})
			case j.Reason == run.ReasonDecided && (j.Status == run.Succeeded || j.Status == run.Failed):
				one.decided = append(one.decided, store.Decided{After: max(j.Since.Sub(a.Ended), 0), As: j.Status})
			}
		}
	}
}
