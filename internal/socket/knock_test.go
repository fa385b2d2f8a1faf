package socket_test

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/ports"
)

// knocking is a plan with a row of each transport, on a number that was leased for the test.
func knocking(t *testing.T) (*socket.Net, netip.AddrPort) {
	t.Helper()
	port := ports.Port(sockettest.Lease(t))
	c := ports.Compiled{Plan: "test", Kinds: map[string]ports.RoleKind{"client": ports.Client, "server": ports.Server}}
	for _, p := range []ports.Protocol{ports.TCP, ports.UDP} {
		c.Claims = append(c.Claims, ports.Claim{Service: "both", Protocol: p, Port: port, Binds: true, Status: ports.Works, Listeners: []string{"server"}})
		c.Flows = append(c.Flows, ports.ResolvedFlow{ID: "both.1/" + string(p), Service: "both", Protocol: p, Port: port, Status: ports.Works, Flow: ports.Flow{From: "client", To: "server"}})
	}
	n := socket.New(c, socket.As("client"))
	t.Cleanup(func() {
		if open := n.Open(); len(open) > 0 {
			t.Errorf("left open: %v", open)
		}
	})
	return n, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
}

func TestKnock(t *testing.T) {
	t.Parallel()
	n, at := knocking(t)
	tcp := socket.Knock{Service: "both", Protocol: ports.TCP, Remote: at, Patience: 2 * time.Second}
	udp := socket.Knock{Service: "both", Protocol: ports.UDP, Remote: at, Patience: 2 * time.Second, Say: []byte("anybody?")}
	for _, k := range []socket.Knock{tcp, udp} {
		got, err := n.Knock(t.Context(), k)
		if err != nil || got.Kind != socket.KnockRefused || got.Errno != "ECONNREFUSED" || got.Conn != nil || got.Err == nil {
			t.Errorf("%s, nobody there: %+v, %v", k.Protocol, got, err)
		}
		if runtime.GOOS == "linux" && k.Protocol == ports.UDP && (got.ICMP == nil || *got.ICMP != socket.ICMP{Type: 3, Code: 3, Address: at.Addr()}) {
			t.Errorf("the error queue says %+v, want port unreachable from %s", got.ICMP, at.Addr())
		}
	}

	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := n.Knock(t.Context(), tcp)
	if err != nil || got.Kind != socket.KnockOpen || got.Conn == nil || !got.Local.IsValid() {
		t.Fatalf("somebody there: %+v, %v", got, err)
	}
	if open := n.Open(); len(open) != 1 || open[0].Use != socket.Dialled {
		t.Errorf("an open knock is %v in the table, want it dialled", open)
	}
	if err := got.Conn.Close(); err != nil {
		t.Error(err)
	}

	u, err := net.ListenPacket("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	go func() {
		b := make([]byte, 100)
		if n, from, err := u.ReadFrom(b); err == nil {
			_, _ = u.WriteTo([]byte(strings.ToUpper(string(b[:n]))), from)
		}
	}()
	if got, err := n.Knock(t.Context(), udp); err != nil || got.Kind != socket.KnockOpen || string(got.Heard) != "ANYBODY?" {
		t.Errorf("an answer: %+v, %v", got, err)
	}
	udp.Patience = 50 * time.Millisecond
	if got, err := n.Knock(t.Context(), udp); err != nil || got.Kind != socket.KnockSilence || got.Took < udp.Patience {
		t.Errorf("silence: %+v, %v", got, err)
	}
}

// Nothing is dialled that the plan does not have, or not for this role.
func TestKnockOutsideThePlan(t *testing.T) {
	t.Parallel()
	n, at := knocking(t)
	for _, c := range []struct {
		k    socket.Knock
		kind fault.Kind
	}{
		{socket.Knock{Service: "other", Protocol: ports.TCP, Remote: at}, fault.NotFound},
		{socket.Knock{Service: "both", Protocol: "sctp", Remote: at}, fault.NotFound},
		{socket.Knock{Service: "both", Protocol: ports.TCP}, fault.Internal},
	} {
		if _, err := n.Knock(t.Context(), c.k); !fault.Is(err, c.kind) {
			t.Errorf("%+v: %v, want kind %d", c.k, err, c.kind)
		}
	}
	stranger := socket.New(n.Plan(), socket.As("desk"))
	if _, err := stranger.Knock(t.Context(), socket.Knock{Service: "both", Protocol: ports.TCP, Remote: at}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a role without a flow: %v", err)
	}
}

// Root sees what comes to the host before any rule; others are told that they do not.
func TestWatch(t *testing.T) {
	t.Parallel()
	n, at := knocking(t)
	seen := make(chan socket.Arrival, 1000)
	wait, err := socket.Watch(t.Context(), func(a socket.Arrival) {
		if a.To == at {
			seen <- a
		}
	})
	if os.Getuid() != 0 || runtime.GOOS != "linux" {
		if err == nil {
			t.Error("somebody without rights may look at the wire")
		}
		return
	}
	if err != nil {
		t.Skipf("no rights to look at the wire: %v", err)
	}
	for _, p := range []ports.Protocol{ports.TCP, ports.UDP} {
		got, err := n.Knock(t.Context(), socket.Knock{Service: "both", Protocol: p, Remote: at, Patience: time.Second, Say: []byte("?")})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case a := <-seen:
			if a.Protocol != p || a.From != got.Local || a.At.IsZero() {
				t.Errorf("%s from %s is seen as %+v", p, got.Local, a)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: nothing was seen", p)
		}
	}
	_ = wait
}

func TestGateway(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"127.0.0.1", "::1"} {
		if got := socket.Gateway(netip.MustParseAddr(text)); got.IsValid() {
			t.Errorf("the way to %s leads by %s", text, got)
		}
	}
}
