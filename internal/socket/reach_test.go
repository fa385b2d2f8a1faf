//go:build linux

package socket_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// full is a listener of the loopback device whose queue is full: what dials it hears nothing.
func full(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	port := sockettest.Lease(t)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil { // a former test's connections
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	n := socket.New(planned(port))
	for range 2 { // one more than the queue has room for; the last is not even answered
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if c, err := n.Dial(ctx, "reeve", address); err == nil {
			t.Cleanup(func() { _ = c.Close() })
		}
		cancel()
	}
	return address
}

func TestReach(t *testing.T) {
	t.Parallel()
	n := sockettest.Net(t)
	l, there := sockettest.Listen(t, n)
	go func() { // what is reached hears nothing, and an end
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	nobody := net.JoinHostPort("127.0.0.1", strconv.Itoa(sockettest.Lease(t)))
	for _, c := range []struct{ address, want string }{
		{there, ""},
		{nobody, "connection refused"},
		{full(t), "no answer within 300ms"},
		{"127.0.0.1:0", "not HOST"},
		{"no-such-host.invalid:1521", "the name is not resolved"},
	} {
		err := n.Reach(t.Context(), sockettest.Service, c.address, 300*time.Millisecond)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.address, err, c.want)
		}
	}
	if open := n.Open(); len(open) != 1 {
		t.Errorf("got %v, want the listener alone", open)
	}
}

// No row of the plan, no packet.
func TestReachNeedsARow(t *testing.T) {
	t.Parallel()
	port := sockettest.Lease(t)
	n := socket.New(planned(port), socket.As("client"))
	if err := n.Reach(t.Context(), "reeve", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second); !fault.Is(err, fault.Forbidden) {
		t.Errorf("got %v, want Forbidden", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sockettest.Net(t).Reach(ctx, sockettest.Service, "127.0.0.1:1", time.Second); err == nil || fault.Is(err, fault.Unreachable) {
		t.Errorf("got %v, want the context's own end", err)
	}
}
