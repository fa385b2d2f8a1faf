package cli

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// zonesWith writes a time zone database in which Berlin is another zone.
func zonesWith(t *testing.T, folder, version, berlin string) string {
	t.Helper()
	text, err := calendar.BuiltinZip()
	if err != nil {
		t.Fatal(err)
	}
	from, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	to := zip.NewWriter(&out)
	for name, source := range map[string]string{"Europe/Berlin": berlin, "UTC": "UTC", "+VERSION": ""} {
		content := []byte(version)
		if source != "" {
			f, err := from.Open(source)
			if err != nil {
				t.Fatal(err)
			}
			if content, err = io.ReadAll(f); err != nil {
				t.Fatal(err)
			}
		}
		w, err := to.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, version+".zip")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// By two time zone databases the same file is compared: with that of this program, or with a newer one that is named.
func TestDiffOfTimeZoneDatabases(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "net.yaml")
	const net = "net: a/b\nschedules:\n  - {name: berlin, cron: \"0 6 * * *\", zone: Europe/Berlin}\n  - {name: utc, cron: \"0 6 * * *\"}\njobs: [{name: x, command: [\"true\"]}]\n"
	if err := os.WriteFile(file, []byte(net), 0o600); err != nil {
		t.Fatal(err)
	}
	older, newer := zonesWith(t, folder, "2001a", "Europe/London"), zonesWith(t, folder, "2001b", "Europe/Athens")
	for name, one := range map[string]struct {
		args  []string
		by    string
		later time.Duration
	}{
		"with this program's": {[]string{file}, "tzdata 2001a, and then " + calendar.Builtin().Version(), -time.Hour},
		"with a newer one":    {[]string{newer, file}, "tzdata 2001a, and then 2001b", -2 * time.Hour},
	} {
		a := &app{}
		got, by, err := a.diffHere(one.args, 3, &localDiff{tzdata: older})
		if err != nil || len(got) != 2 {
			t.Errorf("%s: got %+v, %v", name, got, err)
			continue
		}
		if by != one.by {
			t.Errorf("%s: by %q, want %q", name, by, one.by)
		}
		berlin, utc := got[0], got[1]
		if berlin.Change != "changed" || berlin.Cause != "tzdata" || berlin.Moved < 88 || berlin.Added+berlin.Removed+berlin.Same > 2 {
			t.Errorf("%s: got %+v", name, berlin)
		} else if e := berlin.Examples[len(berlin.Examples)-1]; e.Before == nil || e.After == nil || e.After.Sub(*e.Before) != one.later {
			t.Errorf("%s: got %+v", name, e)
		}
		if utc.Change != "unchanged" || utc.Moved+utc.Added+utc.Removed > 0 {
			t.Errorf("%s: got %+v", name, utc)
		}
	}
	if _, _, err := (&app{}).diffHere([]string{newer}, 3, &localDiff{tzdata: older}); err == nil {
		t.Error("a comparison of no file was taken")
	}
}

// A database as Go distributes it does not say of which version it is, and is taken: the help says so.
func TestDiffByTheZipOfGo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "net.yaml")
	if err := os.WriteFile(file, []byte("net: a/b\nschedules:\n  - {name: berlin, cron: \"0 6 * * *\", zone: Europe/Berlin}\njobs: [{name: x, command: [\"true\"]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	goroot, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	given := filepath.Join(strings.TrimSpace(string(goroot)), "lib/time/zoneinfo.zip")
	got, by, err := (&app{}).diffHere([]string{file}, 3, &localDiff{tzdata: given})
	if err != nil || len(got) != 1 || got[0].Change != "unchanged" || got[0].Same < 88 {
		t.Errorf("got %+v, %v", got, err)
	}
	if !strings.HasPrefix(by, "tzdata ") || !strings.HasSuffix(by, ", and then "+calendar.Builtin().Version()) {
		t.Errorf("by %q", by)
	}
}
