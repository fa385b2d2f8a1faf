package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
)

// openPort returns a port that nothing had a moment ago, below those that the system gives to outgoing connections.
func openPort(t *testing.T) ports.Port {
	t.Helper()
	for range 1000 {
		port := ports.Port(10000 + rand.IntN(10000))
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		c, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
		_ = l.Close()
		if err == nil {
			_ = c.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func mustBind(t *testing.T, protocol ports.Protocol, addr string, port ports.Port) *os.File {
	t.Helper()
	f, err := Bind(protocol, address(addr), port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// address reads an address; "" is all of both families.
func address(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

// F24: a TCP grant listens: who connects is there, and whoever accepts later finds it. The socket can be handed on.
func TestBindListens(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1", "::1", "", "0.0.0.0", "::"} {
		port := openPort(t)
		f := mustBind(t, ports.TCP, addr, port)
		l, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		to := []string{"127.0.0.1", "::1"}
		switch addr {
		case "127.0.0.1", "0.0.0.0":
			to = to[:1]
		case "::1", "::":
			to = to[1:]
		}
		for _, host := range to {
			c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
			if err != nil {
				t.Errorf("%q does not listen for %s: %v", addr, host, err)
				continue
			}
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
			got, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(got); string(b) != "hello" {
				t.Errorf("%q: got %q", addr, b)
			}
			_ = got.Close()
		}
		_ = l.Close()
	}
}

// F55: no descriptor of a bound socket reaches a program that is executed, unless it is handed on.
func TestBindCloseOnExec(t *testing.T) {
	t.Parallel()
	for _, protocol := range []ports.Protocol{ports.TCP, ports.UDP} {
		f := mustBind(t, protocol, "127.0.0.1", openPort(t))
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: flags %x, %v", protocol, flags, err)
		}
	}
}

// F57, F64: which addresses meet is what the kernel says it is, for both families and both transports; the answers of
// the table of leases are compared with the same in ports/ledger.
func TestBindDualStack(t *testing.T) {
	t.Parallel()
	all := []string{"", "0.0.0.0", "::", "127.0.0.1", "127.0.0.2", "::1"}
	// Row: has the port; column: asks for it; x: refused.
	want := map[string]string{
		"": "xxxxxx", "0.0.0.0": "xx.xx.", "::": "x.x..x", "127.0.0.1": "xx.x..", "127.0.0.2": "xx..x.", "::1": "x.x..x",
	}
	for _, protocol := range []ports.Protocol{ports.TCP, ports.UDP} {
		for _, first := range all {
			port := openPort(t)
			f, err := Bind(protocol, address(first), port)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, second := range all {
				g, err := Bind(protocol, address(second), port)
				switch {
				case err == nil:
					got += "."
					_ = g.Close()
				case errors.Is(err, ErrInUse):
					got += "x"
				default:
					t.Errorf("%s: %q beside %q: %v", protocol, second, first, err)
				}
			}
			if got != want[first] {
				t.Errorf("%s: beside %q: got %s, want %s", protocol, first, got, want[first])
			}
			_ = f.Close()
		}
	}
}

// F24: two sockets with SO_REUSEADDR may both be bound; only listening shows the conflict, and Bind listens.
func TestBindSeesListeners(t *testing.T) {
	t.Parallel()
	port := openPort(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Bind(ports.TCP, address("127.0.0.1"), port)
	if err != nil {
		t.Fatalf("bound beside one that does not listen: %v", err)
	}
	if err := unix.Listen(fd, 1); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("both listen: %v", err)
	}
	_ = f.Close()
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := Bind(ports.TCP, address("127.0.0.1"), port); !errors.Is(err, ErrInUse) {
		t.Errorf("bound beside a listener: %v", err)
	}
}

// F25: a UDP port has one owner, also where the other one would share it.
func TestBindUDPAlone(t *testing.T) {
	t.Parallel()
	port := openPort(t)
	f := mustBind(t, ports.UDP, "127.0.0.1", port)
	on, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_REUSEADDR)
	if err != nil || on != 0 {
		t.Errorf("SO_REUSEADDR is %d, %v", on, err)
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	}}
	if c, err := lc.ListenPacket(context.Background(), "udp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		_ = c.Close()
		t.Error("another socket shares the port")
	}
}

// F85: what is true of every number is told apart from what is true of this one.
func TestBindRefusals(t *testing.T) {
	t.Parallel()
	port := openPort(t)
	mustBind(t, ports.TCP, "127.0.0.1", port)
	for name, c := range map[string]struct {
		protocol ports.Protocol
		addr     string
		port     ports.Port
		want     error
	}{
		"taken":         {ports.TCP, "127.0.0.1", port, ErrInUse},
		"foreign v4":    {ports.TCP, "192.0.2.1", port, ErrNotLocal},
		"foreign v6":    {ports.UDP, "2001:db8::1", port, ErrNotLocal},
		"the system's":  {ports.TCP, "127.0.0.1", 0, nil},
		"no protocol":   {"sctp", "127.0.0.1", port, nil},
		"no such scope": {ports.TCP, "fe80::1%nowhere", port, nil},
	} {
		f, err := Bind(c.protocol, address(c.addr), c.port)
		if err == nil {
			_ = f.Close()
		}
		var b *BindError
		if !errors.As(err, &b) || c.want != nil && !errors.Is(err, c.want) || c.want == nil && b.Kind != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The table of plan.md on TIME_WAIT, where it is about us: a listener with SO_REUSEADDR comes back at once, whoever
// closed first and also while a connection of the old one lives. F49: the source of an outgoing connection without
// SO_REUSEADDR blocks it, also once it is over.
func TestBindTimeWait(t *testing.T) {
	t.Parallel()
	const host = "127.0.0.1"
	t.Run("server closed first", func(t *testing.T) {
		t.Parallel()
		port := openPort(t)
		for range 20 {
			f := mustBind(t, ports.TCP, host, port)
			ours, theirs := acceptOne(t, f, port)
			_ = ours.Close() // first: TIME_WAIT is here
			_ = theirs.Close()
			_ = f.Close()
		}
		mustBind(t, ports.TCP, host, port)
	})
	t.Run("connection still established", func(t *testing.T) {
		t.Parallel()
		port := openPort(t)
		f := mustBind(t, ports.TCP, host, port)
		ours, theirs := acceptOne(t, f, port)
		defer func() { _ = ours.Close(); _ = theirs.Close() }()
		_ = f.Close()
		mustBind(t, ports.TCP, host, port)
	})
	t.Run("source of an outgoing connection", func(t *testing.T) {
		t.Parallel()
		target := openPort(t)
		l := mustBind(t, ports.TCP, host, target)
		port := openPort(t)
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host), Port: int(port)}}
		c, err := from.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(target)))
		if err != nil {
			t.Skipf("another test has the source port: %v", err)
		}
		if _, err := Bind(ports.TCP, address(host), port); !errors.Is(err, ErrInUse) {
			t.Errorf("established: %v", err)
		}
		holders, _ := Holders(ports.TCP, address(host), port)
		if len(holders) == 0 || holders[0].PID != os.Getpid() || !strings.Contains(holders[0].String(), "source of a connection") {
			t.Errorf("holders: %v", holders)
		}
		listener, err := net.FileListener(l)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		other, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close() // first: TIME_WAIT is here, and nobody has a descriptor of it
		_, _ = io.ReadAll(other)
		_ = other.Close()
		if _, err := Bind(ports.TCP, address(host), port); !errors.Is(err, ErrInUse) {
			t.Errorf("in TIME_WAIT: %v", err)
		}
		if holders, unseen := Holders(ports.TCP, address(host), port); len(holders) != 0 || unseen == "" {
			t.Errorf("holders in TIME_WAIT: %v, %q", holders, unseen)
		}
		mustBind(t, ports.TCP, "127.0.0.2", port) // another address is another port
	})
}

func acceptOne(t *testing.T, f *os.File, port ports.Port) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if theirs, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port))); err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// Who has a UDP port is named too.
func TestHoldersUDP(t *testing.T) {
	t.Parallel()
	port := openPort(t)
	mustBind(t, ports.UDP, "127.0.0.1", port)
	if _, err := Bind(ports.UDP, netip.Addr{}, port); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
	holders, unseen := Holders(ports.UDP, netip.Addr{}, port)
	if len(holders) != 1 || holders[0].PID != os.Getpid() || unseen != "" {
		t.Errorf("got %v, %q", holders, unseen)
	}
	if holders, unseen := Holders(ports.UDP, address("127.0.0.3"), port); len(holders) != 0 || unseen == "" {
		t.Errorf("another address: %v, %q", holders, unseen)
	}
}
