package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// TestFullDisk runs a store on a file system of 4 MiB, in a mount namespace of its own that needs no rights.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	cmd := child(t, "full", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.Output()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func fillDisk(folder string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=4m"); err != nil {
		return fmt.Errorf("mounting: %w", err)
	}
	ctx := context.Background()
	s, err := sqlite.Open(ctx, folder, sqlite.Options{})
	if err != nil {
		return err
	}
	for round := range 3 {
		stored, err := fillUp(ctx, s, round)
		if err != nil {
			return err
		}
		if err := stillThere(ctx, s, stored); err != nil {
			return err
		}
		// What has no room is refused each time, and reading goes on.
		for range 5 {
			if _, err := s.Commit(ctx, fat("refused")); !errors.Is(err, store.ErrDisk) {
				return fmt.Errorf("commit on a full disk: got error %w", err)
			}
		}
		if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%dm", 8*(round+1))); err != nil {
			return fmt.Errorf("growing: %w", err)
		}
		if _, err := s.Commit(ctx, fat(fmt.Sprint("after", round))); err != nil {
			return fmt.Errorf("commit with room again: %w", err)
		}
		if _, err := s.Run(ctx, "refused"); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("a refused run: got error %w", err)
		}
		_, _ = fmt.Fprintln(os.Stdout, "round", round, "stored", len(stored))
	}
	select {
	case err := <-s.Fatal():
		return fmt.Errorf("a full disk was taken for a failed one: %w", err)
	default:
	}
	if err := s.Close(); err != nil {
		return err
	}
	// Without any room a store is not opened, and said so; what is in the folder stays.
	if err := os.WriteFile(filepath.Join(folder, "ballast"), make([]byte, 64<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("ballast: got error %w", err)
	}
	if _, err := sqlite.Open(ctx, folder, sqlite.Options{}); !errors.Is(err, store.ErrDisk) {
		return fmt.Errorf("opening without room: got error %w", err)
	}
	if err := os.Remove(filepath.Join(folder, "ballast")); err != nil {
		return err
	}
	if s, err = sqlite.Open(ctx, folder, sqlite.Options{}); err != nil {
		return err
	}
	return errors.Join(stillThere(ctx, s, []string{"after0", "after1", "after2"}), s.Close())
}

// fat is a batch that needs room: 64 KiB that SQLite cannot make smaller.
func fat(id string) store.Batch {
	state := run.State{ID: id, Net: "n", Status: run.Running, Created: time.Now(), Jobs: []run.Job{{Name: "job0", Detail: strings.Repeat("x", 64<<10)}}}
	return store.Batch{Epoch: 1, Runs: []store.RunWrite{{State: state}}}
}

// fillUp commits and appends until both are refused for want of room.
func fillUp(ctx context.Context, s *sqlite.Store, round int) (stored []string, err error) {
	output := []byte(strings.Repeat("0123456789abcdef", 4<<10))
	for i := range output {
		output[i] ^= byte(i * 7919 >> 5)
	}
	full, offset := false, int64(0)
	for i := 0; ; i++ {
		id := fmt.Sprintf("r%d-%d", round, i)
		_, err := s.Commit(ctx, fat(id))
		switch {
		case err == nil:
			stored = append(stored, id)
		case !errors.Is(err, store.ErrDisk):
			return nil, fmt.Errorf("filling: %w", err)
		}
		sizes, oerr := s.AppendOutput(ctx, []store.OutputPiece{{Run: fmt.Sprint(round), Job: "j", N: 1, Offset: offset, Data: output}})
		switch {
		case oerr == nil:
			offset = sizes[0]
		case !errors.Is(oerr, store.ErrDisk):
			return nil, fmt.Errorf("filling with output: %w", oerr)
		}
		if err != nil && oerr != nil {
			if full {
				return stored, nil
			}
			full = true // and once more, to see that it stays so
		}
	}
}

func stillThere(ctx context.Context, s *sqlite.Store, ids []string) error {
	for _, id := range ids {
		if _, err := s.Run(ctx, id); err != nil {
			return fmt.Errorf("what was acknowledged: %w", err)
		}
	}
	return nil
}

// TestFailedSync has the kernel fail every sync of a process: the commit fails, Fatal says so, and nothing is
// written or synced after it.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	out, err := child(t, "sync", folder).Output()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	s := open(t, folder) // another process may recover what is there
	if _, err := s.Run(t.Context(), "good"); err != nil {
		t.Error(err)
	}
}

func failSyncs(folder string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, folder, sqlite.Options{})
	if err != nil {
		return err
	}
	if _, err := s.Commit(ctx, fat("good")); err != nil {
		return err
	}
	if err := denySync(); err != nil {
		return fmt.Errorf("denying syncs: %w", err)
	}
	_, err = s.Commit(ctx, fat("bad"))
	if err == nil || errors.Is(err, store.ErrDisk) {
		return fmt.Errorf("commit with a failed sync: got error %w", err)
	}
	_, _ = fmt.Fprintln(os.Stdout, err)
	select {
	case err := <-s.Fatal():
		_, _ = fmt.Fprintln(os.Stdout, "fatal:", err)
	default:
		return errors.New("a failed sync is not fatal")
	}
	before, err := os.ReadFile(filepath.Join(folder, "state.db-wal"))
	if err != nil {
		return err
	}
	if _, err := s.Commit(ctx, fat("after")); err == nil {
		return errors.New("a commit after a failed sync was acknowledged")
	}
	after, err := os.ReadFile(filepath.Join(folder, "state.db-wal"))
	if err != nil {
		return err
	}
	if string(before) != string(after) {
		return errors.New("the log was written after a failed sync")
	}
	return nil
}

// denySync makes fsync and fdatasync of this process answer EIO.
func denySync() error {
	const load, equal, answer = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	program := []unix.SockFilter{
		{Code: load, K: 0}, // the number of the system call
		{Code: equal, K: unix.SYS_FSYNC, Jt: 1},
		{Code: equal, K: unix.SYS_FDATASYNC, Jf: 1},
		{Code: answer, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EIO)},
		{Code: answer, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}
