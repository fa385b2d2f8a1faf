package sqlite

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// TestRefuseWeakerSettings has SQLite give less than what is asked for, for each setting that durability rests on.
func TestRefuseWeakerSettings(t *testing.T) {
	t.Parallel()
	for _, weak := range []pragma{
		{"synchronous", "NORMAL", "2"},
		{"synchronous", "OFF", "2"},
		{"journal_mode", "DELETE", "wal"},
		{"journal_mode", "MEMORY", "wal"},
		{"foreign_keys", "OFF", "1"},
		{"mmap_size", "65536", "0"},
		{"wal_autocheckpoint", "1000", "0"},
	} {
		t.Run(weak.name+"="+weak.set, func(t *testing.T) {
			t.Parallel()
			list := settings(false)
			at := slices.IndexFunc(list, func(p pragma) bool { return p.name == weak.name })
			list[at] = weak
			path := filepath.Join(t.TempDir(), stateFile)
			k, err := newConnector(path, list)
			if err != nil {
				t.Fatal(err)
			}
			_, err = k.open(t.Context())
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), weak.name) {
				t.Errorf("got error %v, want one about %s", err, weak.name)
			}
			// The way that goose and the writer take is the same.
			if err := migrate(t.Context(), k); !fault.Is(err, fault.Invalid) {
				t.Errorf("migrating: got error %v, want a refusal", err)
			}
		})
	}
}

// Every connection of an open store has its settings.
func TestSettingsHold(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, f := range []*file{s.state, s.output} {
		want := settings(f == s.output)
		for range f.opened {
			c := <-f.readers
			if err := c.verify(t.Context(), want); err != nil {
				t.Error(err)
			}
			f.readers <- c
		}
		err := f.writer.do(t.Context(), func(ctx context.Context, c *conn) error { return c.verify(ctx, want) })
		if err != nil {
			t.Error(err)
		}
	}
}

func TestRefuseNewerSchema(t *testing.T) {
	t.Parallel()
	for _, name := range []string{stateFile, outputFile} {
		folder := t.TempDir()
		s, err := Open(t.Context(), folder, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f := s.state
		if name == outputFile {
			f = s.output
		}
		err = f.writer.do(t.Context(), func(ctx context.Context, c *conn) error {
			return c.run(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, newest, err := migrationsOf(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), folder, Options{})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), fmt.Sprintf("%s has schema 99, and this reeve knows only up to %d", name, newest)) {
			t.Errorf("got error %v, want one about the schema of %s", err, name)
		}
	}
}

// The number of migrations is the number of the newest, as migrationsOf takes it.
func TestMigrationsAreNumbered(t *testing.T) {
	t.Parallel()
	for _, name := range []string{stateFile, outputFile} {
		steps, newest, err := migrationsOf(name)
		if err != nil {
			t.Fatal(err)
		}
		list, err := fs.Glob(steps, "*.sql")
		if err != nil || int64(len(list)) != newest || newest == 0 {
			t.Fatalf("migrations of %s: got %v, newest %d, error %v", name, list, newest, err)
		}
		for i, file := range list {
			if want := strings.Repeat("0", 4) + string(rune('1'+i)) + "_"; !strings.HasPrefix(file, want) {
				t.Errorf("migration %d of %s: got %s, want %s…", i+1, name, file, want)
			}
		}
	}
}
