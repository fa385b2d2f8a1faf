package executor

import (
	"errors"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reaper waits for every child of this process. It looks at an ended child before it reaps it, so that no number
// is free for another process before everybody who holds it knows.
type reaper struct {
	forking sync.RWMutex // read-held from fork until the child is known here
	mu      sync.Mutex
	known   map[int]*Process
	wake    chan struct{} // a child may be there again
}

func newReaper() *reaper {
	return &reaper{known: map[int]*Process{}, wake: make(chan struct{}, 1)}
}

// siginfo is siginfo_t as waitid fills it on 64-bit Linux.
type siginfo struct {
	signo, errno, code, _ int32
	pid, uid, status      int32
	_                     [100]byte
}

// run reaps for the life of the process.
func (r *reaper) run() {
	for {
		var info siginfo
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			<-r.wake
		case err == nil && info.pid > 0:
			r.ended(int(info.pid))
		}
	}
}

func (r *reaper) ended(pid int) {
	p := r.find(pid)
	if p == nil {
		// Either it is being made known this moment, or it is an orphan that came to us.
		r.forking.Lock()
		p = r.find(pid)
		r.forking.Unlock()
	}
	if p != nil {
		p.tree.beforeReap()
	}
	var status unix.WaitStatus
	var usage unix.Rusage
	for {
		_, err := unix.Wait4(pid, &status, 0, &usage)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if p == nil {
		return
	}
	r.mu.Lock()
	delete(r.known, pid)
	r.mu.Unlock()
	p.finish(exitOf(status, usage))
}

func (r *reaper) find(pid int) *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[pid]
}

func (r *reaper) add(p *Process) {
	r.mu.Lock()
	r.known[p.PID] = p
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func exitOf(status unix.WaitStatus, usage unix.Rusage) Exit {
	e := Exit{
		At:     time.Now(),
		Code:   status.ExitStatus(),
		CPU:    time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
		MaxRSS: usage.Maxrss << 10,
	}
	if status.Signaled() {
		e.Code, e.Signal = -1, unix.SignalName(status.Signal())
		if e.Signal == "" { // a real-time signal has no name
			e.Signal = "SIG" + itoa(int(status.Signal()))
		}
	}
	return e
}
