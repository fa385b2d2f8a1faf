//go:build linux

package keeper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

func TestOutputIsWhole(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, c := range []struct{ count, chunk int }{
		{1, 1}, {13, 5}, {4096, 4096}, {65536, 1}, {100_000, 333}, {1 << 20, 1 << 16}, {8 << 20, 1 << 20}, {64 << 20, 1 << 18},
	} {
		o := h.order("bytes", self(t), "job", "bytes", strconv.Itoa(c.count), strconv.Itoa(c.chunk))
		r := h.run(o)
		out, lost := h.output(o, wire.Stdout)
		if !bytes.Equal(out, stream64(c.count)) || lost != 0 || r.Lost != 0 {
			t.Errorf("%d bytes by %d: got %d bytes, %d lost", c.count, c.chunk, len(out), lost)
		}
		if st, err := os.Stat(h.client.SpoolPath(o.Attempt)); err != nil || st.Size() != r.Output {
			t.Errorf("%d bytes: the report says %d, the spool has %v, %v", c.count, r.Output, st, err)
		}
		_ = h.client.Forget(o.Attempt)
	}
}

func TestNoOutputNoSpool(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.order("quiet", "true")
	r := h.run(o)
	if _, err := os.Stat(h.client.SpoolPath(o.Attempt)); !os.IsNotExist(err) || r.Output != 0 {
		t.Errorf("got %v and %d bytes, want no spool", err, r.Output)
	}
}

func TestOutputLimit(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.order("bytes", self(t), "job", "bytes", "1000000", "1000")
	o.MaxOutput = 150_001
	r := h.run(o)
	out, lost := h.output(o, wire.Stdout)
	want := stream64(1_000_000)[:150_001]
	if !bytes.Equal(out, want) || lost != 1_000_000-150_001 || r.Lost != lost || *r.ExitCode != 0 || r.Reason != "" {
		t.Errorf("got %d bytes, %d lost, report %+v", len(out), lost, r)
	}
}

func TestSizesFollowTheSpool(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.shell("for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.02; done\n" + untilGo)
	h.start(o)
	var last int64
	news := 0
	for {
		st, err := os.Stat(h.client.SpoolPath(o.Attempt))
		if err == nil && st.Size() == last && last >= 10*wire.RecordHeader {
			break
		}
		select {
		case sizes := <-h.client.Sizes():
			for _, s := range sizes {
				if s.Attempt != o.Attempt || s.Bytes < last {
					t.Errorf("got %+v after %d", s, last)
				}
				last = s.Bytes
			}
			news++
		case <-time.After(10 * time.Second):
			t.Fatalf("no more news after %d bytes", last)
		}
	}
	if news > 15 {
		t.Errorf("%d messages for ten lines: they are to be gathered", news)
	}
	h.open(o, "go")
	h.end(o)
}

