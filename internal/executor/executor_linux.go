package executor

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Config is what an Executor needs to know.
type Config struct {
	// Name tells this executor's cgroups from those of others on the host; Prefix tells them from those that an
	// earlier one of the same name made, and is never used twice.
	Name, Prefix string
	Allow        string // path of the allow file; empty: none
	NoCgroup     bool   // use sessions even where a cgroup could be made
	Log          *slog.Logger
}

// Executor starts attempts. Its methods may be called at once.
type Executor struct {
	reaper *reaper
	groups *groups // nil: no cgroup can be made
	policy *policy
	null   *os.File
}

// New builds the one Executor of this process: it becomes the reaper of all that descends from it.
func New(c Config) (*Executor, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("becoming the reaper of orphans: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the empty input: %w", err)
	}
	x := &Executor{reaper: newReaper(), null: null}
	go x.reaper.run()
	users := directory{getent: x.getent}
	x.policy = &policy{path: c.Allow, users: users, self: users.self()}
	if !c.NoCgroup {
		x.groups, err = openGroups(c.Name, c.Prefix)
		if err != nil {
			c.Log.Info("no cgroup can be made, trees are held by session", slog.Any("cause", err))
		} else {
			x.groups.sweep()
		}
	}
	return x, nil
}

// Containment says what new trees are held by: Cgroup or Session.
func (x *Executor) Containment() string {
	if x.groups != nil {
		return Cgroup
	}
	return Session
}

// Self returns whom this process runs as.
func (x *Executor) Self() User { return x.policy.self }

// Resolve returns whom an attempt of net runs as, by the agent's own rules. The error is a *StartError.
func (x *Executor) Resolve(runAs, net string, env []string) (User, error) {
	return x.policy.resolve(runAs, net, env)
}

// Sweep removes the cgroups that trees which were let go on have left since.
func (x *Executor) Sweep() {
	if x.groups != nil {
		x.groups.sweep()
	}
}

// Close removes the cgroups that are empty. Running trees go on.
func (x *Executor) Close() {
	if x.groups != nil {
		x.groups.close()
	}
}

// Process is the first process of an attempt, a child of this one.
type Process struct {
	PID     int
	Started time.Time
	PidFD   int // the holder closes it with Release

	tree *Tree
	done chan struct{}
	exit Exit
}

// Done is closed when the process has ended and is reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit returns how it ended, once Done is closed.
func (p *Process) Exit() Exit { return p.exit }

// Tree returns the process with all that came of it.
func (p *Process) Tree() *Tree { return p.tree }

// Identity returns what names the process to a later keeper. Once it is reaped its number says nothing more, and
// there are no ticks: its tree is then known by cgroup and marker.
func (p *Process) Identity() Identity {
	s, _ := readStat(p.PID)
	select {
	case <-p.done:
		s.ticks = 0
	default:
	}
	p.tree.mu.Lock()
	if p.tree.reaped {
		s.ticks = 0
	}
	p.tree.mu.Unlock()
	id := Identity{PID: p.PID, Ticks: s.ticks, Marker: p.tree.marker}
	if p.tree.group != nil {
		id.Group = p.tree.group.path
	}
	return id
}

// Release gives back what held the process and its tree.
func (p *Process) Release() {
	_ = unix.Close(p.PidFD)
	p.tree.Release()
}

func (p *Process) finish(e Exit) {
	p.exit = e
	close(p.done)
}

// Start executes an attempt. The error is a *StartError where the attempt is at fault.
func (x *Executor) Start(s Spec) (*Process, error) {
	program, argv, err := prepare(s)
	if err != nil {
		return nil, err
	}
	tree := &Tree{x: x, marker: s.Marker}
	if x.groups != nil {
		if tree.group, err = x.groups.take(); err != nil {
			return nil, err
		}
	}
	p := &Process{tree: tree, done: make(chan struct{}), PidFD: -1}
	sys := &syscall.SysProcAttr{Setsid: true, PidFD: &p.PidFD}
	if tree.group != nil {
		sys.UseCgroupFD, sys.CgroupFD = true, tree.group.dir
	}
	if s.User.Switch {
		sys.Credential = &syscall.Credential{Uid: s.User.UID, Gid: s.User.GID, Groups: s.User.Groups}
	}
	attr := &syscall.ProcAttr{
		Dir: s.Work, Env: s.Env, Sys: sys,
		Files: []uintptr{x.null.Fd(), uintptr(s.Stdout), uintptr(s.Stderr)},
	}
	if len(s.Listen) > 0 {
		program, argv = s.handSockets(attr, program, argv)
	}
	err = x.fork(p, program, argv, attr)
	if err != nil {
		tree.Release()
		return nil, startError(s, program, err)
	}
	return p, nil
}

const usualSlack = 50_000 // nanoseconds: the kernel's, of a program that nobody gave another

// fork starts a child and makes it known to the reaper before the reaper can miss it.
func (x *Executor) fork(p *Process, program string, argv []string, attr *syscall.ProcAttr) error {
	x.reaper.forking.RLock()
	defer x.reaper.forking.RUnlock()
	// A job's timers have the kernel's usual slack, whatever this process's is: the child takes that of the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if unix.Prctl(unix.PR_SET_TIMERSLACK, usualSlack, 0, 0, 0) == nil {
		defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }() // 0: this thread's own again
	}
	p.Started = time.Now()
	pid, err := syscall.ForkExec(program, argv, attr)
	if err != nil {
		return err
	}
	p.PID, p.tree.leader = pid, pid
	x.reaper.add(p)
	return nil
}

