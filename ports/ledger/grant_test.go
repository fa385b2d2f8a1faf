package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// real is a ledger with a pool of n real numbers on an address of its own.
func real(t *testing.T, n int) (*Ledger, Request) {
	t.Helper()
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, n)), Name: "a", Owner: Self("test", ""), Address: addr}
	return open(t, t.TempDir(), Options{}), r
}

func named(r Request, name string) Request {
	r.Name = name
	return r
}

// dial talks to a grant's socket through a listener made of it.
func answers(t *testing.T, g Grant) {
	t.Helper()
	l, err := net.FileListener(g.Sockets[0].File)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", net.JoinHostPort(g.Lease.Address.String(), strconv.Itoa(int(g.Lease.Port))))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "x")
	_ = c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(s); string(b) != "x" {
		t.Errorf("got %q", b)
	}
	_ = s.Close()
}

// F12, F28, F29, F50: a grant is a socket that listens; every refusal names the port, the holder and the evidence. A
// pool gives nothing outside its range, and then says who has it and until when.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	l, r := real(t, 2)
	r.Pool.Hold.Min = time.Hour
	g := must(t, l, r)
	if g.Lease.Port != r.Pool.Ranges[0].First || g.Lease.State != Listening || g.Lease.Owner.PID != os.Getpid() {
		t.Errorf("got %+v", g.Lease)
	}
	answers(t, g)

	exact := named(r, "b")
	exact.Port = g.Lease.Port
	if got := refused(t, l, exact, Ours); got.Holder.Name != "a" || !strings.Contains(got.Error(), "a, "+strconv.Itoa(int(g.Lease.Port))+" of pool p, listening, of test (pid "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("ours: %v", got)
	}
	exact.Port = r.Pool.Ranges[0].Last + 1
	if got := refused(t, l, exact, OutsideRange); !strings.Contains(got.Error(), r.Pool.Ranges[0].String()) {
		t.Errorf("outside: %v", got)
	}

	foreign, err := socket.Bind(ports.TCP, r.Address, r.Pool.Ranges[0].Last)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = foreign.Close() }()
	exact.Port = r.Pool.Ranges[0].Last
	if got := refused(t, l, exact, ForeignTaken); len(got.Foreign) != 1 || got.Foreign[0].PID != os.Getpid() || !strings.Contains(got.Error(), "pid "+strconv.Itoa(os.Getpid())+" ("+program()+")") {
		t.Errorf("foreign: %v", got)
	}
	if got := refused(t, l, named(r, "b"), Exhausted); got.Holders != 1 || len(got.Foreign) == 0 || !strings.Contains(got.Error(), "1 lease has its numbers") {
		t.Errorf("exhausted: %v", got)
	}

	g.Close()
	if err := l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
		t.Fatal(err)
	}
	exact.Port = g.Lease.Port
	if got := refused(t, l, exact, IsHeld); got.Until.IsZero() || !strings.Contains(got.Error(), "held until "+clock(got.Until)+" (operator, 1h0m0s from its release)") {
		t.Errorf("held: %v", got)
	}
	if got := refused(t, l, named(r, "b"), Exhausted); !strings.Contains(got.Error(), "the first may be free at ") {
		t.Errorf("exhausted: %v", got)
	}

	exact.Pool.Hold.Min = 0
	exact.Static = []ports.Claim{{Service: "fixed", Protocol: ports.TCP, Port: exact.Port, Binds: true, Status: ports.Works}}
	_ = refused(t, l, exact, IsReserved)
}

