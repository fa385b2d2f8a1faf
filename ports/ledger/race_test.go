//go:build linux

package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// F01, P1: three allocators on one ledger, ten goroutines each, a hundred thousand grants: no number has two owners at
// any time. Only numbers are at stake here, so nothing else than the ledger keeps them apart.
func TestThreeAllocators(t *testing.T) {
	t.Parallel()
	grants := 6_000
	if *rounds > 0 {
		grants = 100_000
	}
	dir := t.TempDir()
	o := Options{Binder: unbound, NoSync: true}
	r := Request{Pool: tcp("p", ports.Range{First: 20000, Last: 20049}), Name: "a", Owner: Self("test", "")}
	r.Pool.Protocol = []ports.Protocol{ports.TCP, ports.UDP}
	r.Pool.Pick = ports.Random
	var owners [1 << 16]atomic.Int64
	var left atomic.Int64
	left.Store(int64(grants))
	var wg sync.WaitGroup
	for i := range 3 {
		l := open(t, dir, o)
		for j := range 10 {
			me := int64(1 + 10*i + j)
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					g, err := l.Lease(t.Context(), r)
					if err != nil {
						t.Error(err)
						return
					}
					if !owners[g.Lease.Port].CompareAndSwap(0, me) {
						t.Errorf("port %d belongs to %d and %d", g.Lease.Port, owners[g.Lease.Port].Load(), me)
					}
					g.Close()
					owners[g.Lease.Port].CompareAndSwap(me, 0)
					if err := l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

// childStarts starts a server as often as it is told, each time with a port that it leases, and prints how often that
// failed.
func childStarts(args []string) error {
	r, err := childRequest(args[1:])
	times, err2 := strconv.Atoi(args[4])
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	r.Wait, r.Pool.Pick = true, ports.Random
	failed := 0
	for range times {
		if err := startLeased(args[0], r); err != nil {
			failed++
			fmt.Fprintln(os.Stderr, "start:", err)
		}
	}
	fmt.Println(failed)
	return nil
}

// startLeased is one start: a ledger that is opened for it, as a command does, a lease, a server and a client.
func startLeased(dir string, r Request) error {
	l, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g, err := l.Lease(ctx, r)
	if err != nil {
		return err
	}
	server, err := net.FileListener(g.Sockets[0].File)
	g.Close()
	if err == nil {
		err = errors.Join(serveOnce(server), server.Close())
	}
	return errors.Join(err, l.Release(ctx, g.Lease.ID, g.Lease.Fence, "done"))
}

// serveOnce shows that the server is the one that its port leads to.
func serveOnce(l net.Listener) error {
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	s, err := l.Accept()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s, os.Getpid())
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != fmt.Sprint(os.Getpid()) {
		return fmt.Errorf("process %s answers, %w", b, err)
	}
	return nil
}

// childRaces does the same by looking for a free port, letting it go, and binding it again when the server is ready.
func childRaces(args []string) error {
	r, err := childRequest(args[1:])
	times, err2 := strconv.Atoi(args[4])
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	failed := 0
	for range times {
		pool := r.Pool.Ranges[0]
		port, found := ports.Port(0), false
		for !found {
			port = pool.First + ports.Port(rand.IntN(int(pool.Last-pool.First)+1))
			if f, err := socket.Bind(ports.TCP, r.Address, port); err == nil {
				_ = f.Close()
				found = true
			}
		}
		_ = rest(context.Background(), 20*time.Millisecond) // what a program does before it listens
		f, err := socket.Bind(ports.TCP, r.Address, port)
		if err != nil {
			failed++
			continue
		}
		_ = rest(context.Background(), time.Duration(rand.IntN(20))*time.Millisecond)
		_ = f.Close()
	}
	fmt.Println(failed)
	return nil
}

// F30, P11: 32 processes × 200 starts with leased ports: none of 6,400 fails. The same with a port that is looked for,
// let go and bound again loses some.
func TestStarts(t *testing.T) {
	t.Parallel()
	processes, times := 6, 10
	if *rounds > 0 {
		processes, times = 32, 200
	}
	dir := t.TempDir()
	addr := loopback()
	open(t, dir, Options{})
	r := Request{Pool: tcp("p", block(t, addr, 1000)), Address: addr}
	count := func(what string) (failed int) {
		all := make([]*child, processes)
		for i := range all {
			all[i] = spawn(t, what, append(childArgs(dir, r), strconv.Itoa(times))...)
		}
		for _, c := range all {
			n, err := strconv.Atoi(c.line(t))
			if err != nil {
				t.Fatal(err)
			}
			failed += n
		}
		return failed
	}
	began := time.Now()
	leased := count("start")
	took := time.Since(began)
	bare := count("race")
	t.Logf("%d starts in %s: %d failed with leases, %d with a port that was looked for and let go", processes*times, took.Round(time.Millisecond), leased, bare)
	if leased > 0 {
		t.Errorf("%d of %d starts failed", leased, processes*times)
	}
	if *rounds > 0 && bare == 0 {
		t.Error("the bare method loses nothing here: this test shows nothing")
	}
}
