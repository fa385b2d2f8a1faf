//go:build linux

package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
)

// Group commit, in a process and between processes: while one sync is under way others append, and the next sync
// serves all of them. Nobody is answered before a sync that began after its record.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var syncs atomic.Int64
	gate := make(chan chan struct{})
	slow := func(f *os.File) error {
		syncs.Add(1)
		release := make(chan struct{})
		gate <- release
		<-release
		return syncData(f)
	}
	o := Options{Binder: unbound, Alive: func(Owner) Life { return Alive }, sync: slow, stand: time.Minute}
	ledgers := []*Ledger{open(t, dir, o), open(t, dir, o)} // two open ledgers share nothing but the folder
	r := Request{Pool: tcp("p", ports.Range{First: 20000, Last: 20999}), Name: "a", Owner: pretend(1)}
	const n = 20
	done := make(chan error, n)
	start := func(i int) {
		go func() {
			g, err := ledgers[i%2].Lease(t.Context(), r)
			g.Close()
			done <- err
		}()
	}
	start(0)
	first := <-gate // the first sync is under way
	for i := 1; i < n; i++ {
		start(i)
	}
	look := open(t, dir, Options{ReadOnly: true, Alive: o.Alive})
	for len(mustList(t, look)) < n { // all have appended: nobody's sync stands in the way of that
		if err := rest(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if len(done) > 0 {
		t.Error("answered before the disk had it")
	}
	close(first)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	second := <-gate
	if len(done) > 0 {
		t.Error("answered by a sync that began before its record")
	}
	close(second)
	for range n - 1 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if got := syncs.Load(); got != 2 {
		t.Errorf("%d grants took %d syncs, want 2", n, got)
	}
}

// A sync that fails is told: nothing is granted that the disk may not have, and what was bound is let go. After it the
// ledger is written anew, because the system may have forgotten what it could not write.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr := loopback()
	var broken atomic.Bool
	o := Options{sync: func(f *os.File) error {
		if broken.Load() {
			return syscall.EIO
		}
		return syncData(f)
	}}
	l := open(t, dir, o)
	r := Request{Pool: tcp("p", block(t, addr, 2)), Name: "a", Owner: Self("test", ""), Address: addr}
	must(t, l, r)
	broken.Store(true)
	if g, err := l.Lease(t.Context(), named(r, "b")); !errors.Is(err, syscall.EIO) {
		g.Close()
		t.Fatalf("got %v", err)
	}
	if !vacantBlock(addr, int(r.Pool.Ranges[0].Last), 1) {
		t.Error("the port of a refused grant is still bound")
	}
	broken.Store(false)
	id := l.journal.head.id
	if g := must(t, l, named(r, "c")); g.Lease.Port != r.Pool.Ranges[0].Last {
		t.Errorf("got %d", g.Lease.Port)
	}
	if l.journal.head.id == id {
		t.Error("the file was not written anew")
	}
	if got := find(t, open(t, dir, Options{}), "b"); got.Port != 0 {
		t.Errorf("the lease that was refused is there: %+v", got)
	}
}

