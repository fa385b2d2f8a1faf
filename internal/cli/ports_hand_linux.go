package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// firstHanded is the first descriptor of LISTEN_FDS.
const firstHanded = 3

// handOn executes a program with a grant's sockets, in this process. It returns only with an error.
//
// The sockets must become descriptors 3 and up. In this program those may be the runtime's own, and moving them would
// end it; so it executes itself first, as `ports hand`, and moves them before the runtime needs any.
func handOn(g ledger.Grant, program string, command []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var fds []string
	for _, s := range g.Sockets {
		fd := s.File.Fd()
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("handing a socket on: %w", err)
		}
		fds = append(fds, strconv.Itoa(int(fd)))
	}
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "LISTEN_") })
	env = append(env, g.Environment()...)
	env = append(env, "LISTEN_FDS="+strconv.Itoa(len(fds)), "LISTEN_PID="+strconv.Itoa(os.Getpid()), "LISTEN_FDNAMES="+strings.Join(g.FileNames(), ":"))
	return syscall.Exec(self, append([]string{"reeve", "ports", "hand", strings.Join(fds, ","), program}, command...), env)
}

func (a *app) portsHand() *cobra.Command {
	return &cobra.Command{
		Use: "hand FDS PROGRAM ARGUMENT…", Short: "execute a program with sockets (started by `ports lease`)", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, words []string) error {
			return fault.Wrap(fault.Invalid, "executing a command", hand(words))
		},
	}
}

// hand moves the descriptors that are named to 3 and up, in order, and executes the program.
func hand(words []string) error {
	if len(words) < 3 {
		return errors.New("it is started by `reeve ports lease`")
	}
	names := strings.Split(words[0], ",")
	high := make([]int, len(names))
	for i, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd < firstHanded {
			return fmt.Errorf("%q is no descriptor", name)
		}
		// Out of the way first: one that is to be moved may stand where another belongs.
		if high[i], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, firstHanded+len(names)); err != nil {
			return fmt.Errorf("descriptor %d: %w", fd, err)
		}
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	for i, fd := range high {
		if err := unix.Dup3(fd, firstHanded+i, 0); err != nil {
			return fmt.Errorf("descriptor %d: %w", firstHanded+i, err)
		}
	}
	if err := syscall.Exec(words[1], words[2:], os.Environ()); err != nil {
		return &os.PathError{Op: "execute", Path: words[1], Err: err}
	}
	return nil
}
