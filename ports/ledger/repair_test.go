//go:build linux

package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// sit starts a child that has the sockets and the environment of grants, and nothing else to do.
func sit(t *testing.T, grants ...Grant) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=sit")
	for _, g := range grants {
		cmd.Env = append(cmd.Env, g.Environment()...)
		for _, s := range g.Sockets {
			cmd.ExtraFiles = append(cmd.ExtraFiles, s.File)
		}
	}
	in, err1 := cmd.StdinPipe()
	if err := errors.Join(err1, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, in: in}
	t.Cleanup(c.kill)
	return c
}

// given leases, starts a child with the sockets, and makes it the owner.
func given(t *testing.T, l *Ledger, r Request) (Lease, *child) {
	t.Helper()
	g, err := l.Lease(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	c := sit(t, g)
	o := Process(r.Owner.Kind, r.Owner.ID, c.cmd.Process.Pid)
	if err := l.Assign(t.Context(), g.Lease.ID, g.Lease.Fence, o); err != nil {
		t.Fatal(err)
	}
	return find(t, l, r.Name), c
}

func repaired(t *testing.T, l *Ledger, plan ...ports.ResolvedPool) Report {
	t.Helper()
	obs, err := Observe()
	if err != nil {
		t.Fatal(err)
	}
	report, err := l.Repair(t.Context(), obs, ports.Compiled{Plan: "test", Pools: plan})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// identity prints what a lease is, whatever its state.
func identity(l Lease) string {
	return fmt.Sprintf("%s %s %d %s %s %d/%d %s %s", l.ID, l.Name, l.Fence, l.Pool, l.Address, l.Port, l.Pair, l.Key, l.Owner)
}

// P9: a ledger that is gone altogether comes back from what the processes of the host show: the same leases of the same
// owners, with the same fences. What is only kept for a name, or held, no process shows.
func TestRepairFromNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ledger")
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, 20)), Owner: Self("attempt", "run/job"), Address: addr, Plan: "test", Hash: "abc"}
	r.Pool.Pair = ports.Pair{ID: "debug", Delta: 1, Optional: true}
	r.Pool.Lease.Nonce = 128
	r.Owner.Attempt = 2
	l := open(t, dir, Options{})
	var before []string
	for i := range 6 {
		r.Name, r.Pair, r.Sticky = fmt.Sprint("n", i), i%2 == 0, i%3 == 0
		lease, _ := given(t, l, r)
		lease.Owner.Attempt = 2
		if err := l.Assign(t.Context(), lease.ID, lease.Fence, lease.Owner); err != nil {
			t.Fatal(err)
		}
		before = append(before, identity(find(t, l, r.Name)))
	}
	l.Close()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Options{})
	report := repaired(t, l, r.Pool)
	if len(report.Found) != len(before) {
		t.Errorf("found %+v", report.Found)
	}
	for i, want := range before {
		if got := find(t, l, fmt.Sprint("n", i)); identity(got) != want || got.State != Listening || got.Nonce != "" {
			t.Errorf("got  %s %s\nwant %s", identity(got), got.State, want)
		}
	}
	g := must(t, l, named(r, "new"))
	for _, lease := range mustList(t, l) {
		if lease.Name != "new" && lease.Fence >= g.Lease.Fence {
			t.Errorf("fence %d is not above %d", g.Lease.Fence, lease.Fence)
		}
	}
	if again := repaired(t, l, r.Pool); len(again.Found) > 0 {
		t.Errorf("a second repair changes %+v", again.Found)
	}
}

// Another ledger's leases are its own: what carries them is a stranger here.
func TestRepairOtherLedger(t *testing.T) {
	t.Parallel()
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, 2)), Name: "a", Owner: Self("test", ""), Address: addr}
	_, c := given(t, open(t, t.TempDir(), Options{}), r)
	l := open(t, t.TempDir(), Options{})
	repaired(t, l, r.Pool)
	if all := mustList(t, l); len(all) != 1 || all[0].State != Blocked || all[0].Owner.PID != c.cmd.Process.Pid {
		t.Errorf("got %+v", all)
	}
}

