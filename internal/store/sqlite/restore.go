package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// restoring is the ending of files that are not a store yet. They get their names when they are whole, checked, in
// a new epoch and held: no server can start on half a restore.
const restoring = ".restoring"

// Restore makes a store in dataFolder, which must not hold one, from what Backup wrote. The epoch is one higher, so
// that nothing decided before is taken any more, and the domain is held, so that nothing starts before a person has
// looked. The artifacts' files are not part of it.
func Restore(ctx context.Context, backupFolder, dataFolder string) error {
	if err := restore(ctx, backupFolder, dataFolder); err != nil {
		return fmt.Errorf("restoring %s: %w", backupFolder, diskError(err))
	}
	return nil
}

func restore(ctx context.Context, backupFolder, dataFolder string) (err error) {
	m, err := readManifest(backupFolder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dataFolder, 0o700); err != nil {
		return err
	}
	held, err := lock(dataFolder, m.Time)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	for _, name := range []string{stateFile, outputFile} {
		if _, err := os.Lstat(filepath.Join(dataFolder, name)); !errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Conflict, fmt.Sprintf("%s has a store already", dataFolder), "move it away, or restore into another folder")
		}
	}
	// What a killed restore left goes first: SQLite would apply an old log to the new file.
	if err := removeRestoring(dataFolder); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeRestoring(dataFolder))
		}
	}()
	for _, name := range []string{stateFile, outputFile} {
		if err := copyChecked(filepath.Join(backupFolder, name), filepath.Join(dataFolder, name+restoring), m.Files[name]); err != nil {
			return err
		}
		if err := finishRestore(ctx, dataFolder, name, m.Time); err != nil {
			return err
		}
	}
	// The state comes last: it is what makes a store of the folder.
	for _, name := range []string{outputFile, stateFile} {
		if err := os.Rename(filepath.Join(dataFolder, name+restoring), filepath.Join(dataFolder, name)); err != nil {
			return err
		}
	}
	return syncFolder(dataFolder)
}

func removeRestoring(folder string) error {
	for _, name := range []string{stateFile, outputFile} {
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(folder, name+restoring+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func readManifest(folder string) (manifest, error) {
	var m manifest
	b, err := os.ReadFile(filepath.Join(folder, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fault.New(fault.Invalid, "no backup is there", "give a folder that `reeve backup` finished")
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Time.IsZero() {
		return m, &fault.Error{Kind: fault.Invalid, Msg: manifestFile + " is damaged", Err: err, Fix: "use another backup"}
	}
	return m, nil
}

// copyChecked copies a file of a backup and refuses it where it is not what was written.
func copyChecked(from, to string, want fileHash) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err := errors.Join(err, dst.Close()); err != nil {
		return err
	}
	got, err := hashAndSync(to)
	if err != nil {
		return err
	}
	if got != want {
		return fault.New(fault.Invalid, fmt.Sprintf("%s is damaged: %d bytes with hash %.12s, the backup had %d with %.12s",
			from, got.Size, got.SHA256, want.Size, want.SHA256), "use another backup")
	}
	return nil
}

// finishRestore checks a copied file and, of the state, raises the epoch and holds the domain.
func finishRestore(ctx context.Context, folder, name string, of time.Time) (err error) {
	k, err := newConnector(filepath.Join(folder, name+restoring), settings(name == outputFile))
	if err != nil {
		return err
	}
	c, err := k.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.check(ctx); err != nil {
		return err
	}
	if name != stateFile {
		return nil
	}
	if _, err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if _, err := c.exec(ctx, "UPDATE domain SET epoch = epoch + 1"); err != nil {
		return err
	}
	_, err = c.exec(ctx, `INSERT INTO settings (name, value, rev) VALUES ('held', ?, 1)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, rev = rev + 1`,
		"restored from a backup of "+of.UTC().Format(time.RFC3339))
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, "COMMIT")
	return err
}

// check has SQLite look at every page of the file.
func (c *conn) check(ctx context.Context) error {
	found := ""
	err := c.queryOnce(ctx, "PRAGMA integrity_check(1)", func(r row) error {
		found = r.str(0)
		return nil
	})
	if err == nil && found != "ok" {
		err = fault.New(fault.Internal, fmt.Sprintf("%s is damaged: %s", c.name, found), "use another backup")
	}
	return err
}
