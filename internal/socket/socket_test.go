//go:build linux

package socket_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// planned returns the default plan with a number, as a test of other processes has it.
func planned(port int) ports.Compiled {
	return ports.Compiled{
		Plan: "test",
		Claims: []ports.Claim{
			{Service: "reeve", Protocol: ports.TCP, Port: ports.Port(port), Binds: true, Status: ports.Works, Listeners: []string{"server"}},
			{Service: "wake", Protocol: ports.UDP, Port: ports.Port(port), Binds: true, Status: ports.Works, Listeners: []string{"server"}},
		},
		Flows: []ports.ResolvedFlow{{Service: "reeve", Protocol: ports.TCP, Flow: ports.Flow{From: "agent", To: "server"}}},
	}
}

func TestListenAndDial(t *testing.T) {
	t.Parallel()
	n := sockettest.Net(t)
	if p, ok := n.Port("reeve"); ok || n.Address("reeve", "h") != "h:0" {
		t.Errorf("a port is known before anything listens: %d", p)
	}
	if _, err := n.Dial(t.Context(), "reeve", "127.0.0.1"); !fault.Is(err, fault.Invalid) {
		t.Errorf("dial without a number: got %v", err)
	}
	l, addr := sockettest.Listen(t, n)
	port, ok := n.Port("reeve")
	if !ok || strconv.Itoa(int(port)) != addr[strings.LastIndex(addr, ":")+1:] {
		t.Fatalf("port %d is not that of %s", port, addr)
	}
	echo(t, l)
	for _, target := range []string{"127.0.0.1", addr} {
		c, err := n.Dial(t.Context(), "reeve", target)
		if err != nil {
			t.Fatal(err)
		}
		if got := roundTrip(t, c); got != "hello" {
			t.Errorf("%s: got %q", target, got)
		}
		open := n.Open()
		if len(open) != 2 || open[0].Use != socket.Dialled || open[1].Use != socket.Listens || open[0].Remote != open[1].Local {
			t.Errorf("open sockets: %+v", open)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if open := n.Open(); len(open) != 1 {
		t.Errorf("after closing, open are %+v", open)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if open := n.Open(); len(open) != 0 {
		t.Errorf("after closing all, open are %+v", open)
	}
}

// echo answers one read of every connection until the listener is closed.
func echo(t *testing.T, l net.Listener) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(c, c, 5)
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
}

func roundTrip(t *testing.T, c net.Conn) string {
	t.Helper()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Error(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(got)
}

// An empty bind address means both families.
func TestDualStack(t *testing.T) {
	t.Parallel()
	n := sockettest.Net(t)
	l, err := n.Listen(t.Context(), "reeve", "")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, l)
	hosts := []string{"127.0.0.1"}
	if six, err := net.Listen("tcp6", "[::1]:0"); err == nil { // a machine without IPv6 has nothing to show here
		_ = six.Close()
		hosts = append(hosts, "::1", "[::1]", "localhost")
	}
	for _, host := range hosts {
		c, err := n.Dial(t.Context(), "reeve", host)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		if got := roundTrip(t, c); got != "hello" {
			t.Errorf("%s: got %q", host, got)
		}
		_ = c.Close()
	}
}

// A second listener of a service with port 0 gets the number of the first: one service has one port.
func TestSecondAddress(t *testing.T) {
	t.Parallel()
	n := sockettest.Net(t)
	_, one := sockettest.Listen(t, n)
	l, err := n.Listen(t.Context(), "reeve", "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if netip.MustParseAddrPort(one).Port() != netip.MustParseAddrPort(l.Addr().String()).Port() {
		t.Errorf("%s and %s have different ports", one, l.Addr())
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	first := sockettest.Net(t)
	_, addr := sockettest.Listen(t, first)
	port := int(netip.MustParseAddrPort(addr).Port())
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, bind := range []string{"127.0.0.1", "", "::", "0.0.0.0"} {
		_, err := socket.New(planned(port)).Listen(t.Context(), "reeve", bind)
		if !fault.Is(err, fault.Conflict) || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("bind %q: got %v", bind, err)
			continue
		}
		var taken *socket.Taken
		if !errors.As(err, &taken) || len(taken.Holders) != 1 || taken.Holders[0].PID != os.Getpid() {
			t.Errorf("bind %q: holders are %+v", bind, taken)
		}
		want := "port " + strconv.Itoa(port) + " is taken by pid " + strconv.Itoa(os.Getpid()) + " (" + filepath.Base(exe) + ")"
		if !strings.Contains(err.Error(), want) {
			t.Errorf("bind %q: %q does not say %q", bind, err, want)
		}
	}
	// Another loopback address is free: no conflict (F64).
	l, err := socket.New(planned(port)).Listen(t.Context(), "reeve", "127.0.0.3")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

// F40, F49: a port that another program has as the source of a connection is taken, and the peer is named. Our own
// dials never take a port from a listener in this way.
func TestTakenBySource(t *testing.T) {
	t.Parallel()
	n := sockettest.Net(t)
	_, addr := sockettest.Listen(t, n)
	foreign, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = foreign.Close() }()
	_, err = socket.New(planned(sourcePort(foreign))).Listen(t.Context(), "reeve", "127.0.0.1")
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "source of a connection to "+addr) {
		t.Errorf("got %v", err)
	}

	// The kernel gives one source port to connections to different addresses: another test's may share ours, and blocks.
	for range 10 {
		own, err := n.Dial(t.Context(), "reeve", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = own.Close() }()
		l, err := socket.New(planned(sourcePort(own))).Listen(t.Context(), "reeve", "127.0.0.1")
		if err == nil {
			_ = l.Close()
			return
		}
		t.Logf("shared: %v", err)
	}
	t.Error("our own dials block listeners")
}

func sourcePort(c net.Conn) int {
	return int(netip.MustParseAddrPort(c.LocalAddr().String()).Port())
}

// A bound socket that does not listen is in no table of the kernel: the answer says so instead of guessing.
func TestTakenByBound(t *testing.T) {
	t.Parallel()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	bound, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("%T", name)
	}
	_, err = socket.New(planned(bound.Port)).Listen(t.Context(), "reeve", "127.0.0.1")
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "owner unknown") {
		t.Errorf("got %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	n := socket.New(planned(sockettest.Lease(t)))
	agent := socket.New(planned(sockettest.Lease(t)), socket.As("agent"))
	client := socket.New(planned(sockettest.Lease(t)), socket.As("client"))
	listen := func(n *socket.Net, service, bind string) error {
		l, err := n.Listen(t.Context(), service, bind)
		if err == nil {
			_ = l.Close()
		}
		return err
	}
	dial := func(n *socket.Net, service, address string) error {
		c, err := n.Dial(t.Context(), service, address)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
		says string
	}{
		"foreign address":   {listen(n, "reeve", "192.0.2.1"), fault.Invalid, "not one of this host"},
		"name to bind":      {listen(n, "reeve", "localhost"), fault.Invalid, "not an IP address"},
		"address with port": {listen(n, "reeve", "127.0.0.1:80"), fault.Invalid, "not an IP address"},
		"unknown service":   {listen(n, "nobody", ""), fault.Internal, "no TCP service"},
		"UDP service":       {listen(n, "wake", ""), fault.Internal, "no TCP service"},
		"agent listens":     {listen(agent, "reeve", ""), fault.Forbidden, "does not let the role agent listen"},
		"client dials":      {dial(client, "reeve", "127.0.0.1"), fault.Forbidden, "no flow from the role client"},
		"nobody listens":    {dial(n, "reeve", "127.0.0.1"), fault.Unreachable, "nothing listens there"},
		"agent, nobody":     {dial(agent, "reeve", "127.0.0.1"), fault.Unreachable, "nothing listens there"},
		"dial unknown":      {dial(n, "nobody", "127.0.0.1"), fault.Internal, "no TCP service"},
		"no host":           {dial(n, "reeve", ""), fault.Invalid, "is not HOST"},
		"only a port":       {dial(n, "reeve", ":80"), fault.Invalid, "is not HOST"},
		"port 0":            {dial(n, "reeve", "h:0"), fault.Invalid, "is not HOST"},
		"port 65536":        {dial(n, "reeve", "h:65536"), fault.Invalid, "is not HOST"},
		"port 080":          {dial(n, "reeve", "h:080"), fault.Invalid, "is not HOST"},
		"port with sign":    {dial(n, "reeve", "h:+80"), fault.Invalid, "is not HOST"},
		"broken brackets":   {dial(n, "reeve", "[::1"), fault.Invalid, "is not HOST"},
		"a URL":             {dial(n, "reeve", "https://h/"), fault.Invalid, "is not HOST"},
		"bad name":          {dial(n, "reeve", "no-such-host.invalid"), fault.Unreachable, "name"},
	} {
		if !fault.Is(c.err, c.kind) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: got %v (kind %d), want kind %d saying %q", name, c.err, fault.KindOf(c.err), c.kind, c.says)
		}
	}
}

