//go:build unix

package agent

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const (
	checksModes = true
	nonBlock    = unix.O_NONBLOCK
)

var errLocked = errors.New("locked by another process")

func tryLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// room returns how many bytes an ordinary user may still write at path, and how large the file system is.
func room(path string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return whole(st.Bavail) * whole(st.Bsize), whole(st.Blocks) * whole(st.Bsize), nil
}

// whole evens out that each system counts in integers of its own.
func whole[T uint64 | int64 | uint32](n T) int64 { return int64(n) }

// noRoom marks an error that says that the disk is full.
func noRoom(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return errors.Join(errNoRoom, err)
	}
	return err
}
