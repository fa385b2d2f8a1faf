package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"modernc.org/sqlite"

	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	groupSize       = 256  // writes in one transaction
	checkpointPages = 1000 // pages written to the log before they are brought into the file (4 MiB)
)

// writer owns the one connection that changes a file. Calls that wait together share one transaction and one sync:
//
//	write ─┐
//	write ─┼─ queue ─→ BEGIN  apply apply apply  COMMIT (sync) ─→ answers
//	write ─┘
//
// A group is first tried without savepoints, because conflicts are rare; where one of its writes does not fit, the
// group is undone and applied again with a savepoint around each, so that only those fail that must.
type writer struct {
	c      *conn
	folder string
	queue  chan *write
	fatal  func(error)

	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
	broken  error // set by the goroutine when the disk failed; nothing is written after that
	pages   int   // written to the log since the last checkpoint
}

// write is one caller's part of a transaction. apply may be called twice, the first time undone.
type write struct {
	apply  func(ctx context.Context, c *conn) error
	expiry func() error // of the caller's context: a caller that has gone is not served
	answer chan error
}

func startWriter(c *conn, folder string, fatal func(error)) *writer {
	w := &writer{
		c: c, folder: folder, fatal: fatal,
		queue: make(chan *write, groupSize), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// do has apply run in a transaction and returns when that is synced. Once its turn has come, the context no longer
// matters: the caller learns what became of the write.
func (w *writer) do(ctx context.Context, apply func(ctx context.Context, c *conn) error) error {
	one := &write{apply: apply, expiry: ctx.Err, answer: make(chan error, 1)}
	select {
	case <-w.stop:
		return errClosed
	default:
	}
	select {
	case w.queue <- one:
	case <-w.stop:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-one.answer:
		return err
	case <-w.stopped:
	}
	// The writer has ended; it may have answered before.
	select {
	case err := <-one.answer:
		return err
	default:
		return errClosed
	}
}

// close serves what is queued, then closes the connection, which brings the log into the file.
func (w *writer) close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.stopped
	return w.c.close()
}

func (w *writer) loop() {
	defer close(w.stopped)
	for {
		select {
		case first := <-w.queue:
			w.serve(w.gather(first))
		case <-w.stop:
			for {
				select {
				case first := <-w.queue:
					w.serve(w.gather(first))
				default:
					return
				}
			}
		}
	}
}

// gather returns first and what waits behind it.
func (w *writer) gather(first *write) []*write {
	group := make([]*write, 0, 1+len(w.queue))
	for one := first; ; {
		if err := one.expiry(); err != nil {
			one.answer <- err
		} else {
			group = append(group, one)
		}
		if len(group) == groupSize {
			return group
		}
		select {
		case one = <-w.queue:
		default:
			return group
		}
	}
}

// serve commits a group and answers each of its writes.
func (w *writer) serve(group []*write) {
	if len(group) == 0 {
		return
	}
	errs, err := w.commit(group, false)
	if errors.Is(err, errAgain) {
		errs, err = w.commit(group, true)
	}
	if err != nil && errors.Is(err, store.ErrDisk) && len(group) > 1 {
		// What is small may still fit where the whole group does not.
		for _, one := range group {
			w.serve([]*write{one})
		}
		return
	}
	for i, one := range group {
		if err != nil {
			one.answer <- err
		} else {
			one.answer <- errs[i]
		}
	}
	w.checkpoint()
}

// errAgain asks for the group to be applied again with savepoints.
var errAgain = errors.New("apply again with savepoints")

// commit applies a group in one transaction. It returns an answer for each write, or one error for all of them:
// then nothing is applied.
func (w *writer) commit(group []*write, careful bool) ([]error, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	// The callers' contexts end with the callers; the transaction is everybody's.
	ctx := context.Background()
	if _, err := w.c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return nil, w.judge(err)
	}
	errs := make([]error, len(group))
	failed := 0
	for i, one := range group {
		err := w.applyOne(ctx, one, careful)
		switch {
		case err == nil:
		case !ofBatch(err):
			w.rollback(ctx)
			return nil, w.judge(err)
		case !careful && len(group) > 1:
			w.rollback(ctx)
			return nil, errAgain
		default:
			errs[i] = err
			failed++
		}
	}
	if failed == len(group) {
		w.rollback(ctx)
		return errs, nil
	}
	if _, err := w.c.exec(ctx, "COMMIT"); err != nil {
		w.rollback(ctx)
		return nil, w.judge(err)
	}
	if s, ok := w.c.dc.(sqlite.DBStatus); ok {
		n, _, err := s.Status(sqlite.DBStatusCacheWrite, true)
		if err == nil {
			w.pages += n
		}
	}
	return errs, nil
}

func (w *writer) applyOne(ctx context.Context, one *write, careful bool) error {
	if !careful {
		return one.apply(ctx, w.c)
	}
	if _, err := w.c.exec(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	applied := one.apply(ctx, w.c)
	if applied != nil && !ofBatch(applied) {
		return applied // the whole transaction is undone
	}
	if applied != nil {
		if _, err := w.c.exec(ctx, "ROLLBACK TO one"); err != nil {
			return err
		}
	}
	if _, err := w.c.exec(ctx, "RELEASE one"); err != nil {
		return err
	}
	return applied
}

// rollback undoes the transaction. Its error is dropped: after a full disk SQLite has undone it already and says
// that none is open, and one that really cannot be undone shows when the next one begins.
func (w *writer) rollback(ctx context.Context) {
	_, _ = w.c.exec(ctx, "ROLLBACK")
}

// checkpoint brings the log into the file when enough is in it. It is done between groups, so that nothing is
// written meanwhile and the log can begin again at its start. A full disk only puts it off.
func (w *writer) checkpoint() {
	if w.pages < checkpointPages || w.broken != nil {
		return
	}
	w.pages = 0
	if _, err := w.c.exec(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		_ = w.judge(err) // only the disk's failure matters here
	}
}

// judge tells a full disk from one that failed. After a failure nothing is written any more, and whoever listens to
// Fatal ends the process.
func (w *writer) judge(err error) error {
	err = room(w.folder, err)
	if errors.Is(err, errIO) && w.broken == nil {
		w.broken = fmt.Errorf("writing the store: %w", err)
		w.fatal(w.broken)
	}
	return err
}
