//go:build unix

package socket

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

func classify(err error) cause {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return inUse
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return denied
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return notLocal
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return noRoute
	}
	return other
}

// dialControl lets a listener bind the number again while our own closed connection still waits on it: without it,
// an outgoing connection in TIME_WAIT blocks the listener of its source port for a minute.
func dialControl(_, _ string, c syscall.RawConn) error {
	var err error
	if ctl := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}); ctl != nil {
		return ctl
	}
	return err
}

// errnoName is the system's name of an error, "ECONNREFUSED"; empty for one that is none of the system's.
func errnoName(err error) string {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return ""
	}
	return unix.ErrnoName(no)
}

func isDenied(err error) bool { return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) }

func isNoNet(err error) bool { return errors.Is(err, syscall.ENETUNREACH) }
