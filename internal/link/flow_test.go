package link_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// cable is one end of a connection that can be cut without a word, as a firewall does that forgets it.
type cable struct {
	net.Conn
	cut    chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (c *cable) Write(b []byte) (int, error) {
	select {
	case <-c.cut:
		return len(b), nil // the kernel takes it; nobody ever gets it
	default:
		return c.Conn.Write(b)
	}
}

func (c *cable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.cut: // not even the other end's goodbye gets through
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *cable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// breakable makes the first connection that is dialled and accepted one that is cut by closing cut.
type breakable struct {
	net.Listener
	to                func(context.Context, link.Target) (net.Conn, error)
	cut               chan struct{}
	dialled, accepted bool
}

func (b *breakable) dial(ctx context.Context, to link.Target) (net.Conn, error) {
	conn, err := b.to(ctx, to)
	return b.wrap(conn, err, &b.dialled)
}

func (b *breakable) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	return b.wrap(conn, err, &b.accepted)
}

func (b *breakable) wrap(conn net.Conn, err error, before *bool) (net.Conn, error) {
	if err != nil || *before {
		return conn, err
	}
	*before = true
	return &cable{Conn: conn, cut: b.cut, closed: make(chan struct{})}, nil
}

// breakAndReturn brings a link up, lets it idle, cuts it, and waits for the next.
func breakAndReturn(t *testing.T, b *breakable, timing link.Timing, idle, limit time.Duration) {
	d := newDomain(t)
	atServer := make(chan *link.Link, 4)
	server := &link.Server{
		Listener: b, TLS: end(d.server, identity.RoleAgent).ServerConfig(), Options: link.Options{Handler: whoami, Timing: timing},
		OnLink: func(_ context.Context, l *link.Link) { atServer <- l },
	}
	run(t, server.Run)
	atNode := dial(t, &link.Dialer{
		TLS: end(d.agent, identity.RoleServer).ClientConfig, Dial: b.dial, Options: link.Options{Timing: timing},
	}, b.Addr().String())
	near, far := <-atNode, <-atServer
	if _, err := get(t.Context(), near.Client(), "/"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(idle) // in a bubble: no real time passes
	if near.Err() != nil || far.Err() != nil {
		t.Fatalf("an idle link ended: %v, %v", near.Err(), far.Err())
	}
	begin := time.Now()
	close(b.cut)
	noticed(t, begin, limit, near, far)
	again := <-atNode
	if _, err := get(t.Context(), again.Client(), "/"); err != nil {
		t.Errorf("a call over the new link: %v", err)
	}
}

// noticed checks how both ends of a link that was cut at begin came to know it.
func noticed(t *testing.T, begin time.Time, limit time.Duration, near, far *link.Link) {
	t.Helper()
	for name, l := range map[string]*link.Link{"dialler": near, "acceptor": far} {
		<-l.Done()
		if !fault.Is(l.Err(), fault.Unreachable) || !strings.Contains(l.Err().Error(), "no word from") {
			t.Errorf("the %s says %v, want that no word came", name, l.Err())
		}
	}
	if took := time.Since(begin); took > limit {
		t.Errorf("the break was noticed after %v, want at most %v", took, limit)
	}
}

// With the default timing, in the bubble's time: an idle link stays, a dead one is given up within 30 s.
func TestSilentBreakIsNoticedWithinTheTimeOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		b := &breakable{Listener: listener, to: listener.dial, cut: make(chan struct{})}
		breakAndReturn(t, b, link.Timing{}, 40*time.Minute+3*time.Second, 30*time.Second)
	})
}

// The same over TCP, in real time.
func TestSilentBreakIsNoticedOverTCP(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	timing := link.Timing{Heartbeat: 500 * time.Millisecond, Timeout: 2 * time.Second}
	b := &breakable{Listener: listener, to: dialTCP, cut: make(chan struct{})}
	breakAndReturn(t, b, timing, 0, 3*timing.Timeout) // the machine may be busy
}

