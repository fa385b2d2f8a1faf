//go:build linux

package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// child is this program again, doing one of the things in children.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

const childVariable = "REEVE_TEST_CHILD"

func spawn(t *testing.T, what string, args ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"="+what)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(c.kill)
	return c
}

// kill ends the child as kill -9 does, and collects it.
func (c *child) kill() {
	_ = c.in.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

func (c *child) line(t *testing.T) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the child said %q: %v", s, err)
	}
	return strings.TrimSpace(s)
}

func TestMain(m *testing.M) {
	if what := os.Getenv(childVariable); what != "" {
		if err := children()[what](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, what+":", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// children are what a child can do; each gets the folder of the ledger, and more.
func children() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"hold": childHolds, "elsewhere": childElsewhere, "permissions": childPermissions, "lock": childLocks, "work": childWorks, "start": childStarts,
		"race": childRaces, "sit": func([]string) error { _, err := io.Copy(io.Discard, os.Stdin); return err },
	}
}

// childRequest reads ADDRESS FIRST LAST.
func childRequest(args []string) (Request, error) {
	addr, err := netip.ParseAddr(args[0])
	var first, last int
	_, err2 := fmt.Sscan(args[1]+" "+args[2], &first, &last)
	r := Request{Pool: tcp("p", ports.Range{First: ports.Port(first), Last: ports.Port(last)}), Name: "child", Owner: Self("test", ""), Address: addr}
	return r, errors.Join(err, err2)
}

func childArgs(dir string, r Request) []string {
	return []string{dir, r.Address.String(), fmt.Sprint(r.Pool.Ranges[0].First), fmt.Sprint(r.Pool.Ranges[0].Last)}
}

// childHolds leases one port and holds it until its input ends.
func childHolds(args []string) error {
	r, err := childRequest(args[1:])
	if err != nil {
		return err
	}
	r.Sticky = len(args) > 4
	l, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	g, err := l.Lease(context.Background(), r)
	if err != nil {
		return err
	}
	defer g.Close()
	fmt.Println(g.Lease.Port)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// childElsewhere is childHolds in a network namespace of its own.
func childElsewhere(args []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return childHolds(args)
}

// childLocks holds the ledger's lock until its input ends.
func childLocks(args []string) error {
	k, err := openLock(filepath.Join(args[0], lockFile))
	if err == nil {
		err = k.lock(context.Background(), time.Minute)
	}
	if err != nil {
		return err
	}
	fmt.Println("locked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// A lease ends with its owner's process, however that ended; a sticky number stays with its name. A process that only
// has the same number is another one.
func TestOwnerDies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, Options{})
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, 1)), Name: "next", Owner: Self("test", ""), Address: addr}
	c := spawn(t, "hold", childArgs(dir, r)...)
	c.line(t)
	if got := refused(t, l, r, Exhausted); got.Holders != 1 {
		t.Errorf("got %v", got)
	}
	c.kill()
	began := time.Now()
	g := must(t, l, r)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the next grant took %s", took)
	}
	g.Close()
	if err := l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
		t.Fatal(err)
	}

	c = spawn(t, "hold", append(childArgs(dir, r), "sticky")...)
	port := c.line(t)
	c.kill()
	if got := refused(t, l, r, Exhausted); got.Holders != 1 {
		t.Errorf("a sticky number went to another name: %v", got)
	}
	if got := find(t, l, "child"); got.State != Planned || fmt.Sprint(got.Port) != port || !strings.Contains(got.Reason, "is gone") {
		t.Errorf("got %+v", got)
	}

	own := Self("test", "")
	own.Start++ // another process had this number before
	s := newCensus()
	if s.alive(own) != Dead || s.alive(Self("test", "")) != Alive || s.alive(Process("test", "", os.Getppid())) != Alive {
		t.Error("processes are mistaken for each other")
	}
	own.Boot = "another"
	if s.alive(own) != Dead {
		t.Error("a process of another boot lives")
	}
	own.Boot, own.Space = Self("", "").Boot, 7
	if s.alive(own) != Unseen {
		t.Error("a process of another PID namespace is known")
	}
}

// F80: the lock of a killed process is free at once; one that is stopped is named, and keeps nobody for ever.
func TestLockHolderDies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, Options{patience: 700 * time.Millisecond})
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, 4)), Name: "a", Owner: Self("test", ""), Address: addr}
	c := spawn(t, "lock", dir)
	c.line(t)
	if got := refused(t, l, r, LockStuck); !strings.Contains(got.Error(), fmt.Sprintf("process %d (%.15s)", c.cmd.Process.Pid, program())) {
		t.Errorf("got %v", got)
	}
	c.kill()
	began := time.Now()
	must(t, l, r)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the next grant took %s", took)
	}
	if st, err := os.Stat(filepath.Join(dir, lockFile)); err != nil || st.Size() != 0 {
		t.Errorf("the lock has content: %v, %v", st, err)
	}
	// Somebody cleans the lock away while it is open: everybody moves to the new one.
	if err := os.Remove(filepath.Join(dir, lockFile)); err != nil {
		t.Fatal(err)
	}
	m := open(t, dir, Options{patience: 700 * time.Millisecond})
	must(t, l, r)
	must(t, m, r)
	unlock, err := m.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = refused(t, l, r, LockStuck)
	unlock()
}