func TestArtifacts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.shell("mkdir sub; printf abc > sub/a.txt; echo to the copy\n")
	o.Artifacts, o.Stdout = []string{"sub/a.txt", "logs/out.txt"}, "logs/out.txt"
	r := h.run(o)
	want := "[{ sub/a.txt 3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad} {logs/out.txt"
	if got := fmt.Sprint(r.Artifacts); !strings.HasPrefix(strings.ReplaceAll(got, "{ logs", "{logs"), want) || r.Reason != "" {
		t.Errorf("got %s, reason %q %s", got, r.Reason, r.Detail)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"missing":     "true",
		"a link out":  "ln -s '" + secret + "' f",
		"a folder":    "mkdir f",
		"a pipe":      "mkfifo f",
		"a link away": "ln -s ../output f",
	} {
		o := h.shell(script + "\n")
		o.Artifacts = []string{"f"}
		if r := h.run(o); r.Kind != wire.Ended || r.Reason != "artifact" || *r.ExitCode != 0 || r.Detail == "" {
			t.Errorf("%s: got %+v", name, r)
		}
	}
	o = h.shell("exit 3\n")
	o.Artifacts = []string{"f"}
	if r := h.run(o); r.Reason != "" || *r.ExitCode != 3 {
		t.Errorf("missing after a failure: got %+v", r)
	}
	o = h.shell("exit 3\n")
	o.Artifacts, o.Warn = []string{"f"}, []int{3}
	if r := h.run(o); r.Reason != "artifact" {
		t.Errorf("missing after a warning: got %+v", r)
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.shell("printf 'a=1\\n\\nb=x=y\\na=2\\nlast=no newline' >> \"$REEVE_OUTPUT\"\n")
	if r := h.run(o); fmt.Sprint(r.Outputs) != "[{a 2} {b x=y} {last no newline}]" || r.Reason != "" {
		t.Errorf("got %+v", r)
	}
	for name, script := range map[string]string{
		"no value": `echo hello >> "$REEVE_OUTPUT"`,
		"a name":   `echo 'a b=1' >> "$REEVE_OUTPUT"`,
		"no text":  `printf 'a=\377\n' >> "$REEVE_OUTPUT"`,
		"too many": `i=0; while [ $i -lt 257 ]; do echo "n$i=1"; i=$((i+1)); done >> "$REEVE_OUTPUT"`,
		"too long": `head -c 70000 /dev/zero | tr '\0' a >> "$REEVE_OUTPUT"`,
		"a link":   `rm "$REEVE_OUTPUT"; ln -s /etc/passwd "$REEVE_OUTPUT"`,
		"a pipe":   `rm "$REEVE_OUTPUT"; mkfifo "$REEVE_OUTPUT"`,
	} {
		if r := h.run(h.shell(script + "\n")); r.Reason != "output_limit" || r.Detail == "" || len(r.Outputs) > 0 {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

func TestForgottenFoldersGo(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	attempts := filepath.Join(h.data, "keeper", "attempts")
	var clean, dirty []wire.Order
	for range 5 {
		clean = append(clean, h.order("clean", "true"))
		dirty = append(dirty, h.shell("mkdir -p a/b; touch a/b/c; chmod 0 a/b; echo x; echo y=1 > \"$REEVE_OUTPUT\"\n"))
	}
	h.start(append(clean, dirty...)...)
	for _, o := range append(clean, dirty...) {
		h.end(o)
		if err := h.client.Forget(o.Attempt); err != nil {
			t.Fatal(err)
		}
	}
	running := h.shell(untilGo)
	h.start(running)
	h.begun(running)
	_ = h.client.Forget(running.Attempt) // not over: it stays
	var names []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		names = nil
		entries, _ := os.ReadDir(attempts)
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), sparePrefix) {
				names = append(names, e.Name())
			}
		}
		if len(names) == 1 {
			break
		}
	}
	if len(names) != 1 || names[0] != running.Attempt.Run+".script.1" {
		t.Errorf("left: %v", names)
	}
	// What is used again is as new.
	for range 8 {
		o := h.shell("ls -A; cat \"$REEVE_OUTPUT\"; stat -c %a . \"$REEVE_OUTPUT\"; ls ..\n")
		h.run(o)
		if out, _ := h.output(o, wire.Stdout); string(out) != "700\n600\noutput\nscript\nspool\nwork\n" && string(out) != "700\n600\noutput\nscript\nwork\n" {
			t.Errorf("got %q", out)
		}
	}
	h.open(running, "go")
	h.end(running)
}

// TestFullDisk fills a small file system under running jobs.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	h := newHostAt(t, filepath.Join(dir, "data"))
	const loud = 24 << 20
	o := h.order("bytes", self(t), "job", "bytes", strconv.Itoa(loud), "65536")
	waiting := h.shell(untilGo + "echo said; exit 6\n")
	h.start(waiting)
	h.begun(waiting)
	r := h.run(o) // more than there is room for
	out, lost := h.output(o, wire.Stdout)
	if r.ExitCode == nil || *r.ExitCode != 0 || r.Lost == 0 || int64(len(out))+r.Lost != loud || lost > r.Lost {
		t.Errorf("got %d bytes, %d lost, %d marked: %+v", len(out), r.Lost, lost, r)
	}
	if !bytes.Equal(out, stream64(loud)[:len(out)]) {
		t.Error("what was kept is not the beginning")
	}
	fill(t, filepath.Join(dir, "ballast"))
	refused, err := h.client.Start(context.Background(), []wire.Order{h.order("x", "true")})
	if err != nil || len(refused) != 1 || refused[0].Final || refused[0].Reason != "disk" {
		t.Fatalf("a start without room: got %v, %v", refused, err)
	}
	// The file that lets the job go on has no room: its end is made possible from here.
	if err := os.Remove(h.client.SpoolPath(o.Attempt)); err != nil {
		t.Fatal(err)
	}
	h.open(waiting, "go")
	fill(t, filepath.Join(dir, "ballast2"))
	if r := h.end(waiting); r.ExitCode == nil || *r.ExitCode != 6 {
		t.Errorf("an end on a full disk: got %+v", r)
	}
	h.kill()
	for _, name := range []string{"ballast", "ballast2"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	h.takeOver()
	if r := h.run(h.order("x", "true")); r.ExitCode == nil || *r.ExitCode != 0 {
		t.Errorf("with room again: got %+v", r)
	}
}

func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}