// A path that forgets what is silent for 9 s cuts links with the default keep-alive, and none with one below that.
func TestKeepAliveBelowThePathsIdleLimit(t *testing.T) {
	t.Parallel()
	const idle = 9 * time.Second
	for name, test := range map[string]struct {
		pace func(identity.Identity, string) link.Timing
		want time.Duration // the heartbeat
		ends bool
	}{
		"default": {nil, 10 * time.Second, true},
		"below":   {func(identity.Identity, string) link.Timing { return link.Timing{}.Below(idle) }, 3 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDomain(t)
				listener := newPipes()
				run(t, (&link.Server{Listener: listener, TLS: end(d.server, identity.RoleAgent).ServerConfig()}).Run)
				atNode := dial(t, &link.Dialer{
					TLS: end(d.agent, identity.RoleServer).ClientConfig, Options: link.Options{Pace: test.pace},
					Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
						conn, err := listener.dial(ctx, to)
						if err != nil {
							return nil, err
						}
						return newForgetful(conn, idle), nil
					},
				}, "pipe")
				l := <-atNode
				time.Sleep(2 * time.Minute) // of the bubble
				synctest.Wait()
				if (l.Err() != nil) != test.ends || l.Timing().Heartbeat != test.want {
					t.Errorf("after 2 min the link says %v, its heartbeat is %v; want an end: %t, and %v", l.Err(), l.Timing().Heartbeat, test.ends, test.want)
				}
			})
		})
	}
}

// forgetful is a connection through something that forgets it after a silence: from then on nothing gets through.
type forgetful struct {
	*cable
	idle  time.Duration
	timer *time.Timer
}

func newForgetful(conn net.Conn, idle time.Duration) *forgetful {
	f := &forgetful{cable: &cable{Conn: conn, cut: make(chan struct{}), closed: make(chan struct{})}, idle: idle}
	f.timer = time.AfterFunc(idle, func() { close(f.cut) })
	return f
}

func (f *forgetful) Write(b []byte) (int, error) {
	if f.timer.Stop() {
		f.timer.Reset(f.idle)
	}
	return f.cable.Write(b)
}

func (f *forgetful) Read(b []byte) (int, error) {
	n, err := f.cable.Read(b)
	if n > 0 && f.timer.Stop() {
		f.timer.Reset(f.idle)
	}
	return n, err
}

func (f *forgetful) Close() error {
	f.timer.Stop()
	return f.cable.Close()
}

func TestCallsReuseTheirStream(t *testing.T) {
	t.Parallel()
	l := receive(t, newPair(t, nil).atNode)
	opened := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if !info.Reused {
				opened++
			}
		},
	})
	for range 50 {
		if _, err := get(ctx, l.Client(), "/"); err != nil {
			t.Fatal(err)
		}
	}
	if opened != 1 {
		t.Errorf("50 calls in a row opened %d streams, want 1", opened)
	}
}

