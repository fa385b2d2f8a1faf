//go:build linux

package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	journalFile = "journal"
	fillStep    = 1 << 20 // the file is filled with zeros by so much
	fillReserve = 512 << 10
	maxJournal  = 1 << 30
	lazyDelay   = 500 * time.Microsecond // how long a record that nobody waits for may stay unsynced
	roomRetry   = 200 * time.Millisecond
	gather      = 600 * time.Microsecond // between syncs when much goes on: fewer, and each for more
)

// journal is the file that decides which attempts were started. Records are written in groups, by one goroutine,
// with one fdatasync for all that wait. Its methods may be called at once.
type journal struct {
	folder string
	busy   func() bool         // much goes on
	told   func([]wire.Report) // gets the reports of a group once it is synced, in the order of their records

	mu      sync.Mutex
	file    *os.File
	end     int64  // where the next group goes
	filled  int64  // the file holds zeros from end to here
	group   *group // being collected
	err     error  // ends the journal: nothing is written after it
	full    bool   // the file could not be filled further ahead
	kick    chan struct{}
	rewrite chan rewriting
}

// group is what goes to the disk together.
type group struct {
	buf     []byte
	reports []wire.Report
	done    chan struct{} // closed when synced, or when it never will be
	err     error
}

type rewriting struct {
	snapshot func() []record
	done     chan error
}

// openJournal opens or creates the journal and returns what it says. Only the holder of the lock may call it.
func openJournal(folder string) (*journal, scanned, error) {
	j := &journal{
		folder: folder, told: func([]wire.Report) {}, busy: func() bool { return false },
		group: newGroup(), kick: make(chan struct{}, 1), rewrite: make(chan rewriting),
	}
	path := filepath.Join(folder, journalFile)
	_ = os.Remove(path + ".new") // of a rewriting that did not come to its end
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, scanned{}, fmt.Errorf("opening journal: %w", err)
	}
	st, err := f.Stat()
	if err == nil && st.Size() > maxJournal {
		err = fmt.Errorf("%d bytes, at most %d", st.Size(), maxJournal)
	}
	var b []byte
	if err == nil {
		b = make([]byte, st.Size())
		_, err = f.ReadAt(b, 0)
	}
	if err != nil {
		return nil, scanned{}, errors.Join(fmt.Errorf("reading journal: %w", err), f.Close())
	}
	s := scan(b)
	if len(s.damaged) > 0 {
		keep := fmt.Sprintf("%s.damaged-%d", path, time.Now().UnixNano())
		if err := os.WriteFile(keep, b, 0o600); err != nil {
			return nil, scanned{}, errors.Join(fmt.Errorf("keeping the damaged journal: %w", err), f.Close())
		}
	}
	j.file, j.end, j.filled = f, s.end, s.end
	if nonZero(b, int(s.end)) < 0 {
		j.filled = st.Size()
	}
	if err := j.fill(); err != nil {
		return nil, scanned{}, errors.Join(fmt.Errorf("filling journal: %w", err), f.Close())
	}
	if err := syncFolder(folder); err != nil {
		return nil, scanned{}, errors.Join(err, f.Close())
	}
	return j, s, nil
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// append adds a record to the next group; its reports are told once the group is synced. An urgent group is synced
// at once, another within lazyDelay or with the next urgent one.
func (j *journal) append(r record, urgent bool, reports ...wire.Report) *group {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		g := newGroup()
		g.err = j.err
		close(g.done)
		return g
	}
	g := j.group
	first := len(g.buf) == 0
	buf, err := appendRecord(g.buf, r)
	if err != nil {
		failed := newGroup()
		failed.err = err
		close(failed.done)
		return failed
	}
	g.buf = buf
	g.reports = append(g.reports, reports...)
	switch {
	case urgent:
		j.wake()
	case first:
		time.AfterFunc(lazyDelay, j.wake)
	}
	return g
}

