//go:build linux

package agent

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// A job chooses what lies under the names of its artifacts, and the agent may be root.
func TestUploadOpensNothingOutsideTheFolder(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link": outside, "up": "../" + filepath.Base(filepath.Dir(outside)) + "/secret", "folder-link": filepath.Dir(outside)} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	u := &uploader{folder: func(wire.Attempt) (string, error) { return dir, nil }, log: slog.New(slog.DiscardHandler)}
	for _, name := range []string{"link", "up", "folder-link/secret", "pipe", "folder", "absent", "../secret", outside, ""} {
		if f, err := u.open(wire.Attempt{}, wire.Artifact{Name: name}); !errors.Is(err, errLost) {
			if err == nil {
				f.Close()
			}
			t.Errorf("%q: got %v, want it lost", name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := u.open(wire.Attempt{}, wire.Artifact{Name: "file"})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestLostArtifactIsSaidInTheReport(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	file := filepath.Join(h.data, "keeper", "attempts", "run1.job.1", "work", "changed")
	var once sync.Once
	s.intercept = func(w http.ResponseWriter, r *http.Request) (answered bool) {
		if r.Method == http.MethodPut {
			once.Do(func() {
				// The attempt is over, and its files were hashed: now one of them changes.
				if err := os.WriteFile(file, []byte("OTHER"), 0o600); err != nil {
					t.Error(err)
				}
				http.Error(w, "no room", http.StatusInsufficientStorage)
				answered = true
			})
		}
		return answered
	}
	h.start()
	l := s.linked(1)
	var o orders
	order := o.script("run1", "printf content > kept\nprintf other > changed\n")
	order.Artifacts = []string{"kept", "changed"}
	s.command(l, wire.Commands{Orders: []wire.Order{order}})
	end := s.ended(order.Attempt)
	if end.Reason != "artifact" || !strings.Contains(end.Detail, "changed") || len(end.Artifacts) != 1 || end.Artifacts[0].Name != "kept" {
		t.Errorf("got %+v, want it ended for the reason artifact, with the one that was kept", end)
	}
	if exitCode(end) != "0" {
		t.Errorf("got exit code %s, want the true one, 0", exitCode(end))
	}
}
