//go:build linux

package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// A keeper is spawned in two steps, each the same program: the first detaches, the second is the keeper. Its
// parent is then nobody's child that could end it.
const (
	stageVariable    = "REEVE_KEEPER_STAGE"
	stageDetach      = "detach"
	stageKeep        = "keep"
	noCgroupVariable = "REEVE_KEEPER_NO_CGROUP" // for tests: hold trees by session
	readyFile        = 3                        // descriptor of the pipe that a spawned keeper answers on
	maxLog           = 4 << 20
)

// Spawn starts a keeper that outlives this process: exe with args, which must call Run with the data folder. It
// returns when the keeper can be connected to, or with the reason why it could not start; of kind Conflict where
// one has the folder already.
func Spawn(ctx context.Context, exe string, args []string, dataDir string) error {
	folder := folders{dataDir}.keeper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("starting the keeper: %w", err)
	}
	log, err := openLog(filepath.Join(folder, "log"))
	if err != nil {
		return fmt.Errorf("starting the keeper: %w", err)
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("starting the keeper: %w", err)
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = withStage(stageDetach)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Run()
	_ = w.Close()
	if err != nil {
		return fmt.Errorf("starting the keeper: %w; its log is %s", err, log.Name())
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	said, err := io.ReadAll(io.LimitReader(r, 4096))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	word, rest, _ := bytes.Cut(said, []byte{' '})
	switch {
	case err != nil:
		return fmt.Errorf("starting the keeper: %w", err)
	case string(word) == "ready":
		return nil
	case string(word) == "conflict":
		return fault.New(fault.Conflict, string(rest), "")
	case string(word) == "error":
		return fmt.Errorf("starting the keeper: %s", rest)
	}
	return fmt.Errorf("starting the keeper: it ended without a word; its log is %s", log.Name())
}

// openLog opens what a keeper writes to when it cannot say it otherwise. It does not grow without end.
func openLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err == nil && st.Size() > maxLog {
		_ = f.Truncate(0)
	}
	return f, nil
}

func stage() bool { return os.Getenv(stageVariable) == stageDetach }

func noCgroup() bool { return os.Getenv(noCgroupVariable) != "" }

// detach is the first step of Spawn: it starts the second one and ends. What it sets on its thread, the thread
// hands on through exec to the whole of the keeper.
func detach() error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("starting the keeper: setting no_new_privs: %w", err)
	}
	_, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Dir: "/", Env: withStage(stageKeep), Files: []uintptr{0, 1, 2, readyFile}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("starting the keeper: %w", err)
	}
	return nil
}

// withStage returns this process's environment with another stage. It stands there once: the first of two would
// count, and a first step that starts a first step would never end.
func withStage(stage string) []string {
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, stageVariable+"=") })
	return append(env, stageVariable+"="+stage)
}

// noNewPrivs is for a keeper that was not spawned but called: it must reach all threads.
func noNewPrivs() error {
	_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// catchSignals keeps signals that were ignored by whoever started this process from being ignored by jobs: what
// is caught is reset by exec. The terminal's do not end a keeper.
func catchSignals() {
	// Signal 32 is the C library's own and Go's runtime leaves it alone; what starts programs by posix_spawn (make does)
	// may have left it ignored.
	var standard [4]uintptr // the kernel's sigaction: handler, flags, restorer, mask; all zero is the default
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, 32, uintptr(unsafe.Pointer(&standard)), 0, 8, 0, 0)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2)
}

// ready is the pipe on which a spawned keeper says that it can be connected to, or why not. It is said once.
type ready struct {
	once sync.Once
	file *os.File // nil: it was not spawned
}

func readiness() *ready {
	if os.Getenv(stageVariable) != stageKeep {
		return &ready{}
	}
	_ = os.Unsetenv(stageVariable)
	return &ready{file: os.NewFile(readyFile, "ready")}
}

func (r *ready) tell(err error) {
	if r.file == nil {
		return
	}
	r.once.Do(func() {
		word := "ready "
		if err != nil {
			text := err.Error()
			word = "error " + text
			var f *fault.Error
			if errors.As(err, &f) && f.Kind == fault.Conflict {
				word = "conflict " + text
			}
		}
		_, _ = io.Copy(r.file, strings.NewReader(word))
		_ = r.file.Close()
	})
}
