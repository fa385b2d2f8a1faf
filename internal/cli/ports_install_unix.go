//go:build unix

package cli

import (
	"errors"
	"os"
	"syscall"
)

// names is how many names a file has in its file system.
func names(info os.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Nlink)
	}
	return 1
}

// giveTo gives a file the owner of another one.
func giveTo(file *os.File, like os.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return nil
	}
	return file.Chown(int(st.Uid), int(st.Gid))
}

// mounted reports whether a file could not be replaced because something is mounted on it, as containers do.
func mounted(err error) bool { return errors.Is(err, syscall.EBUSY) }
