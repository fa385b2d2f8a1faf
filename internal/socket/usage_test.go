package socket_test

import (
	"testing"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// A row that is listened on is counted from then on, with no use at first; connections that are taken and dialled count,
// and asking begins anew.
func TestUses(t *testing.T) {
	t.Parallel()
	n := sockettest.Net(t)
	if got := n.Uses(); len(got) != 0 {
		t.Errorf("before anything is open: %+v", got)
	}
	l, address := sockettest.Listen(t, n)
	want := func(taken, dialled int64) {
		t.Helper()
		var got [2]int64
		for _, u := range n.Uses() {
			got[map[socket.Use]int{socket.Listens: 0, socket.Dialled: 1}[u.Use]] = u.Count
			if (u.Count > 0) == u.Last.IsZero() {
				t.Errorf("%+v: when?", u)
			}
		}
		if got != [2]int64{taken, dialled} {
			t.Errorf("taken and dialled: %v, want %d and %d", got, taken, dialled)
		}
	}
	want(0, 0)
	for range 3 {
		c, err := n.Dial(t.Context(), sockettest.Service, address)
		if err != nil {
			t.Fatal(err)
		}
		other, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Close(), other.Close()
	}
	want(3, 3)
	want(0, 0)
}
