package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// maxSocketPath is what fits a Unix socket's address.
const maxSocketPath = 107

// listenLocal opens the Unix socket for local administration. A path that is too long for a socket is reached by a
// short one: a link to its folder below the system's folder for temporary files.
func listenLocal(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the old socket: %w", err)
	}
	short, clean, err := ShortPath(path)
	if err != nil {
		return nil, err
	}
	defer clean()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "opening the socket for local administration", err)
	}
	l.SetUnlinkOnClose(false) // the next start removes it: a short path is gone by then
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protecting the socket for local administration: %w", err), l.Close())
	}
	return l, nil
}

// ShortPath returns a path to the same file that fits a Unix socket's address, and what removes it again.
func ShortPath(path string) (short string, clean func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	folder, err := os.MkdirTemp("", "reeve-")
	if err != nil {
		return "", nil, fmt.Errorf("making a short path for a socket: %w", err)
	}
	clean = func() { _ = os.RemoveAll(folder) }
	absolute, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		err = os.Symlink(absolute, filepath.Join(folder, "d"))
	}
	if err != nil {
		clean()
		return "", nil, fmt.Errorf("making a short path for a socket: %w", err)
	}
	return filepath.Join(folder, "d", filepath.Base(path)), clean, nil
}
