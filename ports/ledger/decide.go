package ledger

import (
	"context"
	"os"
	"runtime"
	"sync"
	"time"
)

// decision is a change that somebody wants to make. Those of one process that come at once are made together: one of
// them takes the lock, decides for all, and waits for the disk once; the next one leads those who came meanwhile.
type decision struct {
	change func(*change) error
	netns  uint64 // where it binds sockets; 0: it binds none
	lazy   bool   // nobody waits for the disk

	err    error
	ticket ticket
	leads  bool
	wake   chan bool // true: it is decided; false: it leads
}

// gatherTime is less than a fast disk takes for a sync.
const gatherTime = 60 * time.Microsecond

// maxBatch is how many decisions one goroutine makes while it has the lock.
const maxBatch = 64

// queue is the decisions that wait for one who leads.
type queue struct {
	mu      sync.Mutex
	waiting []*decision
	led     bool // somebody leads
	last    int  // how many decisions were made together the last time
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
	return l.join(ctx, &decision{change: f})
}

// decideLazily is decide without the wait for the disk.
func (l *Ledger) decideLazily(ctx context.Context, f func(*change) error) error {
	return l.join(ctx, &decision{change: f, lazy: true})
}

// join waits until a decision is made, and leads where nobody does.
func (l *Ledger) join(ctx context.Context, d *decision) error {
	d.wake = make(chan bool, 1)
	if !l.queue.enter(d) {
		select {
		case done := <-d.wake:
			if done {
				return d.err
			}
		case <-ctx.Done():
			if l.queue.leave(d) {
				return context.Cause(ctx)
			}
			if <-d.wake {
				return d.err // it was being made already
			}
		}
	}
	l.queue.gather()
	batch := l.queue.take(d)
	l.decideAll(ctx, batch)
	l.queue.pass()
	l.settleAll(ctx, batch)
	return d.err
}

// enter puts a decision into the queue; it is true for one that leads.
func (q *queue) enter(d *decision) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, d)
	d.leads = !q.led
	q.led = true
	return d.leads
}

// leave takes a decision out again; it is false for one that is being made, or leads.
func (q *queue) leave(d *decision) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.waiting {
		if other == d && !d.leads {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// gather lets those come who came together the last time: a sync for each of them costs more than a short wait.
func (q *queue) gather() {
	for began := time.Now(); ; runtime.Gosched() {
		q.mu.Lock()
		enough := len(q.waiting) >= q.last
		q.mu.Unlock()
		if enough || time.Since(began) > gatherTime {
			return
		}
	}
}

// take returns the decisions that d, which leads, makes: its own first. Sockets are bound where the one who leads runs:
// decisions for another network namespace wait.
func (q *queue) take(d *decision) []*decision {
	here := d.netns
	if here == 0 {
		here = networkSpace()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := []*decision{d}
	var rest []*decision
	for _, other := range q.waiting {
		switch {
		case other == d:
		case len(batch) < maxBatch && (other.netns == 0 || other.netns == here):
			batch = append(batch, other)
		default:
			rest = append(rest, other)
		}
	}
	q.waiting, q.last = rest, len(batch)
	return batch
}

// pass lets the next one lead.
func (q *queue) pass() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.led = len(q.waiting) > 0; q.led {
		q.waiting[0].leads = true
		q.waiting[0].wake <- false
	}
}

// decideAll makes decisions one after the other, under one lock.
func (l *Ledger) decideAll(ctx context.Context, batch []*decision) {
	if len(batch) > 1 {
		ctx = context.WithoutCancel(ctx) // it is for others too; who has the lock for too long is told of
	}
	unlock, err := l.take(ctx)
	if err != nil {
		for _, d := range batch {
			d.err = err
		}
		return
	}
	defer unlock()
	last := ticket{}
	for i, d := range batch {
		d.ticket, d.err = l.decideOne(d, i == 0)
		if d.ticket.seq > 0 {
			last = d.ticket
		}
	}
	if last.seq > 0 {
		l.commit.appended(last.id, last.seq)
		l.tidy()
	}
}

// decideOne makes one decision. first says that the lock has just been taken.
func (l *Ledger) decideOne(d *decision, first bool) (ticket, error) {
	if first || l.stale {
		if err := l.catchUp(); err != nil {
			return ticket{}, err
		}
	}
	if err := l.damaged(); err != nil {
		return ticket{}, err
	}
	if l.rewrite {
		if err := l.compact(); err != nil {
			return ticket{}, err
		}
	}
	c := &change{table: l.table}
	l.anchor(c)
	decided := d.change(c)
	t, err := l.append(c)
	if err != nil {
		l.stale = true
		if decided == nil {
			decided = err
		}
	}
	return t, decided
}

// settleAll waits until the disk has what was decided, and tells those who wait for it. What is appended is decided: a
// context that ends does not take it back, and the wait for the disk is short.
func (l *Ledger) settleAll(ctx context.Context, batch []*decision) {
	own := batch[0]
	last := ticket{}
	for _, d := range batch {
		if d.err == nil && !d.lazy && d.ticket.seq > 0 {
			last = d.ticket
		} else if d != own {
			d.wake <- true
		}
	}
	if last.seq == 0 {
		return
	}
	err := error(nil)
	if !l.opts.NoSync {
		err = l.durable(ctx, last)
	}
	for _, d := range batch {
		if d.err == nil && !d.lazy && d.ticket.seq > 0 {
			d.err = err
			if d != own {
				d.wake <- true
			}
		}
	}
}

func (l *Ledger) durable(ctx context.Context, t ticket) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.patience)
	defer cancel()
	if err := l.commit.wait(ctx, t); err != nil {
		l.turn.Lock()
		l.rewrite = true
		l.turn.Unlock()
		return noRoom("making the ledger durable", err)
	}
	return nil
}
