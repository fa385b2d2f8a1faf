//go:build linux

package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// childWorks leases and gives back until it is killed, and tells its standard output: "+ ID FENCE PORT" once it is told
// that it has a lease, "- ID" before it gives it back. Every second lease is sticky to a name that others want too.
func childWorks(args []string) error {
	r, err := childRequest(args[1:])
	if err != nil {
		return err
	}
	l, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	var have []Grant
	for i := 0; ; i++ {
		if len(have) < 3 && rand.IntN(2) == 0 {
			r.Name, r.Sticky = fmt.Sprintf("w%d-%d", os.Getpid(), i), false
			if rand.IntN(2) == 0 {
				r.Name, r.Sticky = fmt.Sprint("shared-", rand.IntN(4)), true
			}
			g, err := l.Lease(context.Background(), r)
			var refused *Refusal
			if errors.As(err, &refused) && refused.passes() {
				continue
			}
			if err != nil {
				return err
			}
			fmt.Printf("+ %d %s %d %d\n", os.Getpid(), g.Lease.ID, g.Lease.Fence, g.Lease.Port)
			have = append(have, g)
		} else if len(have) > 0 {
			k := rand.IntN(len(have))
			g := have[k]
			have = append(have[:k], have[k+1:]...)
			fmt.Printf("- %d %s %d %d\n", os.Getpid(), g.Lease.ID, g.Lease.Fence, g.Lease.Port)
			g.Close()
			give := l.Release
			if rand.IntN(3) == 0 {
				give = l.Forget
			}
			if err := give(context.Background(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
				return fmt.Errorf("giving %d back: %w", g.Lease.Port, err)
			}
		}
	}
}

// gang is some workers that write to one pipe: what they say has one order, and a lease that is given back is said so
// before anybody else can say that it has it.
type gang struct {
	t      *testing.T
	dir    string
	r      Request
	pipe   *os.File
	mu     sync.Mutex
	kids   map[int]*exec.Cmd
	dead   map[int]bool      // killed, or about to be
	has    map[string]string // by port: the line that took it
	said   int
	asked  chan struct{} // gets one for each question that has been heard
	closed chan struct{}
}

func newGang(t *testing.T, dir string, r Request) *gang {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	g := &gang{t: t, dir: dir, r: r, pipe: out, kids: map[int]*exec.Cmd{}, dead: map[int]bool{}, has: map[string]string{}, asked: make(chan struct{}), closed: make(chan struct{})}
	go func() {
		defer close(g.closed)
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			g.hear(lines.Text())
		}
		_ = in.Close()
	}()
	t.Cleanup(func() {
		for pid := range g.kids {
			g.kill(pid)
		}
		_ = out.Close()
		<-g.closed
	})
	return g
}

// hear takes one line down. A port that two have at once is the end of it.
func (g *gang) hear(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := strings.Fields(text)
	if f[0] == "?" {
		g.asked <- struct{}{}
		return
	}
	if f[0] == "x" {
		var pid int
		_, _ = fmt.Sscan(f[1], &pid)
		g.dead[pid] = true
		return
	}
	g.said++
	what, port := strings.Join(f[1:], " "), f[4]
	had, taken := g.has[port]
	switch f[0] {
	case "+":
		if taken && !g.dead[pidOf(had)] {
			g.t.Errorf("port %s belongs to two: %s and %s", port, had, what)
		}
		g.has[port] = what
	case "-":
		if had != what && !g.dead[pidOf(what)] {
			g.t.Errorf("%s is given back, and the port's holder is %q", what, had)
		}
		delete(g.has, port)
	}
}

func pidOf(line string) (pid int) {
	_, _ = fmt.Sscan(line, &pid)
	return pid
}

func (g *gang) start() int {
	cmd := exec.Command(os.Args[0], childArgs(g.dir, g.r)...)
	cmd.Env = append(os.Environ(), childVariable+"=work")
	cmd.Stdout, cmd.Stderr = g.pipe, os.Stderr
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.kids[cmd.Process.Pid] = cmd
	return cmd.Process.Pid
}