func (j *journal) wake() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// wait waits until the group is synced.
func (g *group) wait(ctx context.Context) error {
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes the groups until ctx ends, and the last one then. It returns an error where a write or a sync failed:
// what is on the disk is then not known, and nothing more is written.
func (j *journal) run(ctx context.Context) error {
	var last time.Time
	for {
		var err error
		select {
		case <-j.kick:
			if since := time.Since(last); since < gather && j.busy() {
				pause(ctx, gather-since)
			}
			err = j.flush(ctx)
			last = time.Now()
		case r := <-j.rewrite:
			err = j.flush(ctx)
			if err == nil {
				r.done <- j.replace(r.snapshot())
			}
		case <-ctx.Done():
			err = j.flush(ctx)
			if err == nil {
				err = errors.New("the keeper has ended")
				j.fail(err)
				return nil
			}
		}
		if err != nil {
			j.fail(err)
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
	if j.group != nil {
		j.group.err = err
		close(j.group.done)
		j.group = nil
	}
}

// flush writes and syncs what has been collected.
func (j *journal) flush(ctx context.Context) error {
	j.mu.Lock()
	g := j.group
	if len(g.buf) == 0 {
		j.mu.Unlock()
		return nil
	}
	j.group = newGroup()
	j.mu.Unlock()
	// The ends of running jobs wait here for room, and are not lost: new starts are refused meanwhile.
	for j.end+int64(len(g.buf)) > j.filled {
		err := j.fillTo(j.end + int64(len(g.buf)) + fillStep)
		if err == nil {
			break
		}
		if !noRoom(err) {
			return j.failGroup(g, fmt.Errorf("filling journal: %w", err))
		}
		select {
		case <-ctx.Done():
			return j.failGroup(g, fmt.Errorf("filling journal: %w", err))
		case <-time.After(roomRetry):
		}
	}
	if _, err := j.file.WriteAt(g.buf, j.end); err != nil {
		return j.failGroup(g, fmt.Errorf("writing journal: %w", err))
	}
	if err := fdatasync(j.file); err != nil {
		return j.failGroup(g, fmt.Errorf("syncing journal: %w", err))
	}
	j.mu.Lock()
	j.end += int64(len(g.buf))
	j.mu.Unlock()
	if len(g.reports) > 0 {
		j.told(g.reports)
	}
	close(g.done)
	if err := j.fill(); err != nil && !noRoom(err) {
		return fmt.Errorf("filling journal: %w", err)
	}
	return nil
}

func (j *journal) failGroup(g *group, err error) error {
	g.err = err
	close(g.done)
	return err
}

// fill keeps the reserve: zeros ahead of the end. Where there is no room for it the journal is full.
func (j *journal) fill() error {
	var err error
	if j.filled-j.end < fillReserve {
		err = j.fillTo(j.end + fillStep)
	}
	j.mu.Lock()
	j.full = err != nil
	j.mu.Unlock()
	if noRoom(err) {
		return nil
	}
	return err
}

func (j *journal) fillTo(size int64) error {
	zeros := make([]byte, 64<<10)
	for at := j.filled; at < size; {
		n, err := j.file.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
		at += int64(n)
		j.filled = at
		if err != nil {
			return err
		}
	}
	return j.file.Sync() // the size, and where the blocks are: later syncs need neither
}

// compact puts what snapshot says in the journal's place. snapshot is called when all that was appended before is
// on the disk; what is appended from then on comes behind it.
func (j *journal) compact(ctx context.Context, snapshot func() []record) error {
	r := rewriting{snapshot: snapshot, done: make(chan error, 1)}
	select {
	case j.rewrite <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// replace puts a new file with just these records in the journal's place.
func (j *journal) replace(records []record) error {
	path := filepath.Join(j.folder, journalFile)
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("rewriting journal: %w", err)
	}
	var b []byte
	for _, r := range records {
		if b, err = appendRecord(b, r); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	next := &journal{file: f}
	if _, err = f.WriteAt(b, 0); err == nil {
		next.end, next.filled = int64(len(b)), int64(len(b))
		err = next.fillTo(next.end + fillStep)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return errors.Join(fmt.Errorf("rewriting journal: %w", err), f.Close())
	}
	old := j.file
	j.mu.Lock()
	j.file, j.end, j.filled = f, next.end, next.filled
	j.mu.Unlock()
	return errors.Join(syncFolder(j.folder), old.Close())
}

// room reports whether the reserve for the ends of running attempts is there, and how long the journal is.
func (j *journal) room() (ok bool, size int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.full, j.end
}

func noRoom(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

func fdatasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing folder %s: %w", path, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing folder %s: %w", path, err)
	}
	return nil
}
