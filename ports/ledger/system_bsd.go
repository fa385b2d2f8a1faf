//go:build unix && !linux

package ledger

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func syncData(f *os.File) error     { return f.Sync() }
func lockByte(*os.File, int64) bool { return true }
func unlockByte(*os.File, int64)    {}
func lockHolder(*os.File) string    { return "another process" }

// bootID cannot be told: the ledger's time is the system's date, and never goes back.
func bootID() string           { return "" }
func sinceBoot() time.Duration { return 0 }

func networkSpace() uint64 { return 0 }
func processSpace() uint64 { return 0 }

// startOf cannot tell when a process began: a number that is used again is taken for the same process.
func startOf(int) (start uint64, ended bool, err error) { return 0, false, errors.ErrUnsupported }

// gone reports whether there is no such process.
func gone(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