// F85: what is true of every number is asked once.
func TestOnlyInUseAdvances(t *testing.T) {
	t.Parallel()
	for kind, want := range map[error]Outcome{socket.ErrDenied: NoPermission, socket.ErrNotLocal: NotLocal} {
		tries := 0
		bind := func(p ports.Protocol, a netip.Addr, n ports.Port) (*os.File, error) {
			tries++
			return nil, &socket.BindError{Protocol: p, Address: a, Port: n, Kind: kind, Err: errors.New("so it is")}
		}
		l := open(t, t.TempDir(), Options{Binder: bind})
		r := Request{Pool: tcp("p", ports.Range{First: 1, Last: 65535}), Name: "a", Owner: Self("test", "")}
		if got := refused(t, l, r, want); tries != 1 || got.Port != 1 || !strings.Contains(got.Error(), "so it is") {
			t.Errorf("%s: %d tries: %v", want, tries, got)
		}
	}
	l, r := real(t, 2)
	r.Address = netip.MustParseAddr("192.0.2.1")
	_ = refused(t, l, r, NotLocal)
}

// F18, F19: a request that cannot be granted whatever happens is refused at once, and says why.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), Options{Binder: unbound})
	good := Request{Pool: tcp("p", ports.Range{First: 20000, Last: 20009}), Name: "a", Owner: Self("test", "")}
	for says, change := range map[string]func(*Request){
		"no range":            func(r *Request) { r.Pool.Ranges = nil },
		"not active":          func(r *Request) { r.Pool.Status = ports.Inactive },
		"no protocol":         func(r *Request) { r.Pool.Protocol = nil },
		"has no ports":        func(r *Request) { r.Pool.Protocol = []ports.Protocol{"icmp"} },
		`"" is not a name`:    func(r *Request) { r.Name = "" },
		"is not a name for a": func(r *Request) { r.Name = "a b" },
		`"\xff" is not`:       func(r *Request) { r.Name = "\xff" },
		"not -1s":             func(r *Request) { r.TTL = -time.Second },
		"has no pairs":        func(r *Request) { r.Pair = true },
		"has no owner":        func(r *Request) { r.Owner = Owner{} },
		"would never end":     func(r *Request) { r.Owner = Timed("operator", "") },
		"can give 0":          func(r *Request) { r.Pool.Parity, r.Pool.Ranges = ports.Odd, []ports.Range{{First: 2, Last: 2}} },
	} {
		r := good
		change(&r)
		if got := refused(t, l, r, BadRequest); !strings.Contains(got.Error(), says) {
			t.Errorf("%s: got %v", says, got)
		}
	}
	for _, n := range []int{0, 11, 257} {
		all := make([]Request, n)
		for i := range all {
			all[i] = good
		}
		grants, err := l.LeaseAll(t.Context(), all)
		if len(grants) > 0 {
			t.Errorf("%d at once: %d granted", n, len(grants))
		}
		_ = wantRefusal(t, Grant{}, err, BadRequest)
	}
	if _, err := For(ports.Compiled{Plan: "x", Pools: []ports.ResolvedPool{{ID: "y"}}}, "z"); err == nil || !strings.Contains(err.Error(), "it has y") {
		t.Errorf("unknown pool: %v", err)
	}
	if all, err := l.Leases(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("leases %v, %v", all, err)
	}
}

// F09, F10: several ports of one request are all different, those that are given come first, and where one cannot be
// had none is.
func TestTogether(t *testing.T) {
	t.Parallel()
	l, r := real(t, 4)
	first := r.Pool.Ranges[0].First
	sticky := named(r, "kept")
	sticky.Sticky = true
	kept := must(t, l, sticky)
	kept.Close()
	if err := l.Release(t.Context(), kept.Lease.ID, kept.Lease.Fence, "for now"); err != nil {
		t.Fatal(err)
	}
	pinned := named(r, "pinned")
	pinned.Port = first + 1
	grants, err := l.LeaseAll(t.Context(), []Request{named(r, "x"), sticky, pinned, named(r, "y")})
	if err != nil {
		t.Fatal(err)
	}
	var got []ports.Port
	for _, g := range grants {
		got = append(got, g.Lease.Port-first)
		answers(t, g)
	}
	if want := []ports.Port{2, 0, 1, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, g := range grants[2:] {
		g.Close()
		if err := l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
			t.Fatal(err)
		}
	}
	before := said(mustList(t, l))
	pinned.Port = first // kept's
	if _, err := l.LeaseAll(t.Context(), []Request{named(r, "z"), pinned}); err == nil {
		t.Fatal("half a request was granted")
	}
	if now := said(mustList(t, l)); now != before {
		t.Errorf("after a refusal:\n%s\nwant\n%s", now, before)
	}
	for _, p := range []ports.Port{first + 1, first + 3} { // nothing of it stays bound
		f, err := socket.Bind(ports.TCP, r.Address, p)
		if err != nil {
			t.Error(err)
			continue
		}
		_ = f.Close()
	}
	grants[0].Close()
	grants[1].Close()
}

