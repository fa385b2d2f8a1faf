package socket

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

func TestParseTable(t *testing.T) {
	t.Parallel()
	const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1CCD 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1CCD 0200007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1CCD 0200007F:C002 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0000000000000000
`
	got, err := parseTable(strings.NewReader(text), "tcp")
	if err != nil {
		t.Fatal(err)
	}
	local := netip.MustParseAddrPort("127.0.0.1:7373")
	want := []Observed{
		{Protocol: "tcp", State: StateListening, Local: local, UID: 1000, Inode: 11},
		{Protocol: "tcp", State: StateEstablished, Local: local, Remote: netip.MustParseAddrPort("127.0.0.2:49153"), Inode: 12},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
	six, err := parseAddress("00000000000000000000000001000000:0050")
	if err != nil || six != netip.MustParseAddrPort("[::1]:80") {
		t.Errorf("IPv6: got %v, %v", six, err)
	}
	mapped, err := parseAddress("0000000000000000FFFF00000100007F:0050")
	if err != nil || mapped != netip.MustParseAddrPort("127.0.0.1:80") {
		t.Errorf("IPv4 in IPv6: got %v, %v", mapped, err)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("h\n   0: 0100007F:1CCD 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1\n")
	f.Add("h\n0: : : 0A 0 0 0 0 0 0\n")
	f.Fuzz(func(t *testing.T, s string) {
		all, err := parseTable(strings.NewReader(s), "tcp")
		if err != nil && all != nil {
			t.Error("sockets beside an error")
		}
		for _, o := range all {
			if !o.Local.IsValid() || o.Inode == 0 {
				t.Errorf("%+v", o)
			}
		}
	})
}

// Observe sees exactly what a process has open: listeners, UDP, and both ends of a connection.
func TestObserve(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()

	all, err := Observe(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	has := func(list []Observed, protocol string, state State, local net.Addr, remote string) bool {
		for _, o := range list {
			if o.Protocol == protocol && o.State == state && o.Local.String() == local.String() && (remote == "" || o.Remote.String() == remote) {
				return true
			}
		}
		return false
	}
	listening, err := Listening(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !has(listening, "tcp", StateListening, l.Addr(), "") || !has(listening, "udp", StateBound, u.LocalAddr(), "") {
		t.Errorf("listening: %v", listening)
	}
	if !has(all, "tcp", StateEstablished, c.LocalAddr(), c.RemoteAddr().String()) {
		t.Errorf("the dial is missing in %v", all)
	}
	if has(listening, "tcp", StateEstablished, c.LocalAddr(), "") {
		t.Errorf("a dial counts as listening: %v", listening)
	}
	if _, err := Observe(-1); err == nil {
		t.Error("a process that is none can be observed")
	}
}

// F31, F38, F39: a dial that comes back to itself is no connection. The source port is forced here; otherwise it
// happens once in some ten thousand dials.
func TestSelfConnect(t *testing.T) {
	t.Parallel()
	hold, err := net.Listen("tcp", "127.0.0.9:0") // keeps other tests away from the number
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hold.Close() }()
	own := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 10), Port: int(addrPort(hold.Addr()).Port())}
	n := New(ports.Compiled{Plan: "test", Claims: []ports.Claim{{Service: "reeve", Protocol: ports.TCP, Port: ports.Port(own.Port), Binds: true}}})
	n.dialer.LocalAddr = own
	for range 3 { // again at once: nothing is left in TIME_WAIT
		c, err := n.Dial(t.Context(), "reeve", own.IP.String())
		if err == nil {
			_ = c.Close()
			t.Fatalf("connected to itself: %s - %s", c.LocalAddr(), c.RemoteAddr())
		}
		if !fault.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "came back to itself") {
			t.Errorf("got %v", err)
		}
	}
	if open := n.Open(); len(open) != 0 {
		t.Errorf("open: %v", open)
	}
	l, err := n.Listen(t.Context(), "reeve", own.IP.String())
	if err != nil {
		t.Fatalf("the port is blocked afterwards: %v", err)
	}
	_ = l.Close()
}
