//go:build linux

package keeper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// folders says where an agent's keeper and its attempts keep their files.
//
//	DATA/keeper/{lock,sock,journal,log}
//	DATA/keeper/attempts/RUN.JOB.N/{spool,work,in,output,script}
//	DATA.jobs/RUN.JOB.N/{work,in,output,script}      of a job that runs as another user than the agent
//
// DATA is closed to other users, so what another user's job must reach lies beside it.
type folders struct{ data string }

// place is where one attempt keeps its files.
type place struct {
	own   string // the keeper's: the spool
	job   string // the job's: the same, or beside the data folder
	other bool   // it is not the same
}

func (f folders) keeper() string { return filepath.Join(f.data, "keeper") }

func (f folders) jobs() string { return filepath.Clean(f.data) + ".jobs" }

// of returns the place of an attempt that runs as the named user; "" and root are the agent itself where it is root.
func (f folders) of(a wire.Attempt, runAs string) place {
	name := a.Run + "." + a.Job + "." + strconv.Itoa(a.N)
	own := filepath.Join(f.keeper(), "attempts", name)
	if os.Geteuid() == 0 && runAs != "" && runAs != "root" {
		return place{own: own, job: filepath.Join(f.jobs(), name), other: true}
	}
	return place{own: own, job: own}
}

func (p place) spool() string  { return filepath.Join(p.own, "spool") }
func (p place) work() string   { return filepath.Join(p.job, "work") }
func (p place) input() string  { return filepath.Join(p.job, "in") }
func (p place) output() string { return filepath.Join(p.job, "output") }
func (p place) script() string { return filepath.Join(p.job, "script") }

// make makes the folders of an attempt. The working folder must be new.
func (p place) make(s *spares, uid, gid int) error {
	if !p.other && s.use(p.own) {
		return nil
	}
	if err := os.Mkdir(p.own, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the attempt's folder: %w", err)
	}
	if p.other {
		if err := p.makeJob(); err != nil {
			return err
		}
	}
	if err := os.Mkdir(p.work(), 0o700); err != nil {
		return fmt.Errorf("making the working folder: %w", err)
	}
	f, err := os.OpenFile(p.output(), os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("making the file for outputs: %w", err)
	}
	if p.other {
		err = errors.Join(f.Chown(uid, gid), os.Chown(p.work(), uid, gid))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("making the file for outputs: %w", err)
	}
	return nil
}

// makeJob makes the folder beside the data folder, where another user can pass.
func (p place) makeJob() error {
	for _, dir := range []string{filepath.Dir(p.job), p.job} {
		if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("making the job's folder: %w", err)
		}
		st, err := os.Lstat(dir)
		if err != nil {
			return fmt.Errorf("making the job's folder: %w", err)
		}
		if !st.IsDir() || st.Sys() == nil {
			return fmt.Errorf("making the job's folder: %s is not a folder", dir)
		}
		if err := os.Chmod(dir, 0o711); err != nil { // whatever the umask
			return fmt.Errorf("making the job's folder: %w", err)
		}
	}
	return nil
}

// remove removes all that an attempt left, or keeps its folder for another where that may be.
func (p place) remove(s *spares, r removal) error {
	if r.reuse && !p.other && s.keep(p.own, r) {
		return nil
	}
	err := os.RemoveAll(p.own)
	if p.other {
		err = errors.Join(err, os.RemoveAll(p.job))
	}
	if err != nil {
		return fmt.Errorf("removing the attempt's folder: %w", err)
	}
	return nil
}

const (
	maxRunName = 64
	maxJobName = 128
)

// checkAttempt refuses names that could not be a folder's, or two folders that were one.
func checkAttempt(a wire.Attempt) error {
	if !plain(a.Run, maxRunName) || !plain(a.Job, maxJobName) || a.N < 1 || a.N > 1<<30 {
		return fmt.Errorf("attempt %q/%q/%d is not a name: letters, digits, - and _", a.Run, a.Job, a.N)
	}
	return nil
}

func plain(s string, most int) bool {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	return s != "" && len(s) <= most && strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0
}