func mustList(t *testing.T, l *Ledger) []Lease {
	t.Helper()
	all, err := l.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// P4: port and debugger together or not at all, whoever has the second; both of TCP and UDP where the pool says so (F06,
// F07, F65).
func TestPairs(t *testing.T) {
	t.Parallel()
	l, r := real(t, 6)
	r.Pool.Protocol = []ports.Protocol{ports.TCP, ports.UDP}
	r.Pool.Parity, r.Pair = ports.Even, true
	r.Pool.Pair = ports.Pair{ID: "jvm-debug", Delta: 1, Parity: ports.Odd, Optional: true}
	first := r.Pool.Ranges[0].First
	foreign, err := socket.Bind(ports.UDP, r.Address, first+1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = foreign.Close() }()
	g := must(t, l, r)
	if g.Lease.Port != first+2 || g.Lease.Pair != first+3 || len(g.Sockets) != 4 {
		t.Errorf("got %+v with %d sockets", g.Lease, len(g.Sockets))
	}
	want := []string{"REEVE_PORT_A=" + strconv.Itoa(int(first+2)), "REEVE_PORT_A_JVM_DEBUG=" + strconv.Itoa(int(first+3))}
	if env := g.Environment(); !slices.Equal(env[:2], want) || !strings.HasPrefix(env[2], "REEVE_LEASE_A=") {
		t.Errorf("environment %v, want %v", env, want)
	}
	if names := g.FileNames(); !slices.Equal(names, []string{"a", "a", "a-jvm-debug", "a-jvm-debug"}) {
		t.Errorf("names %v", names)
	}
	single := named(r, "b")
	single.Pair = false
	if g := must(t, l, single); g.Lease.Port != first || g.Lease.Pair != 0 || len(g.Sockets) != 2 {
		t.Errorf("without a pair: got %+v", g.Lease)
	}
	must(t, l, named(r, "c"))
	_ = refused(t, l, named(r, "d"), Exhausted)
	f, err := socket.Bind(ports.TCP, r.Address, first+1) // the half of a pair that failed was let go
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

// P3, semantics 6: a name keeps its number while its process is down; while it runs, or another program has it, the
// error names the holder; it drifts to another number only where the pool says so.
func TestSticky(t *testing.T) {
	t.Parallel()
	l, r := real(t, 3)
	r.Pool.Sticky = ports.Sticky{Key: "{instance}/{name}@{host}", OnBusy: "fail", HostChange: "deny"}
	r.Instance = 3
	g := must(t, l, r)
	if want := "3/a@" + hostName(); g.Lease.Key != want {
		t.Errorf("key %q, want %q", g.Lease.Key, want)
	}
	if got := refused(t, l, r, Ours); got.Holder.ID != g.Lease.ID {
		t.Errorf("while it runs: %v", got)
	}
	g.Close()
	if err := l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "the container ended"); err != nil {
		t.Fatal(err)
	}
	if other := must(t, l, named(r, "b")); other.Lease.Port == g.Lease.Port {
		t.Errorf("another name got %d", other.Lease.Port)
	}
	moved := r
	moved.Owner.Host = "elsewhere"
	if got := refused(t, l, moved, OtherHost); !strings.Contains(got.Error(), "belongs to host "+hostName()) {
		t.Errorf("from another host: %v", got)
	}
	foreign, err := socket.Bind(ports.TCP, r.Address, g.Lease.Port)
	if err != nil {
		t.Fatal(err)
	}
	if got := refused(t, l, r, ForeignTaken); got.Foreign[0].PID != os.Getpid() {
		t.Errorf("busy: %v", got)
	}
	next := r
	next.Pool.Sticky.OnBusy, next.Pool.Sticky.HostChange = "next", "allow"
	next.Owner.Host = "elsewhere"
	drifted := must(t, l, next)
	if drifted.Lease.Port == g.Lease.Port || drifted.Lease.ID != g.Lease.ID || drifted.Lease.Fence <= g.Lease.Fence {
		t.Errorf("got %+v", drifted.Lease)
	}
	_ = foreign.Close()
	_ = wantRefusal(t, Grant{}, l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "late"), Fenced)
	drifted.Close()
	if err := l.Forget(t.Context(), drifted.Lease.ID, drifted.Lease.Fence, "gone for good"); err != nil {
		t.Fatal(err)
	}
	if g := must(t, l, r); g.Lease.ID == drifted.Lease.ID {
		t.Errorf("forgotten, and got %+v", g.Lease)
	}
}

