//go:build unix && !linux

package ledger

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func syncData(f *os.File) error  { return f.Sync() }
func lockHolder(*os.File) string { return "another process" }

// bootClock is not there: the ledger's time is the system's date, and never goes back.
func bootClock() (boot string, mono time.Duration, ok bool) { return "", 0, false }

func networkSpace() uint64 { return 0 }
func processSpace() uint64 { return 0 }

// startOf cannot tell when a process began: a number that is used again is taken for the same process.
func startOf(int) (start uint64, ended bool, err error) { return 0, false, errors.ErrUnsupported }

// gone reports whether there is no such process.
func gone(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
