package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// shelf is where a cache under test fetches from.
type shelf struct {
	content map[string][]byte
	fetched atomic.Int32
}

func (s *shelf) put(text string) wire.Artifact {
	sum := sha256.Sum256([]byte(text))
	sha := hex.EncodeToString(sum[:])
	if s.content == nil {
		s.content = map[string][]byte{}
	}
	s.content[sha] = []byte(text)
	return wire.Artifact{Job: "job", Name: "file", Size: int64(len(text)), SHA256: sha}
}

func (s *shelf) get(_ context.Context, sha string) (io.ReadCloser, error) {
	s.fetched.Add(1)
	data, ok := s.content[sha]
	if !ok {
		return nil, errGone
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func newCache(t *testing.T, dir string, limit int64) *cache {
	t.Helper()
	var mu sync.Mutex
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c, err := openCache(dir, limit, 0, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCacheFetchesOnceAndCopies(t *testing.T) {
	t.Parallel()
	var s shelf
	a := s.put("content")
	dir, out := t.TempDir(), t.TempDir()
	c := newCache(t, dir, 1<<20)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if err := c.place(t.Context(), a, filepath.Join(out, string(rune('a'+i))), s.get); err != nil {
				t.Errorf("place: %v", err)
			}
		})
	}
	group.Wait()
	if got := s.fetched.Load(); got != 1 {
		t.Errorf("fetched %d times, want 1", got)
	}
	// A job that changes its copy changes nobody else's.
	if err := os.WriteFile(filepath.Join(out, "a"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := newCache(t, dir, 1<<20) // the agent was restarted
	if err := again.place(t.Context(), a, filepath.Join(out, "z"), s.get); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(out, "z")); err != nil || string(text) != "content" || s.fetched.Load() != 1 {
		t.Errorf("got %q (%v) after %d fetches, want content after 1", text, err, s.fetched.Load())
	}
}

func TestCacheRefusesWhatWasNotAnnounced(t *testing.T) {
	t.Parallel()
	var s shelf
	good := s.put("content")
	longer, shorter, other, absent := good, good, s.put("contents"), good
	longer.Size, shorter.Size = good.Size+1, good.Size-1
	s.content[other.SHA256] = []byte("CONTENTS")
	absent.SHA256 = strings.Repeat("0", 64)
	dir := t.TempDir()
	c := newCache(t, dir, 1<<20)
	for name, a := range map[string]wire.Artifact{
		"longer": longer, "shorter": shorter, "other content": other, "absent": absent, "no hash": {Size: 1, SHA256: "../../etc/passwd"},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := c.place(t.Context(), a, path, s.get); !errors.Is(err, errGone) {
			t.Errorf("%s: got %v, want it gone for good", name, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s: a file was left", name)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%d files are left in the cache (%v), want 0", len(entries), err)
	}
}

func TestCacheFetchesAnewWhatRotted(t *testing.T) {
	t.Parallel()
	var s shelf
	a := s.put("content")
	dir := t.TempDir()
	c := newCache(t, dir, 1<<20)
	path := filepath.Join(t.TempDir(), "file")
	if err := c.place(t.Context(), a, path, s.get); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, a.SHA256), []byte("contEnt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.place(t.Context(), a, path, s.get); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "content" {
		t.Errorf("got %q (%v), want content", text, err)
	}
}

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	var s shelf
	one, two, three := s.put(strings.Repeat("1", 40)), s.put(strings.Repeat("2", 40)), s.put(strings.Repeat("3", 40))
	c := newCache(t, t.TempDir(), 100)
	place := func(a wire.Artifact) {
		t.Helper()
		if err := c.place(t.Context(), a, filepath.Join(t.TempDir(), "file"), s.get); err != nil {
			t.Fatal(err)
		}
	}
	place(one)
	place(two)
	place(one)
	place(three) // no room for all: two goes
	if got := s.fetched.Load(); got != 3 {
		t.Fatalf("fetched %d times, want 3", got)
	}
	place(one)
	if got := s.fetched.Load(); got != 3 {
		t.Errorf("what was used last was fetched again: %d fetches, want 3", got)
	}
	place(two)
	if got := s.fetched.Load(); got != 4 {
		t.Errorf("got %d fetches, want 4", got)
	}
	if c.size > c.limit {
		t.Errorf("the cache holds %d bytes, at most %d", c.size, c.limit)
	}
}

func TestCacheSaysThatThereIsNoRoom(t *testing.T) {
	t.Parallel()
	var s shelf
	a := s.put("content")
	c := newCache(t, t.TempDir(), 1<<20)
	c.reserve = 1 << 60
	if err := c.place(t.Context(), a, filepath.Join(t.TempDir(), "file"), s.get); !errors.Is(err, errNoRoom) {
		t.Errorf("got %v, want no room", err)
	}
}
