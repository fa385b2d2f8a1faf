package callback_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/callback"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// What an attempt says on its port arrives; the port listens no longer once its agent has come, and goes back at the end.
func TestWords(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 2, hold: 20 * time.Millisecond})
	north := x.credentials("north", identity.RoleAgent)
	a := attempt(1)
	to := x.announce(north, a)
	if c, ok := x.desk.Show(a); !ok || c.State != callback.Awaited || fmt.Sprint(c.Port) != to.Addresses[0][len("127.0.0.1:"):] {
		t.Errorf("show: %+v, %t", c, ok)
	}
	if again := x.announce(north, a); again.Addresses[0] != to.Addresses[0] || again.Token != to.Token {
		t.Errorf("announced again as %v, was %v", again, to)
	}
	l, w, err := x.call(north, to.Addresses[0], a, to.Token)
	if err != nil || w.Heartbeat != 10*time.Second || w.Timeout != 30*time.Second || w.Have != 0 {
		t.Fatalf("welcome %+v, %v", w, err)
	}
	if _, err := net.DialTimeout("tcp", to.Addresses[0], time.Second); err == nil {
		t.Error("the port still listens")
	}
	if c, _ := x.desk.Show(a); c.State != callback.Connected {
		t.Errorf("state %q", c.State)
	}
	var beat wire.CallbackBeat
	if err := l.post(wire.PathCallbackBeat, wire.CallbackBeat{}, &beat); err != nil || beat.Now.IsZero() {
		t.Errorf("beat: %v, %v", beat, err)
	}
	if err := l.say(a, "hello"); err != nil {
		t.Fatal(err)
	}
	// Words of others are not taken, whoever says them.
	if err := l.say(attempt(2), "hello"); !errors.Is(err, errRefused) {
		t.Errorf("words about another attempt: %v", err)
	}
	l.conn.Close()
	x.idle()
	reports, output := x.office.of(a)
	if len(reports) != 1 || reports[0].Kind != wire.Ended || output != "hello" {
		t.Errorf("got %+v, %q", reports, output)
	}
	if reports, output := x.office.of(attempt(2)); len(reports) != 0 || output != "" {
		t.Errorf("words about another attempt came through: %v, %q", reports, output)
	}
}

// stranger does something to a port that is not its own.
type stranger struct {
	name string
	do   func(x *site, other, right *identity.Credentials, to wire.Callback, a wire.Attempt) (admitted bool)
}

// quietly opens a TCP connection, says something, and leaves it open.
func quietly(text string) func(*site, *identity.Credentials, *identity.Credentials, wire.Callback, wire.Attempt) bool {
	return func(x *site, _, _ *identity.Credentials, to wire.Callback, _ wire.Attempt) bool {
		if c, err := net.DialTimeout("tcp", to.Addresses[0], time.Second); err == nil {
			_, _ = io.WriteString(c, text)
			x.t.Cleanup(func() { c.Close() })
		}
		return false
	}
}

func strangers() []stranger {
	return []stranger{
		{"silence", quietly("")},
		{"plain HTTP", quietly("POST /callback/v1/attempt HTTP/1.1\r\nHost: x\r\n\r\n")},
		{"half a handshake", quietly("\x16\x03\x01\x02\x00\x01")},
		{"a port scan", func(_ *site, _, _ *identity.Credentials, to wire.Callback, _ wire.Attempt) bool {
			if c, err := net.DialTimeout("tcp", to.Addresses[0], time.Second); err == nil {
				c.Close()
			}
			return false
		}},
		{"no certificate", func(_ *site, _, _ *identity.Credentials, to wire.Callback, _ wire.Attempt) bool {
			d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}, NetDialer: &net.Dialer{Timeout: 2 * time.Second}}
			c, err := d.Dial("tcp", to.Addresses[0])
			if err != nil {
				return false
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.WriteString(c, "POST /link/v1/reports HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
			got, _ := io.ReadAll(c)
			return strings.Contains(string(got), "200 OK")
		}},
		{"another agent's certificate, with the token", func(x *site, other, _ *identity.Credentials, to wire.Callback, a wire.Attempt) bool {
			return x.enters(other, to, a, to.Token)
		}},
		{"an old token", func(x *site, _, right *identity.Credentials, to wire.Callback, a wire.Attempt) bool {
			return x.enters(right, to, a, strings.Repeat("0", 32))
		}},
		{"the proof of another attempt", func(x *site, _, right *identity.Credentials, to wire.Callback, _ wire.Attempt) bool {
			return x.enters(right, to, attempt(999_999), to.Token)
		}},
		{"words without a proof", func(x *site, _, right *identity.Credentials, to wire.Callback, a wire.Attempt) bool {
			l, err := x.dial(right, to.Addresses[0], func(c net.Conn) net.Conn { return c })
			if err != nil {
				return false
			}
			defer l.conn.Close()
			return l.say(a, "forged") == nil
		}},
		{"a link", func(_ *site, _, _ *identity.Credentials, to wire.Callback, _ wire.Attempt) bool {
			d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{identity.ALPN}}, NetDialer: &net.Dialer{Timeout: 2 * time.Second}}
			c, err := d.Dial("tcp", to.Addresses[0])
			if err == nil {
				c.Close()
			}
			return err == nil
		}},
	}
}

