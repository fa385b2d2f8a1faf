package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// TestKill kills a process with SIGKILL in the middle of its commits, 20 times on one folder, and finds all that was
// acknowledged, whole, and nothing twice.
func TestKill(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	r := rand.New(rand.NewPCG(5, 6))
	total := 0
	for round := range 20 {
		acked := killed(t, folder, 1+r.IntN(400))
		total += len(acked)
		s, err := sqlite.Open(t.Context(), folder, sqlite.Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for id, rev := range acked {
			state, err := s.Run(t.Context(), id)
			if err != nil || state.Rev < rev {
				t.Errorf("round %d: run %s was acknowledged at revision %d; got %d, error %v", round, id, rev, state.Rev, err)
				continue
			}
			if got := len(state.Jobs[0].Attempts); int64(got) != state.Rev {
				t.Errorf("round %d: run %s has revision %d with %d attempts: half a batch", round, id, state.Rev, got)
			}
			want := (rev - 1) * int64(len(killOutput))
			if _, size, err := s.ReadOutput(t.Context(), id, "job0", 1, 0, 0); err != nil || size < want {
				t.Errorf("round %d: output of %s: got %d bytes, want at least %d, error %v", round, id, size, want, err)
			}
		}
		checkOrders(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if total < 20 {
		t.Errorf("only %d runs were acknowledged: the test shows little", total)
	}
}

// checkOrders finds one order for each revision of each run, counted without a gap.
func checkOrders(t *testing.T, s *sqlite.Store) {
	t.Helper()
	orders, err := s.Orders(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range orders {
		if o.Seq != int64(i)+1 {
			t.Fatalf("order %d has sequence %d", i, o.Seq)
		}
	}
	runs, err := s.OpenRuns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	revisions := int64(0)
	for _, one := range runs {
		revisions += one.Rev
	}
	if revisions != int64(len(orders)) {
		t.Errorf("%d orders for %d revisions", len(orders), revisions)
	}
}

// killed runs commitForever, kills it after so many acknowledgements, and returns the last of each run.
func killed(t *testing.T, folder string, after int) map[string]int64 {
	t.Helper()
	cmd := child(t, "commit", folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := map[string]int64{}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		var id string
		var rev int64
		if _, err := fmt.Sscanf(lines.Text(), "%s %d", &id, &rev); err != nil {
			t.Fatalf("child said %q", lines.Text())
		}
		acked[id] = max(acked[id], rev)
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	return acked
}

const killOutput = "one line of output\n"

// commitForever has eight goroutines make runs and step them, with an order and a line of output each time, and prints
// what was acknowledged.
func commitForever(folder string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, folder, sqlite.Options{})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("r%d-%d-%d", os.Getpid(), w, i)
				if err := commitLife(ctx, s, id); err != nil {
					panic(err) // the parent reads the trace
				}
			}
		})
	}
	group.Wait()
	return nil
}

func commitLife(ctx context.Context, s *sqlite.Store, id string) error {
	state := run.State{ID: id, Net: "n", Version: 1, Status: run.Running, Jobs: []run.Job{{Name: "job0", Status: run.Running}}}
	for rev := range int64(5) {
		state.Rev = rev
		state.Jobs[0].Attempts = append(state.Jobs[0].Attempts, run.Attempt{N: int(rev) + 1, AgentID: "a"})
		_, err := s.Commit(ctx, store.Batch{Epoch: 1, Runs: []store.RunWrite{{
			State: state, Changed: []int{0}, Effects: []run.Effect{run.StartAttempt{Job: "job0", N: int(rev) + 1, AgentID: "a"}},
		}}})
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(os.Stdout, id, rev+1)
		_, err = s.AppendOutput(ctx, []store.OutputPiece{{Run: id, Job: "job0", N: 1, Offset: rev * int64(len(killOutput)), Data: []byte(killOutput)}})
		if err != nil {
			return err
		}
	}
	return nil
}
