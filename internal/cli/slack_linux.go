package cli

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// slack is by how much the kernel may put off this program's timers.
const slack = 500 * time.Microsecond

// slacken lets the timers of a daemon be late by half a millisecond. Go's runtime watches its threads with a timer of
// 20 µs whenever there is work; with the kernel's usual slack (50 µs) that alone is a sixth of the processor time of a
// job. A thread inherits the slack from the one that makes it, and those of the runtime are there before main: so the
// program sets it and executes itself again, in the same process, once. Where that fails it goes on as it is.
func slacken() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || time.Duration(now) >= slack {
		return
	}
	exe, err := os.Executable()
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0) != nil {
		return
	}
	_ = syscall.Exec(exe, os.Args, os.Environ())
}
