package executor

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Tree is an attempt's process with everything that came of it.
type Tree struct {
	x      *Executor
	leader int    // its number, session and process group
	ticks  uint64 // its start time; 0: it is our child, and tells us before it is reaped
	group  *group // nil: session
	marker string

	mu     sync.Mutex
	reaped bool   // the number may belong to somebody else
	left   []held // found before it was reaped
}

// Containment says what holds the tree together: Cgroup or Session.
func (t *Tree) Containment() string {
	if t.group != nil {
		return Cgroup
	}
	return Session
}

// beforeReap looks for what is left while the leader's number is still its own.
func (t *Tree) beforeReap() {
	if t.group == nil && t.x.haveOrphans() {
		left := t.scan()
		t.mu.Lock()
		t.left = left
		t.mu.Unlock()
	}
	t.mu.Lock()
	t.reaped = true
	t.mu.Unlock()
}

// Left returns how many processes of the tree there are, its first one aside if that has ended.
func (t *Tree) Left() int {
	if t.group != nil {
		// A process that is just ending is no leftover: it gets a moment.
		for wait := time.Millisecond; t.group.populated(); wait *= 2 {
			if wait > 16*time.Millisecond {
				return max(len(t.group.pids()), 1)
			}
			time.Sleep(wait)
		}
		return 0
	}
	members := t.members(false)
	defer release(members)
	return len(members)
}

// Empty reports whether nothing of the tree is left. It is the cheap question: in a session it looks only at what
// is known.
func (t *Tree) Empty() bool {
	if t.group != nil {
		return !t.group.populated()
	}
	members := t.members(false)
	defer release(members)
	return len(members) == 0
}

// End ends the tree: TERM to all of it, at most grace for it to go, then kill until nothing is left. It returns
// when that is proved, or with the context's error.
func (t *Tree) End(ctx context.Context, grace time.Duration) error {
	if grace > 0 {
		members := t.hold()
		for _, m := range members {
			m.signal(unix.SIGTERM)
		}
		for _, m := range members {
			m.signal(unix.SIGCONT) // a stopped process does not see TERM
		}
		release(members)
		err := t.waitEmpty(ctx, grace)
		if err == nil {
			return t.sweep(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return t.sweep(ctx)
}

// hold returns the members of the tree. Without a cgroup they are stopped until a look finds no new one: what
// forks and ends while it is looked at would else be lost, and with it whatever no longer has session and marker.
// They are then known for as long as they live.
func (t *Tree) hold() []held {
	if t.group != nil {
		return t.scan()
	}
	known := map[int]bool{}
	for range maxLooks {
		news := false
		for _, m := range t.scan() {
			if known[m.pid] {
				m.close()
				continue
			}
			known[m.pid], news = true, true
			m.signal(unix.SIGSTOP)
			t.mu.Lock()
			t.left = append(t.left, m)
			t.mu.Unlock()
		}
		if !news {
			break
		}
	}
	return t.scan()
}

const (
	maxLooks     = 100
	betweenLooks = 4 * time.Millisecond
)

// waitEmpty waits until the tree is empty, at most for d.
func (t *Tree) waitEmpty(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		if t.Empty() {
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// sweep kills until nothing is left: also what left the cgroup or the session, as far as its environment tells.
func (t *Tree) sweep(ctx context.Context) error {
	quiet := 0
	for wait := 200 * time.Microsecond; ; wait = min(2*wait, 500*time.Millisecond) {
		if t.group != nil && t.group.populated() {
			t.group.kill()
		}
		members := t.hold()
		for _, m := range members {
			if t.group == nil {
				m.signalGroup(unix.SIGKILL)
			}
			m.signal(unix.SIGKILL)
		}
		release(members)
		if len(members) > 0 {
			quiet = 0
		} else if quiet++; t.Empty() && t.sure(quiet) {
			return nil
		}
		if quiet > 0 {
			wait = betweenLooks
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// sure reports whether so many looks that found nothing are enough. Without a cgroup, and with orphans that may be
// of this tree, one look is not: a process that forks and ends at once can be missed by it, and one that executes a
// program has for a moment no environment to be known by.
func (t *Tree) sure(quiet int) bool {
	return t.group != nil || quiet >= 8 || t.ticks == 0 && !t.x.haveOrphans()
}

// members returns the living processes of the tree, each held. thorough looks at every process of the host; else
// that is done only where the cheap question does not answer it.
func (t *Tree) members(thorough bool) []held {
	if thorough {
		return t.scan()
	}
	if t.group != nil {
		return t.ofGroup()
	}
	t.mu.Lock()
	reaped := t.reaped
	t.mu.Unlock()
	// What is left of a child's tree has us for its parent, or hangs below such a one: no orphan, nothing left.
	for looks := 1; ; looks++ {
		if t.ticks == 0 && reaped && !t.x.haveOrphans() {
			return nil
		}
		if members := t.scan(); len(members) > 0 || t.sure(looks) {
			return members
		}
		time.Sleep(betweenLooks)
	}
}

func (t *Tree) ofGroup() []held {
	var found []held
	for _, pid := range t.group.pids() {
		if m, ok := hold(pid); ok {
			if t.group.holds(pid) && m.alive() {
				found = append(found, m)
				continue
			}
			m.close()
		}
	}
	return found
}

// scan looks at every process of the host: members of the session, of the cgroup, with the marker, and whatever
// descends from one of these.
func (t *Tree) scan() []held {
	t.mu.Lock()
	sessionIsOurs := !t.reaped
	kept := t.left
	t.mu.Unlock()
	if sessionIsOurs && t.ticks != 0 { // not our child: its number is its own only with its start time
		s, ok := readStat(t.leader)
		sessionIsOurs = ok && s.ticks == t.ticks
	}
	processes := allProcesses()
	member := map[int]bool{}
	for _, m := range kept {
		if m.alive() {
			member[m.pid] = true
		}
	}
	if t.group != nil {
		for _, pid := range t.group.pids() {
			member[pid] = true
		}
	}
	for pid, s := range processes {
		if sessionIsOurs && (pid == t.leader || s.session == t.leader) || hasMarker(pid, t.marker) {
			member[pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, s := range processes {
			if member[s.parent] && !member[pid] {
				member[pid], grown = true, true
			}
		}
	}
	var found []held
	for pid := range member {
		m, ok := hold(pid)
		if !ok {
			continue
		}
		// What was looked at may have ended, and its number gone to another: the start time tells.
		now, ok := readStat(pid)
		was, known := processes[pid]
		if ok && m.alive() && (!known || was.ticks == now.ticks) && (known || t.group != nil && t.group.holds(pid)) {
			found = append(found, m)
			continue
		}
		m.close()
	}
	return found
}

// Release gives back what held the tree. A tree that was let go on keeps its cgroup until it is empty.
func (t *Tree) Release() {
	if t.group != nil {
		t.x.groups.give(t.group)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	release(t.left)
	t.left = nil
}

func release(members []held) {
	for _, m := range members {
		m.close()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Wait waits until nothing of the tree is left.
func (t *Tree) Wait(ctx context.Context) error {
	for wait := time.Millisecond; !t.Empty(); wait = min(2*wait, 100*time.Millisecond) {
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}
