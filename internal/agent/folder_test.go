package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

func TestFolderIsClosedToOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "data")
	f, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got mode %v (%v), want 0700", info.Mode(), err)
	}
	_, err = openFolder(path)
	if want := "pid " + strconv.Itoa(os.Getpid()); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), want) {
		t.Errorf("opened twice: got %v, want a conflict that names %s", err, want)
	}

	loose := t.TempDir()
	if err := os.Chmod(loose, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(loose); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "chmod 0700") {
		t.Errorf("open to others: got %v, want it refused with the command that closes it", err)
	}
}

func TestIncarnationOnlyRises(t *testing.T) {
	t.Parallel()
	f, err := openFolder(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for want := int64(1); want <= 3; want++ {
		if got, err := f.raiseIncarnation(); err != nil || got != want {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
	if err := os.WriteFile(f.file(incarnationFile), []byte("many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := f.raiseIncarnation(); err == nil {
		t.Errorf("damaged file: got %d, want an error", got)
	}
}

func TestPlausible(t *testing.T) {
	t.Parallel()
	good := wire.Attempt{Run: "01abc", Job: "a-job", N: 1}
	for _, a := range []wire.Attempt{
		{},
		{Run: "..", Job: "j", N: 1},
		{Run: "r/..", Job: "j", N: 1},
		{Run: "r", Job: "", N: 1},
		{Run: "r", Job: "j", N: 0},
		{Run: "r\x00", Job: "j", N: 1},
		{Run: strings.Repeat("r", 256), Job: "j", N: 1},
	} {
		if err := plausible(wire.Order{Attempt: a}); err == nil {
			t.Errorf("%+v was taken for an attempt", a)
		}
	}
	for _, name := range []string{"", ".", "..", "../x", "/etc/passwd", "a/../../x", "a//b", "a/", "./a", "a\x00b", strings.Repeat("x", 5000)} {
		if err := plausible(wire.Order{Attempt: good, Inputs: []wire.Artifact{{Job: "j", Name: name}}}); err == nil {
			t.Errorf("%q was taken for an artifact's name", name)
		}
	}
	if err := plausible(wire.Order{Attempt: good, Inputs: []wire.Artifact{{Job: "j", Name: "sub/file.txt"}}}); err != nil {
		t.Errorf("got %v, want it taken", err)
	}
}
