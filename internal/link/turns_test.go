package link_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// wires is a network in a bubble: each address has a listener, or refuses, or says nothing.
type wires struct {
	mu      sync.Mutex
	to      map[string]*pipes // nil: refused; missing: nobody answers
	dialled []string
	at      []time.Duration // since the test's begin
	begin   time.Time
}

func (w *wires) dial(ctx context.Context, to link.Target) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, to.Address)
	w.at = append(w.at, time.Since(w.begin))
	listener, answers := w.to[to.Address]
	w.mu.Unlock()
	switch {
	case !answers:
		<-ctx.Done()
		return nil, ctx.Err()
	case listener == nil:
		return nil, errDown
	}
	return listener.dial(ctx, to)
}

func (w *wires) set(address string, listener *pipes) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to[address] = listener
}

// since returns what was dialled since the last call.
func (w *wires) since() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.dialled
	w.dialled, w.at = nil, nil
	return all
}

// carrier says which link carries everything, for both ends.
type carrier struct {
	mu   sync.Mutex
	turn int
	up   bool
}

func (c *carrier) now() (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn, c.up
}

func (c *carrier) set(turn int, up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn, c.up = turn, up
}

// bubble is a dialler in a bubble of synctest, and the other end that accepts its links.
type bubble struct {
	*wires
	dialer *link.Dialer
	open   *pipes // accepts links
	links  <-chan *link.Link
}

func newBubble(t *testing.T, targets ...link.Target) *bubble {
	t.Helper()
	d := newDomain(t)
	listener := newPipes()
	run(t, (&link.Server{Listener: listener, TLS: end(d.server, identity.RoleAgent).ServerConfig()}).Run)
	return &bubble{
		wires: &wires{to: map[string]*pipes{}, begin: time.Now()}, open: listener,
		dialer: &link.Dialer{
			Targets: func() []link.Target { return targets },
			TLS:     end(d.agent, identity.RoleServer).ClientConfig,
		},
	}
}

func (b *bubble) start(t *testing.T) {
	t.Helper()
	b.dialer.Dial = b.dial
	b.links = dial(t, b.dialer, "")
	synctest.Wait()
}

// wait lets time of the bubble pass.
func (b *bubble) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var rows = []link.Target{{Row: "mjsnet", Address: "b:1", Turn: 1}, {Row: "jmnet", Address: "b:3", Turn: 3}}

// While the other end's link is up a dialler rests; once it is lost, the other end is left the first two seconds.
func TestDiallerRestsWhileTheOtherEndsLinkIsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		carries := &carrier{turn: 1, up: true}
		b := newBubble(t, link.Target{Row: "jmnet", Address: "a:2", Turn: 2})
		b.dialer.Up = carries.now
		b.start(t)
		b.wait(30 * time.Minute) // certificates live for an hour
		if got, s := b.since(), b.dialer.State(); len(got) > 0 || !s.Resting || s.Linked {
			t.Errorf("dialled %v, state %+v; want nothing dialled, and resting", got, s)
		}
		b.set("a:2", b.open)
		carries.set(0, false)
		b.dialer.Wake()
		b.wait(1900 * time.Millisecond)
		if got := b.since(); len(got) > 0 {
			t.Errorf("dialled %v before two seconds were over", got)
		}
		b.wait(200 * time.Millisecond)
		if l := <-b.links; l.Turn() != 2 || l.Row() != "jmnet" {
			t.Errorf("the link has turn %d and row %s", l.Turn(), l.Row())
		}
	})
}

// The dialler of the first turn begins at once.
func TestFirstTurnHasNoPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, rows...)
		b.dialer.Up = new(carrier).now
		b.start(t)
		if got := b.since(); !slices.Equal(got, []string{"b:1"}) {
			t.Errorf("dialled %v at the start, want the first row", got)
		}
	})
}

// A worse row carries everything until the better one heals; then that takes over, and only it is tried.
func TestBetterRowTakesOverWhenItHeals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, rows...)
		b.set("b:1", nil)
		b.set("b:3", b.open)
		b.start(t)
		first := <-b.links
		if first.Turn() != 3 {
			t.Fatalf("the first link has turn %d, want 3", first.Turn())
		}
		b.since()
		b.wait(time.Minute + time.Second)
		s := b.dialer.State()
		if got := b.since(); !slices.Equal(got, []string{"b:1", "b:1", "b:1", "b:1"}) {
			t.Errorf("dialled %v in a minute, want the better row each 15 s", got)
		}
		if !s.Linked || s.Err != nil || s.Row != "jmnet" || !errors.Is(s.Targets[0].Err, errDown) || s.Targets[0].Rounds != 5 || s.Targets[1].Err != nil {
			t.Errorf("state is %+v, want linked by jmnet, and why mjsnet is not", s)
		}
		b.set("b:1", b.open)
		b.wait(16 * time.Second)
		second := <-b.links
		if second.Turn() != 1 || first.Err() != nil {
			t.Errorf("turn %d, the first link says %v; want turn 1, and the first left to its owner", second.Turn(), first.Err())
		}
		first.Close("replaced by a newer link")
		b.wait(time.Minute)
		if got, s := b.since(), b.dialer.State(); len(got) != 1 || !s.Linked || s.Row != "mjsnet" || s.Targets[0].Rounds != 0 {
			t.Errorf("dialled %v, state %+v; want the better row once, and linked by it", got, s)
		}
	})
}

