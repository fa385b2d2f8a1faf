package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// refused opens a folder that must be refused, and returns what is said.
func refused(t *testing.T, folder string, kind fault.Kind) string {
	t.Helper()
	s, err := sqlite.Open(t.Context(), folder, sqlite.Options{})
	if err == nil {
		_ = s.Close()
		t.Fatal("the store was opened")
	}
	if got := fault.KindOf(err); got != kind {
		t.Errorf("kind of %q: got %d, want %d", err, got, kind)
	}
	return err.Error()
}

func wantText(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("got %q, want %q in it", got, part)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := sqlite.Open(t.Context(), folder, sqlite.Options{Now: func() time.Time { return time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, refused(t, folder, fault.Conflict), folder, "in use by another server", fmt.Sprintf("pid %d since 2026-03-14T00:00:00Z", os.Getpid()), "stop that server")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, folder) // the lock went with the store
}

func TestOpenBesideAnotherProcess(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	cmd := child(t, "hold", folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("child said %q, error %v", line, err)
	}
	wantText(t, refused(t, folder, fault.Conflict), fmt.Sprintf("pid %d since", cmd.Process.Pid))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	open(t, folder) // a killed server leaves no lock
}

func holdOpen(folder string) error {
	if _, err := sqlite.Open(context.Background(), folder, sqlite.Options{}); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, "open")
	select {}
}

func TestModes(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a", "data")
	s := open(t, folder)
	create(t, s, benchRun(1))
	seen := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s: got %o, want %o", path, got, want)
		}
		seen++
		return nil
	})
	if err != nil || seen < 7 {
		t.Errorf("saw %d files, error %v", seen, err)
	}
}

func TestOpenWithoutRights(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), filepath.Join(file, "data"), sqlite.Options{}); err == nil {
		t.Error("a folder below a file was opened")
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "state.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), folder, sqlite.Options{}); err == nil {
		t.Error("a folder was opened as a database")
	}
}

// A path with characters that mean something in a URI is a path.
func TestOpenOddPath(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a b?c=d&_synchronous=OFF%20#x'")
	s := open(t, folder)
	create(t, s, benchRun(1))
	if _, err := os.Stat(filepath.Join(folder, "state.db")); err != nil {
		t.Error(err)
	}
}

func TestAfterClose(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), store.Batch{Epoch: 1}); err == nil {
		t.Error("a closed store took a commit")
	}
	if _, err := s.OpenRuns(t.Context()); err == nil {
		t.Error("a closed store was read")
	}
}

func TestRefuseForeignFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text := strings.Repeat("this is no database\n", 1000)
	if err := os.WriteFile(filepath.Join(folder, "state.db"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	wantText(t, refused(t, folder, fault.Internal), "state.db is damaged", "restore a backup")
	got, err := os.ReadFile(filepath.Join(folder, "state.db"))
	if err != nil || string(got) != text {
		t.Errorf("the refused file was changed, error %v", err)
	}
}

// TestDamage flips bytes and cuts files at random: whatever is damaged, the answer is an error or data, never a panic,
// and nothing is deleted.
func TestDamage(t *testing.T) {
	t.Parallel()
	sound := t.TempDir()
	s, err := sqlite.Open(t.Context(), sound, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		state := step(t, s, create(t, s, benchRun(3)), run.Succeeded)
		data := []byte(strings.Repeat("some output of "+state.ID+"\n", 200))
		if _, err := s.AppendOutput(t.Context(), []store.OutputPiece{{Run: state.ID, Job: "job0", N: 1, Data: data}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	noticed := 0
	for range 60 {
		folder := t.TempDir()
		name := []string{"state.db", "output.db"}[r.IntN(2)]
		for _, each := range []string{"state.db", "output.db"} {
			b, err := os.ReadFile(filepath.Join(sound, each))
			if err != nil {
				t.Fatal(err)
			}
			if each == name {
				b = damage(r, b)
			}
			if err := os.WriteFile(filepath.Join(folder, each), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := useAll(t.Context(), folder); err != nil {
			noticed++
			if strings.Contains(err.Error(), "panic") {
				t.Error(err)
			}
		}
	}
	if noticed < 20 {
		t.Errorf("damage was noticed in %d of 60 files", noticed)
	}
}

func damage(r *rand.Rand, b []byte) []byte {
	if r.IntN(4) == 0 {
		return b[:r.IntN(len(b))]
	}
	for range 1 + r.IntN(50) {
		b[r.IntN(len(b))] ^= byte(1 << r.IntN(8))
	}
	return b
}

// useAll opens a folder, reads all runs and outputs, writes, and closes.
func useAll(ctx context.Context, folder string) (err error) {
	s, err := sqlite.Open(ctx, folder, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	list, err := s.ListRuns(ctx, store.RunQuery{Limit: 1000})
	for _, one := range list {
		_, rerr := s.Run(ctx, one.ID)
		data, size, oerr := s.ReadOutput(ctx, one.ID, "job0", 1, 0, 1<<20)
		if oerr == nil && int64(len(data)) != size {
			oerr = io.ErrUnexpectedEOF
		}
		err = errors.Join(err, rerr, oerr)
	}
	_, merr := s.OpenRuns(ctx)
	_, cerr := s.Commit(ctx, store.Batch{Epoch: 1, Runs: []store.RunWrite{{State: benchRun(1)}}})
	return errors.Join(err, merr, cerr)
}
