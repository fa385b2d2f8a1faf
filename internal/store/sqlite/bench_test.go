package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// sizes are how many finished runs the store holds. The largest takes its time to fill: it is asked for by
// REEVE_BENCH_RUNS, a list like "0 10000 1000000".
func sizes(b *testing.B) []int {
	b.Helper()
	list := []int{0, 10_000}
	if text := os.Getenv("REEVE_BENCH_RUNS"); text != "" {
		list = nil
		for field := range strings.FieldsSeq(text) {
			n, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			list = append(list, n)
		}
	}
	return list
}

func perSize(b *testing.B, bench func(b *testing.B, s *sqlite.Store)) {
	b.Helper()
	for _, n := range sizes(b) {
		b.Run(fmt.Sprintf("runs=%d", n), func(b *testing.B) {
			s := filled(b, n)
			b.ReportAllocs()
			b.ResetTimer()
			bench(b, s)
		})
	}
}

func filled(b *testing.B, n int) *sqlite.Store {
	b.Helper()
	s := open(b, b.TempDir())
	if err := s.Fill(b.Context(), n); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkSync is the machine's own limit: what one append and sync of a page takes.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

var benchID atomic.Int64 // ids go up over all benchmarks, as in life

func benchRun(jobs int) run.State {
	s := run.State{
		ID: fmt.Sprintf("b%012d", benchID.Add(1)), Net: "net/1", Version: 1, Status: run.Running, Created: time.Now().UTC(),
		Params: map[string]string{"top": "20"},
	}
	for i := range jobs {
		s.Jobs = append(s.Jobs, run.Job{Name: fmt.Sprint("job", i), Status: run.Dispatched, Since: s.Created, Attempts: []run.Attempt{{
			N: 1, Agent: "north", AgentID: "n1", Status: run.Dispatched, Ordered: s.Created,
		}}})
	}
	return s
}

func create(b testing.TB, s *sqlite.Store, state run.State) run.State {
	w := store.RunWrite{State: state}
	for _, j := range state.Jobs {
		w.Effects = append(w.Effects, run.StartAttempt{Job: j.Name, N: 1, AgentID: "n1"})
	}
	if _, err := s.Commit(b.Context(), store.Batch{Epoch: 1, Runs: []store.RunWrite{w}}); err != nil {
		b.Fatal(err)
	}
	state.Rev = 1
	return state
}

// step stores another step of a run of one job.
func step(b testing.TB, s *sqlite.Store, state run.State, status run.Status) run.State {
	state.Jobs[0].Status, state.Jobs[0].Attempts[0].Status = status, status
	w := store.RunWrite{State: state, Changed: []int{0}}
	if status.Ended() {
		w.State.Status, w.State.Ended = status, time.Now().UTC()
		w.Effects = []run.Effect{run.CloseAttempt{Job: state.Jobs[0].Name, N: 1, AgentID: "n1"}}
	}
	if _, err := s.Commit(b.Context(), store.Batch{Epoch: 1, Runs: []store.RunWrite{w}}); err != nil {
		b.Fatal(err)
	}
	state.Rev++
	return state
}

// BenchmarkCreate commits one new run with one order, one after the other.
func BenchmarkCreate(b *testing.B) {
	perSize(b, func(b *testing.B, s *sqlite.Store) {
		for b.Loop() {
			create(b, s, benchRun(1))
		}
	})
}

// BenchmarkLife commits the three steps of a run of one job, 32 runs at once: what a busy server does.
func BenchmarkLife(b *testing.B) {
	perSize(b, func(b *testing.B, s *sqlite.Store) {
		b.SetParallelism(16) // times two cores
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				state := create(b, s, benchRun(1))
				state = step(b, s, state, run.Running)
				step(b, s, state, run.Succeeded)
			}
		})
		b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "changes/s")
	})
}

// BenchmarkEnds commits one batch of 50 ends of jobs of one run.
func BenchmarkEnds(b *testing.B) {
	perSize(b, func(b *testing.B, s *sqlite.Store) {
		for b.Loop() {
			b.StopTimer()
			state := create(b, s, benchRun(50))
			w := store.RunWrite{State: state}
			for i := range w.State.Jobs {
				w.State.Jobs[i].Status = run.Succeeded
				w.Changed = append(w.Changed, i)
				w.Effects = append(w.Effects, run.CloseAttempt{Job: w.State.Jobs[i].Name, N: 1, AgentID: "n1"})
			}
			b.StartTimer()
			if _, err := s.Commit(b.Context(), store.Batch{Epoch: 1, Runs: []store.RunWrite{w}}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(50*float64(b.N)/b.Elapsed().Seconds(), "ends/s")
	})
}

// BenchmarkRead reads one run of 50 jobs.
func BenchmarkRead(b *testing.B) {
	s := filled(b, 0)
	state := create(b, s, benchRun(50))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(b.Context(), state.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList lists the newest 50 runs, of all, and of those that failed in one net.
func BenchmarkList(b *testing.B) {
	perSize(b, func(b *testing.B, s *sqlite.Store) {
		for name, q := range map[string]store.RunQuery{
			"all":    {},
			"failed": {Net: "net/0", States: []run.Status{run.Failed}},
			"folder": {Folder: "net"},
			"open":   {States: []run.Status{run.Waiting, run.Running}},
		} {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					if _, err := s.ListRuns(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkAppendOutput stores a chunk of a log.
func BenchmarkAppendOutput(b *testing.B) {
	s := filled(b, 0)
	line := []byte(strings.Repeat("2026-03-14T15:09:26Z INFO the quick brown fox jumps over the lazy dog\n", 64))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	offset := int64(0)
	for b.Loop() {
		got, err := s.AppendOutput(b.Context(), []store.OutputPiece{{Run: "r", Job: "j", N: 1, Offset: offset, Data: line}})
		if err != nil {
			b.Fatal(err)
		}
		offset = got[0]
	}
}
