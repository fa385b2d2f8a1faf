//go:build linux

package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// spares are folders of attempts that are over and left nothing in them, to be used again under a new name: on
// common file systems a rename costs a twentieth of making and removing a folder. What is used again is proved to
// be as it was made.
type spares struct {
	folder string

	mu   sync.Mutex
	free []string
	next int
}

const (
	sparePrefix = ".spare."
	maxSpares   = 128
)

// newSpares takes over those that an earlier keeper left.
func newSpares(folder string) *spares {
	s := &spares{folder: folder}
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), sparePrefix)
		if !ok {
			continue
		}
		path := filepath.Join(folder, e.Name())
		if n, err := strconv.Atoi(number); err == nil && len(s.free) < maxSpares && untouched(path) {
			s.next = max(s.next, n+1)
			s.free = append(s.free, path)
			continue
		}
		_ = os.RemoveAll(path)
	}
	return s
}

// use gives a spare folder the name of an attempt. It reports whether there was one.
func (s *spares) use(path string) bool {
	s.mu.Lock()
	n := len(s.free)
	if n == 0 {
		s.mu.Unlock()
		return false
	}
	spare := s.free[n-1]
	s.free = s.free[:n-1]
	s.mu.Unlock()
	if unix.Renameat2(unix.AT_FDCWD, spare, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE) == nil {
		return true
	}
	s.mu.Lock() // the attempt has a folder, with its inputs
	defer s.mu.Unlock()
	s.free = append(s.free, spare)
	return false
}

// keep makes the folder of an attempt a spare one. It reports whether that was possible.
func (s *spares) keep(path string, r removal) bool {
	if r.spool {
		_ = unix.Unlink(filepath.Join(path, "spool"))
	}
	if r.script {
		_ = unix.Unlink(filepath.Join(path, "script"))
	}
	if !untouched(path) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) >= maxSpares {
		return false
	}
	spare := filepath.Join(s.folder, sparePrefix+strconv.Itoa(s.next))
	s.next++
	if unix.Rename(path, spare) != nil {
		return false
	}
	s.free = append(s.free, spare)
	return true
}

// untouched reports whether an attempt's folder is as it was made: an empty working folder, an empty file for
// outputs, ours, with the modes that we gave them, and nothing else.
func untouched(path string) bool {
	dir, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	if n, err := names(dir); err != nil || n != 2 {
		return false
	}
	var st unix.Stat_t
	err = unix.Fstatat(dir, "output", &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || st.Mode != unix.S_IFREG|0o600 || st.Size != 0 || st.Nlink != 1 || int(st.Uid) != os.Geteuid() {
		return false
	}
	work, err := unix.Openat(dir, "work", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(work)
	if unix.Fstat(work, &st) != nil || st.Mode != unix.S_IFDIR|0o700 || int(st.Uid) != os.Geteuid() {
		return false
	}
	if n, err := unix.Flistxattr(work, nil); n != 0 && !errors.Is(err, unix.ENOTSUP) {
		return false
	}
	n, err := names(work)
	return err == nil && n == 0
}

// names counts the entries of an open folder, as far as they fit into one read: more is more than a few.
func names(fd int) (int, error) {
	var buf [2048]byte
	n, err := unix.ReadDirent(fd, buf[:])
	if err != nil {
		return 0, err
	}
	_, count, _ := unix.ParseDirent(buf[:n], -1, nil)
	return count, nil
}
