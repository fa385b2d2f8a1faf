package sqlite_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// backedUp returns a backup, and the states of the runs that are in it.
func backedUp(t *testing.T) (folder string, runs []run.State) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Now: func() time.Time { return time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for i := range 20 {
		state := create(t, s, benchRun(2))
		if i%2 == 0 {
			state = step(t, s, state, run.Succeeded)
		}
		if _, err := s.AppendOutput(t.Context(), []store.OutputPiece{{Run: state.ID, Job: "job0", N: 1, Data: []byte(strings.Repeat(state.ID, 99))}}); err != nil {
			t.Fatal(err)
		}
		if state, err = s.Run(t.Context(), state.ID); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, state)
	}
	folder = filepath.Join(t.TempDir(), "backup")
	// The store is written while it is copied.
	done := make(chan error)
	go func() { done <- s.Backup(t.Context(), folder) }()
	for writing := true; writing; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			writing = false
		default:
			create(t, s, benchRun(1))
		}
	}
	if err := s.Backup(t.Context(), folder); !fault.Is(err, fault.Conflict) {
		t.Errorf("backup into a folder that is not empty: got error %v", err)
	}
	return folder, runs
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	backup, runs := backedUp(t)
	data := filepath.Join(t.TempDir(), "data")
	if err := sqlite.Restore(t.Context(), backup, data); err != nil {
		t.Fatal(err)
	}
	s := open(t, data)
	for _, want := range runs {
		got, err := s.Run(t.Context(), want.ID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("run %s: error %v, (-want +got):\n%s", want.ID, err, diff)
		}
		output, _, err := s.ReadOutput(t.Context(), want.ID, "job0", 1, 0, 1<<20)
		if err != nil || string(output) != strings.Repeat(want.ID, 99) {
			t.Errorf("output of %s: got %d bytes, error %v", want.ID, len(output), err)
		}
	}
	epoch, err := s.Epoch(t.Context())
	if err != nil || epoch != 2 {
		t.Errorf("epoch: got %d, error %v, want 2", epoch, err)
	}
	held, err := s.Setting(t.Context(), "held")
	if want := (store.Setting{Name: "held", Value: "restored from a backup of 2026-03-14T15:00:00Z", Rev: 1}); err != nil || held != want {
		t.Errorf("held: got %+v, error %v, want %+v", held, err, want)
	}
	// What was decided before is stale, and the count of each agent begins again.
	if _, err := s.Commit(t.Context(), store.Batch{Epoch: 1}); !errors.Is(err, store.ErrEpoch) {
		t.Errorf("commit of the old epoch: got error %v", err)
	}
	got, err := s.Commit(t.Context(), store.Batch{Epoch: 2, Runs: []store.RunWrite{{
		State: benchRun(1), Effects: []run.Effect{run.StartAttempt{Job: "job0", N: 1, AgentID: "n1"}},
	}}})
	if err != nil || got.Orders[0].Epoch != 2 || got.Orders[0].Seq != 1 {
		t.Errorf("first order of the new epoch: got %+v, error %v", got, err)
	}
	if above, err := s.RaiseEpoch(t.Context(), 7); err != nil || above != 8 {
		t.Errorf("raised epoch: got %d, error %v, want 8", above, err)
	}
	if above, err := s.RaiseEpoch(t.Context(), 3); err != nil || above != 8 {
		t.Errorf("epoch raised to less: got %d, error %v, want 8", above, err)
	}
	if err := sqlite.Restore(t.Context(), backup, data); !fault.Is(err, fault.Conflict) {
		t.Errorf("restore under a running server: got error %v", err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	backup, _ := backedUp(t)
	copyOf := func(t *testing.T) string {
		t.Helper()
		folder := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(folder, os.DirFS(backup)); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	flip := func(t *testing.T, path string, at int) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[at%len(b)] ^= 4
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]func(t *testing.T, folder string){
		"no manifest":    func(t *testing.T, f string) { t.Helper(); remove(t, f, "backup.json") },
		"broken list":    func(t *testing.T, f string) { t.Helper(); flip(t, filepath.Join(f, "backup.json"), 0) },
		"no state":       func(t *testing.T, f string) { t.Helper(); remove(t, f, "state.db") },
		"no output":      func(t *testing.T, f string) { t.Helper(); remove(t, f, "output.db") },
		"a bit of state": func(t *testing.T, f string) { t.Helper(); flip(t, filepath.Join(f, "state.db"), 9999) },
		"cut output": func(t *testing.T, f string) {
			t.Helper()
			if err := os.Truncate(filepath.Join(f, "output.db"), 5000); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, data := copyOf(t), t.TempDir()
			spoil(t, folder)
			err := sqlite.Restore(t.Context(), folder, data)
			if err == nil {
				t.Fatal("restored")
			}
			t.Log(err)
			left, err := fs.Glob(os.DirFS(data), "*.*")
			if err != nil || len(left) > 0 {
				t.Errorf("a refused restore left %v, error %v", left, err)
			}
			// The folder is as good as before.
			if err := sqlite.Restore(t.Context(), backup, data); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a store is there", func(t *testing.T) {
		t.Parallel()
		data := t.TempDir()
		s, err := sqlite.Open(t.Context(), data, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Restore(t.Context(), backup, data); !fault.Is(err, fault.Conflict) {
			t.Errorf("got error %v, want a conflict", err)
		}
	})
}

func remove(t *testing.T, folder, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
}

// Pruned output gives its room back to the file system.
func TestPruneOutputShrinks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	size := func(use func(s *sqlite.Store)) int64 {
		s, err := sqlite.Open(t.Context(), folder, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		use(s)
		if err := s.Close(); err != nil { // brings the log into the file
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(folder, "output.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size(func(s *sqlite.Store) {
		noise := make([]byte, 1<<20)
		r := rand.NewChaCha8([32]byte{7})
		for range 8 {
			state := step(t, s, create(t, s, benchRun(1)), run.Succeeded)
			for n := range 2 {
				_, _ = r.Read(noise)
				if _, err := s.AppendOutput(t.Context(), []store.OutputPiece{{Run: state.ID, Job: "job0", N: n, Data: noise}}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	after := size(func(s *sqlite.Store) {
		for n := 1; n > 0; {
			var err error
			if n, err = s.PruneOutput(t.Context(), time.Now().Add(time.Hour), 0, 2); err != nil {
				t.Fatal(err)
			}
		}
	})
	if before < 16<<20 || after > 1<<20 {
		t.Errorf("output.db: %d bytes before pruning, %d after", before, after)
	}
}
