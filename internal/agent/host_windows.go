package agent

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const (
	checksModes = false // Windows keeps rights in access lists, which os.FileMode does not show
	nonBlock    = 0     // it has no pipes among files
)

var errLocked = errors.New("locked by another process")

func tryLock(f *os.File) error {
	// The byte that is locked lies far behind the pid, which others must be able to read.
	at := &windows.Overlapped{Offset: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// Windows writes the folder's entry with the file.
func syncFolder(string) error { return nil }

// room returns how many bytes this user may still write at path, and how large the file system is.
func room(path string) (free, total int64, err error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, 0, err
	}
	var mine, all, unused uint64
	if err := windows.GetDiskFreeSpaceEx(p, &mine, &all, &unused); err != nil {
		return 0, 0, err
	}
	return int64(mine), int64(all), nil
}

// noRoom marks an error that says that the disk is full.
func noRoom(err error) error {
	if errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) {
		return errors.Join(errNoRoom, err)
	}
	return err
}
