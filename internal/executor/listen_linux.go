package executor

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// handSockets gives an attempt its sockets, and lets the launcher say whose they are.
func (s *Spec) handSockets(attr *syscall.ProcAttr, program string, argv []string) (string, []string) {
	names := make([]string, len(s.Listen))
	for i, l := range s.Listen {
		names[i] = l.Name
		attr.Files = append(attr.Files, uintptr(l.FD))
	}
	attr.Env = append(attr.Env[:len(attr.Env):len(attr.Env)],
		"LISTEN_FDS="+strconv.Itoa(len(s.Listen)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	whole := append(append([]string{}, s.Launcher...), program)
	return s.Launcher[0], append(whole, argv...)
}

// Launch ends this process's life as the launcher: it sets LISTEN_PID to its own number, which the program that it
// executes keeps, and executes it. words are the program and its whole argument vector. It returns only with an error.
func Launch(words []string) error {
	if len(words) < 2 {
		return syscall.EINVAL
	}
	env := append(os.Environ(), "LISTEN_PID="+strconv.Itoa(os.Getpid()))
	if err := syscall.Exec(words[0], words[1:], env); err != nil {
		return &os.PathError{Op: "execute", Path: words[0], Err: err}
	}
	return nil
}