// F27: a number of one network namespace is another one than that of the next.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	l := open(t, t.TempDir(), Options{})
	r := Request{Pool: tcp("p", block(t, netip.Addr{}, 1)), Name: "here", Owner: Self("test", "")}
	must(t, l, r)
	_ = refused(t, l, named(r, "second"), Exhausted)
	c := spawn(t, "elsewhere", l.dir, "0.0.0.0", fmt.Sprint(r.Pool.Ranges[0].First), fmt.Sprint(r.Pool.Ranges[0].First))
	c.line(t)
	if a, b := find(t, l, "here"), find(t, l, "child"); a.Port != b.Port || a.Netns == b.Netns {
		t.Errorf("got %+v and %+v", a, b)
	}
}

// P2: setting the clock shortens no hold. After a restart of the host the leases of its processes end, their holds go
// on, and sticky numbers stay.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, Options{Binder: unbound})
	r := Request{Pool: tcp("p", ports.Range{First: 20000, Last: 20009}), Name: "a", Owner: Self("test", "")}
	r.Pool.Hold.Min = time.Hour
	sticky := named(r, "b")
	sticky.Sticky = true
	must(t, l, r)
	must(t, l, sticky)
	timed := named(r, "c")
	timed.Owner, timed.TTL = Timed("operator", ""), 24*time.Hour
	must(t, l, timed)
	if got := l.table.epoch.boot; got != Self("", "").Boot {
		t.Fatalf("the ledger's time belongs to boot %q", got)
	}
	before := l.Now()
	// The file as an earlier boot would have left it.
	err := l.decide(t.Context(), func(c *change) error {
		c.epoch.boot = "earlier"
		c.ops = append(c.ops, op{kind: opEpoch, epoch: c.epoch})
		for _, lease := range mustCopy(c) {
			if lease.Owner.PID != 0 {
				lease.Owner.Boot = "earlier"
			}
			c.set(lease)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, dir, Options{Binder: unbound})
	must(t, m, named(r, "new"))
	if a := find(t, m, "a"); a.State != Held || a.HoldUntil.Before(before.Add(time.Hour)) || a.Netns != 0 {
		t.Errorf("a: %+v", a)
	}
	if b := find(t, m, "b"); b.State != Planned || b.Netns != 0 {
		t.Errorf("b: %+v", b)
	}
	if c := find(t, m, "c"); c.State != Reserved {
		t.Errorf("c: %+v", c)
	}
	if m.Now().Before(before) || m.table.epoch.boot != Self("", "").Boot {
		t.Errorf("time went from %s to %s", before, m.Now())
	}
}

func mustCopy(c *change) []Lease {
	var all []Lease
	for _, l := range c.leases {
		all = append(all, l.clone())
	}
	return all
}

// F57, F64: the table's word on which addresses meet is the kernel's (compare TestBindDualStack of internal/socket).
func TestMeets(t *testing.T) {
	t.Parallel()
	addresses := []netip.Addr{
		{}, netip.IPv4Unspecified(), netip.IPv6Unspecified(), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.IPv6Loopback(),
	}
	for _, a := range addresses {
		port := block(t, netip.Addr{}, 1).First
		f, err := socket.Bind(ports.TCP, a, port)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range addresses {
			g, err := socket.Bind(ports.TCP, b, port)
			if err == nil {
				_ = g.Close()
			}
			if refused := errors.Is(err, socket.ErrInUse); refused != meets(a, b) || meets(a, b) != meets(b, a) {
				t.Errorf("%v and %v: the kernel refuses: %v, the table: %v", a, b, err, meets(a, b))
			}
		}
		_ = f.Close()
	}
}

// F16: many goroutines on two ledgers at once, each with its own lease at any time.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, 20)), Name: "a", Owner: Self("test", ""), Address: addr, Wait: true}
	ledgers := []*Ledger{open(t, dir, Options{}), open(t, dir, Options{})}
	done := make(chan error)
	for i := range 8 {
		go func() {
			l := ledgers[i%2]
			for range 25 {
				g, err := l.Lease(t.Context(), r)
				if err != nil {
					done <- err
					return
				}
				err = errors.Join(l.Renew(t.Context(), g.Lease.ID, g.Lease.Fence), l.Drain(t.Context(), g.Lease.ID, g.Lease.Fence, "soon"))
				_, err2 := l.Leases(t.Context())
				g.Close()
				if err := errors.Join(err, err2, l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "done")); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, lease := range mustList(t, ledgers[0]) {
		if lease.State != Blocked { // another test starts programs, which have copies of our sockets for a moment
			t.Errorf("left: %+v", lease)
		}
	}
}
