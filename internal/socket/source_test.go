//go:build linux

package socket_test

import (
	"net/netip"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// TestSourcePortsNeedNoRight opens many connections at once: none takes a port below 1024 as its source, of which a
// host has too few for many (F43).
func TestSourcePortsNeedNoRight(t *testing.T) {
	t.Parallel()
	n := sockettest.Net(t)
	l, addr := sockettest.Listen(t, n)
	echo(t, l)
	for range 300 {
		c, err := n.Dial(t.Context(), "reeve", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		from, err := netip.ParseAddrPort(c.LocalAddr().String())
		if err != nil || from.Port() < 1024 {
			t.Fatalf("dialled from %s, %v", from, err)
		}
	}
}