// Uploads that nobody reads fill their own streams and no others.
func TestStalledUploadsDoNotHoldUpCalls(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	stalled := make(chan struct{}, 100)
	p := newPair(t, func(p *pair) {
		p.server.Options.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/upload" {
				stalled <- struct{}{}
				<-release
				return
			}
			whoami(w, r)
		})
	})
	l := receive(t, p.atNode)
	ctx, cancel := context.WithCancel(t.Context())
	var uploads sync.WaitGroup
	for range 32 {
		uploads.Go(func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, link.BaseURL+"/upload", bytes.NewReader(make([]byte, 8<<20)))
			if err != nil {
				t.Error(err)
				return
			}
			if response, err := l.Bulk().Do(request); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	for range 16 { // as many as Bulk sends at once
		receive(t, stalled)
	}
	var times []time.Duration
	for range 100 {
		begin := time.Now()
		short, done := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := get(short, l.Client(), "/")
		done()
		if err != nil {
			t.Fatalf("a call beside stalled uploads: %v", err)
		}
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	t.Logf("calls beside 16 stalled uploads: median %v, worst %v", times[50], times[99])
	cancel()
	close(release)
	uploads.Wait()
}

// Everything happens at once, at both ends, while links come and go: what the race detector and goleak look at.
func TestManyCallsWhileLinksComeAndGo(t *testing.T) {
	t.Parallel()
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, http.MaxBytesReader(w, r.Body, 1<<20))
	})
	p := newPair(t, func(p *pair) {
		p.server.Options.Handler, p.dialer.Options.Handler = echo, echo
		p.dialer.Backoff = link.Backoff{Least: time.Millisecond, Most: 2 * time.Millisecond}
	})
	var good, wrong atomic.Int64
	call := func(l *link.Link, i int) {
		body := strings.Repeat(fmt.Sprint(i, ","), 1000)
		response, err := l.Client().Post(link.BaseURL+"/", "text/plain", strings.NewReader(body))
		if err != nil {
			return // its link has ended
		}
		defer func() { _ = response.Body.Close() }()
		got, err := io.ReadAll(response.Body)
		switch {
		case err != nil:
		case string(got) == body:
			good.Add(1)
		default:
			wrong.Add(1)
		}
	}
	for range 5 {
		near, far := receive(t, p.atNode), receive(t, p.atServer)
		var group sync.WaitGroup
		answered := make(chan struct{}, 200)
		for i := range 100 {
			group.Go(func() { call(near, i); answered <- struct{}{} })
			group.Go(func() { call(far, i); answered <- struct{}{} })
		}
		for range 50 {
			receive(t, answered)
		}
		far.Close("test")
		near.Close("test")
		group.Wait()
		receive(t, near.Done())
		receive(t, far.Done())
	}
	if good.Load() == 0 || wrong.Load() > 0 {
		t.Errorf("%d calls came back whole and %d changed or cut; want many and none", good.Load(), wrong.Load())
	}
}

type ping struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

func answer(w http.ResponseWriter, r *http.Request) {
	var in ping
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(in)
}

func benchPair(b *testing.B) *link.Link {
	b.Helper()
	p := newPair(b, func(p *pair) {
		p.server.Options.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/upload" {
				_, _ = io.Copy(io.Discard, r.Body)
				return
			}
			answer(w, r)
		})
	})
	return receive(b, p.atNode)
}

func callOnce(l *link.Link, in ping) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	response, err := l.Client().Post(link.BaseURL+"/", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var out ping
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func BenchmarkCall(b *testing.B) {
	l := benchPair(b)
	in := ping{N: 7, Text: strings.Repeat("x", 256)}
	b.ReportAllocs()
	for b.Loop() {
		if err := callOnce(l, in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallParallel(b *testing.B) {
	l := benchPair(b)
	in := ping{N: 7, Text: strings.Repeat("x", 256)}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := callOnce(l, in); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkUpload(b *testing.B) {
	l := benchPair(b)
	data := make([]byte, 8<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		response, err := l.Bulk().Post(link.BaseURL+"/upload", "application/octet-stream", bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		_ = response.Body.Close()
	}
}

func BenchmarkCallBesideUploads(b *testing.B) {
	l := benchPair(b)
	ctx, cancel := context.WithCancel(context.Background())
	var uploads sync.WaitGroup
	for range 4 {
		uploads.Go(func() {
			for ctx.Err() == nil {
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, link.BaseURL+"/upload", bytes.NewReader(make([]byte, 8<<20)))
				if err != nil {
					b.Error(err)
					return
				}
				if response, err := l.Bulk().Do(request); err == nil {
					_ = response.Body.Close()
				}
			}
		})
	}
	in := ping{N: 7, Text: strings.Repeat("x", 256)}
	for b.Loop() {
		if err := callOnce(l, in); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	uploads.Wait()
}

func BenchmarkLinkUp(b *testing.B) {
	p := newPair(b, func(p *pair) { p.dialer.Backoff = link.Backoff{Least: time.Nanosecond, Most: time.Nanosecond} })
	for b.Loop() {
		l := receive(b, p.atNode)
		receive(b, p.atServer)
		l.Close("again")
	}
}
