//go:build unix

package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// noRoom says what was being done, and tells a full disk from other trouble.
func noRoom(doing string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return &Refusal{Outcome: NoRoom, Text: "the disk of the ledger is full: " + doing + "; make room, and ask again", Err: err}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// flock is a lock of the kernel on a file: it belongs to the open file, has no content, and is gone with its holder,
// whatever ended it (F80). Its methods may not be called at once.
type flock struct {
	path string
	file *os.File
	info os.FileInfo // of it
	slow *os.File    // a lock that had to be waited for has a file of its own
}

func openLock(path string) (*flock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return &flock{path: path, file: f, info: info}, err
}

func (k *flock) close() {
	_ = k.file.Close() // nothing is written to it
}

// current reports whether the file under the name is still the one that is locked.
func (k *flock) current() bool {
	now, err := os.Stat(k.path)
	return err == nil && os.SameFile(k.info, now)
}

// lock takes the lock. It waits until ctx ends, at most as long as patience, and then says who has it.
func (k *flock) lock(ctx context.Context, patience time.Duration) error {
	err := flockRetry(k.file, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("locking the ledger: %w", err)
	}
	// The kernel's own queue is fair and wakes at once, but a system call cannot be called off: it waits on a file of
	// its own, which a waiter that gives up leaves behind to be closed.
	f, err := os.OpenFile(k.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("locking the ledger: %w", err)
	}
	got := make(chan error, 1)
	go func() { got <- flockRetry(f, unix.LOCK_EX) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-got:
		if err != nil {
			return errors.Join(fmt.Errorf("locking the ledger: %w", err), f.Close())
		}
		k.slow = f
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = &Refusal{Outcome: LockStuck, Text: "the lock of the ledger is not let go by " + lockHolder(f) + "; continue or end that process"}
	}
	go func() {
		late := <-got                    // nobody waits for it any more
		_ = errors.Join(late, f.Close()) // lets it go again
	}()
	return err
}

// unlock lets the lock go.
func (k *flock) unlock() {
	if k.slow != nil {
		_ = k.slow.Close() // closing unlocks
		k.slow = nil
		return
	}
	_ = flockRetry(k.file, unix.LOCK_UN) // cannot fail on an open file
}

func flockRetry(f *os.File, how int) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = conn.Control(func(fd uintptr) {
		for result = unix.EINTR; errors.Is(result, unix.EINTR); {
			result = unix.Flock(int(fd), how)
		}
	})
	return errors.Join(err, result)
}
