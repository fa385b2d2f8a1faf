package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const syncFile = "sync"

// commit makes records durable: one sync for all who wait, in this process and in all others on the folder. The file
// named sync holds two marks: how far has been appended, written under the ledger's lock, and how far the disk has it,
// written under a lock of its own. Each is for one file of records, names it, and has a checksum. A mark that is missing
// or behind costs a sync too many, and none says more than was done.
type commit struct {
	lead     chan struct{} // held by the one of this process who syncs
	lock     *flock
	file     *os.File
	patience time.Duration
	sync     func(*os.File) error
	durable  atomic.Uint64 // every record up to this one is on the disk
}

// The places of the two marks, in cache lines of their own.
const (
	markDurable  = 0
	markAppended = 64
	markSize     = 20
)

func openCommit(dir string, o Options) (*commit, error) {
	path := filepath.Join(dir, syncFile)
	lock, err := openLock(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		lock.close()
		return nil, err
	}
	c := &commit{lead: make(chan struct{}, 1), lock: lock, file: f, patience: o.patience, sync: o.sync}
	return c, nil
}

func (c *commit) close() {
	c.lock.close()
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
func (c *commit) adopt(ctx context.Context, id, durable, seq uint64) error {
	select {
	case c.lead <- struct{}{}:
		defer func() { <-c.lead }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := c.lock.lock(ctx, c.patience); err != nil {
		return err
	}
	defer c.lock.unlock()
	c.setMark(markDurable, id, durable)
	c.appended(id, seq)
	return nil
}

// wait returns once the record seq, which was appended to the file id, is on the disk.
func (c *commit) wait(ctx context.Context, file *os.File, id, seq uint64) error {
	if c.durable.Load() >= seq {
		return nil
	}
	select {
	case c.lead <- struct{}{}:
		defer func() { <-c.lead }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.durable.Load() >= seq {
		return nil
	}
	if err := c.lock.lock(ctx, c.patience); err != nil {
		return err
	}
	defer c.lock.unlock()
	done, ours := c.mark(markDurable, id)
	if done >= seq {
		c.note(done)
		return nil
	}
	upTo := seq
	if n, ok := c.mark(markAppended, id); ok && n > seq {
		upTo = n // others' records, which this sync brings to the disk too
	}
	if err := c.sync(file); err != nil {
		if c.durable.Load() >= seq {
			return nil // the file was closed because a rewritten one, on the disk already, has taken its place
		}
		return fmt.Errorf("syncing the ledger: %w", err)
	}
	if ours {
		c.setMark(markDurable, id, upTo)
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
