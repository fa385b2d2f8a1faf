package link_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

var errDown = errors.New("connection refused")

// The wait doubles up to its bound; chance only ever shortens it.
func TestBackoffGrowsToItsBound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		backoff link.Backoff
		want    []time.Duration // before the nth dial
	}{
		"without chance": {link.Backoff{Unconnected: time.Hour}, []time.Duration{0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000}},
		"luckiest": {
			link.Backoff{Unconnected: time.Hour, Chance: func() float64 { return 0 }},
			[]time.Duration{0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 7500, 7500},
		},
		"nobody takes the connection": {link.Backoff{}, []time.Duration{0, 100, 200, 400, 800, 1500, 1500}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var waits []time.Duration
				last := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				d := &link.Dialer{
					Targets: func() []link.Target { return []link.Target{{Address: "a"}} },
					Backoff: test.backoff,
					Dial: func(context.Context, link.Target) (net.Conn, error) {
						waits = append(waits, time.Since(last)/time.Millisecond)
						last = time.Now()
						if len(waits) == len(test.want) {
							cancel()
						}
						return nil, errDown
					},
				}
				if err := d.Run(ctx, nil); err != nil {
					t.Errorf("Run = %v, want nil", err)
				}
				if !slices.Equal(waits, test.want) {
					t.Errorf("waits in ms are %v, want %v", waits, test.want)
				}
			})
		})
	}
}

func TestStateTellsWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dialled []string
		d := &link.Dialer{
			Targets: func() []link.Target { return []link.Target{{Address: "first:1"}, {Row: "jmnet", Address: "second:2"}} },
			Backoff: link.Backoff{Least: time.Minute, Most: time.Minute},
			Dial: func(_ context.Context, to link.Target) (net.Conn, error) {
				dialled = append(dialled, to.Address)
				return nil, errDown
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx, nil) }()
		synctest.Wait()
		s := d.State()
		if s.Linked || s.Address != "second:2" || s.Row != "jmnet" || s.Rounds != 1 || !errors.Is(s.Err, errDown) || !s.Next.Equal(time.Now().Add(time.Minute)) || !s.Since.Equal(time.Now()) {
			t.Errorf("state is %+v, want the second address refused, and the next round in a minute", s)
		}
		if !strings.Contains(s.Err.Error(), "dialling second:2 (jmnet)") {
			t.Errorf("the error is %v, want the address in it", s.Err)
		}
		d.Wake()
		synctest.Wait()
		if want := []string{"first:1", "second:2", "first:1", "second:2"}; !slices.Equal(dialled, want) {
			t.Errorf("dialled %v, want %v after a wake", dialled, want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

func TestNoAddressIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &link.Dialer{Targets: func() []link.Target { return nil }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Run(ctx, nil); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if s := d.State(); !fault.Is(s.Err, fault.Unreachable) {
			t.Errorf("state is %+v, want an error of kind unreachable", s)
		}
	})
}

// A connect that gets no answer, and a peer that accepts and then says nothing, are each given up in their time.
func TestSilenceIsGivenUp(t *testing.T) {
	t.Parallel()
	d := newDomain(t)
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		mute := make(chan net.Conn, 1)
		dialer := &link.Dialer{
			Targets: func() []link.Target { return []link.Target{{Address: "dropped:1"}, {Address: "mute:2"}} },
			TLS:     end(d.agent, identity.RoleServer).ClientConfig,
			Backoff: link.Backoff{Least: time.Hour, Most: time.Hour},
			Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
				if to.Address == "dropped:1" {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				if took := time.Since(begin); took != time.Second {
					t.Errorf("the second address was dialled after %v, want 1 s", took)
				}
				near, far := net.Pipe()
				mute <- far
				return near, nil
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() {
			time.Sleep(5*time.Second + time.Millisecond) // of the bubble: no real time passes
			if s := dialer.State(); !errors.Is(s.Err, link.ErrNoAnswer) || !errors.Is(s.Targets[0].Err, link.ErrNoAnswer) || !s.Targets[0].Since.Equal(begin) {
				t.Errorf("after 5 s the state is %+v, want the first address given up", s)
			}
			time.Sleep(time.Second)
			if s := dialer.State(); !fault.Is(s.Err, fault.Unreachable) || !strings.Contains(s.Err.Error(), "no handshake within 5s") || s.Targets[1].Rounds != 1 {
				t.Errorf("after 6 s the state is %+v, want the handshake given up", s)
			}
		}()
		if err := dialer.Run(ctx, nil); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		_ = (<-mute).Close()
	})
}

func TestNextAddressIsTakenWhenTheFirstIsDown(t *testing.T) {
	t.Parallel()
	d := newDomain(t)
	address := serve(t, &link.Server{TLS: end(d.server, identity.RoleAgent).ServerConfig()})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	dialer := &link.Dialer{
		TLS:     end(d.agent, identity.RoleServer).ClientConfig,
		Targets: func() []link.Target { return []link.Target{{Address: closed.Addr().String()}, {Address: address}} },
	}
	l := receive(t, dial(t, dialer, ""))
	if s := dialer.State(); s.Address != address || !s.Linked || l.RemoteAddr().String() != address {
		t.Errorf("state is %+v, want linked to %s", s, address)
	}
}

// A renewed certificate is used by the next dial of the same dialler.
func TestRedialUsesTheRenewedCertificate(t *testing.T) {
	t.Parallel()
	current := make(chan *identity.Credentials, 1)
	p := newPair(t, func(p *pair) {
		current <- p.domain.agent
		own := p.domain.agent
		p.dialer.TLS = func() *tls.Config {
			select {
			case own = <-current:
			default:
			}
			return end(own, identity.RoleServer).ClientConfig()
		}
	})
	first := receive(t, p.atServer)
	renewed := p.domain.issue(identity.RoleAgent, "north", time.Now())
	current <- renewed
	receive(t, p.atNode).Close("certificate renewed")
	second := receive(t, p.atServer)
	if first.Certificate().Equal(second.Certificate()) || second.Peer() != renewed.Identity {
		t.Errorf("the second link has the certificate of %v, want the renewed one", second.Peer())
	}
}

// The link is made anew before the server's certificate expires, not when it does: all agents would come at once.
func TestLinkIsMadeAnewBeforeTheServersCertificateExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t) // certificates live for an hour
		listener := newPipes()
		own := d.server
		guard := end(nil, identity.RoleAgent)
		guard.Own = func() (*identity.Credentials, error) { return own, nil }
		run(t, (&link.Server{Listener: listener, TLS: guard.ServerConfig()}).Run)
		begin := time.Now()
		atNode := dial(t, &link.Dialer{
			TLS: end(d.agent, identity.RoleServer).ClientConfig, Dial: listener.dial,
			Backoff: link.Backoff{Chance: func() float64 { return 0.5 }},
		}, "pipe")
		first := <-atNode
		time.Sleep(30 * time.Minute) // of the bubble
		own = d.issue(identity.RoleServer, "hq1", time.Now())
		second := <-atNode
		if at := time.Since(begin).Round(time.Minute); at != 57*time.Minute {
			t.Errorf("the second link came after %v, want 57 min: half of the last tenth of the hour before its end", at)
		}
		if first.Err() == nil || !second.Certificate().Equal(own.Leaf) {
			t.Errorf("the first link says %v; the second is to %v", first.Err(), second.Peer())
		}
	})
}