// F11, F17: a lease that drains keeps its number; a replacement gets another; what is released twice, or in the wrong
// order, changes nothing of anybody else's.
func TestDrainAndReplay(t *testing.T) {
	t.Parallel()
	l, r := real(t, 3)
	old := must(t, l, r)
	if err := l.Drain(t.Context(), old.Lease.ID, old.Lease.Fence, "stopping"); err != nil {
		t.Fatal(err)
	}
	replacement := must(t, l, r)
	if replacement.Lease.Port == old.Lease.Port || find(t, l, "a").State != Draining {
		t.Errorf("got %+v beside %+v", replacement.Lease, find(t, l, "a"))
	}
	old.Close()
	for i := range 3 {
		err := l.Release(t.Context(), old.Lease.ID, old.Lease.Fence, "done")
		if i == 0 && err != nil {
			t.Fatal(err)
		} else if i > 0 {
			_ = wantRefusal(t, Grant{}, err, NoLease)
		}
	}
	third := must(t, l, named(r, "c"))
	if third.Lease.Port != old.Lease.Port {
		t.Errorf("got %d", third.Lease.Port)
	}
	_ = wantRefusal(t, Grant{}, l.Release(t.Context(), old.Lease.ID, old.Lease.Fence, "again"), NoLease)
	_ = wantRefusal(t, Grant{}, l.Renew(t.Context(), old.Lease.ID, old.Lease.Fence), NoLease)
	if got := find(t, l, "c"); got.State != Listening {
		t.Errorf("got %+v", got)
	}
}

// A request that waits gets the number when its hold has passed, and not before (P2); one whose context ends is told
// what it waited for.
func TestWait(t *testing.T) {
	t.Parallel()
	l, r := real(t, 1)
	r.Pool.Hold.Min, r.Wait = 300*time.Millisecond, true
	g := must(t, l, r)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := l.Lease(short, r)
	_ = wantRefusal(t, Grant{}, err, Exhausted)
	g.Close()
	if err := l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
		t.Fatal(err)
	}
	until := find(t, l, "a").HoldUntil
	again := must(t, l, r)
	if again.Lease.Granted.Before(until) || again.Lease.Granted.Sub(until) > 5*time.Second {
		t.Errorf("held until %s, granted %s", until, again.Lease.Granted)
	}
}

