package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

const alone = 200 // runs, one after the other

// measureLatency measures runs of one job on an idle system.
func measureLatency(ctx context.Context, b *bench) error {
	s, err := b.mainSite(ctx)
	if err != nil {
		return err
	}
	w, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	var l limits
	var starts, results, plain samples
	for i := range alone {
		if i%50 == 0 {
			if err := l.probe(b.home); err != nil {
				return err
			}
		}
		// A run that tells when it was started, then one that only ends.
		t, err := s.once(ctx, w, "bench/clock")
		if err != nil {
			return err
		}
		at, err := s.witness(ctx, t.id)
		if err != nil {
			return err
		}
		starts = append(starts, at.Sub(t.ordered))
		if err := plainClock(&plain); err != nil {
			return err
		}
		if t, err = s.once(ctx, w, "bench/one"); err != nil {
			return err
		}
		if _, err := s.check(ctx, t.id); err != nil {
			return err
		}
		results = append(results, t.took())
	}
	need := l.needs(2, 1)
	b.table.add(latency("trigger to process start, p50", starts.at(0.5), need, 3, "2 fdatasync + 1 exec; "+l.String()))
	b.table.add(row{figure: "trigger to process start, p99", measured: ms(starts.at(0.99)), limit: ms(need), ratio: fmt.Sprintf("%.2f", float64(starts.at(0.99))/float64(need))})
	b.table.add(latency("trigger to result visible, p50", results.at(0.5), need, 6, "2 fdatasync + 1 exec"))
	b.table.add(row{figure: "trigger to result visible, p99", measured: ms(results.at(0.99)), limit: ms(need), ratio: fmt.Sprintf("%.2f", float64(results.at(0.99))/float64(need))})
	b.table.note("**Limits**: one append of 512 bytes with fdatasync, and one fork, exec and wait of `/bin/true` from Go, each the median of at least 100 taken around and between the measurements of the figure, on the disk that holds Reeve's folders.")
	b.table.note("**Trigger to process start**: %d runs, one after the other, of a net of one job, `/bin/date +%%s%%N`: from just before the request to order the run is written to the server's Unix socket, to the clock that the job itself read and printed. Nothing is subtracted: the time that `date` takes from its exec to its reading of the clock (loader, locale) is in it; the same program, started from Go without Reeve in between, printed a clock that was %s after the start of its fork (median of as many).", alone, ms(plain.at(0.5)))
	b.table.note("**Trigger to result visible**: %d runs, one after the other, of a net of one job, `/bin/true`: from just before the request is written, to the event stream's word to the client that the run has succeeded (it is committed then). Each is read back, with its job and its attempt.", alone)
	return nil
}

// plainClock adds how long it takes without Reeve from before a fork to the clock that date reads.
func plainClock(took *samples) error {
	began := time.Now()
	out, err := exec.Command("/bin/date", "+%s%N").Output()
	if err != nil {
		return err
	}
	at, err := clock(string(out))
	*took = append(*took, at.Sub(began))
	return err
}

// clock reads what date printed.
func clock(text string) (time.Time, error) {
	ns, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return time.Unix(0, ns), err
}

// witness returns the clock that a job printed.
func (s *site) witness(ctx context.Context, id string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var text strings.Builder
	err := s.client.Logs(ctx, api.LogQuery{Run: id, Job: "only", Follow: true}, func(l api.Log) error {
		text.WriteString(l.Text)
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("reading what run %s wrote: %w", id, err)
	}
	at, err := clock(text.String())
	if err != nil {
		return at, fmt.Errorf("run %s wrote %q: %w", id, text.String(), err)
	}
	return at, nil
}

func measureChain(ctx context.Context, b *bench) error {
	const rounds = 21
	l, took, err := b.repeat(ctx, "bench/chain", rounds, chainJobs)
	if err != nil {
		return err
	}
	need := chainJobs * l.needs(3, 1)
	b.table.add(latency(fmt.Sprintf("chain of %d jobs", chainJobs), took.at(0.5), need, 2, fmt.Sprintf("%d × (3 fdatasync + 1 exec); %s", chainJobs, l)))
	b.table.note("**Chain**: a net of %d jobs `/bin/true`, each after the one before; from the request to the event stream's word that the run has succeeded; median of %d runs. Every job is read back as succeeded, with exit code 0 at its first attempt.", chainJobs, rounds)
	return nil
}

func measureFanOut(ctx context.Context, b *bench) error {
	const rounds = 7
	l, took, err := b.repeat(ctx, "bench/fan", rounds, fanJobs+1)
	if err != nil {
		return err
	}
	const limit = 250 * time.Millisecond
	need := time.Duration(fanJobs+1) * l.exec.at(0.5) / 2
	good := took.at(0.5) <= limit
	b.table.add(row{
		figure: fmt.Sprintf("fan-out of %d", fanJobs), measured: seconds(took.at(0.5)), limit: fmt.Sprintf("%s (%d exec on two cores; %s)", seconds(need), fanJobs+1, l),
		ratio: fmt.Sprintf("%.2f", float64(took.at(0.5))/float64(need)), reach: "≤ " + seconds(limit), reached: &good,
	})
	b.table.note("**Fan-out**: a net of one job and %d after it, all `/bin/true`, on an agent with %d slots; from the request to the event stream's word that the run has succeeded; median of %d runs, read back like the chain.", fanJobs, slots, rounds)
	return nil
}

// repeat runs a net several times, with the machine's limits taken in between.
func (b *bench) repeat(ctx context.Context, net string, rounds, jobs int) (limits, samples, error) {
	var l limits
	var took samples
	s, err := b.mainSite(ctx)
	if err != nil {
		return l, nil, err
	}
	w, err := s.prepare(ctx)
	if err != nil {
		return l, nil, err
	}
	defer w.close()
	for range rounds {
		if err := l.probe(b.home); err != nil {
			return l, nil, err
		}
		t, err := s.once(ctx, w, net)
		if err != nil {
			return l, nil, err
		}
		if n, err := s.check(ctx, t.id); err != nil {
			return l, nil, err
		} else if n != jobs {
			return l, nil, fmt.Errorf("run %s has %d jobs, want %d", t.id, n, jobs)
		}
		took = append(took, t.took())
	}
	return l, took, nil
}
