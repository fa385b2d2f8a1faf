package link_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

var rounds = flag.Int("rounds", 100, "rounds of simultaneous dials and cuts")

// fused is a connection that breaks after so many bytes in both directions together: with an end that everybody sees,
// or silently.
type fused struct {
	net.Conn
	silent bool
	burnt  func() // told once

	mu     sync.Mutex
	left   int
	once   sync.Once
	closed chan struct{}
}

// burn takes n bytes off the fuse and says whether it has burnt down.
func (f *fused) burn(n int) bool {
	f.mu.Lock()
	f.left -= n
	over := f.left < 0
	f.mu.Unlock()
	if over {
		f.once.Do(func() {
			f.burnt()
			if f.silent {
				go func() { _, _ = io.Copy(io.Discard, f.Conn) }() // a network takes what nobody gets
			} else {
				_ = f.Conn.Close()
			}
		})
	}
	return over
}

func (f *fused) Write(b []byte) (int, error) {
	if f.burn(len(b)) && f.silent {
		return len(b), nil
	}
	return f.Conn.Write(b)
}

func (f *fused) Read(b []byte) (int, error) {
	if f.burn(0) && f.silent {
		<-f.closed
		return 0, net.ErrClosed
	}
	n, err := f.Conn.Read(b)
	if f.burn(n) && f.silent {
		<-f.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (f *fused) Close() error {
	f.mu.Lock()
	select {
	case <-f.closed:
	default:
		close(f.closed)
	}
	f.mu.Unlock()
	return f.Conn.Close()
}

// party is one of two ends that both listen and dial. The server keeps the link with the highest number and closes the
// others; the agent uses the one that came last and is still up.
type party struct {
	decides  bool
	listener *pipes
	dialer   *link.Dialer
	turns    map[string]int

	mu    sync.Mutex
	links []*link.Link
	fuse  func() (bytes int, silent bool)
	burnt atomic.Int64
}

func (p *party) current() *link.Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *link.Link
	for _, l := range p.links {
		if best == nil || !p.decides || l.Number() > best.Number() {
			best = l
		}
	}
	return best
}

func (p *party) up() (int, bool) {
	if l := p.current(); l != nil {
		return p.turns[l.Row()], true
	}
	return 0, false
}

func (p *party) onLink(ctx context.Context, l *link.Link) {
	p.mu.Lock()
	p.links = append(p.links, l)
	p.mu.Unlock()
	if best := p.current(); p.decides {
		p.mu.Lock()
		for _, other := range p.links {
			if other != best {
				other.Close("replaced by a newer link")
			}
		}
		p.mu.Unlock()
	}
	p.dialer.Wake()
	<-ctx.Done()
	p.mu.Lock()
	for i, other := range p.links {
		if other == l {
			p.links = append(p.links[:i:i], p.links[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	p.dialer.Wake()
}

// dialTo dials the other party's listener over a fused connection.
func (p *party) dialTo(other *pipes) func(context.Context, link.Target) (net.Conn, error) {
	return func(ctx context.Context, to link.Target) (net.Conn, error) {
		conn, err := other.dial(ctx, to)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		left, silent := p.fuse()
		return &fused{Conn: conn, silent: silent, left: left, closed: make(chan struct{}), burnt: func() { p.burnt.Add(1) }}, nil
	}
}

// Both ends listen, both dial at once, and connections break at every step of the protocol, from the first byte to a
// call under way, seen by both or silently. Each time both ends come to the same one link, and the agent's report is
// taken: perhaps twice, which its id shows to those above.
func TestBothEndsDialAtOnceAndLinksBreakAnywhere(t *testing.T) {
	t.Parallel()
	const perBubble = 25
	for first := 0; first < *rounds; first += perBubble {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { breakAnywhere(t, uint64(first), min(perBubble, *rounds-first)) })
		})
	}
}

func breakAnywhere(t *testing.T, seed uint64, times int) {
	d := newDomain(t)
	chance := rand.New(rand.NewPCG(seed, 4))
	var mu sync.Mutex
	taken := map[string]int{} // reports, each with how often it was told
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		taken[r.URL.Path]++
		mu.Unlock()
		_, _ = io.WriteString(w, r.URL.Path)
	})
	server := &party{decides: true, listener: newPipes(), turns: map[string]int{"down": 1, "up": 2}}
	agent := &party{listener: newPipes(), turns: server.turns}
	whole := func() (int, bool) { return 1 << 30, false }
	links := link.NewLinks()
	for _, p := range []struct {
		*party
		other *party
		own   *identity.Credentials
		peer  identity.Role
		row   string // that it dials
		turn  int
		on    string // that it listens on
		opts  link.Options
	}{
		{server, agent, d.server, identity.RoleAgent, "down", 1, "up", link.Options{Handler: reports, Links: links}},
		{agent, server, d.agent, identity.RoleServer, "up", 2, "down", link.Options{Handler: whoami}},
	} {
		p.fuse = whole
		p.dialer = &link.Dialer{
			Targets: func() []link.Target { return []link.Target{{Row: p.row, Address: p.row, Turn: p.turn}} },
			TLS:     end(p.own, p.peer).ClientConfig, Dial: p.dialTo(p.other.listener), Up: p.up, Options: p.opts, Patience: -1,
		}
		run(t, (&link.Server{
			Listener: p.listener, Row: p.on, TLS: end(p.own, p.peer).ServerConfig(), OnLink: p.onLink, Options: p.opts,
		}).Run)
	}
	for _, p := range []*party{server, agent} {
		run(t, func(ctx context.Context) error { return p.dialer.Run(ctx, p.onLink) })
	}
	for i := range times {
		begin, report := time.Now(), fmt.Sprint("/", i)
		for _, p := range []*party{server, agent} {
			p.mu.Lock()
			used, left, silent := false, chance.IntN(7000), chance.IntN(2) == 0
			p.fuse = func() (int, bool) { // the next connection breaks; those after it are whole
				if used {
					return whole()
				}
				used = true
				return left, silent
			}
			p.mu.Unlock()
		}
		if l := []*party{server, agent}[chance.IntN(2)].current(); l != nil {
			l.Close("cut")
		}
		tell(t, agent, report)
		for !settled(t, server, agent) {
			time.Sleep(100 * time.Millisecond) // of the bubble
			if time.Since(begin) > 5*time.Minute {
				t.Fatalf("round %d: after 5 min server %+v, agent %+v", i, server.dialer.State(), agent.dialer.State())
			}
		}
		mu.Lock()
		if taken[report] == 0 {
			t.Errorf("round %d: the report is lost", i)
		}
		mu.Unlock()
	}
	if n := int(server.burnt.Load() + agent.burnt.Load()); n < times/2 {
		t.Errorf("%d connections broke in %d rounds; want more", n, times)
	} else {
		t.Logf("%d connections broke in %d rounds", n, times)
	}
}

// tell sends a report until it is acknowledged, as an agent does.
func tell(t *testing.T, agent *party, report string) {
	for {
		if l := agent.current(); l != nil {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			got, err := get(ctx, l.Client(), report)
			cancel()
			if err == nil {
				if got != report {
					t.Errorf("the report %s was answered %q", report, got)
				}
				return
			}
			agent.dialer.Urge()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// settled reports whether both ends have the same one link, and calls go both ways over it.
func settled(t *testing.T, server, agent *party) bool {
	synctest.Wait()
	near, far := server.current(), agent.current()
	if near == nil || far == nil || near.Err() != nil || far.Err() != nil || near.Row() != far.Row() || near.Row() == "" {
		return false
	}
	server.mu.Lock()
	one := len(server.links) == 1
	server.mu.Unlock()
	if !one {
		return false
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, l := range []*link.Link{near, far} {
		if _, err := get(ctx, l.Client(), "/settled"); err != nil {
			return false
		}
	}
	return true
}
