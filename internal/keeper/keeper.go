//go:build linux

package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// keeper is one running keeper.
type keeper struct {
	cfg       Config
	log       *slog.Logger
	folders   folders
	boot      string
	exec      *executor.Executor
	journal   *journal
	reg       *registry
	deadlines *deadlines
	memory    *buffers
	forks     chan struct{} // bounds how many attempts are executed at the same instant
	news      *newcomers
	outbox    *outbox
	spares    *spares
	remove    chan removal
	damaged   string
	adopted   sync.Once
	leasing   sync.Mutex         // from the look at an order that wants ports until it is taken
	greeting  sync.Mutex         // from an agent's hello until it is the one
	live      sync.WaitGroup     // attempts that are watched
	ctx       context.Context    //nolint:containedctx // of the keeper's life: an attempt outlives the call that started it
	ask       context.CancelFunc // ends the keeper once nothing runs
}

const manyRunning = 8 // attempts, from which syncs are gathered

var errStopped = errors.New("the keeper was asked to stop")

// Run is a keeper until ctx ends or an agent asks it to stop; then it starts nothing more, and returns once nothing
// runs. It returns an error of kind Conflict where another keeper has the data folder. The command of this program
// that calls Run must do nothing before: Run may be one of the steps of Spawn, and then returns at once.
func Run(ctx context.Context, cfg Config) error {
	if stage() {
		return detach()
	}
	ready := readiness()
	err := keepRunning(ctx, cfg, ready)
	ready.tell(err)
	return err
}

func keepRunning(ctx context.Context, cfg Config, ready *ready) error {
	k, unlock, err := open(cfg)
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := listen(k.folders.keeper())
	if err != nil {
		return err
	}
	defer listener.Close()
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	asked, ask := context.WithCancel(ctx)
	defer ask()
	k.ctx, k.ask = life, ask
	ready.tell(nil)

	group, inner := errgroup.WithContext(life)
	group.Go(func() error { return k.journal.run(inner) })
	group.Go(func() error { return k.deadlines.run(inner) })
	group.Go(func() error { return k.serve(inner, listener) })
	group.Go(func() error { k.outbox.run(inner); return nil })
	group.Go(func() error { k.news.run(inner, k.proved); return nil })
	group.Go(func() error { k.removeFolders(inner); return nil })
	group.Go(func() error { return k.housekeeping(inner) })
	group.Go(func() error { return k.waitForEnd(asked, inner) })
	err = group.Wait()
	k.exec.Close()
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// open takes the lock, reads the journal and becomes the reaper of what it starts.
func open(cfg Config) (*keeper, func(), error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxOutput <= 0 {
		cfg.MaxOutput = DefaultMaxOutput
	}
	if cfg.MinFree <= 0 {
		cfg.MinFree = DefaultMinFree
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("opening data folder: %w", err)
	}
	cfg.Data = data
	if err := secure(cfg.Log); err != nil {
		return nil, nil, err
	}
	k := &keeper{cfg: cfg, log: cfg.Log, folders: folders{data}, memory: newBuffers(), forks: make(chan struct{}, 4), remove: make(chan removal, 4096)}
	if err := os.MkdirAll(filepath.Join(k.folders.keeper(), "attempts"), 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the keeper's folder: %w", err)
	}
	unlock, err := lock(k.folders.keeper())
	if err != nil {
		return nil, nil, err
	}
	k.spares = newSpares(filepath.Join(k.folders.keeper(), "attempts"))
	if err := k.open(); err != nil {
		unlock()
		return nil, nil, err
	}
	return k, unlock, nil
}

func (k *keeper) open() error {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("reading boot id: %w", err)
	}
	k.boot = strings.TrimSpace(string(boot))
	journal, found, err := openJournal(k.folders.keeper())
	if err != nil {
		return err
	}
	k.journal, k.reg = journal, newRegistry()
	for _, r := range found.records {
		k.reg.apply(r)
	}
	k.doubt(found)
	k.outbox = newOutbox(k.reg)
	k.outbox.running = k.running
	journal.told, journal.busy = k.outbox.add, func() bool { return k.running() >= manyRunning }
	k.news = newNewcomers()
	if k.deadlines, err = newDeadlines(); err != nil {
		return err
	}
	name, err := folderID(k.folders.keeper())
	if err != nil {
		return err
	}
	k.exec, err = executor.New(executor.Config{
		Name: name, Prefix: fmt.Sprintf("%x-%d-", int64(bootClock()), os.Getpid()), Allow: k.cfg.Allow, Log: k.log, NoCgroup: noCgroup(),
	})
	if err != nil {
		return err
	}
	// The heap is so small that the usual pace would be all collecting; housekeeping gives the memory back.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(192 << 20)
	return nil
}

