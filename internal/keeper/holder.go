//go:build linux

package keeper

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// holder keeps the descriptors that an agent has of running attempts. It outlives a connection.
type holder struct {
	mu      sync.Mutex
	fds     map[wire.Attempt]inheritance
	watcher chan struct{} // closed to end the watch; nil: none
}

func newHolder() *holder { return &holder{fds: map[wire.Attempt]inheritance{}} }

// take keeps what the keeper passed; an older one of the same is closed.
func (h *holder) take(what []passed, fds []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, p := range what {
		one, ok := h.fds[p.Attempt]
		if !ok {
			one = inheritance{out: -1, err: -1, pid: -1}
		}
		switch p.What {
		case whatStdout:
			closeAll([]int{one.out})
			one.out = fds[i]
		case whatStderr:
			closeAll([]int{one.err})
			one.err = fds[i]
		case whatPid:
			closeAll([]int{one.pid})
			one.pid = fds[i]
		default:
			closeAll(fds[i : i+1])
		}
		h.fds[p.Attempt] = one
	}
}

// drop closes what belongs to attempts that are over.
func (h *holder) drop(reports []wire.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range reports {
		if r.Kind == wire.Started {
			continue
		}
		if one, ok := h.fds[r.Attempt]; ok {
			closeAll([]int{one.out, one.err, one.pid})
			delete(h.fds, r.Attempt)
		}
	}
}

// send brings everything held to a keeper. It stays held here as well.
func (h *holder) send(c *wireConn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watcher != nil {
		close(h.watcher)
		h.watcher = nil
	}
	f := frame{Kind: frameHeld}
	var fds []int
	add := func(a wire.Attempt, what string, fd int, ended time.Time) {
		if fd >= 0 {
			f.Passed = append(f.Passed, passed{a, what, ended})
			fds = append(fds, fd)
		}
	}
	for a, one := range h.fds {
		add(a, whatStdout, one.out, time.Time{})
		add(a, whatStderr, one.err, time.Time{})
		add(a, whatPid, one.pid, one.ended)
		if len(fds) > maxDescriptors-3 {
			if err := c.send(f, fds...); err != nil {
				return err
			}
			f.Passed, fds = nil, nil
		}
	}
	if len(fds) == 0 {
		return nil
	}
	return c.send(f, fds...)
}

// watch notes when a process ends while no keeper does.
func (h *holder) watch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watcher != nil || len(h.fds) == 0 {
		return
	}
	stop := make(chan struct{})
	h.watcher = stop
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for h.look(stop) {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	}()
}

// look asks all pidfds at once. It reports whether there is still one to ask.
func (h *holder) look(stop chan struct{}) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watcher != stop {
		return false
	}
	var polls []unix.PollFd
	var whose []wire.Attempt
	for a, one := range h.fds {
		if one.pid >= 0 && one.ended.IsZero() {
			polls = append(polls, unix.PollFd{Fd: int32(one.pid), Events: unix.POLLIN})
			whose = append(whose, a)
		}
	}
	if len(polls) == 0 {
		return false
	}
	if n, err := unix.Poll(polls, 0); err == nil && n > 0 {
		now := time.Now()
		for i, p := range polls {
			if p.Revents != 0 {
				one := h.fds[whose[i]]
				one.ended = now
				h.fds[whose[i]] = one
			}
		}
	}
	return true
}

// release closes everything.
func (h *holder) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for a, one := range h.fds {
		closeAll([]int{one.out, one.err, one.pid})
		delete(h.fds, a)
	}
}
