//go:build linux

package keeper

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// BenchmarkThroughput compares /bin/true through the keeper, 32 at a time and with every record synced, with plain
// fork, exec and wait by two workers in the same run.
func BenchmarkThroughput(b *testing.B) {
	var env []string
	if file := os.Getenv("REEVE_TEST_PROFILE"); file != "" {
		env = append(env, "REEVE_TEST_PROFILE="+file)
	}
	h := newHost(b, env...)
	const jobs, rounds = 1000, 8
	for b.Loop() {
		var plain, kept, ratio []float64
		before := cpuOf(b, h.client.Hello().PID)
		for range rounds { // in turns: other load on the machine then meets both
			p, k := plainly(b, jobs), throughKeeper(b, h, jobs)
			plain, kept, ratio = append(plain, p), append(kept, k), append(ratio, k/p)
		}
		b.ReportMetric((cpuOf(b, h.client.Hello().PID)-before)*1e6/(jobs*rounds), "keeper-us/job")
		b.ReportMetric(median(plain), "plain/s")
		b.ReportMetric(median(kept), "kept/s")
		b.ReportMetric(median(ratio), "ratio")
		b.ReportMetric(slices.Max(ratio), "best")
	}
	if err := h.client.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
	<-h.client.Done()
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func plainly(b *testing.B, jobs int) float64 {
	began := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for next.Add(1) <= int64(jobs) {
				if err := exec.Command("/bin/true").Run(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return float64(jobs) / time.Since(began).Seconds()
}

func throughKeeper(b *testing.B, h *host, jobs int) float64 {
	began := time.Now()
	ended := 0
	ctx := context.Background()
	work := make(chan struct{}, 32)
	for range 32 {
		work <- struct{}{}
	}
	left := jobs
	give := func() {
		var orders []wire.Order
		for left > 0 {
			select {
			case <-work:
				orders = append(orders, h.order("true", "/bin/true"))
				left--
				continue
			default:
			}
			break
		}
		if len(orders) > 0 {
			go func() {
				if refused, err := h.client.Start(ctx, orders); err != nil || len(refused) > 0 {
					b.Error(refused, err)
				}
			}()
		}
	}
	give()
	for ended < jobs {
		reports, ok := <-h.client.Reports()
		if !ok {
			b.Fatal(h.client.Err())
		}
		ids := make([]int64, 0, len(reports))
		var over []wire.Attempt
		for _, r := range reports {
			ids = append(ids, r.ID)
			if r.Kind == wire.Started {
				continue
			}
			if r.ExitCode == nil || *r.ExitCode != 0 {
				b.Fatalf("%+v", r)
			}
			over = append(over, r.Attempt)
			ended++
			work <- struct{}{}
		}
		_ = h.client.Ack(ids)
		_ = h.client.Forget(over...)
		give()
	}
	return float64(jobs) / time.Since(began).Seconds()
}

// cpuOf returns the seconds that a process has used itself, its children aside.
func cpuOf(b *testing.B, pid int) float64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}
