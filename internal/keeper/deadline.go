//go:build linux

package keeper

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bootClock is the time since boot, suspend included: a paused host does not stretch a deadline.
func bootClock() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// deadlines calls functions at times of the boot clock, by one timer of the kernel. Its methods may be called at
// once.
type deadlines struct {
	mu    sync.Mutex
	queue queue
	file  *os.File
	fd    int
	armed time.Duration
}

// deadline is one entry. It may be stopped at any time.
type deadline struct {
	at    time.Duration
	fire  func() // must not block
	index int    // in the queue; -1: not in it
}

func newDeadlines() (*deadlines, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("making the timer: %w", err)
	}
	return &deadlines{file: os.NewFile(uintptr(fd), "timer"), fd: fd}, nil
}

// after arranges for fire to be called at the given time of the boot clock.
func (d *deadlines) after(at time.Duration, fire func()) *deadline {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := &deadline{at: max(at, 1), fire: fire}
	heap.Push(&d.queue, one)
	d.arm()
	return one
}

// stop takes back a deadline; nil is none.
func (d *deadlines) stop(one *deadline) {
	if one == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if one.index >= 0 {
		heap.Remove(&d.queue, one.index)
	}
}

// arm sets the kernel's timer where the first deadline is not the one that it is set to, or later.
func (d *deadlines) arm() {
	if len(d.queue) == 0 || d.armed != 0 && d.armed <= d.queue[0].at {
		return
	}
	d.armed = d.queue[0].at
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d.armed))}
	_ = unix.TimerfdSettime(d.fd, unix.TFD_TIMER_ABSTIME, &spec, nil)
}

// run calls what is due until ctx ends.
func (d *deadlines) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = d.file.Close() })
	defer stop()
	var ticks [8]byte
	for {
		_, err := d.file.Read(ticks[:])
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, unix.ECANCELED) {
			return fmt.Errorf("waiting for the timer: %w", err)
		}
		for _, one := range d.due() {
			one.fire()
		}
	}
}

func (d *deadlines) due() []*deadline {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = 0
	var due []*deadline
	now := bootClock()
	for len(d.queue) > 0 && d.queue[0].at <= now {
		due = append(due, heap.Pop(&d.queue).(*deadline))
	}
	d.arm()
	return due
}

type queue []*deadline

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push adds an entry, for container/heap.
func (q *queue) Push(x any) {
	one := x.(*deadline)
	one.index = len(*q)
	*q = append(*q, one)
}

// Pop takes the last entry, for container/heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	one := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	one.index = -1
	return one
}
