package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/ports"
)

// of returns the sockets of an address.
func of(all []Owned, protocol string, local netip.AddrPort) []Owned {
	var found []Owned
	for _, o := range all {
		if o.Protocol == protocol && o.Local == local {
			found = append(found, o)
		}
	}
	return found
}

// F57: what a host shows: listeners of both families, whether they leave IPv4 alone, UDP, what is bound without
// listening, connections that wait; each with its process.
func TestHost(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tcp.Close() }()
	waits, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = waits.Close() }()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	bound := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*unix.SockaddrInet4).Port))

	diag, err := Diagnose()
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := Host(os.DirFS("/"), diag)
	if err != nil {
		t.Fatal(err)
	}
	exe, _ := os.Executable()
	for what, c := range map[string]struct {
		protocol string
		local    netip.AddrPort
		state    State
	}{
		"listener":      {"tcp", netip.MustParseAddrPort(tcp.Addr().String()), StateListening},
		"UDP":           {"udp", netip.MustParseAddrPort(udp.LocalAddr().String()), StateBound},
		"bound, silent": {"tcp", bound, StateBound},
	} {
		i := slices.IndexFunc(of(all, c.protocol, c.local), func(o Owned) bool { return o.State == c.state })
		if i < 0 {
			t.Errorf("%s %s is missing", what, c.local)
			continue
		}
		o := of(all, c.protocol, c.local)[i]
		if len(o.Owners) != 1 || o.Owners[0].PID != os.Getpid() || o.Owners[0].Parent != os.Getppid() || o.Owners[0].Path != exe || o.UID != uint32(os.Getuid()) || len(o.Owners[0].Command) == 0 {
			t.Errorf("%s: got %+v", what, o)
		}
		if what == "listener" && o.Waiting != 1 {
			t.Errorf("%d connections wait, want 1", o.Waiting)
		}
	}
}

func TestV6Only(t *testing.T) {
	t.Parallel()
	listen := func(only int) netip.AddrPort {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only) }), err)
		}}
		l, err := lc.Listen(t.Context(), "tcp6", "[::]:0")
		if err != nil {
			t.Skip("no IPv6 here:", err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return netip.MustParseAddrPort(l.Addr().String())
	}
	alone, both := listen(1), listen(0)
	diag, err := Diagnose()
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := Host(os.DirFS("/"), diag)
	if err != nil {
		t.Fatal(err)
	}
	for local, want := range map[netip.AddrPort]bool{alone: true, both: false} {
		found := of(all, "tcp", local)
		if len(found) != 1 || found[0].V6Only != want {
			t.Errorf("%s: got %+v, want v6only %v", local, found, want)
		}
	}
	// Without the kernel's diagnostics nothing is invented.
	if all, _, err = Host(os.DirFS("/"), Diag{}); err != nil || of(all, "tcp", alone)[0].V6Only {
		t.Errorf("got %v", err)
	}
}

// What a job's environment says of it, and what does not.
func TestJobOf(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]string{
		"REEVE_NET=a/b\x00REEVE_JOB=j\x00REEVE_RUN=r-1\x00": "a/b/j of r-1",
		"REEVE_JOB=j\x00REEVE_NET=a\x00":                    "",
		"":                                                  "",
		"REEVE_RUN=r\x00REEVE_RUN=x\x00REEVE_JOB=j": "/j of r",
	} {
		if got := jobOf([]byte(env)); got != want {
			t.Errorf("%q: got %q, want %q", env, got, want)
		}
	}
}

// F24, F25: a port that is tried is bound and listened on, and free again afterwards; of UDP it is never shared.
func TestTry(t *testing.T) {
	t.Parallel()
	local := netip.MustParseAddr("127.0.0.7")
	l, err := net.Listen("tcp", "127.0.0.7:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	u, err := net.ListenPacket("udp", "127.0.0.7:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	tcp, udp := netip.MustParseAddrPort(l.Addr().String()).Port(), netip.MustParseAddrPort(u.LocalAddr().String()).Port()
	for _, c := range []struct {
		protocol ports.Protocol
		addr     netip.Addr
		port     uint16
		want     error
	}{
		{ports.TCP, local, tcp, ErrInUse},
		{ports.TCP, netip.Addr{}, tcp, ErrInUse},
		{ports.UDP, local, udp, ErrInUse},
		{ports.TCP, netip.MustParseAddr("192.0.2.77"), tcp, ErrNotLocal},
		{ports.TCP, netip.MustParseAddr("127.0.0.8"), tcp, nil},
		{ports.TCP, netip.MustParseAddr("127.0.0.8"), tcp, nil}, // again: nothing was left behind
		{ports.UDP, netip.MustParseAddr("127.0.0.8"), udp, nil},
	} {
		for name, try := range map[string]func(context.Context, ports.Protocol, netip.Addr, ports.Port) error{"Try": Try, "tryListen": tryListen} {
			if err := try(t.Context(), c.protocol, c.addr, ports.Port(c.port)); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%s %s %s: got %v, want %v", name, c.protocol, c.addr, err, c.want)
			} else if err != nil && !strings.Contains(err.Error(), "binding") {
				t.Errorf("%s: %v does not say what was done", name, err)
			}
		}
	}
}