// What is not acknowledged makes the next row be dialled at once; the silent link is left to its time-out.
func TestUrgeDialsTheNextRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, rows...)
		b.set("b:1", b.open)
		b.set("b:3", b.open)
		b.start(t)
		first := <-b.links
		b.since()
		for range 5 {
			b.dialer.Urge()
			b.wait(0)
		}
		if got := b.since(); !slices.Equal(got, []string{"b:3"}) {
			t.Errorf("five urges dialled %v, want the next row once", got)
		}
		second := <-b.links
		if second.Turn() != 3 || first.Err() != nil {
			t.Errorf("turn %d, the first link says %v", second.Turn(), first.Err())
		}
	})
}

func TestUrgeWithOneTargetDialsItAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, link.Target{Address: "a"})
		b.set("a", b.open)
		b.start(t)
		first := <-b.links
		b.dialer.Urge()
		b.wait(0)
		second := <-b.links
		first.Close("replaced by a newer link")
		b.wait(time.Minute)
		if got, s := b.since(), b.dialer.State(); len(got) != 2 || !s.Linked || second.Err() != nil {
			t.Errorf("dialled %v, state %+v, the second link says %v; want two dials and the second link up", got, s, second.Err())
		}
	})
}

// A path that drops everything is known after five seconds, and found again within two of its healing.
func TestHealedPathIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, link.Target{Row: "reeve", Address: "a", Turn: 1})
		b.start(t)
		b.wait(5 * time.Second)
		if s := b.dialer.State(); !errors.Is(s.Err, link.ErrNoAnswer) || !s.Targets[0].Since.Equal(b.begin) {
			t.Errorf("after 5 s the state is %+v, want no answer", s)
		}
		b.wait(85 * time.Second)
		b.mu.Lock()
		for i := 1; i < len(b.at); i++ {
			if gap := b.at[i] - b.at[i-1]; gap > 2*time.Second {
				t.Errorf("nothing was sent from %v to %v", b.at[i-1], b.at[i])
			}
		}
		b.mu.Unlock()
		b.set("a", b.open)
		healed := time.Now()
		<-b.links
		if took := time.Since(healed); took > 2*time.Second {
			t.Errorf("the link came %v after the path had healed", took)
		}
	})
}

// What was cut off while its own dials are on the way is linked by the other end: the round ends at once.
func TestRoundEndsWhenTheOtherEndLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		carries := new(carrier)
		b := newBubble(t, rows...)
		b.dialer.Up = carries.now
		b.start(t)
		b.wait(2500 * time.Millisecond) // nobody answers
		carries.set(2, true)
		b.dialer.Wake()
		b.since()
		b.wait(14 * time.Second)
		if got, s := b.since(), b.dialer.State(); len(got) > 0 || !s.Resting || s.Err != nil {
			t.Errorf("dialled %v, state %+v; want a rest", got, s)
		}
		b.wait(2 * time.Second)
		if got := b.since(); !slices.Equal(got, []string{"b:1", "b:1"}) {
			t.Errorf("dialled %v, want the better row tried", got)
		}
	})
}

func TestChoiceAndSkip(t *testing.T) {
	t.Parallel()
	three := []link.Target{{Address: "a"}, {Address: "b"}, {Address: "c"}}
	for name, test := range map[string]struct {
		choice link.Choice
		skip   time.Duration
		want   []string
	}{
		"first":           {link.First, 0, []string{"a", "b", "c", "a", "b", "c"}},
		"next":            {link.Next, 0, []string{"a", "b", "c", "b", "c", "a"}},
		"all are skipped": {link.First, 30 * time.Second, []string{"a", "b", "c", "a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, three...)
				b.dialer.Choice, b.dialer.Skip = test.choice, test.skip
				for _, target := range three {
					b.set(target.Address, nil)
				}
				b.start(t)
				b.wait(100 * time.Millisecond)
				if got := b.since(); !slices.Equal(got, test.want) {
					t.Errorf("dialled %v, want %v", got, test.want)
				}
			})
		})
	}
	t.Run("a failed one is left out", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, three[:2]...)
			b.dialer.Skip = 30 * time.Second
			b.set("a", nil)
			b.set("b", b.open)
			b.start(t)
			(<-b.links).Close("test")
			b.since()
			b.wait(time.Second)
			if got := b.since(); !slices.Equal(got, []string{"b"}) {
				t.Errorf("dialled %v after a had failed, want b alone", got)
			}
			(<-b.links).Close("test")
			b.wait(29 * time.Second)
			(<-b.links).Close("test")
			b.since()
			b.wait(2 * time.Second)
			if got := b.since(); !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("dialled %v half a minute later, want a again", got)
			}
		})
	})
}