// EACCES is not EADDRINUSE: the sentence is another one. Only a user without privileges meets it, so the test runs
// itself again as one if it is root.
func TestDenied(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		out, err := asNobody(t, "TestDenied")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	_, err := socket.New(planned(1)).Listen(t.Context(), "reeve", "127.0.0.1")
	if !fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), "privileged") {
		t.Errorf("got %v", err)
	}
}

func TestDialEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sockettest.Net(t).Dial(ctx, "reeve", "127.0.0.1:"+strconv.Itoa(sockettest.Lease(t)))
	if !errors.Is(err, context.Canceled) || fault.Is(err, fault.Unreachable) {
		t.Errorf("a cancelled dial: got %v", err)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	n := socket.New(planned(1<<14 + 1))
	for host, want := range map[string]string{
		"h": "h:16385", "::1": "[::1]:16385", "[::1]": "[::1]:16385", "h:5": "h:5", "[::1]:5": "[::1]:5", "10.0.0.1": "10.0.0.1:16385",
	} {
		if got := n.Address("reeve", host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"h", "h:1", "[::1]:1", "::1", "", ":", "[", "]", "[]", "[]:1", "h:0", "1.2.3.4:99999", "fe80::1%eth0", "[fe80::1%lo]:1"} {
		f.Add(s)
	}
	n := socket.New(planned(1 << 14))
	f.Fuzz(func(t *testing.T, s string) {
		got := n.Address("reeve", s)
		if _, _, err := net.SplitHostPort(got); err != nil && !strings.ContainsAny(s, "[]%") {
			t.Errorf("%q gives %q: %v", s, got, err)
		}
	})
}
