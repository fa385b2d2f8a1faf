//go:build linux

package jobports

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// pooled is a compiled plan with one pool of two even numbers, each with a pair, and a fixed row beside it.
func pooled(t *testing.T) (ports.Compiled, int) {
	t.Helper()
	first := sockettest.Block(t, 4)
	c, found := ports.Compile(ports.Plan{
		Name:  "test",
		Roles: []ports.Role{{ID: "agent", Is: ports.Agent}},
		Pools: []ports.Pool{{
			Service: ports.Service{ID: "web", Protocols: []ports.Protocol{ports.TCP}, RunsOn: []string{"agent"}, Binds: true, Scope: ports.External, Status: ports.Works},
			Span:    ports.Span{Ranges: []ports.Range{{First: ports.Port(first), Last: ports.Port(first + 3)}}},
			Parity:  ports.Even, Pair: ports.Pair{ID: "debug", Delta: 1, Parity: ports.Odd, Optional: true},
		}},
	}, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return c, first
}

func order(t *testing.T, c ports.Compiled, job string, wishes ...wire.PortWish) wire.Order {
	t.Helper()
	for i := range wishes {
		request, err := Request(c, wishes[i].Pool)
		if err != nil {
			t.Fatal(err)
		}
		wishes[i].Request = request
	}
	return wire.Order{Net: "t/net", Attempt: wire.Attempt{Run: "r1", Job: job, N: 1}, Ports: wishes}
}

// leases returns what the ledger has that is not over.
func leases(t *testing.T, dir string) []ledger.Lease {
	t.Helper()
	l, err := ledger.Open(dir, ledger.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := l.Leases(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// An order has all of its ports or none; the lease becomes its process's, and another Leaser, a later keeper's, gives it
// back.
func TestLeaseOwnRelease(t *testing.T) {
	t.Parallel()
	c, first := pooled(t)
	dir := t.TempDir()
	l := New(dir, slog.New(slog.DiscardHandler))
	o := order(t, c, "a", wire.PortWish{Name: "http", Pool: "web", Pair: "debug"})
	sockets, refusal := l.Lease(t.Context(), &o)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if p := o.Ports[0]; int(p.Port) != first || int(p.PairPort) != first+1 || !strings.HasPrefix(p.Lease, "REEVE_LEASE_") {
		t.Errorf("got %+v, want port %d with its pair", p, first)
	}
	if len(sockets) != 2 || sockets[0].Name != "http" || sockets[1].Name != "debug" {
		t.Errorf("sockets: %+v", sockets)
	}
	for _, s := range sockets {
		_ = s.File.Close()
	}

	two := order(t, c, "b", wire.PortWish{Name: "x", Pool: "web"}, wire.PortWish{Name: "y", Pool: "web"})
	if got, refusal := l.Lease(t.Context(), &two); refusal == nil || refusal.Final || refusal.Reason != "ports" || !strings.Contains(refusal.Detail, "has no free port") {
		t.Errorf("two ports of a pool with one left: got %v, %+v", got, refusal)
	}
	if all := leases(t, dir); len(all) != 1 || all[0].Owner.PID != os.Getpid() {
		t.Errorf("leases: %+v", all)
	}

	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	l.Own(o.Attempt, child.Process.Pid)
	if all := leases(t, dir); len(all) != 1 || all[0].Owner.PID != child.Process.Pid || all[0].Owner.ID != "r1/a" || all[0].Owner.Attempt != 1 {
		t.Errorf("after Own: %+v", all)
	}
	New(dir, slog.New(slog.DiscardHandler)).Release(o.Attempt)
	if all := leases(t, dir); len(all) != 0 {
		t.Errorf("after Release: %+v", all)
	}
	l.Release(o.Attempt) // again, by who gave it: it is over
}

// What will never be had is final; a request that cannot be read is, too.
func TestFinalRefusals(t *testing.T) {
	t.Parallel()
	c, _ := pooled(t)
	l := New(t.TempDir(), slog.New(slog.DiscardHandler))
	if _, err := Request(c, "none"); err == nil || !strings.Contains(err.Error(), "has no pool") {
		t.Errorf("a pool that the plan does not have: %v", err)
	}
	o := order(t, c, "a", wire.PortWish{Name: "http", Pool: "web"})
	o.Ports[0].Request = []byte("{")
	if _, r := l.Lease(t.Context(), &o); r == nil || !r.Final {
		t.Errorf("a request that cannot be read: %+v", r)
	}
	if _, r := New("/dev/null/ledger", slog.New(slog.DiscardHandler)).Lease(t.Context(), &o); r == nil || r.Final {
		t.Errorf("a ledger that cannot be opened: %+v", r)
	}
}

// The name is the same at every run, and a long one stays distinct.
func TestName(t *testing.T) {
	t.Parallel()
	p := wire.PortWish{Name: "http"}
	if got := name(&wire.Order{Net: "a/b", Attempt: wire.Attempt{Run: "r", Job: "j", N: 3}}, p); got != "a/b/j/http" {
		t.Errorf("got %q", got)
	}
	seen := map[string]bool{}
	for i := range 3 {
		got := name(&wire.Order{Net: strings.Repeat("n", 150) + strconv.Itoa(i), Attempt: wire.Attempt{Job: "j"}}, p)
		if len(got) > maxName || seen[got] {
			t.Errorf("%q of %d bytes, seen %v", got, len(got), seen[got])
		}
		seen[got] = true
	}
}
