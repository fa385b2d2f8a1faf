package executor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Adopted is the first process of an attempt that an earlier keeper started. Its exit code cannot be known, the
// time of its end can.
type Adopted struct {
	tree *Tree
	file *os.File // the pidfd; nil: gone already
	fd   int
}

// Adopt takes over a tree. pidfd is what an earlier keeper left of it, or -1; it then belongs to Adopted. A number
// counts only with the start time that belongs to it.
func (x *Executor) Adopt(id Identity, pidfd int) *Adopted {
	tree := &Tree{x: x, leader: id.PID, ticks: id.Ticks, marker: id.Marker}
	if tree.ticks == 0 { // never known: the number says nothing
		tree.reaped = true
	}
	if id.Group != "" && x.groups != nil && strings.Contains(filepath.Dir(id.Group), "/"+folderPrefix) {
		if g, err := openGroup(x.groups.at, id.Group); err == nil {
			tree.group = g
		}
	}
	if pidfd < 0 && id.PID > 0 && id.Ticks != 0 {
		if m, ok := hold(id.PID); ok {
			if s, ok := readStat(id.PID); ok && s.ticks == id.Ticks {
				pidfd = m.fd
			} else {
				m.close()
			}
		}
	}
	a := &Adopted{tree: tree, fd: pidfd}
	if pidfd >= 0 {
		_ = unix.SetNonblock(pidfd, true)
		a.file = os.NewFile(uintptr(pidfd), "pidfd")
	}
	return a
}

// Find returns the tree of an attempt of which only the marker is known: some process has it, or ok is false. Its first
// process is the oldest one that leads a session, also if a child is met before it: without one, the first process
// has ended, and what is there is left over.
func (x *Executor) Find(marker string) (id Identity, ok bool) {
	all := allProcesses()
	for pid, s := range all {
		if !hasMarker(pid, marker) {
			continue
		}
		id.Marker, ok = marker, true
		id.lead(pid, s)
		if path := x.groupOf(pid); path != "" {
			id.Group = path
		}
	}
	if ok && id.PID == 0 && id.Group != "" { // the first process may have emptied its environment
		for pid, s := range all {
			if x.groupOf(pid) == id.Group {
				id.lead(pid, s)
			}
		}
	}
	return id, ok
}

// lead takes a process for the first one if it leads a session and is older than the one that was taken before.
func (id *Identity) lead(pid int, s stat) {
	if s.session == pid && (id.PID == 0 || s.ticks < id.Ticks) {
		id.PID, id.Ticks = pid, s.ticks
	}
}

// groupOf returns the cgroup that a keeper made for the tree of a process, or nothing.
func (x *Executor) groupOf(pid int) string {
	if x.groups == nil {
		return ""
	}
	at, err := x.groups.at.of(pid)
	path := filepath.Join(x.groups.at.mount, at)
	if err != nil || !strings.Contains(filepath.Dir(path), "/"+folderPrefix) || filepath.Base(path) == "keeper" {
		return ""
	}
	return path
}

// Wait waits until the first process has ended.
func (a *Adopted) Wait(ctx context.Context) error {
	if a.file == nil {
		return nil
	}
	raw, err := a.file.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = a.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = raw.Read(func(fd uintptr) bool { return ended(int(fd)) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Gone reports whether the first process has ended, or never could be held.
func (a *Adopted) Gone() bool { return a.file == nil || ended(a.fd) }

// FD returns the pidfd, or -1. It stays the Adopted's.
func (a *Adopted) FD() int { return a.fd }

// Tree returns the process with all that came of it.
func (a *Adopted) Tree() *Tree { return a.tree }

// Release gives back what held the process and its tree.
func (a *Adopted) Release() {
	if a.file != nil {
		_ = a.file.Close()
	}
	a.tree.Release()
}
