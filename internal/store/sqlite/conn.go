package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// conn is one connection with its prepared statements. It bypasses database/sql: the store has one writer and a
// fixed set of readers, and a statement costs half as much without the pool's bookkeeping. It is used by one
// goroutine at a time.
type conn struct {
	name  string // of the file, for errors
	dc    driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue

	numbers map[string]int64 // of open runs, by id; the writer's
}

// pragma is a setting of a connection and what reading it back must give.
type pragma struct{ name, set, want string }

// settings are what every connection must have. synchronous=FULL is the promise that what is acknowledged
// survives a power cut; a file system or a build that gives less is refused.
//
// Page caches are small and memory maps off, because the server's memory is promised as well. Checkpoints are
// made by the writer itself: SQLite's own would drop the error of a failed sync.
func settings(output bool) []pragma {
	vacuum := pragma{"auto_vacuum", "NONE", "0"}
	if output {
		vacuum = pragma{"auto_vacuum", "INCREMENTAL", "2"} // must come before the first page is written
	}
	return []pragma{
		{"busy_timeout", "5000", "5000"},
		vacuum,
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"},
		{"foreign_keys", "ON", "1"},
		{"mmap_size", "0", "0"},
		{"cache_size", "-2048", "-2048"},
		{"temp_store", "MEMORY", "2"},
		{"wal_autocheckpoint", "0", "0"},
		{"journal_size_limit", "16777216", "16777216"},
		{"trusted_schema", "OFF", "0"},
	}
}

// connector opens connections with settings, for goose and for the store.
type connector struct {
	driver.Connector
	name string
	want []pragma
}

func newConnector(path string, want []pragma) (*connector, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// A URI, because the driver takes what follows a bare "?" in a path for its own parameters.
	uri := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: "_txlock=immediate"}
	base, err := sqlite.NewConnector(uri.String())
	if err != nil {
		return nil, err
	}
	return &connector{Connector: base, name: filepath.Base(path), want: want}, nil
}

// Connect implements driver.Connector.
func (k *connector) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	err = c.finalize()
	return c.dc, err
}

// open opens a connection, gives it its settings and reads every one of them back.
func (k *connector) open(ctx context.Context) (*conn, error) {
	dc, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, explain(k.name, err)
	}
	c := &conn{name: k.name, dc: dc, stmts: map[string]driver.Stmt{}}
	for _, p := range k.want {
		if err := c.run(ctx, "PRAGMA "+p.name+" = "+p.set); err != nil {
			return nil, errors.Join(err, dc.Close())
		}
	}
	if err := c.verify(ctx, k.want); err != nil {
		return nil, errors.Join(err, dc.Close())
	}
	return c, nil
}

// verify reads the settings back and refuses what differs.
func (c *conn) verify(ctx context.Context, want []pragma) error {
	for _, p := range want {
		got := ""
		err := c.queryOnce(ctx, "PRAGMA "+p.name, func(r row) error {
			if s, ok := r[0].(string); ok {
				got = s
			} else {
				got = strconv.FormatInt(r.int(0), 10)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if got != p.want {
			return fault.New(fault.Invalid,
				fmt.Sprintf("%s: SQLite's %s is %q where %q is needed for what is acknowledged to be safe", c.name, p.name, got, p.want),
				"use a local file system that supports write-ahead logging, or a file that Reeve made")
		}
	}
	return nil
}

// exec runs a prepared statement and returns how many rows it changed.
func (c *conn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	s, err := c.prepare(ctx, sql)
	if err != nil {
		return 0, err
	}
	res, err := s.(driver.StmtExecContext).ExecContext(ctx, c.bind(args))
	if err != nil {
		return 0, explain(c.name, err)
	}
	return res.RowsAffected()
}

// insert runs a prepared INSERT and returns the key that was given to the row.
func (c *conn) insert(ctx context.Context, sql string, args ...any) (id, rows int64, err error) {
	s, err := c.prepare(ctx, sql)
	if err != nil {
		return 0, 0, err
	}
	res, err := s.(driver.StmtExecContext).ExecContext(ctx, c.bind(args))
	if err != nil {
		return 0, 0, explain(c.name, err)
	}
	if rows, err = res.RowsAffected(); err != nil {
		return 0, 0, err
	}
	id, err = res.LastInsertId()
	return id, rows, err
}

// query runs a prepared query and calls each with every row; the row is only valid inside the call.
func (c *conn) query(ctx context.Context, sql string, each func(row) error, args ...any) error {
	s, err := c.prepare(ctx, sql)
	if err != nil {
		return err
	}
	return c.rows(ctx, s, each, args)
}

// queryOnce is query for a statement that is not worth keeping.
func (c *conn) queryOnce(ctx context.Context, sql string, each func(row) error, args ...any) (err error) {
	s, err := c.dc.Prepare(sql)
	if err != nil {
		return explain(c.name, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return c.rows(ctx, s, each, args)
}

// run runs a statement that is not worth keeping, dropping its rows.
func (c *conn) run(ctx context.Context, sql string, args ...any) error {
	return c.queryOnce(ctx, sql, func(row) error { return nil }, args...)
}

func (c *conn) rows(ctx context.Context, s driver.Stmt, each func(row) error, args []any) error {
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, c.bind(args))
	if err != nil {
		return explain(c.name, err)
	}
	values := make(row, len(rows.Columns()))
	for {
		err = rows.Next(values)
		if errors.Is(err, io.EOF) {
			err = nil
			break
		}
		if err != nil {
			err = explain(c.name, err)
			break
		}
		if err = each(values); err != nil {
			break
		}
	}
	if cerr := rows.Close(); err == nil && cerr != nil {
		err = explain(c.name, cerr)
	}
	return err
}

func (c *conn) prepare(ctx context.Context, sql string) (driver.Stmt, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	s, err := c.dc.(driver.ConnPrepareContext).PrepareContext(ctx, sql)
	if err != nil {
		return nil, explain(c.name, err)
	}
	c.stmts[sql] = s
	return s, nil
}

// bind turns args into driver values; the slice is valid until the next call.
func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		switch v := a.(type) {
		case int:
			a = int64(v)
		case bool:
			a = int64(0)
			if v {
				a = int64(1)
			}
		case time.Time:
			a = micros(v)
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

func (c *conn) finalize() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	clear(c.stmts)
	return errors.Join(errs...)
}

func (c *conn) close() error {
	return errors.Join(c.finalize(), c.dc.Close())
}

// micros is the stored form of an instant: microseconds since 1970, NULL for the zero instant.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// row is one row of a result. A NULL reads as the zero value.
type row []driver.Value

func (r row) int(i int) int64 {
	v, _ := r[i].(int64)
	return v
}

func (r row) str(i int) string {
	v, _ := r[i].(string)
	return v
}

func (r row) bytes(i int) []byte {
	v, _ := r[i].([]byte)
	return v
}

func (r row) time(i int) time.Time {
	v, ok := r[i].(int64)
	if !ok {
		return time.Time{}
	}
	return time.UnixMicro(v).UTC()
}
