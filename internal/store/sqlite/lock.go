package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// lockFile is held for the life of a store. The kernel lets go of it when the process ends, however it ends;
// the file itself stays.
const lockFile = "lock"

// errHeld says that another process, or another store of this one, holds the lock.
var errHeld = errors.New("held by another")

// lock takes the folder for this process and writes down who holds it since when.
func lock(folder string, now time.Time) (*os.File, error) {
	path := filepath.Join(folder, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Msg: "locking the data folder", Err: err, Fix: "give a folder that this user may write"}
	}
	if err := patientLock(f); err != nil {
		holder := readHolder(path)
		cerr := f.Close()
		if errors.Is(err, errHeld) {
			return nil, fault.New(fault.Conflict, fmt.Sprintf("data folder %s is in use by another server%s", folder, holder),
				"stop that server, or give this one a folder of its own")
		}
		return nil, fmt.Errorf("locking %s: %w", path, errors.Join(err, cerr))
	}
	text := fmt.Sprintf("pid %d since %s\n", os.Getpid(), now.UTC().Format(time.RFC3339))
	if err := errors.Join(f.Truncate(0), writeAt(f, text)); err != nil {
		return nil, errors.Join(fmt.Errorf("writing %s: %w", path, diskError(err)), f.Close())
	}
	return f, nil
}

// lockPatience is how long a lock may outlive its holder: a process that the holder was just making has a copy of the
// descriptor from its fork to its exec.
const (
	lockPatience = time.Second
	lockLook     = 20 * time.Millisecond
)

func patientLock(f *os.File) error {
	deadline := time.Now().Add(lockPatience)
	for {
		err := lockDescriptor(f)
		if !errors.Is(err, errHeld) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(lockLook)
	}
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// readHolder returns " (pid N since T)", or nothing where the file does not say: its holder is just writing it.
func readHolder(path string) string {
	b, err := os.ReadFile(path)
	text := strings.TrimSpace(string(b))
	if err != nil || !strings.HasPrefix(text, "pid ") || len(text) > 64 {
		return ""
	}
	return " (" + text + ")"
}
