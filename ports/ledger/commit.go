package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const syncFile = "sync"

// commit makes records durable. A sync serves all whose records were appended before it began, in this process and in
// all others on the folder; whoever comes while one is under way is served by the next. More of them at once make each
// slower: they wait for the same page of the file.
//
// The file named sync tells other processes: it holds two marks, how far has been appended and how far the disk has it,
// each for one file of records that it names, with a checksum. A mark that is missing or behind costs a sync too many,
// and none says more than was done; so nothing depends on the lock of its first byte, which only keeps processes from
// syncing all at once.
type commit struct {
	file    *os.File
	stand   time.Duration // how long one waits for another process's sync before it does its own
	sync    func(*os.File) error
	durable atomic.Uint64 // every record up to this one is on the disk

	mu    sync.Mutex
	ended chan struct{} // closed when the sync of this process that is under way has ended; nil: none is
}

const (
	standAside  = 5 * time.Millisecond
	lookAgainAt = 50 * time.Microsecond
)

// The places of the two marks, in cache lines of their own.
const (
	markDurable  = 0
	markAppended = 64
	markSize     = 20
)

func openCommit(dir string, o Options) (*commit, error) {
	f, err := os.OpenFile(filepath.Join(dir, syncFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &commit{file: f, stand: o.stand, sync: o.sync}, nil
}

func (c *commit) close() {
	_ = c.file.Close() // its content is a hint
}

// mark reads a mark; 0 if it is not one of the file id.
func (c *commit) mark(at int64, id uint64) (seq uint64, ours bool) {
	var b [markSize]byte
	if n, err := c.file.ReadAt(b[:], at); n < markSize || err != nil && n < markSize {
		return 0, false
	}
	if checksum(b[:16]) != binary.LittleEndian.Uint32(b[16:]) || binary.LittleEndian.Uint64(b[:]) != id {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[8:]), true
}

func (c *commit) setMark(at int64, id, seq uint64) {
	var b [markSize]byte
	binary.LittleEndian.PutUint64(b[:], id)
	binary.LittleEndian.PutUint64(b[8:], seq)
	binary.LittleEndian.PutUint32(b[16:], checksum(b[:16]))
	_, _ = c.file.WriteAt(b[:], at) // a hint: without it there is a sync more
}

// appended notes how far has been appended. Only the holder of the ledger's lock may call it.
func (c *commit) appended(id, seq uint64) { c.setMark(markAppended, id, seq) }

// adopt makes the marks those of another file, of which everything up to durable is on the disk. Only the holder of
// the ledger's lock may call it.
func (c *commit) adopt(id, durable, seq uint64) {
	c.setMark(markDurable, id, durable)
	c.appended(id, seq)
}

// lead makes this goroutine the one of its process that syncs. It is false once another's sync, or ctx, has ended: all
// who waited for it go on together, and most are served by then.
func (c *commit) lead(ctx context.Context) bool {
	c.mu.Lock()
	ended := c.ended
	if ended == nil {
		c.ended = make(chan struct{})
		c.mu.Unlock()
		return true
	}
	c.mu.Unlock()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return false
}

// follow ends what lead began.
func (c *commit) follow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.ended)
	c.ended = nil
}

// wait returns once the record that a ticket is for is on the disk.
func (c *commit) wait(ctx context.Context, t ticket) error {
	for c.durable.Load() < t.seq {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !c.lead(ctx) {
			continue
		}
		err := c.reach(ctx, t)
		c.follow()
		if err != nil && c.durable.Load() < t.seq { // else the file was closed because another, on the disk already, has taken its place
			return err
		}
	}
	return nil
}

// reach syncs, unless another process does.
func (c *commit) reach(ctx context.Context, t ticket) error {
	for began := time.Now(); ; {
		if done, _ := c.mark(markDurable, t.id); done >= t.seq {
			c.note(done)
			return nil
		}
		if lockByte(c.file, 0) {
			defer unlockByte(c.file, 0)
			break
		}
		// Another process syncs: that may serve this record too. One that is stopped keeps nobody.
		if time.Since(began) > c.stand {
			break
		}
		if err := rest(ctx, lookAgainAt); err != nil {
			return err
		}
	}
	upTo := t.seq
	appended, current := c.mark(markAppended, t.id)
	upTo = max(upTo, appended) // others' records, which this sync brings to the disk too
	if err := c.sync(t.file); err != nil {
		return fmt.Errorf("syncing the ledger: %w", err)
	}
	if current { // else the file has been replaced, and the marks are those of the new one
		c.setMark(markDurable, t.id, upTo)
	}
	c.note(upTo)
	return nil
}

func (c *commit) note(seq uint64) {
	for {
		old := c.durable.Load()
		if old >= seq || c.durable.CompareAndSwap(old, seq) {
			return
		}
	}
}
