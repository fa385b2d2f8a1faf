package sockettest

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock locks one byte of the file. The lock belongs to the open file, so two tests of one process exclude each
// other too; it ends when the file is closed, also by the process's death.
func tryLock(f *os.File, port int) bool {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: int64(port), Len: 1}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock) == nil
}
