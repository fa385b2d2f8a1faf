package ledger

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// change collects what one decision does to the table, to be appended as one record: all of it, or nothing.
type change struct {
	*table
	ops    []op
	notes  []op // what helps others and need not be kept: programs found in the way
	before []prior
	ending bool // it leases nothing new: it may use the room that is kept for that
}

// prior is a lease as it was before the change; nil if it was not there.
type prior struct {
	id    string
	lease *Lease
}

// set puts a lease and notes the entry.
func (c *change) set(l Lease) {
	c.before = append(c.before, prior{l.ID, c.put(l)})
	c.ops = append(c.ops, op{kind: opPut, lease: l})
}

// end gives a lease back: held where its pool says so, or free at once.
func (c *change) end(l Lease, at time.Time, reason string) {
	if l.HoldFor > 0 {
		c.set(ended(l, at, reason))
		return
	}
	c.remove(&l)
}

func (c *change) remove(l *Lease) {
	c.before = append(c.before, prior{l.ID, l})
	c.forget(l, c.now) // as it will be read: at the record's time
	c.ops = append(c.ops, op{kind: opDrop, id: l.ID})
}

// note records something that is found out again where it is lost.
func (c *change) note(l Lease) {
	c.put(l)
	if len(c.notes) < maxNotes {
		c.notes = append(c.notes, op{kind: opPut, lease: l})
	}
}

const maxNotes = 256

// staged is where the last set stands, so that it can be taken back.
type staged struct{ op, before int }

func (c *change) last() staged { return staged{len(c.ops) - 1, len(c.before) - 1} }

// unset takes back what was set, the last one first. What else was found out in between stays: it is true.
func (c *change) unset(all []staged) {
	for _, s := range slices.Backward(all) {
		if p := c.before[s.before]; p.lease != nil {
			c.put(*p.lease)
		} else {
			c.drop(p.id)
		}
		c.ops = slices.Delete(c.ops, s.op, s.op+1)
		c.before = slices.Delete(c.before, s.before, s.before+1)
	}
}

// ticket is what was appended and must reach the disk.
type ticket struct {
	file *os.File
	id   uint64
	seq  uint64
}

// decide lets f change the table under the lock, appends what it did, and waits until the disk has it. Where f fails,
// what it did until then still counts: it leaves only what is true.
func (l *Ledger) decide(ctx context.Context, f func(*change) error) error {
	t, err := l.decideLazily(ctx, f)
	if err != nil || t.seq == 0 || l.opts.NoSync {
		return err
	}
	return l.durable(ctx, t)
}

// durable waits until the disk has what was appended. Once it is appended it is decided: a context that ends does not
// take it back, and the wait for the disk is short.
func (l *Ledger) durable(ctx context.Context, t ticket) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.patience)
	defer cancel()
	err := l.commit.wait(ctx, t.file, t.id, t.seq)
	if err != nil {
		l.turn <- struct{}{}
		l.rewrite = true
		<-l.turn
		return noRoom("making the ledger durable", err)
	}
	return nil
}

// decideLazily is decide without the wait.
func (l *Ledger) decideLazily(ctx context.Context, f func(*change) error) (ticket, error) {
	unlock, err := l.take(ctx)
	if err != nil {
		return ticket{}, err
	}
	defer unlock()
	if err := l.catchUp(ctx); err != nil {
		return ticket{}, err
	}
	if err := l.damaged(); err != nil {
		return ticket{}, err
	}
	if l.rewrite {
		if err := l.compact(ctx); err != nil {
			return ticket{}, err
		}
	}
	c := &change{table: l.table}
	l.anchor(c)
	decided := f(c)
	t, err := l.append(ctx, c)
	if err != nil {
		l.stale = true
		if decided == nil {
			decided = err
		}
	}
	return t, decided
}

// anchor ties the ledger's time to this boot, where that has not been done; leases of another boot's processes end.
func (l *Ledger) anchor(c *change) {
	if l.opts.Clock != nil {
		return
	}
	boot, mono, ok := bootClock()
	if !ok || c.epoch.boot == boot {
		return
	}
	c.epoch = epoch{boot: boot, mono: int64(mono), at: l.now()}
	c.ops = append(c.ops, op{kind: opEpoch, epoch: c.epoch, fence: c.fence})
	c.restarted(boot, c.now)
}

// append writes the record of a change, and its notes after it.
func (l *Ledger) append(ctx context.Context, c *change) (ticket, error) {
	var frames []byte
	n := 0
	if done, ours := l.commit.mark(markDurable, l.journal.head.id); ours {
		l.commit.note(min(done, l.journal.seq))
	}
	add := func(ops []op) {
		n++
		frames = appendFrame(frames, record{seq: l.journal.seq + uint64(n), synced: min(l.commit.durable.Load(), l.journal.seq), at: c.now, ops: ops})
	}
	if len(c.ops) > 0 {
		add(c.ops)
		if len(frames) > maxRecord {
			return ticket{}, fmt.Errorf("a record of %d bytes is too long for the ledger", len(frames))
		}
	}
	for at := 0; at < len(c.notes); at += 64 {
		add(c.notes[at:min(at+64, len(c.notes))])
	}
	if n == 0 {
		return ticket{}, nil
	}
	if err := l.journal.append(frames, n, c.ending); err != nil {
		return ticket{}, err
	}
	l.commit.appended(l.journal.head.id, l.journal.seq)
	t := ticket{file: l.journal.file, id: l.journal.head.id, seq: l.journal.seq}
	if l.journal.pos > max(l.limit, minRewrite, rewriteAt*l.journal.head.snapshot) {
		// Nothing is lost where it fails: the file only grows on. It is tried again when it is twice as long.
		if err := l.compact(ctx); err != nil {
			l.limit = 2 * l.journal.pos
		}
	}
	return t, nil
}

// rewriteAt is how many times longer than its snapshot a ledger grows before it is rewritten.
const rewriteAt = 4

// compact replaces the file by a snapshot, which is on the disk when this returns.
func (l *Ledger) compact(ctx context.Context) error {
	if err := l.journal.rewrite(l.journal.seq, l.table); err != nil {
		return err
	}
	l.limit, l.rewrite = 0, false
	l.commit.note(l.journal.seq)
	return l.commit.adopt(ctx, l.journal.head.id, l.journal.seq, l.journal.seq)
}