// F13, F22: a program in the way is noted, passed over, and tried again where nothing else is left.
func TestBlocked(t *testing.T) {
	t.Parallel()
	l, r := real(t, 3)
	first := r.Pool.Ranges[0].First
	foreign, err := socket.Bind(ports.TCP, r.Address, first)
	if err != nil {
		t.Fatal(err)
	}
	g := must(t, l, r)
	if g.Lease.Port != first+1 {
		t.Fatalf("got %d", g.Lease.Port)
	}
	if got := find(t, l, "-"); got.State != Blocked || got.Port != first || got.HoldUntil.IsZero() {
		t.Errorf("got %+v", got)
	}
	_ = foreign.Close()
	if g := must(t, l, named(r, "b")); g.Lease.Port != first+2 {
		t.Errorf("got %d, which was blocked", g.Lease.Port)
	}
	if g := must(t, l, named(r, "c")); g.Lease.Port != first {
		t.Errorf("got %d", g.Lease.Port)
	}
	if got := find(t, l, "-"); got.Port != 0 {
		t.Errorf("still blocked: %+v", got)
	}
}

// F62: what is reserved twice is reserved, and no collision; only what binds on this host counts, and only for its
// transport.
func TestStatic(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), Options{Binder: unbound})
	claim := func(p ports.Protocol, first, last ports.Port, s ports.Status, binds bool) ports.Claim {
		return ports.Claim{Protocol: p, Port: first, Last: last, Status: s, Binds: binds}
	}
	r := Request{Pool: tcp("p", ports.Range{First: 20000, Last: 20009}), Name: "a", Owner: Self("test", ""), Static: []ports.Claim{
		claim(ports.TCP, 20000, 20001, ports.Works, true), claim(ports.TCP, 20001, 0, ports.Reserved, true), claim(ports.TCP, 20003, 0, ports.Foreign, false),
		claim(ports.UDP, 20002, 0, ports.Works, true), claim(ports.TCP, 20004, 0, ports.Inactive, true), claim(ports.TCP, 20005, 0, ports.Works, false),
		{Protocol: ports.TCP, Port: 20000, Last: 20009, Pool: true, Binds: true, Status: ports.Works},
	}}
	for _, want := range []ports.Port{20002, 20004, 20005} {
		if g := must(t, l, r); g.Lease.Port != want {
			t.Errorf("got %d, want %d", g.Lease.Port, want)
		}
	}
}

// The longest reason decides, and is named.
func TestHoldOf(t *testing.T) {
	t.Parallel()
	boxes := []ports.Middlebox{{Name: "fw-1", Conntrack: 30 * time.Second}, {Name: "fw-2", Conntrack: 3 * time.Minute}}
	pool := func(low time.Duration, nonce int, ttl time.Duration, reasons ...string) ports.ResolvedPool {
		return ports.ResolvedPool{Hold: ports.Hold{Min: low, Reasons: reasons}, Lease: ports.LeaseRule{TTL: ttl, Nonce: nonce}}
	}
	for _, c := range []struct {
		pool  ports.ResolvedPool
		boxes []ports.Middlebox
		want  string
	}{
		{pool(0, 0, 0), boxes, "0s "},
		{pool(time.Minute, 0, 0), boxes, "1m0s operator"},
		{pool(2*time.Minute, 0, 0, HoldConntrack, HoldLateCallback, HoldOperator), nil, "2m0s operator"},
		{pool(2*time.Minute, 0, 0, HoldConntrack), nil, "2m0s conntrack"},
		{pool(2*time.Minute, 0, 0, HoldConntrack, HoldOperator), boxes, "3m0s conntrack on fw-2"},
		{pool(time.Minute, 0, 0, HoldConntrack), []ports.Middlebox{{Name: "fw"}}, "2m0s conntrack on fw"},
		{pool(time.Minute, 0, 90*time.Second, HoldLateCallback), nil, "1m30s late-callback"},
		{pool(0, 128, 90*time.Second, HoldLateCallback), nil, "0s "},
		{pool(0, 0, 0, HoldTimeWait), nil, "0s "},
	} {
		d, why := HoldOf(c.pool, c.boxes)
		if got := fmt.Sprintf("%s %s", d, why); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.pool.Hold, got, c.want)
		}
	}
}
