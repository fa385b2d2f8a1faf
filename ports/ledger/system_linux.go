package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// syncData waits until the disk has the file's bytes.
func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = conn.Control(func(fd uintptr) {
		for result = unix.EINTR; errors.Is(result, unix.EINTR); {
			result = unix.Fdatasync(int(fd))
		}
	})
	return errors.Join(err, result)
}

// lockHolder names the process that has the lock on a file.
func lockHolder(f *os.File) string {
	var st unix.Stat_t
	conn, err := f.SyscallConn()
	if err == nil {
		_ = conn.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) })
	}
	b, err2 := os.ReadFile("/proc/locks")
	if errors.Join(err, err2) != nil {
		return "another process"
	}
	inode := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(b)) {
		// 1: FLOCK  ADVISORY  WRITE 1234 fd:00:5678 0 EOF; who waits has an arrow before FLOCK
		fields := strings.Fields(line)
		if len(fields) > 5 && fields[1] == "FLOCK" && fields[5] == inode {
			comm, _ := os.ReadFile("/proc/" + fields[4] + "/comm")
			return "process " + fields[4] + " (" + strings.TrimSpace(string(comm)) + ")"
		}
	}
	return "another process"
}

// bootClock names this boot and says how long it has lasted, sleep included. Nobody can set this clock.
func bootClock() (boot string, mono time.Duration, ok bool) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	var ts unix.Timespec
	if err == nil {
		err = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	}
	return strings.TrimSpace(string(b)), time.Duration(ts.Nano()), err == nil
}

// networkSpace identifies the network namespace that a socket made now would live in; 0 if it cannot be seen.
func networkSpace() uint64 { return namespace("/proc/thread-self/ns/net") }

// processSpace identifies the PID namespace of this process; 0 if it cannot be seen.
func processSpace() uint64 { return namespace("/proc/self/ns/pid") }

func namespace(path string) uint64 {
	target, err := os.Readlink(path) // net:[4026531840]
	if err != nil {
		return 0
	}
	_, number, _ := strings.Cut(target, "[")
	n, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// startOf returns when a process began, in ticks since boot, and whether it has ended and only waits to be collected:
// its sockets are closed then.
func startOf(pid int) (start uint64, ended bool, err error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false, err
	}
	// The name in brackets may hold anything, also brackets: the fields begin after the last one.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const state, begin = 0, 19
	if len(fields) <= begin {
		return 0, false, fmt.Errorf("process %d: %q is no state of a process", pid, b)
	}
	start, err = strconv.ParseUint(fields[begin], 10, 64)
	return start, fields[state] == "Z" || fields[state] == "X", err
}

// gone reports whether there is no such process.
func gone(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
