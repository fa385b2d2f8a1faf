package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// The numbered migrations of both files, forward only; a released one is never edited.
//
//go:embed migrations
var migrations embed.FS

// migrationsOf returns the migrations of a file, and the number of the newest.
func migrationsOf(name string) (fs.FS, int64, error) {
	folder := "migrations/state"
	if name == outputFile {
		folder = "migrations/output"
	}
	sub, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, 0, err
	}
	list, err := fs.ReadDir(sub, ".")
	return sub, int64(len(list)), err // numbered from 1 without gaps: a test checks it
}

// migrate brings the file to the schema of this binary, each step in a transaction of its own.
func migrate(ctx context.Context, k *connector) error {
	steps, newest, err := migrationsOf(k.name)
	if err != nil {
		return err
	}
	at, err := schemaVersion(ctx, k)
	if err != nil {
		return err
	}
	if at > newest {
		return fault.New(fault.Invalid,
			fmt.Sprintf("%s has schema %d, and this reeve knows only up to %d: it was written by a newer one", k.name, at, newest),
			"use the newer reeve, or restore a backup that this one wrote")
	}
	if at == newest {
		return nil // goose is only asked where it has something to do: it costs time at each start
	}
	db := sql.OpenDB(k)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, steps,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return errors.Join(err, db.Close())
	}
	if _, err := provider.Up(ctx); err != nil {
		return errors.Join(fmt.Errorf("migrating %s from schema %d to %d: %w", k.name, at, newest, explain(k.name, err)), db.Close())
	}
	return db.Close()
}

// schemaVersion returns the number of the last migration, 0 for an empty file.
func schemaVersion(ctx context.Context, k *connector) (version int64, err error) {
	c, err := k.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	tables := 0
	err = c.queryOnce(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version'", func(r row) error {
		tables = int(r.int(0))
		return nil
	})
	if err != nil || tables == 0 {
		return 0, err
	}
	err = c.queryOnce(ctx, "SELECT max(version_id) FROM goose_db_version", func(r row) error {
		version = r.int(0)
		return nil
	})
	return version, err
}