// What makes itself up is not believed: only who has the number open is.
func TestRepairBelievesSockets(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), Options{})
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, 2)), Name: "a", Owner: Self("test", ""), Address: addr}
	g := must(t, l, r)
	claim := g
	claim.Lease.ID, claim.Lease.Name, claim.Lease.Port, claim.Sockets = "madeup", "forged", r.Pool.Ranges[0].Last, nil
	sit(t, claim)
	if repaired(t, l, r.Pool); find(t, l, "forged").Port != 0 {
		t.Errorf("believed: %+v", find(t, l, "forged"))
	}
}

// F55, F22: a port whose owner is gone while something still has its socket is leaked, with the program's name; it is
// not given out, and free when that ends.
func TestRepairLeaked(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), Options{})
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, 1)), Name: "a", Owner: Self("test", ""), Address: addr}
	g, err := l.Lease(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	owner, ghost := sit(t), sit(t, g)
	g.Close()
	if err := l.Assign(t.Context(), g.Lease.ID, g.Lease.Fence, Process("test", "", owner.cmd.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	owner.kill()
	repaired(t, l, r.Pool)
	if got := find(t, l, "a"); got.State != Leaked || !strings.Contains(got.Reason, fmt.Sprintf("pid %d (%s) still has the port", ghost.cmd.Process.Pid, program())) {
		t.Errorf("got %+v", got)
	}
	if got := refused(t, l, named(r, "b"), Exhausted); len(got.Foreign) == 0 || got.Foreign[0].PID != ghost.cmd.Process.Pid {
		t.Errorf("got %v", got)
	}
	ghost.kill()
	if repaired(t, l, r.Pool); find(t, l, "a").Port != 0 {
		t.Errorf("got %+v", find(t, l, "a"))
	}
	must(t, l, named(r, "b"))
}

// An owner that lives and has nothing open is suspect after three sweeps, and no longer once it listens again; so is one
// that cannot be seen. Nobody else gets the number meanwhile.
func TestRepairSuspect(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), Options{})
	addr := loopback()
	r := Request{Pool: tcp("p", block(t, addr, 1)), Name: "a", Owner: Self("test", ""), Address: addr}
	g := must(t, l, r)
	g.Close()
	for i := range 3 {
		if got := find(t, l, "a"); got.State != Listening {
			t.Fatalf("after %d repairs: %+v", i, got)
		}
		repaired(t, l, r.Pool)
	}
	if got := find(t, l, "a"); got.State != Suspect || got.Reason != reasonSilent {
		t.Errorf("got %+v", got)
	}
	_ = refused(t, l, named(r, "b"), Exhausted)
	f, err := socket.Bind(ports.TCP, addr, g.Lease.Port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if repaired(t, l, r.Pool); find(t, l, "a").State != Listening {
		t.Errorf("got %+v", find(t, l, "a"))
	}

	life := Alive
	m := open(t, t.TempDir(), Options{Binder: unbound, Alive: func(Owner) Life { return life }})
	must(t, m, r)
	life = Unseen
	for range 3 {
		if _, err := m.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := find(t, m, "a"); got.State != Suspect || got.Reason != reasonUnseen {
		t.Errorf("got %+v", got)
	}
	life = Alive
	if _, err := m.Sweep(t.Context()); err != nil || find(t, m, "a").State != Listening {
		t.Errorf("got %+v, %v", find(t, m, "a"), err)
	}
}

// F13, F20: what has a number of the plan's pools without a lease is noted with its program, and forgotten when it is
// gone. Rows with a number of their own are none of it.
func TestRepairStrangers(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), Options{})
	addr := loopback()
	pool := tcp("p", block(t, addr, 4))
	first := pool.Ranges[0].First
	f, err := socket.Bind(ports.TCP, addr, first)
	if err != nil {
		t.Fatal(err)
	}
	planned, err := socket.Bind(ports.TCP, addr, first+1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = planned.Close() }()
	obs, err := Observe()
	if err != nil {
		t.Fatal(err)
	}
	plan := ports.Compiled{Plan: "test", Pools: []ports.ResolvedPool{pool}, Claims: []ports.Claim{{Protocol: ports.TCP, Port: first + 1, Binds: true, Status: ports.Works}}}
	if _, err := l.Repair(t.Context(), obs, plan); err != nil {
		t.Fatal(err)
	}
	all := mustList(t, l)
	if len(all) != 1 || all[0].State != Blocked || all[0].Port != first || all[0].Owner.PID != os.Getpid() || !strings.Contains(all[0].Reason, "("+program()+") has it without a lease") {
		t.Errorf("got %+v", all)
	}
	_ = f.Close()
	_ = planned.Close()
	if repaired(t, l, pool); len(mustList(t, l)) > 0 {
		t.Errorf("got %+v", mustList(t, l))
	}
}

