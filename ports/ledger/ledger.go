package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// Options change how a ledger behaves. The zero value is the real thing.
type Options struct {
	Binder   Binder           // nil: this host's sockets
	Clock    func() time.Time // nil: a clock that nobody can set, tied to the date when the host started
	Alive    func(Owner) Life // nil: the processes of this host
	Random   func(n int) int  // nil: chance; it returns one of 0 to n-1
	ReadOnly bool             // only Leases and Find; the folder is never changed, and need not be there
	NoSync   bool             // answer before the disk has it: for what need not survive the host

	sync     func(*os.File) error
	patience time.Duration
	stand    time.Duration
}

// Binder takes a port of this host. socket.Bind is the real one, and says what its errors mean.
type Binder func(protocol ports.Protocol, addr netip.Addr, port ports.Port) (*os.File, error)

// Ledger is the leases of one host. Its methods may be called at once, in any number of processes.
type Ledger struct {
	dir     string
	opts    Options
	shapes  shapes
	queue   queue
	turn    sync.Mutex // held by the goroutine that has journal and table
	lock    *flock
	commit  *commit
	journal *journal
	table   *table
	scratch scratch
	boot    string // this boot; empty: not known

	stale   bool // what is in memory is not what the file says: read it again
	rewrite bool // a sync failed: what the system keeps of the file cannot be trusted
	limit   int64
	swept   time.Time
	strikes map[string]int // how often a number was found blocked
	closed  bool
}

const (
	lockFile   = "lock"
	folderMode = 0o700
	lockWait   = 10 * time.Second
)

// Open opens the ledger in a folder, and makes it where it is missing. The error is a *Refusal where the folder may
// not be used, or a newer version wrote it; damage does not keep it from opening, but from granting.
func Open(dir string, o Options) (*Ledger, error) {
	if o.Binder == nil {
		o.Binder = socket.Bind
	}
	if o.Random == nil {
		o.Random = rand.IntN
	}
	if o.sync == nil {
		o.sync = syncData
	}
	if o.patience == 0 {
		o.patience = lockWait
	}
	if o.stand == 0 {
		o.stand = standAside
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, opening(dir, err)
	}
	l := &Ledger{dir: dir, opts: o, strikes: map[string]int{}, table: newTable()}
	l.journal = &journal{dir: dir, readOnly: o.ReadOnly}
	l.boot = bootID()
	if o.Alive == nil {
		l.opts.Alive = newCensus().alive
	}
	if err := l.open(); err != nil {
		l.Close()
		return nil, opening(dir, err)
	}
	return l, nil
}

func (l *Ledger) open() error {
	if l.opts.ReadOnly {
		return l.look()
	}
	if err := makeFolder(l.dir); err != nil {
		return err
	}
	var err error
	if l.lock, err = openLock(filepath.Join(l.dir, lockFile)); err != nil {
		l.lock = nil
		return err
	}
	if l.commit, err = openCommit(l.dir, l.opts); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.opts.patience+time.Second)
	defer cancel()
	unlock, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return l.catchUp()
}

// makeFolder makes the folder, so that it is there also after the host has lost its power.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

// opening says what the folder is, and what to do about it.
func opening(dir string, err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		return err
	}
	if errors.Is(err, os.ErrPermission) {
		return &Refusal{
			Outcome: NoPermission, Text: "the ledger " + dir + " may not be used by this user: run as its owner, or name another with --ledger or REEVE_LEDGER", Err: err,
		}
	}
	return fmt.Errorf("opening the ledger %s: %w", dir, err)
}

// Close lets go of the files; leases stay.
func (l *Ledger) Close() {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.closed = true
	l.journal.close()
	if l.lock != nil {
		l.lock.close()
	}
	if l.commit != nil {
		l.commit.close()
	}
}

// take makes this goroutine the only one, in all processes, that decides; unlock ends that.
func (l *Ledger) take(ctx context.Context) (unlock func(), err error) {
	l.turn.Lock() // nobody has it for long: who waits for other processes gives up in time
	err = ctx.Err()
	switch {
	case err != nil:
		err = context.Cause(ctx)
	case l.closed || l.lock == nil:
		err = errors.New("the ledger is closed, or open for reading alone")
	default:
		err = l.lockFolder(ctx)
	}
	if err != nil {
		l.turn.Unlock()
		return nil, err
	}
	return func() {
		l.lock.unlock()
		l.turn.Unlock()
	}, nil
}

