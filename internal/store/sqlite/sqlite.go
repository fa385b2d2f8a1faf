// Package sqlite answers: how does one file on one machine remember what the store promises?
//
//	state.db   runs, nets, nodes, people, orders      written by Commit, one transaction for all that wait together
//	output.db  what attempts wrote, compressed        written by AppendOutput; its bulk never holds up the state
//	lock       who uses the folder
//
// Both files are in WAL mode with synchronous=FULL: what a call has returned is on the disk. Each has one
// connection that writes and a few that read. A disk without room is a state: calls answer store.ErrDisk and succeed
// again when there is room. A disk that fails is the end: Fatal says so, and nothing is written after it.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/reeve-scheduler/reeve/internal/store"
)

// Files of a store's folder.
const (
	stateFile  = "state.db"
	outputFile = "output.db"
)

// Connections that read, for each file. Each costs up to 2 MiB of page cache.
const (
	stateReaders  = 3
	outputReaders = 1
)

// Options of a store. The zero value is good.
type Options struct {
	Now func() time.Time // for what is written down about the store itself; nil: the system's clock
}

// Store implements store.Store. All methods may be called by several goroutines at once.
type Store struct {
	folder string
	now    func() time.Time
	lock   *os.File
	fatal  chan error

	state  *file
	output *file
	zip    *codec
}

var _ store.Store = (*Store)(nil)

// file is one database with its connections.
type file struct {
	writer  *writer
	readers chan *conn
	opened  int // how many readers there are
}

// Open opens the store in folder, making or migrating it where needed, and locks the folder until Close. It refuses
// a folder that another server uses, a schema newer than this binary's, and a database whose settings would not
// keep what is acknowledged.
func Open(ctx context.Context, folder string, opts Options) (*Store, error) {
	s := &Store{folder: folder, now: opts.Now, fatal: make(chan error, 1)}
	if s.now == nil {
		s.now = time.Now
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the store's folder: %w", diskError(err))
	}
	var err error
	if s.lock, err = lock(folder, s.now()); err != nil {
		return nil, err
	}
	if err := s.openFiles(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening store: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) openFiles(ctx context.Context) error {
	var err error
	if s.zip, err = newCodec(); err != nil {
		return err
	}
	if s.state, err = s.openFile(ctx, stateFile, stateReaders); err != nil {
		return err
	}
	if s.output, err = s.openFile(ctx, outputFile, outputReaders); err != nil {
		return err
	}
	// The names of the files must survive a power cut like what is in them.
	return syncFolder(s.folder)
}

// openFile returns what it opened also with an error, for Close.
func (s *Store) openFile(ctx context.Context, name string, readers int) (*file, error) {
	path := filepath.Join(s.folder, name)
	f := &file{readers: make(chan *conn, readers)}
	// SQLite gives its log and shared memory the mode of the database.
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	k, err := newConnector(path, settings(name == outputFile))
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, k); err != nil {
		return nil, room(s.folder, err)
	}
	c, err := k.open(ctx)
	if err != nil {
		return nil, room(s.folder, err)
	}
	f.writer = startWriter(c, s.folder, s.fail)
	for range readers {
		c, err := k.open(ctx)
		if err != nil {
			return f, room(s.folder, err)
		}
		f.readers <- c
		f.opened++
	}
	return f, nil
}

func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, diskError(err))
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// fail tells Fatal of the first error of the disk.
func (s *Store) fail(err error) {
	select {
	case s.fatal <- err:
	default:
	}
}

// Fatal delivers an error of the disk after which the process must end: a sync failed, and nobody knows what is
// stored. At most one comes.
func (s *Store) Fatal() <-chan error { return s.fatal }

// Close serves the writes that wait, closes the files and lets go of the folder. It must not be called twice.
func (s *Store) Close() error {
	var errs []error
	for _, f := range []*file{s.state, s.output} {
		if f != nil {
			errs = append(errs, f.close())
		}
	}
	if s.zip != nil {
		s.zip.close()
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// close closes the readers as they come back, then the writer, so that the last connection tidies the log away.
func (f *file) close() error {
	var errs []error
	for range f.opened {
		c := <-f.readers
		errs = append(errs, c.close())
	}
	close(f.readers) // nobody holds a connection now; who waits for one learns that the store is closed
	return errors.Join(append(errs, f.writer.close())...)
}

// read lends fn a connection inside a transaction: all that it reads is of one moment.
func (f *file) read(ctx context.Context, fn func(c *conn) error) error {
	var c *conn
	select {
	case got, ok := <-f.readers:
		if !ok {
			return errClosed
		}
		c = got
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { f.readers <- c }()
	// Begin and end are not interrupted: the connection must come back without a transaction.
	always := context.WithoutCancel(ctx)
	if _, err := c.exec(always, "BEGIN"); err != nil {
		return err
	}
	err := fn(c)
	if _, cerr := c.exec(always, "ROLLBACK"); err == nil {
		err = cerr
	}
	return err
}
