package ledger

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// rounds is how often the campaign (make fault) repeats what kills processes; the tests are content with less.
var rounds = flag.Int("rounds", 0, "rounds of the fault campaign; 0: a few, as a test")

// begin is where the clocks of tests begin.
func begin() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// program is what this program is called.
func program() string { return filepath.Base(os.Args[0]) }

// loopback returns an address that no other test uses: all of 127/8 is this host's.
func loopback() netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(rand.IntN(250)), byte(1 + rand.IntN(250))})
}

// block returns n numbers in a row that are free on an address of this host, below those of outgoing connections.
func block(t testing.TB, addr netip.Addr, n int) ports.Range {
	t.Helper()
	for range 1000 {
		first := 10000 + rand.IntN(20000-n)
		first &^= 1
		if vacantBlock(addr, first, n) {
			return ports.Range{First: ports.Port(first), Last: ports.Port(first + n - 1)}
		}
	}
	t.Fatalf("no %d ports in a row are free", n)
	return ports.Range{}
}

func vacantBlock(addr netip.Addr, first, n int) bool {
	for p := first; p < first+n; p++ {
		for _, protocol := range []ports.Protocol{ports.TCP, ports.UDP} {
			f, err := socket.Bind(protocol, addr, ports.Port(p))
			if err != nil {
				return false
			}
			_ = f.Close()
		}
	}
	return true
}

// tcp returns a pool of TCP ports.
func tcp(id string, r ...ports.Range) ports.ResolvedPool {
	return ports.ResolvedPool{ID: id, Protocol: []ports.Protocol{ports.TCP}, Ranges: r, Status: ports.Works}
}

func open(t testing.TB, dir string, o Options) *Ledger {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// unbound is a binder that binds nothing, for what is about numbers alone.
func unbound(ports.Protocol, netip.Addr, ports.Port) (*os.File, error) {
	return os.Open(os.DevNull)
}

// must leases, and closes the sockets when the test ends.
func must(t testing.TB, l *Ledger, r Request) Grant {
	t.Helper()
	g, err := l.Lease(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// refused leases, and wants to be refused for a reason.
func refused(t testing.TB, l *Ledger, r Request, want Outcome) *Refusal {
	t.Helper()
	g, err := l.Lease(t.Context(), r)
	return wantRefusal(t, g, err, want)
}

func wantRefusal(t testing.TB, g Grant, err error, want Outcome) *Refusal {
	t.Helper()
	g.Close()
	r, ok := err.(*Refusal) //nolint:errorlint // the ledger's own answers are not wrapped
	if !ok || r.Outcome != want {
		t.Fatalf("got %v (%+v), want %s", err, g.Lease, want)
	}
	return r
}

// find returns the lease of a name as the ledger has it; a zero lease if there is none.
func find(t testing.TB, l *Ledger, name string) Lease {
	t.Helper()
	all, err := l.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, lease := range all {
		if lease.Name == name {
			return lease
		}
	}
	return Lease{}
}

// hostOf is an owner that lives as long as a test says.
func pretend(pid int) Owner {
	return Owner{Kind: "test", ID: fmt.Sprint(pid), Host: "here", PID: pid, Boot: "this"}
}
