package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const maxFile = 64 << 10 // no file of this package is near it

// readPrivate reads a file that only its owner may read, and refuses one that others could have read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.Newf(fault.Invalid, "%s is not a regular file", path)
	}
	if err := checkMode(path, info, "600"); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fault.Newf(fault.Invalid, "%s is larger than %d bytes", path, maxFile)
	}
	return data, nil
}

// privateDir makes dir where it is missing, and refuses one that others may enter.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at folder: %w", err)
	}
	if !info.IsDir() {
		return fault.Newf(fault.Invalid, "%s is not a folder", dir)
	}
	return checkMode(dir, info, "700")
}

func checkMode(path string, info fs.FileInfo, want string) error {
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 { // Windows keeps rights in lists, not in a mode
		return nil
	}
	return fault.New(fault.Invalid, fmt.Sprintf("%s has mode %04o: others than its owner can reach a secret", path, info.Mode().Perm()),
		fmt.Sprintf("if nobody else has read it, run chmod %s %s; else remove it and make a new one", want, path))
}

// writeNew writes a file that must not exist yet, whole or not at all. It returns fs.ErrExist where it does.
func writeNew(path string, data []byte) error {
	return writeWhole(path, data, func(temp string) error {
		err := os.Link(temp, path) // unlike a rename, a link never replaces
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("naming %s: %w", path, err)
		}
		return err
	})
}

// replace writes a file, whole or not at all, over the one that may be there.
func replace(path string, data []byte) error {
	return writeWhole(path, data, func(temp string) error { return os.Rename(temp, path) })
}

func writeWhole(path string, data []byte, place func(temp string) error) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("making temporary file: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := place(file.Name()); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // a folder cannot be synced there
		return nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing folder: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