// A full disk grants nothing and says so; what is leased stays, can be renewed and given back; with room it goes on. The
// disk is a real file system of one megabyte.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	l := open(t, filepath.Join(dir, "ledger"), Options{Binder: unbound, Alive: func(Owner) Life { return Alive }})
	r := Request{Pool: tcp("p", ports.Range{First: 10000, Last: 60000}), Name: "a", Owner: pretend(1)}
	r.Pool.Hold.Min = time.Hour
	first := must(t, l, r)
	first.Close()
	hog := filepath.Join(dir, "hog")
	if err := os.WriteFile(hog, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	granted := []Lease{first.Lease}
	for {
		g, err := l.Lease(t.Context(), r)
		if err == nil {
			g.Close()
			granted = append(granted, g.Lease)
			if len(granted) > 10000 {
				t.Fatal("the disk is never full")
			}
			continue
		}
		if got := wantRefusal(t, g, err, NoRoom); !strings.Contains(got.Error(), "make room") || !errors.Is(got, syscall.ENOSPC) {
			t.Errorf("got %v", got)
		}
		break
	}
	for _, lease := range granted[:20] {
		if err := errors.Join(l.Renew(t.Context(), lease.ID, lease.Fence), l.Release(t.Context(), lease.ID, lease.Fence, "done")); err != nil {
			t.Fatal(err)
		}
	}
	if all := mustList(t, open(t, l.dir, Options{Alive: l.opts.Alive})); len(all) != len(granted) {
		t.Errorf("%d leases, want %d", len(all), len(granted))
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	must(t, l, r)
}

// F81: what the folder allows is asked of the system, for each of its parts, as a user without privileges.
func TestPermissions(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("becoming another user needs root")
	}
	base, err := os.MkdirTemp("", "reeve-permissions-") //nolint:usetesting // t.TempDir lies below a folder that only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"own":               {func(string) error { return nil }, "granted, 2 leases"},
		"no entry":          {func(dir string) error { return os.Chmod(dir, 0o600) }, "denied, denied"},
		"not another's":     {func(dir string) error { return errors.Join(os.Chown(dir, 0, 0), os.Chmod(dir, 0o700)) }, "denied, denied"},
		"read the folder":   {func(dir string) error { return os.Chmod(dir, 0o500) }, "granted, 2 leases"},
		"read the file":     {func(dir string) error { return os.Chmod(filepath.Join(dir, journalFile), 0o400) }, "denied, 1 leases"},
		"not the file":      {func(dir string) error { return os.Chmod(filepath.Join(dir, journalFile), 0) }, "denied, denied"},
		"not the lock":      {func(dir string) error { return os.Chmod(filepath.Join(dir, lockFile), 0) }, "denied, 1 leases"},
		"not the marks":     {func(dir string) error { return os.Chmod(filepath.Join(dir, syncFile), 0) }, "denied, 1 leases"},
		"nothing there yet": {func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Chmod(base, 0o755)) }, "denied, 0 leases"},
	} {
		dir := filepath.Join(base, strings.ReplaceAll(name, " ", "-"))
		l, err := Open(dir, Options{Binder: unbound, Alive: func(Owner) Life { return Alive }})
		if err != nil {
			t.Fatal(err)
		}
		must(t, l, Request{Pool: tcp("p", ports.Range{First: 20000, Last: 20009}), Name: "root", Owner: pretend(1)})
		l.Close()
		for _, path := range []string{dir, filepath.Join(dir, journalFile), filepath.Join(dir, lockFile), filepath.Join(dir, syncFile)} {
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.change(dir); err != nil {
			t.Fatal(err)
		}
		exe := filepath.Join(base, "program")
		if _, err := os.Stat(exe); err != nil {
			program, err := os.ReadFile("/proc/self/exe")
			if err = errors.Join(err, os.WriteFile(exe, program, 0o755)); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(exe, dir)
		cmd.Dir, cmd.Env = "/", []string{childVariable + "=permissions"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// childPermissions says what a user without privileges can do with a ledger.
func childPermissions(args []string) error {
	everybody := func(Owner) Life { return Alive }
	say := func(l *Ledger, err error, what func() (string, error)) string {
		text := ""
		if err == nil {
			defer l.Close()
			text, err = what()
		}
		var r *Refusal
		switch {
		case errors.As(err, &r) && r.Outcome == NoPermission && strings.Contains(err.Error(), "--ledger"):
			return "denied"
		case err != nil:
			return err.Error()
		}
		return text
	}
	l, err := Open(args[0], Options{Binder: unbound, Alive: everybody})
	granted := say(l, err, func() (string, error) {
		g, err := l.Lease(context.Background(), Request{Pool: tcp("p", ports.Range{First: 20000, Last: 20009}), Name: "nobody", Owner: pretend(2)})
		g.Close()
		return "granted", err
	})
	m, err := Open(args[0], Options{ReadOnly: true, Alive: everybody})
	listed := say(m, err, func() (string, error) {
		all, err := m.Leases(context.Background())
		return fmt.Sprintf("%d leases", len(all)), err
	})
	fmt.Printf("%s, %s\n", granted, listed)
	return nil
}