func (x *site) enters(who *identity.Credentials, to wire.Callback, a wire.Attempt, token string) bool {
	l, _, err := x.call(who, to.Addresses[0], a, token)
	if err == nil {
		l.conn.Close()
	}
	return err == nil
}

// S19: strangers cost nothing. Each kind is refused; the attempt's agent gets in after it, and nothing of theirs is booked.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for i, s := range strangers() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			x := newSite(t, setup{ports: 1, times: callback.Times{Handshake: time.Second}})
			north, south := x.credentials("north", identity.RoleAgent), x.credentials("south", identity.RoleAgent)
			a := attempt(i)
			to := x.announce(north, a)
			for range 2 {
				if s.do(x, south, north, to, a) {
					t.Error("it was let in")
				}
			}
			l, _, err := x.call(north, to.Addresses[0], a, to.Token)
			if err != nil {
				t.Fatalf("the true one is not let in: %v", err)
			}
			if err := l.say(a, "true"); err != nil {
				t.Fatal(err)
			}
			l.conn.Close()
			x.idle()
			reports, output := x.office.of(a)
			if len(reports) != 1 || output != "true" || x.office.heard(south.Identity.ID) != 0 {
				t.Errorf("got %+v, %q, and %d words of the stranger", reports, output, x.office.heard(south.Identity.ID))
			}
		})
	}
}

// Hundreds who sit on the port and say nothing keep nobody out, and are gone when the true one has come.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 1, times: callback.Times{Handshake: time.Minute}})
	north := x.credentials("north", identity.RoleAgent)
	a := attempt(1)
	to := x.announce(north, a)
	var sitting []net.Conn
	for range 300 {
		c, err := net.DialTimeout("tcp", to.Addresses[0], time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sitting = append(sitting, c)
	}
	// They take no more room than a few: the oldest are sent away for the newest.
	for i, c := range sitting[:200] {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Fatalf("stranger %d of 300 still sits there: %v", i, err)
		}
	}
	within(t, 20*time.Second, func() string {
		l, _, err := x.call(north, to.Addresses[0], a, to.Token)
		if err != nil {
			return err.Error()
		}
		defer l.conn.Close()
		if err := l.say(a, "x"); err != nil {
			t.Error(err)
		}
		return ""
	})
	for _, c := range sitting {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Fatalf("a stranger was told something, or is still there: %v", err)
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// An agent that guesses loses its port after three wrong proofs: its words come over the link then.
func TestWrongProofs(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 1})
	north := x.credentials("north", identity.RoleAgent)
	a := attempt(1)
	to := x.announce(north, a)
	for i := range 3 {
		if _, ok := x.desk.Show(a); !ok {
			t.Fatalf("the port is closed after %d wrong proofs", i)
		}
		if x.enters(north, to, a, strings.Repeat("f", 32)) {
			t.Fatal("a guess was let in")
		}
	}
	x.idle()
	if x.enters(north, to, a, to.Token) {
		t.Error("the port is open after three wrong proofs")
	}
}

