//go:build linux

package ledger

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// crowd fills a ledger with n live leases of two addresses.
func crowd(b testing.TB, l *Ledger, n int) {
	b.Helper()
	for done := 0; done < n; {
		err := l.decide(b.Context(), func(c *change) error {
			for range min(n-done, 1000) {
				addr := netip.AddrFrom4([4]byte{127, 200, 0, byte(1 + done%2)})
				c.fence++
				c.set(Lease{
					ID: newID(), Fence: c.fence, Name: fmt.Sprint("crowd-", done), Plan: "bench", Hash: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
					Pool: "crowd", Protocol: []ports.Protocol{ports.TCP}, Address: addr, Netns: networkSpace(), Port: ports.Port(1024 + done/2), Owner: Self("bench", ""),
					State: Listening, Granted: c.now, Renewed: c.now,
				})
				done++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// P10: a grant beside 100,000 live leases, with a real socket, without the sync: p99 below a millisecond.
func BenchmarkGrant(b *testing.B) {
	l := open(b, b.TempDir(), Options{NoSync: true})
	crowd(b, l, 100_000)
	addr := netip.AddrFrom4([4]byte{127, 200, 0, 1}) // 50,000 of its numbers are leased
	r := Request{Pool: tcp("crowd", ports.Range{First: 1024, Last: 65535}), Name: "one", Owner: Self("bench", ""), Address: addr}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		g, err := l.Lease(b.Context(), r)
		took = append(took, time.Since(began))
		if err != nil {
			b.Fatal(err)
		}
		g.Close()
		if err := l.Release(b.Context(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
}

// BenchmarkDurableGrants compares what four writers reach: grants that are on the disk when they are answered, and the
// machine's own appends of as many bytes, each with its fdatasync.
func BenchmarkDurableGrants(b *testing.B) {
	const writers, windows = 4, 5
	l := open(b, b.TempDir(), Options{Binder: unbound})
	r := Request{Pool: tcp("p", ports.Range{First: 1024, Last: 65535}), Name: "one", Owner: Self("bench", "")}
	var files [writers]*os.File
	for i := range files {
		f, err := os.OpenFile(filepath.Join(b.TempDir(), fmt.Sprint(i)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		files[i] = f
	}
	some := Lease{ID: newID(), Name: "one", Pool: "p", Protocol: []ports.Protocol{ports.TCP}, Port: 1024, Owner: Self("bench", ""), State: Listening, Granted: l.Now()}
	line := appendFrame(nil, record{seq: 1, at: l.Now(), ops: []op{{kind: opPut, lease: some}}})
	grants, appends := 0.0, 0.0
	for range windows { // in turn: what else the machine does meets both
		grants += rate(b, writers, func(int) error {
			g, err := l.Lease(b.Context(), r)
			g.Close()
			return err
		}) / windows
		appends += rate(b, writers, func(i int) error {
			_, err := files[i].Write(line)
			return errors.Join(err, syncData(files[i]))
		}) / windows
	}
	b.ReportMetric(grants, "grants/s")
	b.ReportMetric(appends, "appends/s")
	b.ReportMetric(grants/appends, "ratio")
}

// rate returns how often writers do something in a second, over some time.
func rate(b *testing.B, writers int, do func(writer int) error) float64 {
	b.Helper()
	const window = 400 * time.Millisecond
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for i := range writers {
		wg.Go(func() {
			for time.Since(began) < window {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

// BenchmarkOpen reads a ledger of 100,000 leases, as each command does.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l := open(b, dir, Options{NoSync: true})
	crowd(b, l, 100_000)
	l.Close()
	for b.Loop() {
		l, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}
