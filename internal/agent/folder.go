package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// The files of an agent's data folder that the agent itself writes. The keeper and the identity have their own.
const (
	lockFile        = "agent.lock"
	incarnationFile = "incarnation"
	memberFile      = "member.json"
	cacheFolder     = "cache"
)

// folder is an agent's data folder, held by a lock as long as this process has it open.
type folder struct {
	path string
	lock *os.File
}

// openFolder makes the folder where it is missing (0700) and locks it. Only one agent may have it.
func openFolder(path string) (*folder, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening data folder: %w", err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, folderFault(abs, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, folderFault(abs, err)
	}
	if loose := info.Mode().Perm() & 0o077; loose != 0 && checksModes {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("data folder %s is open to others (mode %04o)", abs, info.Mode().Perm()),
			fmt.Sprintf("close it with: chmod 0700 %s", abs))
	}
	lock, err := os.OpenFile(filepath.Join(abs, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, folderFault(abs, err)
	}
	if err := patientLock(lock); err != nil {
		defer lock.Close()
		if errors.Is(err, errLocked) {
			return nil, fault.New(fault.Conflict, fmt.Sprintf("data folder %s is in use by another agent (%s)", abs, holder(lock)),
				"stop that agent, or give this one a folder of its own with --data")
		}
		return nil, folderFault(abs, err)
	}
	// The pid is for the person who meets the lock; the lock itself ends with the process.
	err = lock.Truncate(0)
	if err == nil {
		_, err = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		lock.Close()
		return nil, folderFault(abs, err)
	}
	return &folder{path: abs, lock: lock}, nil
}

// lockPatience is how long a lock may outlive its agent: a process that it was just making holds a copy of the
// descriptor from its fork to its exec.
const (
	lockPatience = time.Second
	lockLook     = 20 * time.Millisecond
)

func patientLock(f *os.File) error {
	deadline := time.Now().Add(lockPatience)
	for {
		err := tryLock(f)
		if !errors.Is(err, errLocked) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(lockLook)
	}
}

func folderFault(path string, err error) error {
	e := &fault.Error{Kind: fault.Internal, Msg: "opening data folder " + path, Err: err}
	if errors.Is(err, os.ErrPermission) {
		e.Kind, e.Fix = fault.Forbidden, "give the folder to the user that runs the agent, or choose another with --data"
	}
	return e
}

// holder names who wrote the lock file last.
func holder(lock *os.File) string {
	buf := make([]byte, 32)
	n, _ := lock.ReadAt(buf, 0)
	pid := strings.TrimSpace(string(buf[:n]))
	if _, err := strconv.Atoi(pid); err != nil {
		return "pid not known"
	}
	return "pid " + pid
}

// file returns the path of a file in the folder.
func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

// close gives the folder back.
func (f *folder) close() { f.lock.Close() }

// raiseIncarnation counts this start of the agent and returns the new number once it is on disk.
func (f *folder) raiseIncarnation() (int64, error) {
	path := f.file(incarnationFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("reading incarnation: %w", err)
	}
	var last int64
	if text = bytes.TrimSpace(text); len(text) > 0 {
		last, err = strconv.ParseInt(string(text), 10, 64)
		if err != nil || last < 0 {
			return 0, fault.New(fault.Internal, fmt.Sprintf("reading incarnation: %s holds no number", path),
				"the folder is damaged: restore it, or remove the node and join again with an empty folder")
		}
	}
	if err := writeSynced(path, []byte(strconv.FormatInt(last+1, 10)+"\n")); err != nil {
		return 0, fmt.Errorf("raising incarnation: %w", err)
	}
	return last + 1, nil
}

// writeSynced replaces a file so that after a crash it has the old or the new content, and the new one once
// writeSynced has returned.
func writeSynced(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return err
	}
	return syncFolder(filepath.Dir(path))
}
