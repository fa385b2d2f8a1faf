// Package sockettest answers: on which port may this test listen?
//
// Most tests need no number: Plan has port 0, and the Net remembers what the system chose. A test that starts other
// processes leases a number and writes a plan file with it.
package sockettest

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// Service is the service of the default plan that carries everything.
const Service = "reeve"

// Plan returns the default plan with port 0 for every service that binds: the system chooses, and a socket.Net
// remembers.
func Plan(t testing.TB) ports.Compiled {
	t.Helper()
	p, err := builtin.Load(builtin.Default)
	if err != nil {
		t.Fatal(err)
	}
	c, found := ports.Compile(p, ports.Inventory{}, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	for i := range c.Claims {
		if c.Claims[i].Binds {
			c.Claims[i].Port = 0
		}
	}
	for i := range c.Flows {
		if cl, _ := c.Service(c.Flows[i].Service); cl.Binds {
			c.Flows[i].Port = 0
		}
	}
	return c
}

// Net returns a socket.Net for Plan. It fails the test if a socket is still open at its end.
func Net(t testing.TB, opts ...socket.Option) *socket.Net {
	t.Helper()
	n := socket.New(Plan(t), opts...)
	t.Cleanup(func() {
		for _, s := range n.Open() {
			t.Errorf("socket left open: %+v", s)
		}
	})
	return n
}

// Listen listens for the plan's service on the loopback address until the test ends, and returns the address.
func Listen(t testing.TB, n *socket.Net) (net.Listener, string) {
	t.Helper()
	l, err := n.Listen(t.Context(), Service, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Addr().String()
}

// PlanFile writes a plan that extends the default one with another port, and returns the file's name.
func PlanFile(t testing.TB, port int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plan.yaml")
	text := fmt.Sprintf("plan: test\nextends: default\nservices:\n  - {id: %s, port: %d}\n", Service, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Lease returns a free TCP port for the rest of the test. No other test process gets it, and the system gives it to
// no outgoing connection: it lies outside the ephemeral range. Parallel test processes share a file of locks, which
// the kernel drops when a holder dies.
func Lease(t testing.TB) int {
	t.Helper()
	locks, err := openLocks()
	if err != nil {
		t.Fatal(err)
	}
	low, high := ephemeral()
	t.Cleanup(func() { _ = locks.Close() })
	// From the top down, above the range if there is room and then below it.
	for _, r := range [][2]int{{high + 1, math.MaxUint16}, {low / 2, low - 1}} {
		for port := r[1]; port >= r[0]; port-- {
			if tryLock(locks, port) && free(t.Context(), port) {
				return port
			}
		}
	}
	t.Fatalf("no port is free outside the ephemeral range %d to %d", low, high)
	return 0
}

// Block returns the first of n consecutive free TCP ports for the rest of the test; the first one is even. They are
// found and kept as Lease does.
func Block(t testing.TB, n int) int {
	t.Helper()
	locks, err := openLocks()
	if err != nil {
		t.Fatal(err)
	}
	low, high := ephemeral()
	t.Cleanup(func() { _ = locks.Close() })
	for _, r := range [][2]int{{high + 1, math.MaxUint16}, {low / 2, low - 1}} {
		for first := (r[1] - n + 1) &^ 1; first >= r[0]; first -= 2 {
			good := 0
			for good < n && tryLock(locks, first+good) && free(t.Context(), first+good) {
				good++ // those before one that is taken stay locked: they cost nothing
			}
			if good == n {
				return first
			}
		}
	}
	t.Fatalf("no %d ports are free in a row outside the ephemeral range %d to %d", n, low, high)
	return 0
}

// openLocks opens the file whose byte N is locked by the holder of port N.
func openLocks() (*os.File, error) {
	name := filepath.Join(os.TempDir(), "reeve-test-ports-"+strconv.Itoa(os.Getuid()))
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}

// free reports whether the port can be bound and listened on, in both families.
func free(ctx context.Context, port int) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	return err == nil && l.Close() == nil
}

// ephemeral returns the range from which the system takes source ports.
func ephemeral() (low, high int) {
	// Without the file (other systems) the range of IANA stands.
	low, high = 3<<14, math.MaxUint16
	f, err := os.Open("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return low, high
	}
	defer func() { _ = f.Close() }()
	line, _ := bufio.NewReader(f).ReadString('\n')
	if f := strings.Fields(line); len(f) == 2 {
		l, err1 := strconv.Atoi(f[0])
		h, err2 := strconv.Atoi(f[1])
		if err1 == nil && err2 == nil {
			return l, h
		}
	}
	return low, high
}
