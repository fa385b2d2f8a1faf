//go:build linux

package keeper

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

const maxValueName = 128

// readOutputs reads the name=value lines that an attempt wrote. The error is a sentence for a person.
func readOutputs(path string) ([]wire.Value, error) {
	// Most write nothing: the look at an empty file costs a third of opening it.
	var is unix.Stat_t
	if unix.Lstat(path, &is) == nil && is.Mode&unix.S_IFMT == unix.S_IFREG && is.Size == 0 {
		return nil, nil
	}
	// What the job made of its file is not trusted: a link, a pipe and a device are refused.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("$REEVE_OUTPUT cannot be read: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("$REEVE_OUTPUT cannot be read: %w", err)
	case !st.Mode().IsRegular():
		return nil, errors.New("$REEVE_OUTPUT is no longer a regular file")
	case st.Size() > wire.MaxOutputs:
		return nil, fmt.Errorf("$REEVE_OUTPUT holds %d bytes, at most %d", st.Size(), wire.MaxOutputs)
	case st.Size() == 0:
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(f, wire.MaxOutputs+1))
	if err != nil {
		return nil, fmt.Errorf("$REEVE_OUTPUT cannot be read: %w", err)
	}
	return parseOutputs(b)
}

// parseOutputs reads name=value lines. An empty line is skipped; of two with one name the later counts.
func parseOutputs(b []byte) ([]wire.Value, error) {
	if len(b) > wire.MaxOutputs {
		return nil, fmt.Errorf("$REEVE_OUTPUT holds more than %d bytes", wire.MaxOutputs)
	}
	var values []wire.Value
	at := map[string]int{}
	number := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		number++
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		switch {
		case !ok || !valueName(name):
			return nil, fmt.Errorf("line %d of $REEVE_OUTPUT is not of the form name=value, with a name of letters, digits, _ and -", number)
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			return nil, fmt.Errorf("the value of %s in $REEVE_OUTPUT is not text", name)
		}
		if i, twice := at[name]; twice {
			values[i].Value = value
			continue
		}
		if len(values) == wire.MaxValues {
			return nil, fmt.Errorf("$REEVE_OUTPUT holds more than %d values", wire.MaxValues)
		}
		at[name] = len(values)
		values = append(values, wire.Value{Name: name, Value: value})
	}
	return values, nil
}

func valueName(s string) bool {
	if s == "" || len(s) > maxValueName {
		return false
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		later := r >= '0' && r <= '9' || r == '-' // not as the first
		if !letter && (i == 0 || !later) {
			return false
		}
	}
	return true
}

// keepArtifacts measures the files that an attempt was to leave and makes them durable. The error names the first
// that is not there.
func keepArtifacts(work string, names []string) ([]wire.Artifact, error) {
	if len(names) == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(work)
	if err != nil {
		return nil, fmt.Errorf("the working folder cannot be opened: %w", err)
	}
	defer root.Close()
	kept := make([]wire.Artifact, 0, len(names))
	for _, name := range names {
		a, err := keepArtifact(root, name)
		if err != nil {
			return kept, err
		}
		kept = append(kept, a)
	}
	return kept, nil
}

func keepArtifact(root *os.Root, name string) (wire.Artifact, error) {
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return wire.Artifact{}, fmt.Errorf("artifact %s is missing: the job did not leave it in its working folder", name)
	}
	if err != nil {
		return wire.Artifact{}, fmt.Errorf("artifact %s cannot be opened: %w", name, err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return wire.Artifact{}, fmt.Errorf("artifact %s is not a regular file", name)
	}
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return wire.Artifact{}, fmt.Errorf("artifact %s cannot be read: %w", name, err)
	}
	return wire.Artifact{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// createCopy makes the file that standard output is written to as well. Nothing of the job runs yet, and the name
// cannot leave the folder.
func createCopy(work, name string, uid, gid int) (*os.File, error) {
	root, err := os.OpenRoot(work)
	if err != nil {
		return nil, fmt.Errorf("opening the working folder: %w", err)
	}
	defer root.Close()
	name = filepath.FromSlash(name)
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("stdout: %q is not a name inside the working folder", name)
	}
	made := ""
	for dir := range strings.SplitSeq(filepath.Dir(name), string(filepath.Separator)) {
		if dir == "." {
			continue
		}
		made = filepath.Join(made, dir)
		if err := root.Mkdir(made, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("making folder %s: %w", made, err)
		}
		if err := root.Lchown(made, uid, gid); err != nil {
			return nil, fmt.Errorf("making folder %s: %w", made, err)
		}
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", name, err)
	}
	if err := f.Chown(uid, gid); err != nil {
		return nil, errors.Join(fmt.Errorf("making %s: %w", name, err), f.Close())
	}
	return f, nil
}
