package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// errClosed is what calls get that come when the store is closed or closing.
var errClosed = errors.New("the store is closed")

// errIO marks an error after which nobody knows what the disk holds: the process must end, and what is there must
// be read again. A sync that failed is never tried again, because the kernel may have dropped what it could not write.
var errIO = errors.New("the disk failed")

// explain gives an error of SQLite the meaning that the store's callers know. Errors that are not SQLite's stay.
func explain(file string, err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("writing %s: %w: %w", file, store.ErrDisk, err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("using %s: %w: %w", file, errIO, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return &fault.Error{Kind: fault.Internal, Msg: file + " is damaged", Err: err, Fix: "keep a copy of the folder, then restore a backup"}
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
		return &fault.Error{Kind: fault.Invalid, Msg: "opening " + file, Err: err, Fix: "check that this user may write the data folder and the files in it"}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &fault.Error{Kind: fault.Busy, Msg: "waiting for " + file, Err: err, Fix: "end the other program that uses the file"}
	case sqlite3.SQLITE_INTERRUPT:
		return fmt.Errorf("reading %s: %w", file, context.Canceled)
	}
	return fmt.Errorf("using %s: %w", file, err)
}

// ofBatch reports whether err lies in one batch alone, so that the others of its group may still be applied.
func ofBatch(err error) bool {
	var conflict *store.Conflict
	if errors.As(err, &conflict) || errors.Is(err, store.ErrEpoch) || errors.Is(err, errBatch) {
		return true
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		code := e.Code() & 0xff
		return code == sqlite3.SQLITE_CONSTRAINT || code == sqlite3.SQLITE_TOOBIG || code == sqlite3.SQLITE_MISMATCH
	}
	return false
}

// errBatch marks a batch that makes no sense: a bug of who decided it.
var errBatch = errors.New("batch refused")

// room turns an I/O error that only means a full disk into ErrDisk. SQLite says FULL for ENOSPC alone; a quota, a
// file size limit, and a full disk under the shared-memory file come as I/O errors without their cause, so the
// store tries by itself whether a file can be written beside its own. A failed sync is never taken for that.
func room(folder string, err error) error {
	var e *sqlite.Error
	if !errors.Is(err, errIO) || !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_TRUNCATE:
	default:
		return err
	}
	cause := tryWrite(folder)
	if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EDQUOT) || errors.Is(cause, syscall.EFBIG) {
		return fmt.Errorf("writing: %w: %w: %w", store.ErrDisk, cause, e)
	}
	return err
}

// tryWrite writes and removes a small file in folder.
func tryWrite(folder string) (err error) {
	f, err := os.CreateTemp(folder, "room-*")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}()
	_, err = f.Write(make([]byte, 128<<10))
	return err
}

// diskError gives an error of the operating system the meaning that the store's callers know.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", store.ErrDisk, err)
	}
	return err
}
