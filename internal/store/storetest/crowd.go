package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// testManyAtOnce has 32 goroutines commit to few runs: each step is decided again after a conflict until it fits.
// No step is lost, and the orders of each agent are counted without a gap or a double.
func testManyAtOnce(t *testing.T, s store.Store) {
	const workers, steps, runs = 32, 12, 5
	for i := range runs {
		commit(t, s, batch(write(newRun(fmt.Sprint("r", i), "n", 1))))
	}
	var mu sync.Mutex
	seen := map[string]map[int64]bool{"a": {}, "b": {}}
	conflicts := 0
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range steps {
				id, agent := fmt.Sprint("r", (w+i)%runs), []string{"a", "b"}[w%2]
				for {
					state, err := s.Run(t.Context(), id)
					if err != nil {
						t.Error(err)
						return
					}
					state.Jobs[0].Attempts = append(state.Jobs[0].Attempts, run.Attempt{N: len(state.Jobs[0].Attempts) + 1, AgentID: agent})
					n := len(state.Jobs[0].Attempts)
					got, err := s.Commit(t.Context(), batch(write(state, run.StartAttempt{Job: "job0", N: n, AgentID: agent})))
					var conflict *store.Conflict
					if errors.As(err, &conflict) {
						mu.Lock()
						conflicts++
						mu.Unlock()
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seq := got.Orders[0].Seq; seen[agent][seq] {
						t.Errorf("sequence %d of %s was given twice", seq, agent)
					} else {
						seen[agent][seq] = true
					}
					mu.Unlock()
					break
				}
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	attempts := 0
	for i := range runs {
		state := read(t, s, fmt.Sprint("r", i))
		n := len(state.Jobs[0].Attempts)
		attempts += n
		if state.Rev != int64(n)+1 {
			t.Errorf("run %d: got revision %d after %d steps", i, state.Rev, n)
		}
	}
	if attempts != workers*steps {
		t.Errorf("steps stored: got %d, want %d (%d conflicts)", attempts, workers*steps, conflicts)
	}
	for agent, seqs := range seen {
		for seq := int64(1); seq <= int64(workers*steps/2); seq++ {
			if !seqs[seq] {
				t.Errorf("sequence %d of %s was never given", seq, agent)
			}
		}
		if got := len(must[[]store.Order](t)(s.Orders(t.Context(), agent))); got != workers*steps/2 {
			t.Errorf("open orders of %s: got %d, want %d", agent, got, workers*steps/2)
		}
	}
}

// testConflictInCrowd commits good and stale batches together: each gets its own answer.
func testConflictInCrowd(t *testing.T, s store.Store) {
	const batches = 200
	commit(t, s, batch(write(newRun("old", "n", 1))))
	var group sync.WaitGroup
	errs := make([]error, batches)
	for i := range batches {
		group.Go(func() {
			b := batch(write(newRun(fmt.Sprintf("r%03d", i), "n", 3), run.StartAttempt{Job: "job0", N: 1, AgentID: "a"}))
			switch i % 4 {
			case 1: // a conflict after something was written
				b.Runs = append(b.Runs, write(newRun("old", "n", 1)))
			case 2:
				b.Epoch = 9
			}
			_, errs[i] = s.Commit(t.Context(), b)
		})
	}
	group.Wait()
	for i, err := range errs {
		_, missing := s.Run(t.Context(), fmt.Sprintf("r%03d", i))
		switch i % 4 {
		case 1:
			wantConflict(t, err, "run", "old")
			wantNotFound(t, "run of a refused batch", missing)
		case 2:
			if !errors.Is(err, store.ErrEpoch) {
				t.Errorf("stale epoch: got error %v", err)
			}
			wantNotFound(t, "run of a refused batch", missing)
		default:
			if err != nil || missing != nil {
				t.Errorf("good batch %d: got error %v, then %v", i, err, missing)
			}
		}
	}
	orders := must[[]store.Order](t)(s.Orders(t.Context(), "a"))
	for i, o := range orders {
		if o.Seq != int64(i)+1 {
			t.Fatalf("order %d has sequence %d: refused batches left a gap", i, o.Seq)
		}
	}
	if len(orders) != batches/2 {
		t.Errorf("orders: got %d, want %d", len(orders), batches/2)
	}
}