// An agent that is removed from the domain is refused, at the door and in the middle of its words.
func TestRevoked(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 2})
	north := x.credentials("north", identity.RoleAgent)
	to, late := x.announce(north, attempt(1)), x.announce(north, attempt(2))
	l, _, err := x.call(north, to.Addresses[0], attempt(1), to.Token)
	if err != nil {
		t.Fatal(err)
	}
	defer l.conn.Close()
	x.revoked.Store(&north.Identity.ID)
	if err := l.say(attempt(1), "late"); err == nil {
		t.Error("a removed agent is heard")
	}
	if x.enters(north, late, attempt(2), late.Token) {
		t.Error("a removed agent is let in")
	}
}

// A port to which nobody comes, and one on which nobody speaks, are given back.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 1, times: callback.Times{Patience: 50 * time.Millisecond}})
	x.announce(x.credentials("north", identity.RoleAgent), attempt(1))
	x.idle()

	x = newSite(t, setup{ports: 1, times: callback.Times{Timeout: 100 * time.Millisecond}})
	north := x.credentials("north", identity.RoleAgent)
	to := x.announce(north, attempt(2))
	l, _, err := x.call(north, to.Addresses[0], attempt(2), to.Token)
	if err != nil {
		t.Fatal(err)
	}
	defer l.conn.Close()
	x.idle()
	if _, err := l.conn.Read(make([]byte, 1)); err == nil {
		t.Error("a silent connection stays")
	}
}

// An attempt whose last word came over the link needs its port no longer.
func TestEndedOtherwise(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 1})
	north := x.credentials("north", identity.RoleAgent)
	x.announce(north, attempt(1))
	x.desk.Ended(attempt(1))
	x.idle()
}

// The picture of the pool is the ledger's: what is expected, awaited and held is not free, and who waits is told.
func TestFree(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 3, hold: 300 * time.Millisecond})
	north := x.credentials("north", identity.RoleAgent)
	free := func(want int) {
		t.Helper()
		if n, why := x.desk.Free(); n != want || n == 0 != (why != "") {
			t.Errorf("%d ports are free (%q), want %d", n, why, want)
		}
	}
	free(3)
	x.desk.Expect(attempt(1))
	x.desk.Expect(attempt(1))
	x.desk.Expect(attempt(2))
	free(1)
	x.desk.Withdraw(attempt(2))
	free(2)
	x.announce(north, attempt(1))
	free(2)
	x.announce(north, attempt(2))
	x.announce(north, attempt(3))
	free(0)
	if _, err := x.desk.Announce(t.Context(), north.Identity.ID, attempt(4)); err == nil {
		t.Fatal("a fourth attempt has a port")
	} else if busy := (*callback.Busy)(nil); !errors.As(err, &busy) || busy.After() <= 0 || !strings.Contains(busy.Error(), "in use or held") {
		t.Errorf("refused with %v", err)
	}
	began := time.Now()
	x.desk.Ended(attempt(1))
	select {
	case <-x.freed:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody is told of the port that was given back")
	}
	if waited := time.Since(began); waited < 300*time.Millisecond {
		t.Errorf("told after %v, in the hold", waited)
	}
	x.announce(north, attempt(4))
}

// R24: after a restart an attempt that was ordered has the same port again, with another token; what nobody awaits any more
// is given back. Where another program has the port, the attempt gets a new one.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := setup{ports: 4}
	x := newSite(t, s)
	north := x.credentials("north", identity.RoleAgent)
	was := map[int]wire.Callback{}
	for n := range 3 {
		was[n] = x.announce(north, attempt(n))
	}
	x.ordered.Store(attempt(0), true)
	x.ordered.Store(attempt(1), true)
	x.stop() // and the same process opens another
	squatter, err := net.Listen("tcp", was[1].Addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	x.open(s)
	within(t, 10*time.Second, func() string {
		if left := x.leased(); len(left) != 2 {
			return fmt.Sprintf("%d leases, want those of the two that are still ordered: %+v", len(left), left)
		}
		return ""
	})
	again, other := x.announce(north, attempt(0)), x.announce(north, attempt(1))
	if again.Addresses[0] != was[0].Addresses[0] {
		t.Errorf("the port was %s, and is %s after the restart", was[0].Addresses[0], again.Addresses[0])
	}
	if other.Addresses[0] == was[1].Addresses[0] {
		t.Error("the port is another program's")
	}
	if x.enters(north, again, attempt(0), was[0].Token) {
		t.Error("the token of before the restart is good")
	}
	for n, to := range []wire.Callback{again, other} {
		if !x.enters(north, to, attempt(n), to.Token) {
			t.Errorf("attempt %d is not let in", n)
		}
	}
}