// prepare returns the program and its arguments; a script is written first.
func prepare(s Spec) (string, []string, error) {
	if s.Script != "" {
		if err := writeScript(s); err != nil {
			return "", nil, err
		}
		return s.ScriptFile, []string{s.ScriptFile}, nil
	}
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return "", nil, &StartError{Reason: "exec", Detail: "the command is empty"}
	}
	for _, a := range s.Argv {
		if strings.ContainsRune(a, 0) {
			return "", nil, &StartError{Reason: "exec", Detail: fmt.Sprintf("cannot execute %q: an argument holds a NUL byte", s.Argv[0])}
		}
	}
	program := s.Argv[0]
	if strings.Contains(program, "/") {
		return program, s.Argv, nil
	}
	path := lookupEnv(s.Env, "PATH")
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		at := filepath.Join(dir, program)
		if st, err := os.Stat(at); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return at, s.Argv, nil
		}
	}
	return "", nil, &StartError{
		Reason: "exec", Err: syscall.ENOENT,
		Detail: fmt.Sprintf("cannot execute %q: not found in PATH %s (ENOENT)", program, path),
	}
}

// writeScript puts the script where it is executed. No child may be forked meanwhile: it would hold the file open
// for writing, and executing it would fail with ETXTBSY.
func writeScript(s Spec) error {
	if !strings.HasPrefix(s.Script, "#!") {
		return &StartError{Reason: "exec", Detail: "the script does not begin with #!"}
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(s.ScriptFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o700)
	if err != nil {
		return fmt.Errorf("writing script: %w", err)
	}
	_, err = io.WriteString(f, s.Script)
	if err == nil && s.User.Switch {
		err = f.Chown(int(s.User.UID), int(s.User.GID))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing script: %w", err)
	}
	return nil
}

// startError says which step failed. The kernel tells only a number; with other credentials it is theirs where
// executing a file does not give it.
func startError(s Spec, program string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	name := unix.ErrnoName(errno)
	if s.User.Switch && (errno == syscall.EPERM || errno == syscall.EINVAL || errno == syscall.EAGAIN) {
		return &StartError{
			Reason: "run_as", Err: err,
			Detail: fmt.Sprintf("cannot become user %s: %v (%s)", s.User.Name, errno, name),
		}
	}
	if s.User.Switch && errno == syscall.EACCES {
		if folder := unreachable(s.Work, s.User); folder != "" {
			return &StartError{
				Reason: "run_as", Err: err,
				Detail: fmt.Sprintf("user %s cannot enter folder %s (EACCES)", s.User.Name, folder),
			}
		}
	}
	if s.Script != "" {
		program, _, _ = strings.Cut(strings.TrimPrefix(s.Script, "#!"), "\n")
		program = "script by " + strings.TrimSpace(program)
	}
	return &StartError{Reason: "exec", Err: err, Detail: fmt.Sprintf("cannot execute %q: %v (%s)", program, errno, name)}
}

// unreachable returns the first folder on the way to path that u may not enter, or nothing.
func unreachable(path string, u User) string {
	var way []string
	for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
		way = append(way, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for i := len(way) - 1; i >= 0; i-- {
		var st unix.Stat_t
		if unix.Stat(way[i], &st) != nil {
			return way[i]
		}
		bits := st.Mode & 0o1
		for _, g := range u.Groups {
			if g == st.Gid {
				bits = st.Mode >> 3 & 1
			}
		}
		if st.Uid == u.UID {
			bits = st.Mode >> 6 & 1
		}
		if bits == 0 {
			return way[i]
		}
	}
	return ""
}

// haveOrphans reports whether a process that lost its parent has come to us, or that cannot be known. One that has
// ended and is not reaped yet counts: what it forked last may have come after the list was read.
func (x *Executor) haveOrphans() bool {
	pids, err := children()
	if err != nil {
		return true
	}
	for _, pid := range pids {
		if x.reaper.find(pid) != nil {
			continue
		}
		x.reaper.forking.Lock() // it may be one that is being made known this moment
		known := x.reaper.find(pid) != nil
		x.reaper.forking.Unlock()
		if !known {
			return true
		}
	}
	return false
}

// getent asks the host's name services. It is a child like any other: the reaper knows it.
func (x *Executor) getent(database, key string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	var once sync.Once
	closeW := func() { once.Do(func() { _ = w.Close() }) }
	defer closeW()
	p := &Process{tree: &Tree{x: x}, done: make(chan struct{})}
	argv := []string{"getent", "--", database, key}
	err = x.fork(p, "/usr/bin/getent", argv, &syscall.ProcAttr{
		Dir: "/", Env: []string{"PATH=" + DefaultPath, "LANG=C.UTF-8"},
		Files: []uintptr{x.null.Fd(), w.Fd(), x.null.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	closeW()
	if err != nil {
		return "", err
	}
	_ = r.SetReadDeadline(time.Now().Add(5 * time.Second))
	out, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		if m, ok := hold(p.PID); ok { // not reaped before Done, or another's number: the pidfd is asked first
			select {
			case <-p.done:
			default:
				m.signal(unix.SIGKILL)
			}
			m.close()
		}
		return "", err
	}
	<-p.done
	if p.exit.Code != 0 {
		return "", fmt.Errorf("getent %s %s: exit code %d", database, key, p.exit.Code)
	}
	return string(out), nil
}
