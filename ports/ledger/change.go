package ledger

import (
	"fmt"
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

// anchor ties the ledger's time to this boot, where that has not been done; leases of another boot's processes end.
func (l *Ledger) anchor(c *change) {
	if l.opts.Clock != nil {
		return
	}
	if l.boot == "" || c.epoch.boot == l.boot {
		return
	}
	c.epoch = epoch{boot: l.boot, mono: int64(sinceBoot()), at: l.now()}
	c.ops = append(c.ops, op{kind: opEpoch, epoch: c.epoch, fence: c.fence})
	c.restarted(l.boot)
}

// append writes the record of a change, and its notes after it.
func (l *Ledger) append(c *change) (ticket, error) {
	var frames []byte
	n := 0
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
	return ticket{file: l.journal.file, id: l.journal.head.id, seq: l.journal.seq}, nil
}

// rewriteAt is how many times longer than its snapshot a ledger grows before it is rewritten.
const rewriteAt = 4

// tidy rewrites a file that has grown long. Nothing is lost where that fails: it only grows on, and it is tried again
// when it is twice as long.
func (l *Ledger) tidy() {
	if l.journal.pos > max(l.limit, minRewrite, rewriteAt*l.journal.head.snapshot) && l.compact() != nil {
		l.limit = 2 * l.journal.pos
	}
}

// compact replaces the file by a snapshot, which is on the disk when this returns.
func (l *Ledger) compact() error {
	if err := l.journal.rewrite(l.journal.seq, l.table); err != nil {
		return err
	}
	l.limit, l.rewrite = 0, false
	l.commit.note(l.journal.seq)
	l.commit.adopt(l.journal.head.id, l.journal.seq, l.journal.seq)
	return nil
}
