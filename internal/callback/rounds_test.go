package callback_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/callback"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// R24, S19: strangers of every kind race with the attempt's agent for its port, again and again. The agent gets in each
// time, what it says arrives once, and of the strangers nothing does. The last token of each port is tried on the next.
func TestStrangersFirst(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 4, times: callback.Times{Handshake: time.Second}})
	north, south := x.credentials("north", identity.RoleAgent), x.credentials("south", identity.RoleAgent)
	kinds := strangers()
	old := map[string]string{} // the last token of each port
	seed := uint64(time.Now().UnixNano())
	chance := rand.New(rand.NewPCG(seed, 24))
	for i := range *rounds {
		a := attempt(i)
		to := x.announce(north, a)
		if token, ok := old[to.Addresses[0]]; ok && x.enters(north, to, a, token) {
			t.Fatalf("round %d (seed %d): the token of the port's last attempt is good", i, seed)
		}
		old[to.Addresses[0]] = to.Token
		var race sync.WaitGroup
		var admitted atomic.Pointer[string]
		wrongs := 1
		for range 1 + chance.IntN(3) {
			kind := kinds[chance.IntN(len(kinds))]
			if strings.HasPrefix(kind.name, "an old token") || strings.HasPrefix(kind.name, "the proof") {
				if wrongs++; wrongs > 2 { // three are an agent that guesses
					continue
				}
			}
			race.Go(func() {
				if kind.do(x, south, north, to, a) {
					admitted.Store(&kind.name)
				}
			})
		}
		said := fmt.Sprintf("words of round %d", i)
		l := x.insist(north, to, a)
		if err := l.say(a, said); err != nil {
			t.Fatalf("round %d (seed %d): %v", i, seed, err)
		}
		l.conn.Close()
		race.Wait()
		if who := admitted.Load(); who != nil {
			t.Fatalf("round %d (seed %d): %s was let in", i, seed, *who)
		}
		if reports, output := x.office.of(a); len(reports) != 1 || output != said {
			t.Fatalf("round %d (seed %d): got %+v, %q", i, seed, reports, output)
		}
	}
	if n := x.office.heard(south.Identity.ID); n != 0 {
		t.Errorf("%d words of the stranger were taken", n)
	}
	x.idle()
}

// insist calls until it is let in: strangers may have pushed a try out, as an agent's own tries go.
func (x *site) insist(who *identity.Credentials, to wire.Callback, a wire.Attempt) *line {
	x.t.Helper()
	var l *line
	within(x.t, 10*time.Second, func() string {
		var err error
		if l, _, err = x.call(who, to.Addresses[0], a, to.Token); err != nil {
			return "the true one is not let in: " + err.Error()
		}
		return ""
	})
	return l
}

// cutter ends a connection after some bytes, in one direction or the other.
type cutter struct {
	net.Conn
	in, out int
}

func (c *cutter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), max(c.in, 1))])
	if c.in -= n; c.in <= 0 {
		c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *cutter) Write(b []byte) (int, error) {
	if c.out < len(b) {
		_, _ = c.Conn.Write(b[:max(c.out, 0)])
		c.Close()
		return 0, io.ErrClosedPipe
	}
	c.out -= len(b)
	return c.Conn.Write(b)
}

// The connection is cut at every byte that chance finds, in the handshake, the proof, the output and the end. The port goes
// back each time, what arrived is the beginning of what was said, and a cut connection cannot be taken up by anybody.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	x := newSite(t, setup{ports: 4, times: callback.Times{Patience: 100 * time.Millisecond}})
	north := x.credentials("north", identity.RoleAgent)
	seed := uint64(time.Now().UnixNano())
	chance := rand.New(rand.NewPCG(seed, 25))
	whole := 0
	for i := range *rounds {
		a := attempt(i)
		to := x.announce(north, a)
		said := strings.Repeat("words ", 100)
		l, err := x.dial(north, to.Addresses[0], func(c net.Conn) net.Conn {
			return &cutter{Conn: c, in: 1 + chance.IntN(6000), out: 1 + chance.IntN(6000)}
		})
		proved := false
		if err == nil {
			var w wire.CallbackWelcome
			err = l.post(wire.PathCallback, wire.CallbackProof{Attempt: a, Token: to.Token}, &w)
			proved = err == nil
			if proved {
				err = l.say(a, said)
			}
			l.conn.Close()
		}
		reports, output := x.office.of(a)
		if !strings.HasPrefix(said, output) || len(reports) > 1 || err == nil && (len(reports) != 1 || output != said) {
			t.Fatalf("round %d (seed %d): %v, and got %d reports and %d bytes", i, seed, err, len(reports), len(output))
		}
		if err == nil {
			whole++
		}
		if proved && x.enters(north, to, a, to.Token) {
			t.Fatalf("round %d (seed %d): the token was good twice", i, seed)
		}
		x.desk.Ended(a) // its end came over the link
	}
	x.idle()
	if *rounds >= 20 && (whole == 0 || whole == *rounds) {
		t.Errorf("%d of %d rounds were cut: the cuts are not where the words are (seed %d)", *rounds-whole, *rounds, seed)
	}
}