// Where the plan allows a rendezvous, attempts beyond the pool share one port, told apart by their tokens.
func TestRendezvous(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 2, fallback: "rendezvous"})
	north, south := x.credentials("north", identity.RoleAgent), x.credentials("south", identity.RoleAgent)
	if n, _ := x.desk.Free(); n != -1 {
		t.Errorf("%d ports are free, want no limit", n)
	}
	seen := map[string]int{}
	var all []wire.Callback
	for n := range 20 {
		who := north
		if n%2 == 1 {
			who = south
		}
		to := x.announce(who, attempt(n))
		all = append(all, to)
		seen[to.Addresses[0]]++
	}
	if len(seen) != 2 {
		t.Errorf("ports %v, want one of its own for the first and one for the others", seen)
	}
	if x.enters(south, all[2], attempt(2), all[2].Token) {
		t.Error("another agent is let in with the token")
	}
	if x.enters(north, all[2], attempt(2), all[4].Token) {
		t.Error("the token of another attempt is good")
	}
	for n, to := range all {
		who := north
		if n%2 == 1 {
			who = south
		}
		l, _, err := x.call(who, to.Addresses[0], attempt(n), to.Token)
		if err != nil {
			t.Fatalf("attempt %d: %v", n, err)
		}
		if err := l.say(attempt(n), fmt.Sprint(n)); err != nil {
			t.Errorf("attempt %d: %v", n, err)
		}
		l.conn.Close()
		if _, output := x.office.of(attempt(n)); output != fmt.Sprint(n) {
			t.Errorf("attempt %d said %q", n, output)
		}
	}
	within(t, 10*time.Second, func() string {
		if left := x.leased(); len(left) != 1 || left[0].Name != "callback/rendezvous" {
			return fmt.Sprintf("leases: %+v", left)
		}
		return ""
	})
}

// R24, JS-4: a port that the system still keeps for a connection that has ended is given again at once, and it is really
// open. One that another program has is not: the attempt gets another, or waits.
func TestTimeWait(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 2})
	north := x.credentials("north", identity.RoleAgent)
	for i := range 3 { // the server closes first, so the ports are in TIME_WAIT from the first round on
		for port := range 2 {
			a := attempt(10*i + port)
			to := x.announce(north, a)
			l, _, err := x.call(north, to.Addresses[0], a, to.Token)
			if err != nil {
				t.Fatal(err)
			}
			x.revoked.Store(&north.Identity.ID)
			_ = l.say(a, "the server ends this connection")
			x.revoked.Store(nil)
			x.idle()
			l.conn.Close()
		}
	}
	x = newSite(t, setup{ports: 2})
	north = x.credentials("north", identity.RoleAgent)
	other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", x.first))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if to := x.announce(north, attempt(90)); to.Addresses[0] == fmt.Sprintf("127.0.0.1:%d", x.first) {
		t.Error("the port is another program's")
	}
	if _, err := x.desk.Announce(t.Context(), north.Identity.ID, attempt(91)); err == nil {
		t.Error("two attempts have one port")
	} else if busy := (*callback.Busy)(nil); !errors.As(err, &busy) {
		t.Errorf("refused with %v", err)
	}
}

// The same holds where the server was killed: its leases are those of a process that is gone.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	s := setup{ports: 2}
	x := newSite(t, s)
	north := x.credentials("north", identity.RoleAgent)
	was, gone := x.announce(north, attempt(0)), x.announce(north, attempt(1))
	x.ordered.Store(attempt(0), true)
	x.abandon()
	x.dead.Store(true)
	x.open(s)
	within(t, 10*time.Second, func() string {
		if left := x.leased(); len(left) != 1 {
			return fmt.Sprintf("%d leases, want that of the one that is still ordered: %+v", len(left), left)
		}
		return ""
	})
	x.dead.Store(false)
	if again := x.announce(north, attempt(0)); again.Addresses[0] != was.Addresses[0] {
		t.Errorf("the port was %s, and is %s after the restart", was.Addresses[0], again.Addresses[0])
	}
	if to := x.announce(north, attempt(2)); to.Addresses[0] != gone.Addresses[0] {
		t.Errorf("the port of an attempt that is over is not given again: %s", to.Addresses[0])
	}
}
