//go:build linux

package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	socketFile    = "sock"
	maxSocketPath = 100             // of 107 that the kernel takes
	helloWithin   = 5 * time.Second // of a new connection
	adoptWithin   = 5 * time.Second // how long an agent may take to bring what it holds
)

// socketPath calls use with a path of the socket that the kernel takes, however long the folder's is.
func socketPath(folder string, use func(path string) error) error {
	path := filepath.Join(folder, socketFile)
	if len(path) <= maxSocketPath {
		return use(path)
	}
	dir, err := unix.Open(folder, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: folder, Err: err}
	}
	defer unix.Close(dir)
	return use("/proc/self/fd/" + strconv.Itoa(dir) + "/" + socketFile)
}

// listen opens the keeper's socket. The holder of the lock may remove an old one.
func listen(folder string) (*net.UnixListener, error) {
	if err := os.Remove(filepath.Join(folder, socketFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("opening the keeper's socket: %w", err)
	}
	var l *net.UnixListener
	err := socketPath(folder, func(path string) error {
		old := unix.Umask(0o177)
		defer unix.Umask(old)
		var err error
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening the keeper's socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // its path may be gone by then; the next keeper removes it
	return l, nil
}

// serve answers agents until ctx ends. The latest one that said hello is the agent.
func (k *keeper) serve(ctx context.Context, l *net.UnixListener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	unheard := time.AfterFunc(adoptWithin, func() { k.adopt(nil) })
	defer unheard.Stop()
	for {
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
				k.log.Error("no descriptors are left", slog.Any("cause", err))
				time.Sleep(100 * time.Millisecond)
				continue
			}
			return fmt.Errorf("accepting an agent: %w", err)
		}
		all.Go(func() {
			defer conn.Close()
			end := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer end()
			if err := k.serveAgent(ctx, conn); err != nil && ctx.Err() == nil {
				k.log.Info("an agent's connection ended", slog.Any("cause", err))
			}
		})
	}
}

// checkPeer refuses everybody but the keeper's own user and root.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("asking who connects: %w", err)
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		return fmt.Errorf("uid %d (pid %d) may not talk to this keeper", cred.Uid, cred.Pid)
	}
	return nil
}

func (k *keeper) serveAgent(ctx context.Context, conn *net.UnixConn) error {
	if err := checkPeer(conn); err != nil {
		return err
	}
	c := &wireConn{conn: conn}
	defer func() { closeAll(c.fds) }()
	_ = conn.SetReadDeadline(time.Now().Add(helloWithin))
	var held []holding
	for {
		f, fds, err := c.receive()
		if err != nil {
			for _, h := range held {
				closeAll([]int{h.fd})
			}
			return err
		}
		for i, p := range f.Passed {
			held = append(held, holding{p, fds[i]})
		}
		if f.Kind == frameHello {
			break
		}
	}
	_ = conn.SetReadDeadline(time.Time{})
	k.adopt(held)
	if err := k.greet(c); err != nil {
		return err
	}
	defer k.outbox.disconnect(c)
	k.passAll(c)
	for {
		f, fds, err := c.receive()
		if err != nil {
			return err
		}
		closeAll(fds) // none are sent after hello
		k.handle(ctx, c, f)
	}
}

// greet makes a connection the agent's, in the place of the one before. One after the other: an agent that was
// answered earlier must not take the place of one that was answered later.
func (k *keeper) greet(c *wireConn) error {
	k.greeting.Lock()
	defer k.greeting.Unlock()
	hello := k.hello()
	if err := c.send(frame{Kind: frameHello, Hello: &hello, Running: hello.Running}); err != nil {
		return err
	}
	if old := k.outbox.current(); old != nil {
		old.close()
	}
	k.outbox.connect(c)
	return nil
}

func (k *keeper) hello() Hello {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	return Hello{
		Version: k.cfg.Version, PID: os.Getpid(), Epoch: k.reg.epoch, Highest: k.reg.highest, Mark: k.reg.mark,
		Containment: k.exec.Containment(), Running: k.reg.running, BootID: k.boot, Damaged: k.damaged,
	}
}

// passAll gives a new agent its share of everything that runs.
func (k *keeper) passAll(c *wireConn) {
	k.reg.mu.Lock()
	var live []*attempt
	for _, e := range k.reg.entries {
		if e.live != nil {
			live = append(live, e.live)
		}
	}
	k.reg.mu.Unlock()
	for _, a := range live {
		a.passTo(c)
	}
}

// passTo sends the descriptors of an attempt, as far as it has them.
func (a *attempt) passTo(c *wireConn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || a.tree == nil {
		return
	}
	f := frame{Kind: framePass}
	var fds []int
	add := func(what string, fd int) {
		f.Passed = append(f.Passed, passed{Attempt: a.order.Attempt, What: what})
		fds = append(fds, fd)
	}
	if a.pidFD != nil {
		if fd := a.pidFD(); fd >= 0 {
			add(whatPid, fd)
		}
	}
	dups := 0
	for _, s := range []*stream{a.out, a.err} {
		if s == nil {
			continue
		}
		if dup, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 3); err == nil {
			add(s.what(), dup)
			dups++
		}
	}
	_ = c.send(f, fds...)
	closeAll(fds[len(fds)-dups:])
}

// handle answers one frame. What must be on the disk first is answered when it is; meanwhile others are handled.
func (k *keeper) handle(ctx context.Context, c *wireConn, f frame) {
	switch f.Kind {
	case frameStart:
		begin := func(groups []*group, refused []wire.Refusal, runs []*attempt) {
			err := waitAll(ctx, groups)
			answer(c, f.ID, refused, err)
			if err == nil {
				k.execute(runs)
			}
		}
		if wantPorts(f.Orders) {
			go func() { begin(k.takeWithPorts(ctx, f.Orders)) }()
			return
		}
		groups, refused, runs := k.take(f.Orders)
		go begin(groups, refused, runs)
	case frameCancel:
		groups := k.cancel(f.Cancels)
		go func() { answer(c, f.ID, nil, waitAll(ctx, groups)) }()
	case frameAck:
		k.ack(f.IDs)
	case frameMark:
		k.mark(f.Epoch, f.Mark)
	case frameRenew:
		k.renew(f.Tenure)
	case frameForget:
		k.forget(f.Attempts)
	case frameStop:
		k.close()
		answer(c, f.ID, nil, nil)
		k.ask()
	}
}

func answer(c *wireConn, id int64, refused []wire.Refusal, err error) {
	f := frame{Kind: frameAnswer, ID: id, Refused: refused}
	if err != nil {
		f.Error = err.Error()
	}
	_ = c.send(f)
}

func waitAll(ctx context.Context, groups []*group) error {
	var last *group
	for _, g := range groups {
		if g == last {
			continue
		}
		last = g
		if err := g.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
