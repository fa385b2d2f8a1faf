package socket_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// packetPlan has a row of UDP whose number the system chooses, from servers to agents.
func packetPlan() ports.Compiled {
	return ports.Compiled{
		Plan:  "test",
		Kinds: map[string]ports.RoleKind{"server": ports.Server, "agent": ports.Agent, "client": ports.Client},
		Claims: []ports.Claim{
			{Service: "find", Protocol: ports.UDP, Binds: true, Status: ports.Works, Listeners: []string{"agent"}, Doors: []string{"discovery"}},
			{Service: "other", Protocol: ports.TCP, Binds: true, Status: ports.Works, Listeners: []string{"agent"}},
		},
		Flows: []ports.ResolvedFlow{{Service: "find", Status: ports.Works, Protocol: ports.UDP, Flow: ports.Flow{From: "server", To: "agent"}}},
	}
}

func open(t *testing.T, n *socket.Net, bind string) []*socket.Packets {
	t.Helper()
	all, err := n.ListenPackets(t.Context(), "find", bind)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		t.Cleanup(func() { _ = p.Close() })
	}
	return all
}

// An answer leaves from the address that was asked, also where a host has several and the socket is bound to all.
func TestPacketsAnswerFromWhereTheyWereAsked(t *testing.T) {
	t.Parallel()
	n := socket.New(packetPlan(), socket.As("agent"))
	for _, p := range open(t, n, "") {
		if !p.Local().Addr().Is4() {
			continue
		}
		asker := open(t, socket.New(packetPlan(), socket.As("agent")), "127.0.0.1")[0]
		to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), p.Local().Port())
		if err := asker.Send([]byte("who"), to, netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		size, from, at, err := p.Receive(b)
		if err != nil || string(b[:size]) != "who" || from != asker.Local() {
			t.Fatalf("received %q from %v: %v; want who from %v", b[:size], from, err, asker.Local())
		}
		if at.String() != "127.0.0.9" {
			t.Fatalf("it came to %v, want 127.0.0.9", at)
		}
		if err := p.Send([]byte("me"), from, at); err != nil {
			t.Fatal(err)
		}
		if _, from, _, err = asker.Receive(b); err != nil || from != to {
			t.Errorf("the answer came from %v: %v; want %v", from, err, to)
		}
	}
	if open := n.Open(); len(open) == 0 || open[0].Service != "find" || open[0].Use != socket.Listens {
		t.Errorf("open: %+v; want the sockets of find", open)
	}
}

// What the plan does not have is not opened, and who has a port is named.
func TestPacketsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ role, service, bind string }{{"client", "find", ""}, {"server", "find", ""}, {"agent", "other", ""}, {"agent", "missing", ""}, {"agent", "find", "localhost"}} {
		if all, err := socket.New(packetPlan(), socket.As(c.role)).ListenPackets(t.Context(), c.service, c.bind); err == nil {
			t.Errorf("%v: opened %v, want an error", c, all)
		}
	}
	if _, err := socket.New(packetPlan(), socket.As("client")).AskPackets(t.Context(), "find"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a client asks: %v, want Forbidden", err)
	}
	first := open(t, socket.New(packetPlan()), "127.0.0.1")[0]
	plan := packetPlan()
	plan.Claims[0].Port = ports.Port(first.Local().Port())
	_, err := socket.New(plan, socket.As("agent")).ListenPackets(t.Context(), "find", "127.0.0.1")
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("a port that is taken: %v, want Conflict", err)
	}
}

// Closing ends Receive, and the Net forgets the socket.
func TestPacketsClose(t *testing.T) {
	t.Parallel()
	n := socket.New(packetPlan(), socket.As("server"))
	p, err := n.AskPackets(t.Context(), "find")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, _, _, err := p.Receive(make([]byte, 1))
		ended <- err
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Receive ended without an error")
		}
	case <-time.After(5 * time.Second):
		t.Error("Receive goes on after Close")
	}
	if open := n.Open(); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
}