// P1, P4, P9 with real sockets, owners that die, and strangers that take numbers behind the ledger's back: whatever
// happened, a grant is a number that nobody has; after a repair at any moment, what lived is there as it was, or suspect.
func TestStrangers(t *testing.T) {
	t.Parallel()
	steps := 250
	if *rounds > 0 {
		steps = 20 * *rounds
	}
	dir := t.TempDir()
	addr := loopback()
	pool := tcp("p", block(t, addr, 16))
	pool.Pair = ports.Pair{ID: "debug", Delta: 1, Optional: true}
	pool.Pick = ports.Random
	dead := map[int]bool{}
	o := Options{NoSync: true, Alive: func(o Owner) Life {
		if dead[o.PID] {
			return Dead
		}
		return Alive
	}}
	l := open(t, dir, o)
	have, strangers := map[int]Grant{}, map[ports.Port]*os.File{}
	taken := func(p ports.Port) bool {
		for _, g := range have {
			if p == g.Lease.Port || p == g.Lease.Pair {
				return true
			}
		}
		return strangers[p] != nil
	}
	for i := 1; i <= steps; i++ {
		port := pool.Ranges[0].First + ports.Port(rand.IntN(16))
		switch rand.IntN(6) {
		case 0, 1:
			r := Request{Pool: pool, Name: fmt.Sprint("n", i), Owner: pretend(i), Address: addr, Pair: rand.IntN(2) == 0}
			g, err := l.Lease(t.Context(), r)
			if err != nil {
				_ = wantRefusal(t, g, err, Exhausted)
				for p := pool.Ranges[0].First; p < pool.Ranges[0].Last; p++ {
					if !taken(p) && (!r.Pair || !taken(p+1)) {
						t.Fatalf("step %d: %v, and %d is free", i, err, p)
					}
				}
				break
			}
			for _, s := range g.Sockets {
				if taken(s.Port) {
					t.Fatalf("step %d: %d has two owners", i, s.Port)
				}
			}
			have[i] = g
		case 2: // an owner dies, and its sockets with it
			for k, g := range have {
				dead[k] = true
				g.Close()
				delete(have, k)
				break
			}
		case 3:
			if f, err := socket.Bind(ports.TCP, addr, port); err == nil {
				if taken(port) {
					t.Fatalf("step %d: %d could be bound twice", i, port)
				}
				strangers[port] = f
			}
		case 4:
			if f := strangers[port]; f != nil {
				_ = f.Close()
				delete(strangers, port)
			}
		case 5:
			l.Close() // as a kill would
			l = open(t, dir, o)
			repairedAt(t, l, addr, pool)
			sameAsBefore(t, l, have)
		}
	}
	for _, g := range have {
		g.Close()
	}
	for _, f := range strangers {
		_ = f.Close()
	}
}

// repairedAt repairs from what is on one address: other tests run beside this one.
func repairedAt(t *testing.T, l *Ledger, addr netip.Addr, pool ports.ResolvedPool) {
	t.Helper()
	obs, err := Observe()
	if err != nil {
		t.Fatal(err)
	}
	var here []Listener
	for _, x := range obs.Listeners {
		if x.Local.Addr() == addr {
			here = append(here, x)
		}
	}
	obs.Listeners, obs.Leases = here, nil
	if _, err := l.Repair(context.WithoutCancel(t.Context()), obs, ports.Compiled{Pools: []ports.ResolvedPool{pool}}); err != nil {
		t.Fatal(err)
	}
}

func sameAsBefore(t *testing.T, l *Ledger, have map[int]Grant) {
	t.Helper()
	in := map[string]State{}
	for _, lease := range mustList(t, l) {
		if lease.State.live() {
			in[identity(lease)] = lease.State
		}
	}
	for _, g := range have {
		if state := in[identity(g.Lease)]; state != Listening && state != Suspect {
			t.Fatalf("%s is %q", identity(g.Lease), state)
		}
	}
	if len(in) != len(have) {
		t.Fatalf("the ledger has %v, want %d leases", in, len(have))
	}
}