// lockFolder takes the lock that the folder has now: somebody may have cleaned it away, and others use the new one.
func (l *Ledger) lockFolder(ctx context.Context) error {
	for range 10 {
		if err := l.lock.lock(ctx, l.opts.patience); err != nil {
			return err
		}
		if l.lock.current() {
			return nil
		}
		l.lock.close()
		var err error
		if l.lock, err = openLock(filepath.Join(l.dir, lockFile)); err != nil {
			l.lock = nil
			return opening(l.dir, err)
		}
	}
	return errors.New("the lock of the ledger " + l.dir + " is replaced again and again")
}

// catchUp reads what others have written, and brings the table to the present.
func (l *Ledger) catchUp() error {
	changed, err := l.journal.changed()
	if err != nil {
		return err
	}
	if changed && l.journal.file != nil {
		// Who rewrote it may have died before the folder was on the disk.
		if err := syncFolder(l.dir); err != nil {
			return err
		}
	}
	if changed || l.stale {
		l.journal.close()
		l.table, l.stale = newTable(), false
		if err := l.journal.open(); err != nil {
			l.stale = true
			return err
		}
		l.commit.durable.Store(l.journal.head.base) // of this file; a copy that was put back may be behind
		l.journal.durable, _ = l.commit.mark(markDurable, l.journal.head.id)
	}
	if err := l.journal.read(l.table.apply); err != nil {
		l.stale = true
		return err
	}
	if changed {
		l.journal.cut()
		l.commit.note(min(l.journal.durable, l.journal.seq))
		if l.journal.durable == 0 { // nobody has said how far the disk has this file
			l.commit.adopt(l.journal.head.id, min(l.journal.head.base, l.journal.seq), l.journal.seq)
		}
	}
	l.table.advance(l.now())
	return nil
}

// lookTimes is how often a reader without the lock looks before it believes in damage: it may see a record half written
// and the next one whole.
const lookTimes = 5

// look reads without the lock and without changing anything.
func (l *Ledger) look() error {
	for range lookTimes {
		changed, err := l.journal.changed()
		if err != nil {
			return err
		}
		if changed || len(l.journal.lost) > 0 {
			l.table = newTable()
			err := l.journal.open()
			if errors.Is(err, os.ErrNotExist) {
				return nil // nobody has leased anything here
			}
			if err != nil {
				return err
			}
		}
		if err := l.journal.read(l.table.apply); err != nil {
			return err
		}
		if len(l.journal.lost) == 0 {
			break
		}
		if err := rest(context.Background(), time.Millisecond); err != nil {
			return err
		}
	}
	l.table.advance(l.now())
	// What nobody has written down yet: the next who grants will say the same.
	l.sweep(&change{table: l.table}, len(l.table.leases), func(*Lease) bool { return true })
	return nil
}

// now returns the ledger's time: tied to the boot's own clock once a record says how. It never goes back.
func (l *Ledger) now() time.Time {
	now := time.Time{}
	if l.opts.Clock != nil {
		now = l.opts.Clock().UTC()
	} else {
		if e := l.table.epoch; l.boot != "" && e.boot == l.boot {
			now = e.at.Add(sinceBoot() - time.Duration(e.mono))
		} else {
			now = time.Now().UTC()
		}
	}
	now = now.Round(0)
	if now.Before(l.table.now) {
		return l.table.now
	}
	return now
}

// damaged refuses to decide anything on a ledger of which acknowledged records are lost.
func (l *Ledger) damaged() error {
	if len(l.journal.lost) == 0 {
		return nil
	}
	return &Refusal{
		Outcome: IsDamaged, Text: "the ledger " + l.dir + " is damaged, and leases nothing until it is repaired: `reeve ports repair` keeps a copy and goes on from what can be read",
		Err: l.journal.lost[0],
	}
}

// Now returns the ledger's time, in which its leases are written.
func (l *Ledger) Now() time.Time {
	l.turn.Lock()
	defer l.turn.Unlock()
	return l.now()
}
