package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

// lockByte tries to lock one byte of a file. The lock belongs to the open file, and is gone with it.
func lockByte(f *os.File, at int64) bool { return setByte(f, at, unix.F_WRLCK) }

func unlockByte(f *os.File, at int64) { setByte(f, at, unix.F_UNLCK) }

func setByte(f *os.File, at int64, kind int16) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	lock := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1}
	var result error
	err = conn.Control(func(fd uintptr) { result = unix.FcntlFlock(fd, unix.F_OFD_SETLK, &lock) })
	return err == nil && result == nil
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

// bootID names this boot; empty if it cannot be told.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// sinceBoot says how long this boot has lasted, sleep included. Nobody can set this clock.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // every Linux that Go runs on has it
	return time.Duration(ts.Nano())
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