// kill says so first, in the same pipe, and then ends a worker wherever it is.
func (g *gang) kill(pid int) {
	_, _ = fmt.Fprintf(g.pipe, "x %d\n", pid)
	_ = g.kids[pid].Process.Kill()
	_ = g.kids[pid].Wait()
	delete(g.kids, pid)
}

// holding returns what the living have, as far as has been heard.
func (g *gang) holding() map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[string]bool{}
	for _, what := range g.has {
		if !g.dead[pidOf(what)] {
			all[what] = true
		}
	}
	return all
}

// lost returns the leases that were told to the living and are not in the ledger. What was told before the ledger was
// read, and is still had after it, must be there.
func (g *gang) lost() []string {
	before := g.holding()
	l, err := Open(g.dir, Options{ReadOnly: true})
	if err != nil {
		g.t.Fatal(err)
	}
	defer l.Close()
	in := map[string]bool{}
	all, err := l.Leases(g.t.Context())
	if err != nil {
		_, really := open(g.t, g.dir, Options{}).Leases(g.t.Context())
		g.t.Fatalf("%v; under the lock: %v", err, really)
	}
	for _, lease := range all {
		if lease.State.live() {
			in[fmt.Sprintf("%d %s %d %d", lease.Owner.PID, lease.ID, lease.Fence, lease.Port)] = true
		}
	}
	_, _ = fmt.Fprintln(g.pipe, "?") // all that was said before this is heard
	<-g.asked
	after := g.holding()
	var lost []string
	for what := range before {
		if after[what] && !in[what] {
			lost = append(lost, what)
		}
	}
	return lost
}

// kill -9 of whoever holds a lease, and of whoever is just granting one, at random moments: no number has two owners, no
// lease of the living is lost, what the dead had is given out again, and the next grant comes within a second (F80,
// P1, P9). The campaign takes a thousand rounds.
func TestKill(t *testing.T) {
	t.Parallel()
	n, limit := *rounds, time.Second
	if n == 0 {
		n, limit = 15, 5*time.Second // many tests run at once on few processors
	}
	dir := t.TempDir()
	addr := loopback()
	r := Request{Pool: tcp("many", block(t, addr, 24)), Name: "next", Owner: Self("test", ""), Address: addr}
	r.Pool.Pick = ports.LRU
	one := Request{Pool: tcp("one", block(t, loopback(), 1)), Name: "next", Owner: Self("test", ""), Address: loopback()}
	l := open(t, dir, Options{})
	g := newGang(t, dir, r)
	for range 4 {
		g.start()
	}
	slowest := time.Duration(0)
	for i := range n {
		holder := spawn(t, "hold", childArgs(dir, one)...)
		holder.line(t)
		if err := rest(t.Context(), time.Duration(rand.IntN(15000))*time.Microsecond); err != nil {
			t.Fatal(err)
		}
		victims := 1
		if i%10 == 9 {
			victims = 4
		}
		for pid := range g.kids {
			if victims--; victims >= 0 {
				g.kill(pid)
			}
		}
		holder.kill()
		for _, request := range []Request{one, r} {
			began := time.Now()
			grant, err := l.Lease(t.Context(), request)
			took := time.Since(began)
			if err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			if slowest = max(slowest, took); took > limit {
				t.Errorf("round %d: the next grant took %s", i, took)
			}
			grant.Close()
			if err := l.Release(t.Context(), grant.Lease.ID, grant.Lease.Fence, "done"); err != nil {
				t.Fatal(err)
			}
		}
		if lost := g.lost(); len(lost) > 0 {
			t.Fatalf("round %d: lost %v", i, lost)
		}
		for len(g.kids) < 4 {
			g.start()
		}
		if t.Failed() {
			return
		}
	}
	for pid := range g.kids {
		g.kill(pid)
	}
	if _, err := l.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, lease := range mustList(t, l) {
		if lease.State.live() {
			t.Errorf("a lease of the dead lives: %+v", lease)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.said < n {
		t.Errorf("the workers did only %d things", g.said)
	}
	t.Logf("%d rounds, %d leases taken and given, slowest next grant %s", n, g.said, slowest)
}