// doubt draws the consequence of a damaged journal: what may have stood where it does not read is not executed.
func (k *keeper) doubt(found scanned) {
	if len(found.damaged) == 0 {
		return
	}
	k.damaged = fmt.Sprintf("%d places of the journal did not read, %d bytes are lost; a copy is kept beside it", len(found.damaged), found.lost)
	k.log.Error("the journal is damaged", slog.Int("places", len(found.damaged)), slog.Int64("lost", found.lost))
	if found.lost == 0 {
		return
	}
	const smallest = 100 // bytes of an intent
	k.reg.doubt = max(k.reg.doubt, k.reg.highest+found.lost/smallest+1)
	k.note(record{Kind: recordDoubt, Epoch: k.reg.epoch, Mark: k.reg.doubt}, true)
}

// secure drops what a keeper must not hand on to jobs: rights to gain, open files, ignored signals, the umask.
func secure(log *slog.Logger) error {
	has, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("asking for no_new_privs: %w", err)
	}
	if has == 0 {
		if err := noNewPrivs(); err != nil {
			log.Warn("no_new_privs is not set: jobs may run programs that gain rights", slog.Any("cause", err))
		}
	}
	if err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("closing inherited files: %w", err)
	}
	unix.Umask(0o022)
	catchSignals()
	return nil
}

// lock takes the keeper's folder: one writer of the journal.
func lock(folder string) (func(), error) {
	path := filepath.Join(folder, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		pid := make([]byte, 32)
		n, _ := f.ReadAt(pid, 0)
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fault.New(fault.Conflict, fmt.Sprintf("another keeper (pid %s) has %s", strings.TrimSpace(string(pid[:n])), folder),
				"connect to it, or give this agent a data folder of its own")
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(fmt.Sprintln(os.Getpid())), 0)
	return func() { _ = f.Close() }, nil
}

// folderID names the keeper's folder for its cgroups: the same over all its lives, another for a copy.
func folderID(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", fmt.Errorf("looking at %s: %w", path, err)
	}
	return fmt.Sprintf("%x-%x", st.Dev, st.Ino), nil
}

// waitForEnd ends the keeper once it may: it was asked to, and nothing runs.
func (k *keeper) waitForEnd(asked, inner context.Context) error {
	select {
	case <-asked.Done():
	case <-inner.Done():
		return nil
	}
	k.close()
	quiet := make(chan struct{})
	go func() { k.live.Wait(); close(quiet) }()
	select {
	case <-quiet:
	case <-inner.Done():
		return nil
	}
	k.outbox.drain(inner)
	return errStopped
}

// close refuses starts from now on.
func (k *keeper) close() {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	k.reg.closed = true
}

// housekeeping compacts the journal, removes cgroups that became empty, and ends a keeper whose folder is gone.
func (k *keeper) housekeeping(ctx context.Context) error {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	var last int64
	idle := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		var err error
		if last, err = k.compact(ctx, last); err != nil {
			return err
		}
		k.exec.Sweep()
		if now := k.running() == 0; now != idle {
			if idle = now; idle {
				Slim()
			}
		}
		if _, err := os.Lstat(filepath.Join(k.folders.keeper(), "lock")); errors.Is(err, os.ErrNotExist) && k.running() == 0 {
			return errStopped
		}
	}
}

func (k *keeper) running() int {
	k.reg.mu.Lock()
	defer k.reg.mu.Unlock()
	return k.reg.running
}

// removal is a folder that may go. It may be used again where nothing of the attempt can still be in it.
type removal struct {
	place  place
	reuse  bool
	spool  bool // there is one
	script bool // there is one
}

func (k *keeper) removeFolders(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-k.remove:
			if err := r.place.remove(k.spares, r); err != nil {
				k.log.Warn("a folder stays", slog.Any("cause", err))
			}
		}
	}
}

// compactAbove is the size from which a journal is rewritten.
const compactAbove = 4 << 20

// compact rewrites the journal where it has grown to twice what it was after the last time.
func (k *keeper) compact(ctx context.Context, last int64) (int64, error) {
	if _, size := k.journal.room(); size < max(compactAbove, 2*last) {
		return last, nil
	}
	err := k.journal.compact(ctx, func() []record {
		k.reg.mu.Lock()
		defer k.reg.mu.Unlock()
		return k.reg.records()
	})
	if err != nil && !noRoom(err) && ctx.Err() == nil {
		return last, err
	}
	_, last = k.journal.room()
	return last, nil
}

// note takes a record into the registry and the journal at once. The caller holds the registry: what a rewritten
// journal says and what is appended to it then fit together.
func (k *keeper) note(r record, urgent bool, reports ...wire.Report) *group {
	k.reg.apply(r)
	return k.journal.append(r, urgent, reports...)
}
