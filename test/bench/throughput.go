package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-scheduler/reeve/internal/api"
)

const (
	rounds    = 5
	wideRuns  = 60   // runs of bench/wide in a round
	plainJobs = 3000 // plain executions in a round
	loneRuns  = 1500 // runs of one job in a round
	starters  = 64
)

// measureThroughput alternates plain executions with jobs, so that what else the machine does meets both.
func measureThroughput(ctx context.Context, b *bench) error {
	s, err := b.mainSite(ctx)
	if err != nil {
		return err
	}
	w, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	var plain, wide, lone, wideShare, loneShare []float64
	var wideWork, loneWork work
	for i := range rounds {
		say("  round %d of %d", i+1, rounds)
		quiet(ctx, 10*time.Second)
		before, err := forks(plainJobs)
		if err != nil {
			return err
		}
		used := s.work()
		jobs, err := s.many(ctx, w, "bench/wide", wideRuns)
		if err != nil {
			return err
		}
		wideWork.add(s.work(), used)
		after, err := forks(plainJobs)
		if err != nil {
			return err
		}
		used = s.work()
		single, err := s.many(ctx, w, "bench/one", loneRuns)
		if err != nil {
			return err
		}
		loneWork.add(s.work(), used)
		limit := (before + after) / 2
		plain = append(plain, limit)
		wide, wideShare = append(wide, jobs), append(wideShare, jobs/limit)
		lone, loneShare = append(lone, single), append(loneShare, single/after)
	}
	share := median(wideShare)
	say("  shares by round: %.2f", wideShare)
	good := share >= 0.5
	limit := fmt.Sprintf("%.0f/s (fork+exec+wait of `/bin/true` from Go, 2 workers)", median(plain))
	b.table.add(row{figure: fmt.Sprintf("jobs per second, nets of %d", wideJobs), measured: fmt.Sprintf("%.0f/s", median(wide)), limit: limit, ratio: fmt.Sprintf("%.2f", share), reach: "≥ 0.5 (goal 0.7)", reached: &good})
	b.table.add(row{figure: "jobs per second, one a run", measured: fmt.Sprintf("%.0f/s", median(lone)), limit: limit, ratio: fmt.Sprintf("%.2f", median(loneShare))})
	b.table.note("**Jobs per second**: server, agent (%d slots), keeper, the client that orders and the plain executions share the machine. A round orders %d runs of a net of %d parallel jobs `/bin/true` (%d jobs) from %d clients; the clock runs from the first request to the event stream's word that the last run has succeeded. Then every run is read back: each job must have succeeded, with exit code 0, at its first attempt. Plain executions are measured just before and after. The ratio is the median of %d rounds (%.2f). \"One a run\" is the same with %d runs of one job: each is ordered by a request of its own, and is a run with an audit record of its own.", slots, wideRuns, wideJobs, wideRuns*wideJobs, starters, rounds, wideShare, loneRuns)
	b.table.note("Processor time for a job, in nets of %d: %s; one a run: %s. Plain: %.0f µs of two processors.",
		wideJobs, wideWork.per(rounds*wideRuns*wideJobs), loneWork.per(rounds*loneRuns), 2e6/median(plain))
	return nil
}

// work is the processor time of each process without that of its children, and that of the keeper's children.
type work struct{ server, agent, keeper, jobs, client time.Duration }

func (s *site) work() work {
	return work{onCPU(s.server.cmd.Process.Pid), onCPU(s.agent.cmd.Process.Pid), onCPU(s.keeper()), reaped(s.keeper()), onCPU(os.Getpid())}
}

func (w *work) add(now, before work) {
	w.server += now.server - before.server
	w.agent += now.agent - before.agent
	w.keeper += now.keeper - before.keeper
	w.jobs += now.jobs - before.jobs
	w.client += now.client - before.client
}

func (w *work) per(jobs int) string {
	us := func(d time.Duration) int64 { return d.Microseconds() / int64(jobs) }
	return fmt.Sprintf("server %d µs, agent %d µs, keeper %d µs, its children %d µs, client %d µs", us(w.server), us(w.agent), us(w.keeper), us(w.jobs), us(w.client))
}

// many orders runs of a net from several clients at once and returns how many jobs a second were done and told.
func (s *site) many(ctx context.Context, w *watcher, net string, runs int) (float64, error) {
	began := time.Now()
	var left atomic.Int64
	var mu sync.Mutex
	var last time.Time
	var ids []string
	g, ctx := errgroup.WithContext(ctx)
	for range starters {
		g.Go(func() error {
			for left.Add(1) <= int64(runs) {
				t, err := s.once(ctx, w, net)
				if err != nil {
					return err
				}
				mu.Lock()
				ids = append(ids, t.id)
				if t.visible.After(last) {
					last = t.visible
				}
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	jobs := 0
	for _, id := range ids {
		n, err := s.check(context.WithoutCancel(ctx), id)
		if err != nil {
			return 0, err
		}
		jobs += n
	}
	if open, err := s.client.ListRuns(context.WithoutCancel(ctx), api.RunQuery{States: []string{"waiting", "running"}}); err != nil || len(open) > 0 {
		return 0, fmt.Errorf("%d runs are still open: %w", len(open), err)
	}
	return float64(jobs) / last.Sub(began).Seconds(), nil
}
