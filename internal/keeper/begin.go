//go:build linux

package keeper

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// start makes the folders and executes. The pipes are made, and the agent has its share of them.
func (a *attempt) start() (*executor.Process, error) {
	k := a.k
	k.forks <- struct{}{}
	defer func() { <-k.forks }()
	if a.failed != nil {
		return nil, a.failed
	}
	o := &a.order
	user, err := k.exec.Resolve(o.RunAs, o.Net, o.Env)
	if err != nil {
		return nil, err
	}
	if err := a.place.make(k.spares, int(user.UID), int(user.GID)); err != nil {
		return nil, err
	}
	if o.Stdout != "" {
		if a.spool.copy, err = createCopy(a.place.work(), o.Stdout, int(user.UID), int(user.GID)); err != nil {
			return nil, err
		}
	}
	env, err := executor.Environment(user, executor.Facts{
		Net: o.Net, Run: o.Attempt.Run, Job: o.Attempt.Job, Attempt: strconv.Itoa(o.Attempt.N),
		Fence: o.Fence, In: a.place.input(), Output: a.place.output(), Ports: a.portVariables(),
	}, o.Env)
	if err != nil {
		return nil, &executor.StartError{Reason: "exec", Detail: err.Error()}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reason != "" { // cancelled meanwhile
		return nil, &executor.StartError{Reason: a.reason, Detail: "ended before it was executed"}
	}
	p, err := k.exec.Start(executor.Spec{
		Argv: o.Command, Script: o.Script, ScriptFile: a.place.script(), Work: a.place.work(), Env: env, User: user,
		Stdout: a.pipes[1], Stderr: a.pipes[3], Marker: a.marker(), Listen: a.openPorts(), Launcher: k.cfg.Launcher,
	})
	if err != nil {
		return nil, err
	}
	a.process, a.tree = p, p.Tree()
	a.pidFD = func() int { return p.PidFD }
	a.out, a.err = newStream(wire.Stdout, a.pipes[0]), newStream(wire.Stderr, a.pipes[2])
	a.pipes[0], a.pipes[2] = -1, -1
	a.arm(bootClock())
	return p, nil
}

// marker is the entry of the environment by which a process of the attempt is known: no other data folder has it.
func (a *attempt) marker() string { return "REEVE_OUTPUT=" + a.place.output() }

// makePipes returns the read and the write end for stdout, and for stderr.
func makePipes() (pipes [4]int, err error) {
	none := [4]int{-1, -1, -1, -1}
	if err := unix.Pipe2(pipes[:2], unix.O_CLOEXEC); err != nil {
		return none, fmt.Errorf("making a pipe: %w", err)
	}
	if err := unix.Pipe2(pipes[2:], unix.O_CLOEXEC); err != nil {
		closeAll(pipes[:2])
		return none, fmt.Errorf("making a pipe: %w", err)
	}
	for _, fd := range []int{pipes[0], pipes[2]} {
		// As the kernel has it, a pipe's new end has no other flags.
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK); err != nil {
			closeAll(pipes[:])
			return none, fmt.Errorf("making a pipe: %w", err)
		}
	}
	return pipes, nil
}

// execute makes the pipes of attempts whose intents are on the disk, gives the agent duplicates of the read ends, so
// that the death of this keeper breaks no pipe, and only then lets them begin.
func (k *keeper) execute(runs []*attempt) {
	for len(runs) > 0 {
		n := min(len(runs), maxDescriptors/2)
		f := frame{Kind: framePass}
		var fds []int
		for _, a := range runs[:n] {
			a.pipes, a.failed = makePipes()
			if a.failed == nil {
				at := a.order.Attempt
				f.Passed = append(f.Passed, passed{Attempt: at, What: whatStdout}, passed{Attempt: at, What: whatStderr})
				fds = append(fds, a.pipes[0], a.pipes[2])
			}
		}
		if c := k.outbox.current(); c != nil && len(fds) > 0 {
			_ = c.send(f, fds...)
		}
		for _, a := range runs[:n] {
			go a.run()
		}
		runs = runs[n:]
	}
}
